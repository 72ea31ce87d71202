"""`samples`: the readings in the ledger, one row each, straight from the signed bytes.

Numbers are exact: an integer in the unit of its decimal exponent is printed with its point moved,
never through a float.
"""

import heapq
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass

from wattle_wire import quantity
from wattle_wire.sample import Reading

from wattle_gateway.contracts import classes
from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import entry, signed_sample
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_gateway.sealing import row_seal
from wattle_gateway.store.archived import archive_of

# The order people look for; phases follow their sum.
_BASES = ("ei", "ee", "p", "q", "u", "i", "f")
RAW = "raw"
_FIXED = (
    "meter",
    "seq",
    "boot",
    "ledger_index",
    "commit",
    "commit_time_ms",
    "classes",
    "clock",
    "time_ms",
    "device",
    "st",
)


def _column(name: str) -> str:
    unit, _ = quantity.form(name)
    return f"{name}_{unit.lower()}"


# quantity name: column, e.g. u1: u1_v
QUANTITY_COLUMNS = {
    name: _column(name)
    for base in _BASES
    for name in quantity.names()
    if name.rstrip("123") == base
}
COLUMNS = (*_FIXED, *QUANTITY_COLUMNS.values())

Row = dict[str, str | int]


@dataclass(frozen=True)
class Wanted:
    """Which readings: of one meter (kid) or all; `from_ms` <= time < `to_ms`."""

    meter: bytes | None = None
    from_ms: int | None = None
    to_ms: int | None = None

    def takes(self, time_ms: int) -> bool:
        """Whether a reading of this time is wanted."""
        return (self.from_ms is None or time_ms >= self.from_ms) and (
            self.to_ms is None or time_ms < self.to_ms
        )


_QUERY = """
SELECT samples.seq, samples.leaf, leaves.verdict, leaves.commit_index, commits.time_ms, entries.body
FROM main.samples AS samples JOIN leaves USING (leaf)
JOIN commits ON commits.commit_index = leaves.commit_index
JOIN entries ON entries.id = leaves.entry
WHERE samples.meter = ? AND {conditions}
ORDER BY samples.seq
"""
_ARCHIVED_QUERY = """
SELECT seq, leaf, verdict, commit_index, time_ms, body FROM temp.archived_samples AS samples
WHERE samples.meter = ? AND {conditions}
ORDER BY samples.seq
"""


def rows(
    connection: sqlite3.Connection, ledger_id: bytes, wanted: Wanted, raw: bool
) -> Iterator[Row]:
    """The rows, by meter and seq, then in the order of the sample; a cell that has no value is "".

    A quantity that could not be read is its status letter. With `raw` each row has the hex of the
    sample's COSE_Sign1 bytes. Raises StoreError for a damaged entry.
    """
    for place, signed in committed(connection, ledger_id, wanted):
        yield from _sample_rows(place, signed, wanted, raw)


def committed(
    connection: sqlite3.Connection, ledger_id: bytes, wanted: Wanted
) -> Iterator[tuple["Place", SignedSample]]:
    """The samples with readings that are wanted, by meter and seq; such a sample may have others.

    What has left for the archive is read there. Raises StoreError for a damaged entry, ArchiveError
    for a part of the archive that is missing or altered.
    """
    archive = archive_of(connection)
    if archive is not None:
        archive.reach(wanted.meter, wanted.from_ms, wanted.to_ms)
    for meter in _meters(connection) if wanted.meter is None else [wanted.meter]:
        for _seq, *place, body in _of_meter(connection, meter, wanted):
            signed = _sample_in(place[0], body, ledger_id)
            if signed is not None:
                yield Place(*place), signed


def _meters(connection: sqlite3.Connection) -> list[bytes]:
    return sorted(meter for (meter,) in connection.execute("SELECT meter FROM totals"))


def _of_meter(
    connection: sqlite3.Connection, meter: bytes, wanted: Wanted
) -> Iterator[tuple[int, int, int, int, int, bytes]]:
    """(seq, leaf, verdict, commit, its time, entry) of a meter's samples, by seq."""
    asked = {
        "samples.last_ms >= ?": wanted.from_ms,
        "samples.first_ms < ?": wanted.to_ms,
    }
    given = {condition: value for condition, value in asked.items() if value is not None}
    conditions = " AND ".join(given) or "true"
    alias = row_seal.of(connection).alias(meter)
    here = connection.execute(_QUERY.format(conditions=conditions), (alias, *given.values()))
    if archive_of(connection) is None:
        return here
    query = _ARCHIVED_QUERY.format(conditions=conditions)
    return heapq.merge(here, connection.execute(query, (alias, *given.values())))


_NEW_QUERY = """
SELECT leaves.leaf, leaves.verdict, leaves.commit_index, commits.time_ms, entries.body
FROM leaves JOIN commits ON commits.commit_index = leaves.commit_index
JOIN entries ON entries.id = leaves.entry
WHERE leaves.leaf > ? ORDER BY leaves.leaf
"""


def rows_behind(
    connection: sqlite3.Connection, ledger_id: bytes, leaf: int, wanted: Wanted, raw: bool
) -> Iterator[Row]:
    """The rows of the samples behind a ledger index, in ledger order; otherwise as `rows`."""
    found = connection.execute(_NEW_QUERY, (leaf,))
    for at, verdict, commit_index, commit_time_ms, body in found:
        signed = _sample_in(at, body, ledger_id)
        if signed is not None and wanted.meter in (None, signed.kid):
            place = Place(at, verdict, commit_index, commit_time_ms)
            yield from _sample_rows(place, signed, wanted, raw)


@dataclass(frozen=True)
class Place:
    """Where a sample stands in the ledger, and what execution said of it."""

    leaf: int
    verdict: int
    commit_index: int
    commit_time_ms: int


def _sample_in(leaf: int, body: bytes, ledger_id: bytes) -> SignedSample | None:
    """The sample that an entry carries, None if it carries something else."""
    try:
        found = entry.decode(body)
        return signed_sample.parse(found.body, ledger_id) if found.kind == entry.SAMPLE else None
    except LedgerError as error:
        raise StoreError(f"leaf {leaf} is damaged ({error}); run the audit") from error


def _sample_rows(place: Place, signed: SignedSample, wanted: Wanted, raw: bool) -> Iterator[Row]:
    sample = signed.sample
    first: Row = {
        "meter": signed.kid.hex(),
        "seq": sample.seq,
        "boot": sample.boot,
        "ledger_index": place.leaf,
        "commit": place.commit_index,
        "commit_time_ms": place.commit_time_ms,
        "classes": " ".join(classes.class_names(place.verdict)),
        "clock": sample.clock,
    }
    last: Row = {RAW: signed.raw.hex()} if raw else {}
    for reading in sample.readings:
        if wanted.takes(reading.time_ms):
            yield {**first, **_cells(reading), **last}


def decimal(value: int, exponent: int) -> str:
    """`value` x 10^`exponent` (0 or below) with every digit: decimal(-5, -1) is -0.5."""
    if exponent == 0:
        return str(value)
    digits = str(abs(value)).rjust(1 - exponent, "0")
    sign = "-" if value < 0 else ""
    return f"{sign}{digits[:exponent]}.{digits[exponent:]}"


def _cells(reading: Reading) -> Row:
    cells: Row = {
        "time_ms": reading.time_ms,
        "device": reading.device,
        "st": reading.status,
    }
    for name, column in QUANTITY_COLUMNS.items():
        value = reading.values.get(name, "")
        if isinstance(value, int):
            value = decimal(value, quantity.form(name)[1])
        cells[column] = value
    return cells
