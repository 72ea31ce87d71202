"""Statements of resources in the state: their rows, read and written here (SPEC section 11)."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from wattle_wire import cbor, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.measurement.energy import INTEGRATED, REGISTER, UNMEASURED, Energy
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.scoring.score import Score
from wattle_gateway.contracts.settlement.lines import STATUS_NAMES
from wattle_gateway.contracts.state import State, key
from wattle_gateway.ledger.event_bodies import INTERVALS_MAX
from wattle_gateway.ledger.market import DATA_CLASSES
from wattle_gateway.ledger.offer_bodies import PRICE_MAX
from wattle_gateway.ledger.settlement_bodies import PERMILLE
from wattle_gateway.ledger.transaction import DIGEST_BYTES

INITIAL = 1
REVISED = 2
FINAL = 3
VERSION_NAMES = {INITIAL: "initial", REVISED: "revised", FINAL: "final"}

# Tables: the newest statements, and those of a version that is not complete yet.
NEWEST = "result"
ASIDE = "stated"

# Why there is no baseline; 0: there is one.
BASELINE_MADE = 0
TOO_LITTLE_HISTORY = 1
OFF_THE_GRID = 2
BASELINE_NAMES = {
    BASELINE_MADE: "made",
    TOO_LITTLE_HISTORY: "too_little_history",
    OFF_THE_GRID: "off_the_grid",
}

# Each is answered and decided by people; more of one resource in one event is no dispute but noise.
DISPUTES_MAX = 8
_HOWS = (REGISTER, INTEGRATED, UNMEASURED)
# The bit of a class is its place here.
_CLASSES = tuple(DATA_CLASSES)


@dataclass(frozen=True)
class ResultLine:
    """One interval: `status` of `lines`, what it was made of (`baseline_mj` and the numbers of
    `energy` None where there is none; `classes` of its data), and three amounts."""

    status: int
    baseline_mj: int | None
    energy: Energy
    classes: frozenset[str]
    availability: int
    energy_paid: int
    penalty: int

    @property
    def net(self) -> int:
        """What the resource gets for it, or owes."""
        return self.availability + self.energy_paid - self.penalty


@dataclass(frozen=True)
class Correction:
    """What came after the final statement: `amount` goes into the next one; of the intervals
    `indexes`; `commit` and `time_ms` of when it was found."""

    commit: int
    time_ms: int
    amount: int
    indexes: tuple[int, ...]


@dataclass(frozen=True)
class ResultRow:
    """The newest statement of the point `device` of `meter` (kid) in an event (digest).

    `commit` the last one that it rests on, `time_ms` when it was made. Prices as in `Tariff`;
    `split_permille` of the net is the owner's, the rest of who declared. `period_ms` and
    `resolution_wh` as the point was metered at the first statement. `baseline` one of
    BASELINE_NAMES; `score` of the party that declared, None if it was not called; `disputes` the
    digests of the transactions that opened them.
    """

    event: bytes
    meter: bytes
    device: int
    version: int
    commit: int
    time_ms: int
    availability_price: int
    energy_price: int
    penalty_price: int
    split_permille: int
    period_ms: int
    resolution_wh: int
    baseline: int
    lines: tuple[ResultLine, ...]
    score: Score | None = None
    disputes: tuple[bytes, ...] = field(default=())
    correction: Correction | None = None

    @property
    def net(self) -> int:
        """What all its intervals are worth together, decisions and corrections aside."""
        return sum(line.net for line in self.lines)


def result(
    state: Rows, event: bytes, meter: bytes, device: int, table: str = NEWEST
) -> ResultRow | None:
    """The newest statement of a point in an event, None before the first. Raises StateError."""
    value = state.get(key(table, event, meter, device))
    return None if value is None else decode(event, meter, device, value)


def put_result(state: State, row: ResultRow, table: str = NEWEST) -> None:
    """Write a statement."""
    correction = row.correction
    value = [
        row.version,
        row.commit,
        row.time_ms,
        [row.availability_price, row.energy_price, row.penalty_price, row.split_permille],
        [row.period_ms, row.resolution_wh],
        row.baseline,
        [_line_row(line) for line in row.lines],
        None if row.score is None else _score_row(row.score),
        list(row.disputes),
        None
        if correction is None
        else [correction.commit, correction.time_ms, correction.amount, list(correction.indexes)],
    ]
    state.put(key(table, row.event, row.meter, row.device), cbor.encode(value))


def delete_result(
    state: State, event: bytes, meter: bytes, device: int, table: str = NEWEST
) -> None:
    """A statement is forgotten."""
    state.delete(key(table, event, meter, device))


def decode(event: bytes, meter: bytes, device: int, value: bytes) -> ResultRow:
    """A statement from its row; StateError for a damaged one."""
    try:
        row = structure.array(cbor.decode(value), 10, "result")
        prices = structure.array(row[3], 4, "prices")
        metering = structure.array(row[4], 2, "metering")
        return ResultRow(
            event,
            meter,
            device,
            structure.uint(row[0], "version", FINAL),
            structure.uint(row[1], "commit"),
            structure.uint(row[2], "time_ms"),
            structure.uint(prices[0], "availability_price", PRICE_MAX),
            structure.uint(prices[1], "energy_price", PRICE_MAX),
            structure.uint(prices[2], "penalty_price", PRICE_MAX),
            structure.uint(prices[3], "split_permille", PERMILLE),
            structure.uint(metering[0], "period_ms"),
            structure.uint(metering[1], "resolution_wh"),
            structure.uint(row[5], "baseline", max(BASELINE_NAMES)),
            tuple(_line(item) for item in structure.items(row[6], INTERVALS_MAX, "lines")),
            None if row[7] is None else _score(row[7]),
            tuple(
                structure.octets(item, DIGEST_BYTES, "dispute")
                for item in structure.items(row[8], DISPUTES_MAX, "disputes")
            ),
            None if row[9] is None else _correction(row[9]),
        )
    except WireError as error:
        raise StateError(f"result {event.hex()} {meter.hex()}/{device}: {error}") from error


def _line_row(line: ResultLine) -> list[object]:
    energy = line.energy
    return [
        line.status,
        line.baseline_mj,
        _HOWS.index(energy.how),
        energy.energy_mwh,
        energy.uncertainty_mwh,
        _mask(line.classes),
        line.availability,
        line.energy_paid,
        line.penalty,
    ]


def _line(value: object) -> ResultLine:
    row = structure.array(value, 9, "line")
    return ResultLine(
        structure.uint(row[0], "status", max(STATUS_NAMES)),
        _optional(row[1], "baseline_mj"),
        Energy(
            _HOWS[structure.uint(row[2], "how", len(_HOWS) - 1)],
            _optional(row[3], "energy_mwh"),
            _optional(row[4], "uncertainty_mwh"),
        ),
        _named(structure.uint(row[5], "classes", (1 << len(_CLASSES)) - 1)),
        structure.uint(row[6], "availability"),
        structure.uint(row[7], "energy"),
        structure.uint(row[8], "penalty"),
    )


def _score_row(score: Score) -> list[int]:
    return [
        score.accuracy,
        score.availability,
        score.speed,
        score.absolute,
        score.vertical,
        score.horizontal,
        score.value,
    ]


def _score(value: object) -> Score:
    parts = structure.array(value, 7, "score")
    return Score(*(structure.uint(part, "score", PERMILLE) for part in parts))


def _correction(value: object) -> Correction:
    row = structure.array(value, 4, "correction")
    return Correction(
        structure.uint(row[0], "commit"),
        structure.uint(row[1], "time_ms"),
        structure.integer(row[2], "amount"),
        tuple(
            structure.uint(item, "index", INTERVALS_MAX)
            for item in structure.items(row[3], INTERVALS_MAX, "indexes")
        ),
    )


def _optional(value: object, what: str) -> int | None:
    return None if value is None else structure.integer(value, what)


def _mask(classes: Iterable[str]) -> int:
    return sum(1 << _CLASSES.index(name) for name in classes)


def _named(mask: int) -> frozenset[str]:
    return frozenset(name for bit, name in enumerate(_CLASSES) if mask >> bit & 1)
