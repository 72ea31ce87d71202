"""A file of jobs: CSV with a header, UTF-8, a row for each board.

The column `mac` names the board. Every other column is an option of `wattle-tool provision` without
its dashes (`board`, `profile`, `unit`, `ct`, `rating`, ..); an empty cell means what the command
line says. Where an option may be given again, a cell has its values apart by semicolons.
"""

import argparse
import copy
import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from wattle_tools.boards.arguments import mac
from wattle_tools.errors import BatchError
from wattle_tools.provision import arguments

MAC = "mac"
SINGLE = [
    "site",
    "gateway",
    "board",
    "wifi",
    "profile",
    "unit",
    "hold-s",
    "interval-ms",
    "baud",
    "parity",
    "stop-bits",
    "outbox-bytes",
]
REPEATED = ["device", "ct", "vt", "reversed", "rating", "load"]
# A bench does tens in a run, a warehouse hundreds in a day; each row is held in memory.
JOBS_MAX = 1_000
_FILE_BYTES_MAX = 1_000_000
_PLAIN = ("yes", "true", "1")


@dataclass(frozen=True)
class Job:
    """A row: its number in the file, the board's MAC, and its options as `provision` has them."""

    line: int
    mac: bytes
    options: argparse.Namespace


def load(path: Path, common: argparse.Namespace) -> list[Job]:
    """The jobs in a file; `common`: options of the command line, for what a row leaves open.

    Raises BatchError that names line and column.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read(_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise BatchError(
            f"{path}: cannot be read: {error.strerror}", "name the CSV file of the jobs"
        ) from error
    except UnicodeDecodeError as error:
        raise BatchError(f"{path}: no text in UTF-8", "save it as CSV, UTF-8") from error
    if len(text) > _FILE_BYTES_MAX:
        raise BatchError(f"{path}: more than {_FILE_BYTES_MAX} characters", "split it")
    reader = csv.DictReader(text.splitlines(), strict=True)
    try:
        _check_columns(path, reader.fieldnames or [])
        found = [_job(path, reader.line_num, row, common) for row in reader if any(row.values())]
    except csv.Error as error:
        raise BatchError(
            f"{path}: line {reader.line_num}: {error}", "save it as CSV again"
        ) from error
    if not 1 <= len(found) <= JOBS_MAX:
        raise BatchError(f"{path}: {len(found)} jobs", f"expected 1 to {JOBS_MAX}")
    lines: dict[bytes, int] = {}
    for job in found:
        if job.mac in lines:
            raise BatchError(
                f"{path}: line {job.line}: {job.mac.hex(':')} stands in line {lines[job.mac]}, too",
                "leave one of them",
            )
        lines[job.mac] = job.line
    return found


def _check_columns(path: Path, columns: Sequence[str]) -> None:
    known = [MAC, *SINGLE, *REPEATED]
    for name in columns:
        if name not in known or list(columns).count(name) > 1:
            raise BatchError(
                f"{path}: column {name!r}", f"expected each once, of {', '.join(known)}"
            )
    if MAC not in columns:
        raise BatchError(f"{path}: no column {MAC}", "name the boards by it")


def _job(
    path: Path, line: int, row: Mapping[str | None, str | None], common: argparse.Namespace
) -> Job:
    place = f"{path}: line {line}"
    if None in row or None in row.values():
        raise BatchError(f"{place}: more or fewer cells than columns", "put them right")
    cells = {name: cell.strip() for name, cell in row.items() if name and cell and cell.strip()}
    try:
        board = mac(cells.pop(MAC, ""))
    except argparse.ArgumentTypeError as error:
        raise BatchError(f"{place}: {MAC}: {error}", "the label of the board says it") from error
    options = copy.copy(common)
    for name, cell in cells.items():
        words = _words(name, cell)
        if name in REPEATED:
            setattr(options, name, [])
        parser = argparse.ArgumentParser(exit_on_error=False, add_help=False)
        arguments.add_options(parser)
        try:
            _, rest = parser.parse_known_args(words, options)
        except (argparse.ArgumentError, argparse.ArgumentTypeError) as error:
            raise BatchError(f"{place}: {name}: {error}", "put that cell right") from error
        if rest:
            raise BatchError(f"{place}: {name}: {cell!r}", "put that cell right")
    return Job(line, board, options)


def _words(name: str, cell: str) -> list[str]:
    option = f"--{name}"
    if name == "reversed" and cell.lower() in _PLAIN:
        return [option]
    values = cell.split(";") if name in REPEATED else [cell]
    # Joined, so that a value with a dash in front is none of the options.
    return [f"{option}={value.strip()}" for value in values]
