"""The real directory behaves as the fake in memory does: the same run over both."""

from pathlib import Path

import pytest
from wattle_meter.directory import Directory
from wattle_testkit.meter_fakes import MemoryFiles


@pytest.fixture(params=["directory", "memory"])
def files(request: pytest.FixtureRequest, tmp_path: Path) -> Directory | MemoryFiles:
    """Either implementation, empty."""
    return Directory(str(tmp_path / "outbox")) if request.param == "directory" else MemoryFiles()


def read(files: Directory | MemoryFiles, name: str, offset: int = 0, limit: int = 1000) -> bytes:
    file = files.open(name)
    try:
        file.seek(offset)
        return file.read(limit)
    finally:
        file.close()


def test_files_grow_at_their_end(files: Directory | MemoryFiles) -> None:
    assert files.names() == []
    files.append("a", [b"one", b"two"])
    files.append("b", [])
    files.append("a", [b"three"])
    assert sorted(files.names()) == ["a", "b"]
    assert read(files, "a") == b"onetwothree"
    assert read(files, "a", 6, 2) == b"th"
    assert read(files, "a", 11) == b""
    assert read(files, "b") == b""


def test_files_go(files: Directory | MemoryFiles) -> None:
    files.append("a", [b"x"])
    files.remove("a")
    assert files.names() == []
    for call in (files.remove, files.open):
        with pytest.raises(OSError, match="a"):
            call("a")


def test_names_are_found_again_and_synchronised(tmp_path: Path) -> None:
    calls: list[None] = []
    first = Directory(str(tmp_path / "outbox"), lambda: calls.append(None))
    first.append("a", [b"x"])
    first.append("a", [b"y"])
    assert len(calls) == 1
    assert Directory(str(tmp_path / "outbox")).names() == ["a"]
    first.remove("a")
    assert len(calls) == 2


def test_a_path_that_is_no_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OSError, match="file"):
        Directory(str(tmp_path / "file"))
