"""Tidy rules about names and lines. Each takes a tree and yields what is untidy."""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from wattle_testkit.source_tree import PACKAGES, ROOMS, Finding, SourceTree

LINE_COLUMNS_MAX = 100
_TOP_FILES = {
    "CHANGELOG.md",
    "LICENSE",
    "Makefile",
    "README.md",
    "pyproject.toml",
    "requirements.lock",
}
_SHAPELESS_NAMES = {"common", "helper", "helpers", "misc", "util", "utils"}
# Put together so that this file does not find itself.
_LEFTOVER = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3)) + r")\b")
_MACHINE_PATH = re.compile(r"(?<![\w.~-])/(home|opt|root|work)/")
# Prose and data are wrapped by their readers; the licence and the locks are not ours to wrap.
_WRAPPED_SUFFIXES = {".ini", ".py", ".sh", ".toml"}


def top_level_names(tree: SourceTree) -> Iterator[Finding]:
    """Nothing stands on top but the rooms, .ci and the files that tools look for there."""
    for path in sorted({file.path for file in tree.files}):
        top, *rest = path.parts
        if rest and top not in {*ROOMS, ".ci"}:
            yield Finding(path, 0, f"{top}/ is no room; rooms are {', '.join(ROOMS)}")
        if not rest and top not in _TOP_FILES:
            yield Finding(path, 0, "does not belong on top; documents live in the room they rule")


def one_package_a_room(tree: SourceTree) -> Iterator[Finding]:
    """A room is no package (mypy would see each file twice) and holds the one of its name."""
    for file in tree.python:
        room, *rest = file.path.parts
        if rest == ["__init__.py"]:
            yield file.finding(0, f"{room} is a room, not a package: remove this file")
        if len(rest) == 2 and rest[1] == "__init__.py" and room in PACKAGES:
            expected = PACKAGES[room]
            if rest[0] != expected:
                yield file.finding(0, f"a second package in {room}/, which holds {expected}")


def telling_names(tree: SourceTree) -> Iterator[Finding]:
    """A module is named for the noun it holds."""
    for file in tree.python:
        for part in file.path.with_suffix("").parts:
            if part.lower() in _SHAPELESS_NAMES:
                yield file.finding(0, f"{part!r} says nothing: name the noun")


def unique_test_files(tree: SourceTree) -> Iterator[Finding]:
    """Two test files of one name are told apart by nobody who reads a report."""
    seen: dict[str, PurePosixPath] = {}
    for file in tree.python:
        if file.path.parts[0] == "tests" and file.path.name.startswith(("test_", "cases_")):
            first = seen.setdefault(file.path.name, file.path)
            if first != file.path:
                yield file.finding(0, f"has the name of {first}")


def no_leftovers(tree: SourceTree) -> Iterator[Finding]:
    """What is to be done later is an issue, not a comment."""
    for file in tree.files:
        for number, line in enumerate(file.lines, 1):
            if found := _LEFTOVER.search(line):
                yield file.finding(number, f"leftover {found[0]}: do it or open an issue")


def no_machine_paths(tree: SourceTree) -> Iterator[Finding]:
    """A path of somebody's machine works on that machine."""
    for file in tree.files:
        for number, line in enumerate(file.lines, 1):
            if found := _MACHINE_PATH.search(line):
                yield file.finding(number, f"path of one machine ({found[0]}...)")


def unix_line_ends(tree: SourceTree) -> Iterator[Finding]:
    """Line feeds only, and one at the end of the last line."""
    for file in tree.files:
        if not file.text:
            continue
        if "\r" in file.text:
            yield file.finding(0, "has carriage returns: convert the line ends to LF")
        elif not file.text.endswith("\n"):
            yield file.finding(0, "does not end with a line end")


def short_lines(tree: SourceTree) -> Iterator[Finding]:
    """At most 100 columns, where lines are written by hand."""
    for file in tree.files:
        if file.path.suffix not in _WRAPPED_SUFFIXES and file.path.parts[0] != ".ci":
            continue
        for number, line in enumerate(file.lines, 1):
            if len(line) > LINE_COLUMNS_MAX:
                yield file.finding(number, f"{len(line)} columns, allowed are {LINE_COLUMNS_MAX}")
