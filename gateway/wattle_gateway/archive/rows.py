"""The rows of an archived part, as gateway/ARCHIVE.md describes them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from wattle_wire import quantity

from wattle_gateway.contracts import classes
from wattle_gateway.ledger import leaf as leaf_format
from wattle_gateway.ledger.leaf import EntryLeaf
from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_gateway.store.schema import ENTRIES_A_BLOCK

LOG = "log"
BLOCKS = "blocks"
READINGS = "readings"
DATASETS = (LOG, BLOCKS, READINGS)


class LogRow(NamedTuple):
    """An entry of a block, or the leaf that ends a commit (`kind` 0).

    `leaf`, `verdict`: None for an entry without effect; `commit`, `commit_time_ms`: None for an
    entry of a block that no commit took; `round` to `position` of the block that carried an entry
    (`block`: this gateway's id of it); `meter` (16 hex digits) to `last_ms` of samples that are on
    the log; `body` the entry, or the commit's leaf, verbatim.
    """

    leaf: int | None
    commit: int | None
    commit_time_ms: int | None
    epoch: int
    kind: int
    body: bytes
    verdict: int | None = None
    round: int | None = None
    author: int | None = None
    block: int | None = None
    position: int | None = None
    meter: str | None = None
    seq: int | None = None
    first_ms: int | None = None
    last_ms: int | None = None

    def leaf_bytes(self) -> bytes:
        """The bytes that are hashed into the log (SPEC section 11); of rows with a leaf."""
        if self.kind == leaf_format.COMMIT:
            return self.body
        assert self.verdict is not None
        assert self.author is not None
        assert self.round is not None
        return EntryLeaf(self.kind, self.verdict, self.author, self.round, self.body).encode()

    @property
    def entry_id(self) -> int:
        """What `leaves.entry` of ledger.db says of it; of entries."""
        assert self.block is not None
        assert self.position is not None
        return self.block * ENTRIES_A_BLOCK + self.position


class HeaderRow(NamedTuple):
    """A block: `block` this gateway's id of it, `commit` the one that took it (None: none did),
    `header` its COSE_Sign1 bytes."""

    block: int
    epoch: int
    round: int
    author: int
    commit: int | None
    header: bytes


_BASE_NAMES = {
    "ei": "energy_import",
    "ee": "energy_export",
    "p": "power",
    "q": "reactive_power",
    "u": "voltage",
    "i": "current",
    "f": "frequency",
}
_PREFIXES = {0: "", -1: "d", -2: "c", -3: "m"}
_PHASES = "123"


def _column(name: str) -> str:
    unit, exponent = quantity.form(name)
    base, phase = (name[:-1], f"_l{name[-1]}") if name[-1] in _PHASES else (name, "")
    return f"{_BASE_NAMES[base]}{phase}_{_PREFIXES[exponent]}{unit.lower()}"


# Quantity of a sample: its column, in the unit in which the meter signed its integer.
QUANTITY_COLUMNS = {
    name: _column(name)
    for base in _BASE_NAMES
    for name in quantity.names()
    if name.rstrip(_PHASES) == base
}
READING_COLUMNS = (
    "meter",
    "device",
    "time_ms",
    *QUANTITY_COLUMNS.values(),
    "failed",
    "status",
    "clock",
    "classes",
    "seq",
    "leaf",
    "commit",
    "commit_time_ms",
)

ReadingRow = tuple[int | str | None, ...]
"""A reading, in the order of READING_COLUMNS."""


def reading_rows(row: LogRow, signed: SignedSample) -> Iterator[ReadingRow]:
    """The readings of a sample on the log, in its order."""
    sample = signed.sample
    words = " ".join(classes.class_names(row.verdict or 0))
    tail = (sample.clock, words, row.seq, row.leaf, row.commit, row.commit_time_ms)
    for reading in sample.readings:
        values = [*map(reading.values.get, QUANTITY_COLUMNS)]
        failed = ""
        if reading.status != quantity.GOOD:  # beside it every value is a number
            letters = zip(QUANTITY_COLUMNS, values, strict=True)
            failed = " ".join(
                f"{name}={value}" for name, value in letters if isinstance(value, str)
            )
            values = [None if isinstance(value, str) else value for value in values]
        head = (row.meter, reading.device, reading.time_ms)
        yield (*head, *values, failed, reading.status, *tail)


@dataclass(frozen=True)
class PartRows:
    """A part: `log` in the order of the log, `blocks` in the order of execution, what no commit
    took last; `readings` those of the samples on the log."""

    log: list[LogRow]
    blocks: list[HeaderRow]
    readings: list[ReadingRow]
