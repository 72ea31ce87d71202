"""Runs on MicroPython: a meter's samples on LittleFS, the power cut at every write.

    cut_power.py STORE        STORE: files | nvs, where keys and reserved seqs are kept

The flash logs each program and erase (and each write of the store). Every prefix of that log is
replayed, whole and with its last write half done, and a meter started from what is then there.
Some of these lives are cut at each of their own writes again. Prints what was seen as JSON.
"""

import json
import sys

import vfs
from wattle_meter.board import Store
from wattle_meter.directory import Directory
from wattle_testkit import nor_flash, power_cuts
from wattle_testkit.nor_flash import BLOCK_BYTES, NorFlash
from wattle_testkit.power_cuts import History, Place

BLOCKS = 20
# Every so-many-th cut is followed by a life that is itself cut at each of its writes.
AGAIN_EVERY = 61


class NvsModel(Store):
    """NVS of an ESP32: a key has its old or its new value after a cut.

    esp-idf promises that a value is safe after commit; it may be so as soon as it is set.
    `safe`: values as of the last commit; `values`: as set. `wrote` as in NorFlash.
    """

    def __init__(self, values, wrote=None):
        self.safe = dict(values)
        self.values = dict(values)
        self._wrote = wrote

    def get(self, key):
        return self.values.get(key)

    def set(self, key, value):
        self.values[key] = bytes(value)
        self._note()

    def commit(self):
        self.safe = dict(self.values)
        self._note()

    def _note(self):
        if self._wrote is not None:
            self._wrote(None, (dict(self.safe), dict(self.values)))


class Flash(Place):
    """What is on flash: `memory` below the file system, `values` of an NVS (None: files)."""

    def __init__(self, memory, values):
        self.memory = memory
        self.values = values
        self.spoilt = 0
        self._device = self._store = None

    def copy(self):
        return Flash(bytearray(self.memory), self.values)

    def start(self, history):
        wrote = None
        if history is not None:
            wrote = lambda start, data: history.wrote((start, data))  # noqa: E731
        self._device = NorFlash(self.memory, wrote)
        # A board's settings (the defaults) where writes are noted; larger reads leave the format
        # alone and save this test's time.
        vfs.mount(vfs.VfsLfs2(self._device, readsize=512 if history is None else 32), "/cut")
        if self.values is None:
            store = FileStore("/cut/nvs")
        else:
            self._store = store = NvsModel(self.values, wrote)
        return Directory("/cut/outbox"), store

    def end(self):
        self.spoilt += self._device.spoilt
        if self._store is not None:
            self.values = self._store.values
        vfs.umount("/cut")


class Cuts:
    """Replays a history on `flash`, and checks what each of its prefixes leaves."""

    def __init__(self, again):
        self._again = again
        self.counts = {"writes": 0, "half": 0, "again": 0, "not_whole": 0}

    def replay(self, flash, history):
        for number, (write, used, kept) in enumerate(history.writes):
            start, data = write
            self._cut(flash, history, used, kept, number)
            if start is None:
                safe, values = data
                if safe != values:  # set, and not committed: either may be there
                    self._check(Flash(bytearray(flash.memory), safe), history, used, kept)
                flash.values = values
                continue
            half = flash.copy()
            how = nor_flash.HALF_THE_BYTES if number % 2 else nor_flash.HALF_THE_BITS
            nor_flash.write_half(half.memory, start, data, how)
            self._check(half, history, used, kept)
            self.counts["half"] += 1
            nor_flash.write(flash.memory, start, data)
        self._cut(flash, history, history.used, history.kept, -1)

    def _check(self, flash, history, used, kept, second=None):
        counts = power_cuts.check(flash, used, kept, history.samples, second)
        self.counts["not_whole"] += counts["torn"] + counts["damaged"]

    def _cut(self, flash, history, used, kept, number):
        """The power fails before write `number`."""
        self.counts["writes"] += 1
        if not self._again or number % AGAIN_EVERY:
            self._check(flash.copy(), history, used, kept)
            return
        second = History(history.samples, used, kept)
        self._check(flash.copy(), history, used, kept, second)
        cuts = Cuts(False)
        cuts.replay(flash.copy(), second)
        self.counts["again"] += cuts.counts["writes"] + cuts.counts["half"]


class HostWithoutFolders:
    """Of the Linux board's host: LittleFS needs no fsync of a folder."""

    @staticmethod
    def sync_folder(path):
        pass


sys.modules["host"] = HostWithoutFolders
from file_store import FileStore  # noqa: E402 - behind what stands for the host


def main(store):
    for module, name, value in power_cuts.SMALL:
        setattr(module, name, value)
    flash = Flash(bytearray(b"\xff" * (BLOCKS * BLOCK_BYTES)), {} if store == "nvs" else None)
    vfs.VfsLfs2.mkfs(NorFlash(flash.memory))
    start = flash.copy()
    history = History({}, 0, [])
    seen = power_cuts.play(flash, history)
    assert not flash.spoilt, "LittleFS programmed what was not erased"
    seen["erases"] = len([write for write, _, _ in history.writes if write[1] is None])
    cuts = Cuts(True)
    cuts.replay(start, history)
    seen.update(cuts.counts)
    print(json.dumps(seen))


main(sys.argv[1])
