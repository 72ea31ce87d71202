"""The build folder and how a part gets into it: whole or not at all.

A part is a folder of its own (`build/micropython`, ...). It is put together in a draft folder
beside it and renamed into place, so an interrupted run leaves either the old part or none. Its
stamp file says what it was made from; the same answer again means there is nothing to do.
"""

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wattle_hil.parts.errors import PartMissingError

_STAMP = "stamp.txt"
_DRAFT_PREFIX = ".draft-"


def build_folder() -> Path:
    """Where this checkout keeps its parts: WATTLE_BUILD, else `build` beside pyproject.toml.

    Raises PartMissingError when the package stands outside a checkout and WATTLE_BUILD is unset.
    """
    named = os.environ.get("WATTLE_BUILD")
    if named:
        return Path(named).absolute()
    for folder in Path(__file__).resolve().parents:
        if (folder / "pyproject.toml").is_file():
            return folder / "build"
    raise PartMissingError("wattle_hil stands outside a checkout: set WATTLE_BUILD to the folder")


@contextmanager
def exclusive(build: Path) -> Iterator[None]:
    """Lets one process at a time work on the parts of a build folder; makes the folder.

    What killed runs left behind is removed here: nobody else can be using it.
    """
    build.mkdir(parents=True, exist_ok=True)
    with (build / ".parts.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for leftover in build.glob(f"{_DRAFT_PREFIX}*"):
            shutil.rmtree(leftover)
        yield


@contextmanager
def draft(build: Path, name: str) -> Iterator[Path]:
    """An empty folder in the build folder that is gone when the block ends.

    To be used inside `exclusive`. The block may rename it away before (`put_in_place`).
    """
    folder = Path(tempfile.mkdtemp(prefix=f"{_DRAFT_PREFIX}{name}-", dir=build))
    folder.chmod(0o755)  # mkdtemp makes it private, but parts may be run by another user
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def put_in_place(drafted: Path, part: Path, made_from: str) -> None:
    """Stamps a finished draft and makes it the part, in place of an older one."""
    (drafted / _STAMP).write_text(made_from, encoding="utf-8")
    if part.exists():
        old = part.with_name(f"{_DRAFT_PREFIX}old-{part.name}-{os.getpid()}")
        part.rename(old)
        drafted.rename(part)
        shutil.rmtree(old)
    else:
        drafted.rename(part)
    note_missing(part, None)


def fingerprint(*ingredients: object, recipe: str) -> str:
    """A short text for what a part is made from; recipe: the __file__ of the module that makes it,
    so that a part is made anew when its way of making changes."""
    text = "\n".join(str(ingredient) for ingredient in ingredients)
    return hashlib.sha256(text.encode() + Path(recipe).read_bytes()).hexdigest()


def is_made_from(part: Path, made_from: str) -> bool:
    """Whether the part is there and was made from exactly this."""
    try:
        return (part / _STAMP).read_text(encoding="utf-8") == made_from
    except OSError:
        return False


def note_missing(part: Path, reason: str | None) -> None:
    """Keeps why a part could not be had, for those who ask for it later; None clears it."""
    note = part.with_name(f"{part.name}.missing")
    if reason is None:
        note.unlink(missing_ok=True)
    else:
        note.write_text(reason, encoding="utf-8")


def why_missing(part: Path) -> str | None:
    """What the last attempt to fetch the part said; None when there was no attempt."""
    try:
        return part.with_name(f"{part.name}.missing").read_text(encoding="utf-8")
    except OSError:
        return None


def write_script(path: Path, *lines: str) -> None:
    """Writes an executable sh script; `$here` in it is the folder that holds the script."""
    here = 'here=$(dirname "$(readlink -f "$0")")'
    path.write_text("\n".join(["#!/bin/sh", here, *lines, ""]), encoding="utf-8")
    path.chmod(0o755)
