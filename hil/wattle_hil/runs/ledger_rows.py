"""Rows of `wattle-gateway samples --format csv`, for views and reports.

The energy check reads the same files with code of its own.
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

from wattle_hil.errors import RunError

# A sample has at most 16 KiB (SPEC section 5), in hex twice that.
_FIELD_CHARS_MAX = 65_536
# Power comes with one decimal (SPEC section 4).
_DW_PER_W = 10


@dataclass(frozen=True)
class LedgerRow:
    """One reading. power_dw in 0.1 W; None for a quantity that could not be read."""

    meter: str
    seq: int
    boot: int
    commit: int
    commit_time_ms: int
    classes: tuple[str, ...]
    time_ms: int
    device: int
    status: str
    import_wh: int | None
    export_wh: int | None
    power_dw: int | None
    raw: bytes | None


def read_rows(path: Path) -> Iterator[LedgerRow]:
    """All rows of an exported file. Raises RunError when it is not one."""
    csv.field_size_limit(_FIELD_CHARS_MAX)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            yield from parse_rows(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, KeyError) as error:
        raise RunError(f"{path} is not an export of samples: {error!r}") from error


def read_first_seqs(path: Path) -> dict[str, int]:
    """First seq of each meter in a `meters list` file. Raises RunError when it is not one."""
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return {row["meter"]: int(row["first_seq"]) for row in csv.DictReader(file)}
    except (OSError, UnicodeDecodeError, csv.Error, ValueError, KeyError) as error:
        raise RunError(f"{path} is not a list of meters: {error!r}") from error


def parse_rows(rows: Iterable[dict[str, str]]) -> Iterator[LedgerRow]:
    """Rows of texts as rows of numbers. Raises ValueError or KeyError."""
    for row in rows:
        power = _number(row["p_w"])
        yield LedgerRow(
            meter=row["meter"],
            seq=int(row["seq"]),
            boot=int(row["boot"]),
            commit=int(row["commit"]),
            commit_time_ms=int(row["commit_time_ms"]),
            classes=tuple(row["classes"].split()),
            time_ms=int(row["time_ms"]),
            device=int(row["device"]),
            status=row["st"],
            import_wh=_integer(row["ei_wh"]),
            export_wh=_integer(row["ee_wh"]),
            power_dw=None if power is None else int(power * _DW_PER_W),
            raw=bytes.fromhex(row["raw"]) if "raw" in row else None,
        )


def _integer(text: str) -> int | None:
    number = _number(text)
    return None if number is None else int(number)


def _number(text: str) -> Decimal | None:
    """None for a status letter or an empty cell."""
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
