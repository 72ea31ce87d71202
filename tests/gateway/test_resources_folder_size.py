"""The size of a folder in which a broker makes and removes files all the time."""

import os
from pathlib import Path
from typing import Any

import pytest
from wattle_gateway.resources.folder_size import disk_bytes


def test_all_files_count_at_any_depth(tmp_path: Path) -> None:
    for place, size in (("a", 5), ("in/b", 7), ("in/deep/c", 11)):
        path = tmp_path / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(size))
    (tmp_path / "loop").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "in" / "fifo")
    assert disk_bytes(tmp_path) == 23
    assert disk_bytes(tmp_path / "none") == 0


def test_a_folder_that_vanishes_while_it_is_counted_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept").write_bytes(b"four")
    inner = tmp_path / "inner"
    inner.mkdir()
    scandir = os.scandir

    def scandir_too_late(path: Any) -> Any:
        if Path(path) == inner:
            inner.rmdir()  # it was there when the folder above was listed
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scandir_too_late)
    assert disk_bytes(tmp_path) == 4
    assert not inner.exists()
