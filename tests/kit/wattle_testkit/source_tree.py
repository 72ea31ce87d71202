"""The files of a checkout, as the tidy rules look at them."""

import ast
import gc
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

ROOMS = ("protocol", "firmware", "gateway", "tools", "hil", "tests")
# Room -> the one import package that it holds.
PACKAGES = {
    "protocol": "wattle_wire",
    "firmware": "wattle_meter",
    "gateway": "wattle_gateway",
    "tools": "wattle_tools",
    "hil": "wattle_hil",
}
# What programs make: .gitignore has the same list.
_MADE = {"build", "__pycache__"}


@dataclass(frozen=True, order=True)
class Finding:
    """Something untidy. line is counted from 1; 0 means the file as a whole."""

    path: PurePosixPath
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}" if self.line else f"{self.path}: {self.text}"


@dataclass(frozen=True)
class SourceFile:
    """One file; path is relative to the root of its tree."""

    path: PurePosixPath
    content: bytes

    @cached_property
    def text(self) -> str:
        """The content as text; a file that is no UTF-8 has none."""
        try:
            return self.content.decode("utf-8")
        except UnicodeDecodeError:
            return ""

    @cached_property
    def lines(self) -> Sequence[str]:
        """The lines of the text, without their ends."""
        return self.text.splitlines()

    @cached_property
    def syntax(self) -> ast.Module:
        """The parsed Python of the file."""
        return ast.parse(self.text, filename=str(self.path))

    def is_below(self, *folders: str) -> bool:
        """Whether the file lies in one of these folders, or is one of these files."""
        return any(self.path.is_relative_to(folder) for folder in folders)

    def finding(self, line: int, text: str) -> Finding:
        """A finding in this file."""
        return Finding(self.path, line, text)

    @property
    def module(self) -> str | None:
        """The dotted name under which the file is imported; None outside the five packages."""
        room, *parts = self.path.with_suffix("").parts
        if self.path.suffix != ".py" or not parts or parts[0] != PACKAGES.get(room):
            return None
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


class SourceTree:
    """A checkout without what programs made in it and without an editor's own dot files."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.files = [
            SourceFile(PurePosixPath(path.relative_to(root)), path.read_bytes())
            for path in sorted(_walk(root))
        ]

    @cached_property
    def python(self) -> list[SourceFile]:
        """The Python files."""
        return [file for file in self.files if file.path.suffix == ".py"]

    def parse(self) -> None:
        """Parses all at once, without looking for garbage: among millions of nodes that stay this
        took four fifths of the time."""
        gc.disable()
        try:
            for file in self.python:
                _ = file.syntax
        finally:
            gc.enable()


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in _MADE or (path.name.startswith(".") and path.name != ".ci"):
            continue
        if path.is_dir():
            yield from _walk(path)
        elif path.is_file():
            yield path
