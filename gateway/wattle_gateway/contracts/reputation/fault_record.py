"""Faults on record, each with where the bytes are that show its newest case (D14).

One digest for each class of fault, so that a row stays short however often somebody errs; what
showed the cases before stays in the log.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from wattle_wire import structure

from wattle_gateway.contracts.errors import StateError
from wattle_gateway.ledger.market import FAULTS

DIGEST_BYTES = 32

# What a digest is of.
TRANSACTION = 1  # a refused transaction
EVENT = 2  # an event (its `publish`), whose statements show it
BLOCK = 3  # a block with an entry that is none
SAMPLE = 4  # a sample that says of a setpoint which nobody ordered
EVIDENCE = 5  # an evidence entry: SHA-256 of its bytes
COMMIT = 6  # the last commit of a day in which a gateway was silent
NAMES: Mapping[int, str] = {
    TRANSACTION: "transaction",
    EVENT: "event",
    BLOCK: "block",
    SAMPLE: "sample",
    EVIDENCE: "evidence",
    COMMIT: "commit",
}


@dataclass(frozen=True)
class Shown:
    """What shows a fault: `digest` (32 bytes) of a thing of a kind (`what`, one of NAMES) that
    stands in commit `commit`; of an event the last commit that its statement rests on."""

    what: int
    digest: bytes
    commit: int


@dataclass(frozen=True)
class FaultRecord:
    """A class of faults of a party or gateway: `count` so far; of the newest the commit time and
    what shows it."""

    count: int
    time_ms: int
    shown: Shown

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        shown = self.shown
        return [self.count, self.time_ms, shown.what, shown.digest, shown.commit]


def parse(value: object) -> dict[str, FaultRecord]:
    """The faults of a row `standing`, by rising name. Raises StateError or WireError."""
    if not isinstance(value, dict) or not set(value) <= set(FAULTS):
        raise StateError("standing: faults are not a map of names of faults")
    return {name: _record(name, value[name]) for name in sorted(value)}


def _record(name: str, value: object) -> FaultRecord:
    row = structure.array(value, 5, name)
    what = structure.uint(row[2], "what", max(NAMES))
    if what not in NAMES:
        raise StateError(f"standing: {name} is shown by {what}, expected 1 to {max(NAMES)}")
    return FaultRecord(
        structure.uint(row[0], "count"),
        structure.uint(row[1], "time_ms"),
        Shown(
            what,
            structure.octets(row[3], DIGEST_BYTES, "digest"),
            structure.uint(row[4], "commit"),
        ),
    )
