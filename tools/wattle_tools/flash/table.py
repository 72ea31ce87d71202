"""The live table of a run: one row a board, with step, percent, time and result.

A word says everything that a colour says. Where the output is no terminal, a line is printed when
a board is done.
"""

import threading
import time
from collections.abc import Sequence
from typing import TextIO

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from wattle_tools.boards.identity import FoundBoard
from wattle_tools.flash.job import JobResult

_WIDTH = 12
_STYLES = {"done": "green", "failed": "bold red"}


class _Row:
    def __init__(self, board: FoundBoard) -> None:
        self.board = board
        self.step = "waits"
        self.share = 0.0
        self.began = time.monotonic()
        self.result: JobResult | None = None


class TableView:
    """A view for people, on `output`; a context manager."""

    def __init__(self, boards: Sequence[FoundBoard], output: TextIO) -> None:
        self._console = Console(file=output, highlight=False, markup=False)
        self._rows = {board.port: _Row(board) for board in boards}
        self._lock = threading.Lock()
        self._live: Live | None = None

    def __enter__(self) -> "TableView":
        if self._console.is_terminal:
            self._live = Live(
                self._table(), console=self._console, auto_refresh=False, redirect_stdout=False
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.update(self._table(), refresh=True)
            self._live.stop()

    def step(self, board: FoundBoard, step: str, share: float) -> None:
        """As View has it."""
        with self._lock:
            row = self._rows[board.port]
            row.step, row.share = step, share

    def end(self, result: JobResult) -> None:
        """As View has it."""
        with self._lock:
            self._rows[result.port].result = result
            if self._live is None:
                self._console.print(plain(result), soft_wrap=True)

    def refresh(self) -> None:
        """As View has it."""
        if self._live is not None:
            self._live.update(self._table(), refresh=True)

    def _table(self) -> Table:
        table = Table(box=None, pad_edge=False)
        for title in ("board", "line", "step", "", "time", "result"):
            table.add_column(title, no_wrap=title != "result")
        with self._lock:
            for row in self._rows.values():
                table.add_row(*_cells(row))
        return table


class SilentView:
    """A view for programs, which read the results."""

    def step(self, board: FoundBoard, step: str, share: float) -> None:
        """Shows nothing."""

    def end(self, result: JobResult) -> None:
        """Shows nothing."""

    def refresh(self) -> None:
        """Shows nothing."""


def plain(result: JobResult) -> str:
    """A result as one line."""
    if result.failed:
        return f"{result.name}  failed  {result.seconds:.1f} s  {result.reason}"
    return f"{result.name}  done  {result.seconds:.1f} s  {_what(result)}"


def _what(result: JobResult) -> str:
    return ", ".join(f"{part} {outcome}" for part, outcome in result.done.items())


def _cells(row: _Row) -> tuple[str | Text, ...]:
    result = row.result
    if result is None:
        filled = round(row.share * _WIDTH)
        bar = f"{'#' * filled}{'.' * (_WIDTH - filled)} {row.share:4.0%}"
        seconds = time.monotonic() - row.began
        return row.board.name, row.board.port, row.step, bar, f"{seconds:.0f} s", ""
    word = "failed" if result.failed else "done"
    text = result.reason if result.failed else _what(result)
    outcome = Text.assemble((word, _STYLES[word]), f": {text}")
    return row.board.name, row.board.port, row.step, "", f"{result.seconds:.0f} s", outcome
