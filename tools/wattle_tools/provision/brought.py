"""Programs of the firmware that a technician brings to a board's prompt, and takes away again."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wattle_tools.boards.repl import Progress, Repl
from wattle_tools.errors import ImageError, ToolError
from wattle_tools.flash import installation
from wattle_tools.image import build, sources
from wattle_tools.image.linker.link import Source


@dataclass(frozen=True)
class Brought:
    """A linked and compiled program: its module on the board, and the file's bytes."""

    module: str
    data: bytes

    @property
    def path(self) -> str:
        """Where it lies while it is needed."""
        return f"/{self.module}.mpy"

    def call(self, *arguments: object) -> str:
        """The code that runs it."""
        return f"import {self.module}\n{self.module}.main({', '.join(map(repr, arguments))})"


@functools.cache
def program(firmware: Path, source: str) -> Brought:
    """That of the module `source` among the ESP32's files of the firmware. Raises ImageError.

    Made once in a run: it takes a second, and a batch has many boards.
    """
    own = firmware / "boards" / sources.ESP32 / f"{source}.py"
    if not own.is_file():
        raise ImageError(f"{own} is missing", "--firmware names the folder of the firmware")
    parts = [Source(file.module, file.path) for file in sources.device_files(firmware)]
    name = f"wattle_{source}"
    made = build.program([*parts, Source(source, own)], source, name=name)
    return Brought(name, made.files[f"{name}.mpy"])


@functools.cache
def probe(firmware: Path) -> Brought:
    """What says who answers on a board's line. Raises ImageError."""
    made = build.probe(firmware)
    return Brought(made.entry, made.files[f"{made.entry}.mpy"])


@contextlib.contextmanager
def on_board(repl: Repl, brought: Brought, progress: Progress) -> Iterator[None]:
    """The program lies on the board, read back, as long as this is entered.

    Raises SerialLineError, UnfitBoardError, ReadBackError.
    """
    try:
        repl.write(brought.path, brought.data, progress)
        installation.verify_files(repl, {brought.path: brought.data})
        yield
    finally:
        with contextlib.suppress(ToolError):
            installation.remove_files(repl, [brought.path])


def followed(
    repl: Repl, brought: Brought, seconds: float, told: Callable[[str], None], *arguments: object
) -> None:
    """Brings a program, runs it with `arguments`, and takes it away; `told` gets its lines."""
    with on_board(repl, brought, lambda done: None):
        repl.follow(brought.call(*arguments), seconds, told)
