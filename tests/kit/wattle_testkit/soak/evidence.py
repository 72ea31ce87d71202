"""What a record comes to, once taken apart: samples as signed, and what was delivered of them."""

from bisect import bisect_left
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import pairwise

from wattle_testkit.soak import sample_view
from wattle_testkit.soak.record import Record
from wattle_testkit.soak.sample_view import SampleView

NO_ROOM = "no room to sign"
SIGNING_MS = 500  # a signature takes a tenth of a second


@dataclass(frozen=True)
class Signed:
    """A sample that the meter signed in its life number `life`, delivered or not."""

    at_ms: int
    life: int
    sample: SampleView
    payload: bytes
    digest: bytes


@dataclass(frozen=True)
class Declared:
    """The first delivered sample that says that a seq will not come."""

    at_ms: int
    reason: int


class Evidence:
    """The record, and what follows from it."""

    def __init__(self, record: Record) -> None:
        self.record = record
        self.kid = sha256(record.signing_public).digest()[:8]
        protected = b"\xa2\x01\x26\x04\x48" + self.kid
        self.signed = [
            Signed(
                at_ms,
                life,
                sample_view.sample(payload),
                payload,
                sample_view.digest(payload, "sample", record.ledger_id, protected),
            )
            for at_ms, life, payload in record.signed
        ]

    @cached_property
    def delivered(self) -> dict[int, tuple[int, bytes]]:
        """Seq: (first arrival, its bytes)."""
        result: dict[int, tuple[int, bytes]] = {}
        for at_ms, _, raw in self.record.delivered:
            payload = sample_view.signed(raw, "sample", self.record.ledger_id).payload
            result.setdefault(sample_view.sample(payload).seq, (at_ms, raw))
        return result

    @cached_property
    def declared(self) -> dict[int, Declared]:
        """What delivered samples declare as lost."""
        result: dict[int, Declared] = {}
        for one in self.signed:
            arrival = self.delivered.get(one.sample.seq)
            if arrival is not None:
                for first, to, reason in one.sample.gaps:
                    for seq in range(first, to + 1):
                        result.setdefault(seq, Declared(one.at_ms, reason))
        return result

    @cached_property
    def no_room(self) -> list[int]:
        """When the heap had no room for a sample: its seq is lost, its readings are not."""
        return [at_ms for at_ms, _, text in self.record.log if text.startswith(NO_ROOM)]

    @cached_property
    def given_up(self) -> set[int]:
        """Seqs of samples that the heap had no room for in the end: the next one of the life has
        their readings again.
        """
        return {
            one.sample.seq
            for one, after in pairwise(self.signed)
            if one.sample.seq not in self.delivered
            and one.life == after.life
            and one.sample.readings[0].time_ms == after.sample.readings[0].time_ms
            and any_between(self.no_room, one.at_ms, one.at_ms + SIGNING_MS)
        }

    @cached_property
    def kept(self) -> list[Signed]:
        """What was signed, without that."""
        return [one for one in self.signed if one.sample.seq not in self.given_up]

    @cached_property
    def lost(self) -> list[Signed]:
        """Samples that were signed and reached no gateway."""
        return [one for one in self.signed if one.sample.seq not in self.delivered]

    def fault_near(self, kinds: frozenset[str], at_ms: int, before_ms: int, after_ms: int) -> bool:
        """Whether a fault of `kinds` was on at some time from `before_ms` before `at_ms` to
        `after_ms` behind it.
        """
        return any(
            fault.begin_ms <= at_ms + after_ms and fault.end_ms >= at_ms - before_ms
            for fault in self.record.faults
            if fault.kind in kinds
        )


def any_between(rising: list[int], first: int, last: int) -> bool:
    """Whether one of the `rising` numbers is in `first` .. `last`."""
    at = bisect_left(rising, first)
    return at < len(rising) and rising[at] <= last
