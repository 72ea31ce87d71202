"""The power cut at every write of a meter: on LittleFS (real MicroPython) and on a Linux disk."""

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from wattle_hil import parts
from wattle_testkit import power_cuts
from wattle_testkit.lazy_disk import LazyDisk
from wattle_testkit.power_cuts import History, Place

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).parent / "programs" / "cut_power.py"
LINUX_BOARD = ROOT / "firmware" / "boards" / "linux"
_ROOMS = ("protocol", "firmware", "firmware/boards/linux", "tests/kit")
_DEADLINE_S = 300


# On 32 bits, as a board has it, keys and seqs in NVS; files beside the samples on the other.
@pytest.mark.parametrize(("bits", "store"), [(64, "files"), (32, "nvs")])
def test_any_prefix_of_writes_to_littlefs_mounts_and_goes_on(bits: int, store: str) -> None:
    try:
        interpreter = parts.micropython(bits)
    except parts.PartMissingError as error:
        pytest.skip(str(error))
    path = ":".join([*(f"{ROOT}/{room}" for room in _ROOMS), ".frozen"])
    done = subprocess.run(
        [interpreter, "-X", "heapsize=8m", PROGRAM, store],
        env=os.environ | {"MICROPYPATH": path},
        capture_output=True,
        text=True,
        timeout=_DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert min(seen["writes"], seen["half"], seen["again"]) > 500
    # The run met full flash without final, erased blocks, several reservations.
    assert min(seen["dropped"], seen["erases"], seen["reservations"] - 1) > 0
    assert seen["not_whole"] == 0, "LittleFS shows an append whole or not at all"


class LinuxMeter(Place):
    """The folder of a Linux board on a disk; its modules are those of the board."""

    def __init__(self, disk: LazyDisk, modules: "Modules") -> None:
        self.disk = disk
        self._modules = modules

    def start(self, history: History | None) -> tuple[Any, Any]:
        if history is not None:
            self.disk.before_write = lambda: history.wrote(self.disk.copy())
        return self._modules.opened(self.disk)


class Modules:
    """The Linux board's store and directory, on whatever disk."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        patch.syspath_prepend(str(LINUX_BOARD))
        host = ModuleType("host")
        host.sync_folder = lambda path: None  # type: ignore[attr-defined]
        patch.setitem(sys.modules, "host", host)
        patch.delitem(sys.modules, "file_store", raising=False)
        import file_store
        from wattle_meter import directory

        patch.setitem(sys.modules, "file_store", file_store)
        self._patch = patch
        self._store, self._directory = file_store, directory

    def opened(self, disk: LazyDisk) -> tuple[Any, Any]:
        """(files, store) of a board whose folder is the root of `disk`."""
        store = self.store(disk)
        files = self._directory.Directory("/outbox", lambda: disk.sync_folder("/outbox"))
        disk.sync_folder("/")  # as LinuxBoard.outbox does
        return files, store

    def store(self, disk: LazyDisk) -> Any:
        """The store alone."""
        for module in (self._store, self._directory):
            self._patch.setattr(module, "open", disk.open, raising=False)
            self._patch.setattr(module, "os", disk)
        self._patch.setattr(self._store, "sync_folder", disk.sync_folder)
        return self._store.FileStore("/nvs")


@pytest.fixture
def modules(monkeypatch: pytest.MonkeyPatch) -> Modules:
    for module, name, value in power_cuts.SMALL:
        monkeypatch.setattr(module, name, value)
    return Modules(monkeypatch)


def test_whatever_a_linux_disk_had_not_made_safe_yet_a_meter_goes_on(modules: Modules) -> None:
    history = History({}, 0, [])
    seen = power_cuts.play(LinuxMeter(LazyDisk(), modules), history)
    assert min(seen["dropped"], seen["reservations"] - 1) > 0
    cuts = torn = damaged = 0
    for disk, used, kept in history.writes:
        for left in disk.after_cut():
            cuts += 1
            place = LinuxMeter(left, modules)
            counts = power_cuts.check(place, used, kept, history.samples)
            torn += counts["torn"]
            damaged += counts["damaged"]
    assert cuts > 2 * len(history.writes) > 400
    assert min(torn, damaged) > 0


def test_what_a_new_store_committed_is_there_after_a_cut(modules: Modules) -> None:
    disk = LazyDisk()
    store = modules.store(disk)
    for round_number in (b"first", b"second"):
        store.set("a", round_number)
        store.set("b", round_number)
        store.commit()
        for left in disk.after_cut():
            found = modules.store(left)
            assert [found.get(key) for key in "ab"] == [round_number] * 2
        modules.store(disk)


def test_a_cut_in_a_commit_leaves_each_key_as_it_was_or_as_it_was_set(modules: Modules) -> None:
    disk = LazyDisk()
    store = modules.store(disk)
    store.set("a", b"old")
    store.commit()
    before: list[LazyDisk] = []
    disk.before_write = lambda: before.append(disk.copy())
    store.set("a", b"new")
    store.set("b", b"new")
    store.commit()
    lefts = [left for moment in before for left in moment.after_cut()]
    found = {tuple(map(modules.store(left).get, "ab")) for left in lefts}
    assert found == {(b"old", None), (b"new", None), (b"new", b"new")}
