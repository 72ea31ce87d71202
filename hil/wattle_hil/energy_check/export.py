"""What the gateway exported: its meters with their keys, and a row for each reading."""

import csv
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

from .errors import CannotCheckError
from .signed import STATUS, Signed, Value, unit_of

Row = dict[str, str]

# A sample has at most 16 KiB (SPEC section 5), in hex twice that.
_FIELD_CHARS_MAX = 65_536


@dataclass
class Exported:
    """One meter: its public key (65 bytes), and for each seq, rising, its bytes and its rows."""

    meter: str
    public: bytes
    first_seq: int
    raw: dict[int, bytes] = field(default_factory=dict)
    rows: dict[int, list[Row]] = field(default_factory=dict)


def read_export(meters: Path, samples: Path) -> tuple[dict[str, Exported], list[str]]:
    """The meters by id, and what is wrong with the export already without opening a sample."""
    exports = {row["meter"]: _meter(row, meters) for row in _table(meters, _METER_COLUMNS)}
    wrong = []
    for row in _table(samples, _SAMPLE_COLUMNS):
        export = exports.get(row["meter"])
        if export is None:
            raise CannotCheckError(f"{samples}: meter {row['meter']} is not in {meters}")
        try:
            seq, raw = int(row["seq"]), bytes.fromhex(row["raw"])
        except ValueError as error:
            raise CannotCheckError(f"{samples}: {error}") from error
        if export.raw.setdefault(seq, raw) != raw:
            wrong.append(f"chain: meter {export.meter} seq {seq}: two different samples")
        if export.rows and seq < next(reversed(export.rows)):
            wrong.append(f"chain: meter {export.meter} seq {seq}: exported behind a later one")
        export.rows.setdefault(seq, []).append(row)
    for export in exports.values():
        export.raw = dict(sorted(export.raw.items()))
    return exports, wrong


_METER_COLUMNS = frozenset({"meter", "signing_public", "first_seq"})
_SAMPLE_COLUMNS = frozenset({"meter", "seq", "device", "time_ms", "raw"})


def _meter(row: Row, path: Path) -> Exported:
    try:
        public, first_seq = bytes.fromhex(row["signing_public"]), int(row["first_seq"])
    except ValueError as error:
        raise CannotCheckError(f"{path}: {error}") from error
    if hashlib.sha256(public).digest()[:8].hex() != row["meter"]:
        raise CannotCheckError(f"{path}: the key of meter {row['meter']} is another's")
    return Exported(row["meter"], public, first_seq)


def _table(path: Path, columns: frozenset[str]) -> Iterator[Row]:
    csv.field_size_limit(_FIELD_CHARS_MAX)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            reader = csv.DictReader(file)
            missing = columns.difference(reader.fieldnames or ())
            if missing:
                raise CannotCheckError(f"{path}: no column {', '.join(sorted(missing))}")
            yield from reader
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise CannotCheckError(f"{path}: {error}") from error


def row_faults(sample: Signed, rows: list[Row]) -> list[str]:
    """Where the rows of a sample say something else than its signed bytes."""
    faults = []
    left = dict(sample.readings)
    for row in rows:
        key = (int(row["device"]), int(row["time_ms"]))
        reading = left.pop(key, None)
        if reading is None:
            again = "twice" if key in sample.readings else "not signed"
            faults.append(f"row of device {key[0]} at {key[1]} ms is there {again}")
            continue
        for quantity, value in reading.items():
            found = row.get(_column(quantity), "no such column")
            if not _same(found, value):
                faults.append(f"{quantity} of device {key[0]}: signed {value}, exported {found}")
    faults += [f"reading of device {device} at {at} ms has no row" for device, at in left]
    return faults


def _column(quantity: str) -> str:
    """Columns carry their unit: `ei_wh`; the status letter has none."""
    return quantity if quantity == STATUS else f"{quantity}_{unit_of(quantity).lower()}"


def _same(text: str, value: Value) -> bool:
    if isinstance(value, str):
        return text == value
    try:
        return Decimal(text) == value
    except InvalidOperation:
        return False
