"""Readings as `samples --format csv` prints them."""

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from .errors import CannotCheckError

_COLUMNS = frozenset(
    {"meter", "commit", "commit_time_ms", "classes", "time_ms", "device", "st", "ei_wh", "p_w"}
)
_FIELD_CHARS_MAX = 65_536
_LARGEST_DW = 10**13


@dataclass(frozen=True)
class Reading:
    """One reading of one device. Registers as shown (Wh), None if there is none; `failed`: one of
    them could not be read. `power_dw` in 0.1 W, None without one."""

    time_ms: int
    commit: int
    commit_time_ms: int
    classes: frozenset[str]
    status: str
    imported_wh: int | None
    exported_wh: int | None
    failed: bool
    power_dw: int | None

    @property
    def has_registers(self) -> bool:
        """Whether it shows registers that can be compared."""
        shown = self.imported_wh is not None or self.exported_wh is not None
        return shown and not self.failed


Point = tuple[str, int]
"""(meter in hex, device number)."""


def read_samples(path: Path) -> dict[Point, list[Reading]]:
    """All readings by point, in ledger order of their commits."""
    csv.field_size_limit(_FIELD_CHARS_MAX)
    found: dict[Point, list[Reading]] = {}
    try:
        with path.open(encoding="utf-8", newline="") as file:
            table = csv.DictReader(file)
            missing = _COLUMNS.difference(table.fieldnames or ())
            if missing:
                raise CannotCheckError(f"{path}: no column {', '.join(sorted(missing))}")
            for point, reading in _rows(table):
                found.setdefault(point, []).append(reading)
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, InvalidOperation) as error:
        raise CannotCheckError(f"{path}: {error}") from error
    return found


def _rows(table: "csv.DictReader[str]") -> Iterator[tuple[Point, Reading]]:
    for row in table:
        registers = [row.get("ei_wh") or "", row.get("ee_wh") or ""]
        imported_wh, exported_wh = (_whole(cell) for cell in registers)
        power = row["p_w"]
        power_dw = int(Decimal(power) * 10) if _is_number(power) else None
        if power_dw is not None and abs(power_dw) > _LARGEST_DW:
            power_dw = None
        yield (
            (row["meter"], int(row["device"])),
            Reading(
                int(row["time_ms"]),
                int(row["commit"]),
                int(row["commit_time_ms"]),
                frozenset(row["classes"].split()),
                row["st"],
                imported_wh,
                exported_wh,
                any(cell and not _is_number(cell) for cell in registers),
                power_dw,
            ),
        )


def _whole(cell: str) -> int | None:
    return int(cell) if _is_number(cell) else None


def _is_number(cell: str) -> bool:
    """A quantity that could not be read stands there as a letter."""
    return cell[-1:].isdigit()
