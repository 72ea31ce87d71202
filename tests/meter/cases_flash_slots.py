"""Slots of the ESP32 on a flash that behaves like one: bits only fall until a sector is erased."""

import sys

from wattle_meter.slots import PIECE_BYTES

SECTOR = 4096
ROOM = 3 * SECTOR  # of each of three parts, in a partition of a little more
_HERE = __file__.rpartition("/")[0]


class FakePartition:
    """The partition "romfs" in memory; there is none while `present` is not set."""

    TYPE_DATA = 1
    present = True
    flash = bytearray()
    erased = []

    @classmethod
    def find(cls, kind, label):
        assert (kind, label) == (1, "romfs")
        return [cls()] if cls.present else []

    def info(self):
        return (1, 0x8F, 0x310000, len(self.flash), "romfs", False)

    def ioctl(self, operation, sector):
        assert operation == 6
        self.erased.append(sector)
        self.flash[sector * SECTOR : (sector + 1) * SECTOR] = b"\xff" * SECTOR

    def writeblocks(self, sector, data, offset):
        at = sector * SECTOR + offset
        for value in data:
            self.flash[at] &= value
            at += 1

    def readblocks(self, sector, buffer, offset):
        at = sector * SECTOR + offset
        buffer[:] = self.flash[at : at + len(buffer)]


class Esp32:
    Partition = FakePartition


def slots(present=True):
    """FlashSlots over a fresh flash full of an older program."""
    sys.modules["esp32"] = Esp32
    folder = _HERE + "/../../firmware/boards/esp32"
    if folder not in sys.path:
        sys.path.insert(0, folder)
    from flash_slots import FlashSlots

    FakePartition.present = present
    FakePartition.flash = bytearray(b"\x5a" * (3 * ROOM + 2 * SECTOR))
    FakePartition.erased = []
    return FlashSlots()


def read_back(found, slot):
    data = b""
    while True:
        piece = found.read(slot, "firmware.rom", len(data))
        assert len(piece) <= PIECE_BYTES
        if not piece:
            return data
        data += piece


def test_a_program_is_written_in_its_part_and_nowhere_else():
    found = slots()
    program = bytes(range(251)) * 40  # ends in the middle of a sector
    before = bytes(FakePartition.flash)
    assert found.begin(2, "firmware.rom", len(program))
    for at in range(0, len(program), 1000):  # across the sectors' edges
        found.write(program[at : at + 1000])
    found.end()
    assert read_back(found, 2) == program
    assert FakePartition.erased == [6, 7, 8]
    assert FakePartition.flash[: 2 * ROOM] == before[: 2 * ROOM]
    assert FakePartition.flash[3 * ROOM :] == before[3 * ROOM :]


def test_a_second_try_in_the_same_slot_is_whole():
    found = slots()
    for program in (b"\x0f" * 5000, b"\xf0" * 6000):
        assert found.begin(1, "firmware.rom", len(program))
        found.write(program)
        found.end()
        assert read_back(found, 1) == program


def test_a_program_that_does_not_fit_is_told():
    found = slots()
    assert found.begin(1, "firmware.rom", ROOM)
    assert not found.begin(1, "firmware.rom", ROOM + 1)
    assert FakePartition.erased == []


def test_without_the_partition_there_is_no_room():
    assert not slots(False).begin(1, "firmware.rom", 1)
