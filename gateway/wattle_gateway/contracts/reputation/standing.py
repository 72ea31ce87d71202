"""The row `standing` of a party or gateway (SPEC section 11), and what it means at a time."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from wattle_wire import cbor, cose, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.reputation import fault_record
from wattle_gateway.contracts.reputation.fault_record import FaultRecord
from wattle_gateway.contracts.state import State, key, keys_beginning, prefix
from wattle_gateway.contracts.weights import merit_share
from wattle_gateway.ledger.market import PERMILLE, Market

EVENT_DIGEST_BYTES = 32
# Bound of Market.history_events: no row is longer, whatever the parameters were.
EVENTS_MAX = 64
# From which reputation on a party has which credit grade (D34).
GRADES = ((900, "A"), (750, "B"), (600, "C"), (400, "D"), (0, "E"))


class EventMark(NamedTuple):
    """What an event said of a party: `event` its digest, then permille as in `scoring.score`."""

    event: bytes
    absolute: int
    vertical: int
    horizontal: int
    score: int


@dataclass(frozen=True)
class Standing:
    """A party or gateway (`kid`) at the time that it was asked for.

    `reputation` permille; `suspended_ms` since when it is suspended, None if it is not;
    `back_ms` when it returns if nothing else happens; `records` what it was charged with, by name
    of the fault; `events` newest first; `selection_permille` what its merit is multiplied with for
    the faults on record.
    """

    kid: bytes
    reputation: int
    suspended_ms: int | None = None
    back_ms: int | None = None
    records: Mapping[str, FaultRecord] = field(default_factory=dict)
    events: tuple[EventMark, ...] = ()
    selection_permille: int = PERMILLE

    @property
    def suspended(self) -> bool:
        """Whether its declarations are refused and its offers rest."""
        return self.suspended_ms is not None

    @property
    def faults(self) -> dict[str, int]:
        """How often it was charged with what, by rising name."""
        return {name: self.records[name].count for name in sorted(self.records)}

    @property
    def last_fault_ms(self) -> int:
        """Commit time of its newest fault, 0 without one."""
        return max((record.time_ms for record in self.records.values()), default=0)

    @property
    def history(self) -> tuple[int, ...]:
        """The absolute parts of its last events, newest first."""
        return tuple(mark.absolute for mark in self.events)

    @property
    def grade(self) -> str:
        """The credit grade, A to E."""
        return grade(self.reputation)


def grade(reputation: int) -> str:
    """The credit grade of a reputation (permille)."""
    return next(name for least, name in GRADES if reputation >= least)


def standing(state: Rows, market: Market, kid: bytes, time_ms: int) -> Standing:
    """How a party or gateway stands at a commit time, by the parameters in force; the start value
    without a row. A suspension whose probation is over counts as ended. Raises StateError."""
    value = state.get(key("standing", kid))
    if value is None:
        return Standing(kid, market.reputation_start)
    return _at(_decode(kid, value), market, time_ms)


def standings(state: Mapping[bytes, bytes], market: Market, time_ms: int) -> list[Standing]:
    """Everybody who has a row, by rising kid."""
    begin = prefix("standing", 1)
    kids = sorted(row[-cose.KID_BYTES :] for row in keys_beginning(state, begin))
    return [standing(state, market, kid, time_ms) for kid in kids]


def put_standing(state: State, found: Standing) -> None:
    """Write how a party or gateway stands."""
    row = [
        found.reputation,
        found.suspended_ms,
        {name: record.row() for name, record in found.records.items()},
        [list(mark) for mark in found.events[:EVENTS_MAX]],
    ]
    state.put(key("standing", found.kid), cbor.encode(row))


def _at(found: Standing, market: Market, time_ms: int) -> Standing:
    """A row as it counts at a time: faults fade, and the suspended return, after a probation."""
    clean_ms = found.last_fault_ms + market.probation_ms
    if found.records and time_ms < clean_ms:
        found = replace(found, selection_permille=merit_share(market, found.records))
    if found.suspended_ms is None:
        return found
    back_ms = max(found.suspended_ms, found.last_fault_ms) + market.probation_ms
    if time_ms < back_ms:
        return replace(found, back_ms=back_ms)
    risen = max(found.reputation, market.suspend_permille)
    return replace(found, reputation=risen, suspended_ms=None)


def _decode(kid: bytes, value: bytes) -> Standing:
    try:
        row = structure.array(cbor.decode(value), 4, "standing")
        suspended_ms = None if row[1] is None else structure.uint(row[1], "suspended_ms")
        return Standing(
            kid,
            structure.uint(row[0], "reputation", PERMILLE),
            suspended_ms,
            None,
            fault_record.parse(row[2]),
            tuple(_mark(mark) for mark in structure.items(row[3], EVENTS_MAX, "events")),
        )
    except WireError as error:
        raise StateError(f"standing {kid.hex()}: {error}") from error


def _mark(value: object) -> EventMark:
    row = structure.array(value, len(EventMark._fields), "event")
    names = EventMark._fields[1:]
    numbers = [
        structure.uint(number, name, PERMILLE) for number, name in zip(row[1:], names, strict=True)
    ]
    return EventMark(structure.octets(row[0], EVENT_DIGEST_BYTES, "event"), *numbers)
