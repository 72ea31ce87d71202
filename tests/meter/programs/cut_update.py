"""Runs on MicroPython: an update on LittleFS, the power cut at every write to the flash.

A board that runs version 5 out of slot 1 receives version 6, starts it and confirms it. Every
prefix of the log of programs and erases is replayed, whole and with its last write half done; what
the start of the board then chooses must be whole: all of the old, or all of the new. Prints what
was seen as JSON.
"""

import asyncio
import json
import sys

import boot_choice
import vfs
from wattle_meter.slots import Slots
from wattle_meter.version import Versions
from wattle_testkit import nor_flash
from wattle_testkit.nor_flash import BLOCK_BYTES, NorFlash
from wattle_testkit.update_fakes import UpdateBoard, made
from wattle_wire import update

BLOCKS = 24
PLACE = "/cut"


class HostWithoutFolders:
    """Of the Linux board's host: LittleFS needs no fsync of a folder."""

    @staticmethod
    def sync_folder(path):
        pass


sys.modules["host"] = HostWithoutFolders
from file_store import FileStore  # noqa: E402 - behind what stands for the host


def files(version):
    """What a version brings."""
    mark = b"version %d " % version
    return [(update.FIRMWARE, mark * 600), (update.ALLIANCE, mark * 20), ("authority0.der", mark)]


class FlashBoard(UpdateBoard):
    """The board whose slots and store lie on the mounted file system."""

    def __init__(self):
        super().__init__()
        self.slots = Slots(PLACE)
        self.store = FileStore(PLACE + "/nvs")

    def start(self):
        record = self.store.get(boot_choice.RECORD_KEY) or b""
        slot, changed = boot_choice.choose(record)
        if changed != record:
            self.store.set(boot_choice.RECORD_KEY, changed)
            self.store.commit()
        return slot


async def live(version):
    """A board that receives `version`, starts it, and has a sample acknowledged."""
    board = FlashBoard()
    board.start()
    updater = board.updater()
    task = asyncio.create_task(updater.run())
    whole = made(version, files(version))
    chunks = whole.chunks()
    updater.take(whole.message())
    while not updater.restart.is_set():
        await board.clock.advance(0)
        if not updater._message and not updater.restart.is_set():
            updater.take(chunks[updater.news[2] // update.CHUNK_BYTES_MAX])
    task.cancel()
    board = FlashBoard()
    board.start()
    board.updater().service(True)


def content(slot, name):
    with open(f"{PLACE}/slot{slot}/{name}", "rb") as file:
        return file.read()


def check(memory):
    """The version that a board with this flash starts; asserts that all of it is there."""
    vfs.mount(vfs.VfsLfs2(NorFlash(memory), readsize=512), PLACE)
    try:
        board = FlashBoard()
        slot = board.start()
        versions = Versions(board.store)
        assert slot == versions.slot
        version = versions.running
        for name, expected in files(version):
            at = slot if name == update.FIRMWARE else versions.settings
            assert content(at, name) == expected, (version, name)
        return version
    finally:
        vfs.umount(PLACE)


def main():
    memory = bytearray(b"\xff" * (BLOCKS * BLOCK_BYTES))
    vfs.VfsLfs2.mkfs(NorFlash(memory))
    vfs.mount(vfs.VfsLfs2(NorFlash(memory)), PLACE)
    asyncio.run(live(5))
    vfs.umount(PLACE)
    before = bytearray(memory)
    writes = []
    vfs.mount(vfs.VfsLfs2(NorFlash(memory, lambda *write: writes.append(write))), PLACE)
    asyncio.run(live(6))
    vfs.umount(PLACE)
    seen = {5: 0, 6: 0}
    for number, (start, data) in enumerate(writes):
        half = bytearray(before)
        how = nor_flash.HALF_THE_BYTES if number % 2 else nor_flash.HALF_THE_BITS
        nor_flash.write_half(half, start, data, how)
        seen[check(half)] += 1
        nor_flash.write(before, start, data)
        seen[check(bytearray(before))] += 1
    assert before == memory
    print(json.dumps({"old": seen[5], "new": seen[6], "last": check(before)}))


main()
