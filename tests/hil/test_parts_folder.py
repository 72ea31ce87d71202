"""A part is whole or not there, whatever ends the run that makes it."""

import fcntl
import subprocess
from pathlib import Path

import pytest
from wattle_hil.parts import folder


def test_a_finished_draft_becomes_the_part_and_says_what_it_is_from(tmp_path: Path) -> None:
    part = tmp_path / "tool"
    with folder.exclusive(tmp_path), folder.draft(tmp_path, "tool") as scratch:
        (scratch / "tool").mkdir()
        (scratch / "tool" / "program").write_text("new")
        (scratch / "left-over").write_text("")
        folder.put_in_place(scratch / "tool", part, "version 2")
    assert (part / "program").read_text() == "new"
    assert folder.is_made_from(part, "version 2")
    assert not folder.is_made_from(part, "version 3")
    assert {path.name for path in tmp_path.iterdir()} == {".parts.lock", "tool"}


def test_a_fingerprint_changes_with_each_ingredient_and_with_the_recipe(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.py"
    recipe.write_text("one")
    first = folder.fingerprint("a", None, recipe=str(recipe))
    assert folder.fingerprint("a", None, recipe=str(recipe)) == first
    assert folder.fingerprint("a", "b", recipe=str(recipe)) != first
    recipe.write_text("two")
    assert folder.fingerprint("a", None, recipe=str(recipe)) != first


def test_an_error_on_the_way_leaves_the_old_part(tmp_path: Path) -> None:
    part = tmp_path / "tool"
    part.mkdir()
    (part / "program").write_text("old")

    def break_off() -> None:
        with folder.exclusive(tmp_path), folder.draft(tmp_path, "tool") as scratch:
            (scratch / "program").write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert (part / "program").read_text() == "old"
    assert {path.name for path in tmp_path.iterdir()} == {".parts.lock", "tool"}


def test_a_new_part_replaces_the_old_one_whole(tmp_path: Path) -> None:
    part = tmp_path / "tool"
    for version in ("1", "2"):
        with folder.exclusive(tmp_path), folder.draft(tmp_path, "tool") as scratch:
            (scratch / version).write_text("")
            folder.put_in_place(scratch, part, version)
    assert {path.name for path in part.iterdir()} == {"2", "stamp.txt"}


def test_drafts_of_killed_runs_are_removed(tmp_path: Path) -> None:
    (tmp_path / ".draft-tool-xyz").mkdir()
    (tmp_path / ".draft-tool-xyz" / "half").write_text("")
    with folder.exclusive(tmp_path):
        assert {path.name for path in tmp_path.iterdir()} == {".parts.lock"}


def test_only_one_run_at_a_time(tmp_path: Path) -> None:
    def try_to_enter() -> None:
        with (tmp_path / ".parts.lock").open("w") as second:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)

    with folder.exclusive(tmp_path), pytest.raises(BlockingIOError):
        try_to_enter()
    try_to_enter()


def test_why_a_part_is_missing_is_kept_until_it_is_there(tmp_path: Path) -> None:
    part = tmp_path / "tool"
    assert folder.why_missing(part) is None
    folder.note_missing(part, "no network")
    assert folder.why_missing(part) == "no network"
    with folder.exclusive(tmp_path), folder.draft(tmp_path, "tool") as scratch:
        folder.put_in_place(scratch, part, "1")
    assert folder.why_missing(part) is None


def test_a_script_knows_its_folder_after_a_move_and_through_a_link(tmp_path: Path) -> None:
    first = tmp_path / "first place"
    first.mkdir()
    (first / "data").write_text("found")
    folder.write_script(first / "show", 'exec cat "$here/data"')
    moved = tmp_path / "moved here"
    first.rename(moved)
    (tmp_path / "link").symlink_to(moved / "show")
    for program in (moved / "show", tmp_path / "link"):
        assert subprocess.run([program], capture_output=True, check=True).stdout == b"found"


def test_the_build_folder_is_the_named_one_or_that_of_the_checkout(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("WATTLE_BUILD", str(tmp_path))
    assert folder.build_folder() == tmp_path
    monkeypatch.delenv("WATTLE_BUILD")
    assert folder.build_folder() == Path(__file__).resolve().parents[2] / "build"
