"""`voucher`: what a point or a party is billed for, register by signed register.

The rules V1 to V12 stand in `gateway/VOUCHERS.md`. A voucher is a function of the ledger up to a
size, of the question and of the tariff: whoever has the ledger comes to the same one.
"""

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from wattle_wire import topics

from wattle_gateway.contracts import ownership, parties, registry
from wattle_gateway.contracts.measurement.primary import Ratio
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.transaction import Point
from wattle_gateway.reports import coverage, voucher_registers
from wattle_gateway.reports.voucher_deeds import Deeds
from wattle_gateway.reports.voucher_readings import Gap, PointReadings
from wattle_gateway.reports.voucher_registers import (
    APPORTIONED,
    Boundary,
    CounterPart,
    Hole,
    PointRegisters,
    Registers,
)
from wattle_gateway.reports.voucher_tariff import Tariff
from wattle_gateway.runtime.executed_ledger import ExecutedLedger

# How the energy of a stretch is known, best first.
MEASURED = "measured"
SUBSTITUTED = "substituted"
SHARED = "apportioned"
PARTIAL = "partial"
UNMEASURED = "unmeasured"
CONTRADICTORY = "contradictory"

# A year of quarter-hours for one point; a voucher beyond is read by nobody.
BOUNDARIES_MAX = 50_000
SPAN_MS_MAX = 10 * 366 * 86_400_000
NO_PERIOD = ""


@dataclass(frozen=True)
class Question:
    """Of `point` (meter kid, device), or of all points that `party` (kid) owned: energy from
    `from_ms` to `to_ms`, by the periods of a tariff if there is one. `period_ms`: the time between
    readings, None for the commonest around each boundary. `size`: leaves of the ledger that count,
    None for all."""

    point: tuple[bytes, int] | None
    party: bytes | None
    from_ms: int
    to_ms: int
    tariff: Tariff | None = None
    period_ms: int | None = None
    size: int | None = None


@dataclass(frozen=True)
class AsOf:
    """The commit up to which the ledger was read."""

    commit: int
    time_ms: int
    commit_digest: bytes
    size: int


@dataclass(frozen=True)
class Stretch:
    """Between two boundaries that follow each other: one tariff period (its name) throughout.
    `energy` None where nothing was measured; `unmeasured_ms` of it."""

    period: str
    opening: Boundary
    closing: Boundary
    energy: Registers
    how: str
    unmeasured_ms: int


@dataclass(frozen=True)
class Line:
    """The stretches of one tariff period together: `energy`, how much of it was apportioned, and
    what it costs in the tariff's asset (None without a price)."""

    period: str
    energy: Registers
    apportioned: Registers
    unmeasured_ms: int
    import_amount: int | None
    export_amount: int | None


@dataclass(frozen=True)
class Section:
    """One point while one party owned it. `counters` add up to the same energy as `stretches`
    and as `lines`. `enrolled_leaf`, `handover_leaves`: ledger indexes of the transactions that
    made the meter and its owner what they are; the latter none where the enrolment did."""

    meter: Meter
    point: Point
    owner: bytes
    owner_name: str
    begin_ms: int
    end_ms: int
    enrolled_leaf: int | None
    handover_leaves: tuple[int, ...]
    period_ms: int | None
    boundaries: Sequence[Boundary]
    stretches: Sequence[Stretch]
    counters: Sequence[CounterPart]
    holes: Sequence[Hole]
    gaps: Sequence[Gap]
    substitutes: int
    lines: Sequence[Line]
    tariff: Tariff | None

    @property
    def name(self) -> str:
        """The point, METER/D."""
        return f"{topics.meter_id(self.meter.kid)}/{self.point.device}"

    @property
    def energy(self) -> Registers:
        """Of the whole section."""
        return _added(line.energy for line in self.lines)


@dataclass(frozen=True)
class Voucher:
    """The answer. `provisional`: the ledger did not reach beyond the span yet."""

    question: Question
    ledger_name: str
    ledger_id: bytes
    as_of: AsOf
    sections: Sequence[Section]

    @property
    def provisional(self) -> bool:
        """Whether later entries could still lie in the span without being late."""
        return self.as_of.time_ms < self.question.to_ms


def build(connection: sqlite3.Connection, first: Epoch, question: Question) -> Voucher:
    """The voucher that answers a question; `first` is epoch 0.

    Raises UsageError for a point or party that is not there, for a span or a tariff that is too
    long, for a size at which no commit ends; StoreError for a damaged entry.
    """
    if not 0 < question.to_ms - question.from_ms <= SPAN_MS_MAX:
        raise UsageError("the voucher's end must lie after its beginning, at most ten years")
    coverage.check(connection, question.from_ms)
    ledger = ExecutedLedger(connection, first)
    as_of = _as_of(connection, ledger, question.size)
    writer = _Writer(connection, ledger, question, as_of.size)
    sections = [
        section
        for meter, point in _points(ledger, question)
        for section in writer.sections(meter, point)
    ]
    if not sections:
        raise UsageError(
            "no point was its own in this time" if question.party else "nobody owned the point"
        )
    return Voucher(question, first.name, first.ledger_id, as_of, sections)


def _as_of(connection: sqlite3.Connection, ledger: ExecutedLedger, size: int | None) -> AsOf:
    wanted = ledger.edge.size if size is None else size
    row = connection.execute(
        "SELECT commit_index, time_ms FROM commits WHERE leaf = ?", (wanted - 1,)
    ).fetchone()
    if row is None:
        raise UsageError(
            f"no commit of this ledger ends with {wanted} leaves; it has {ledger.edge.size}"
        )
    digest = ledger.digest_of(row[0])
    assert digest is not None, row
    return AsOf(row[0], row[1], digest, wanted)


def _points(ledger: ExecutedLedger, question: Question) -> list[tuple[Meter, Point]]:
    """The point asked for, or every point of every meter, revoked ones too."""
    if question.point is None:
        return [(meter, point) for meter in registry.meters(ledger.state) for point in meter.points]
    kid, device = question.point
    meter = registry.meter(ledger.state, kid)
    if meter is None:
        raise UsageError(f"meter {kid.hex()} is not enrolled")
    point = meter.point(device)
    if point is None:
        devices = ", ".join(str(point.device) for point in meter.points)
        raise UsageError(f"meter {kid.hex()} has the devices {devices}")
    return [(meter, point)]


@dataclass(frozen=True)
class _Tenure:
    """`owner` (kid) since `since_ms`, 0 from the enrolment on; of the span from begin to end."""

    owner: bytes
    since_ms: int
    begin_ms: int
    end_ms: int


class _Writer:
    """Writes the sections of points."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        ledger: ExecutedLedger,
        question: Question,
        size: int,
    ) -> None:
        self._connection = connection
        self._ledger = ledger
        self._question = question
        self._size = size
        self._deeds = Deeds(connection, ledger.epoch.ledger_id, size)

    def sections(self, meter: Meter, point: Point) -> list[Section]:
        """One for each owner in the span; of a party only its own."""
        owned = self._owned(meter, point)
        if not owned:
            return []
        span_ms = (owned[0].begin_ms, owned[-1].end_ms)
        readings = PointReadings(
            self._connection,
            self._ledger.epoch.ledger_id,
            (meter.kid, point.device),
            span_ms,
            self._size,
        )
        return [self._section(meter, point, readings, tenure) for tenure in owned]

    def _owned(self, meter: Meter, point: Point) -> list[_Tenure]:
        """Who owned a point in the span, rising; of a party only its own."""
        question = self._question
        owners = ownership.owners(self._ledger.state, meter.kid, point)
        ends = [later.from_ms for later in owners[1:]] + [question.to_ms]
        tenures = [
            _Tenure(
                owned.owner,
                owned.from_ms,
                max(owned.from_ms, question.from_ms),
                min(end_ms, question.to_ms),
            )
            for owned, end_ms in zip(owners, ends, strict=True)
        ]
        return [
            tenure
            for tenure in tenures
            if tenure.begin_ms < tenure.end_ms and question.party in (None, tenure.owner)
        ]

    def _section(
        self, meter: Meter, point: Point, readings: PointReadings, tenure: _Tenure
    ) -> Section:
        begin_ms, end_ms, owner = tenure.begin_ms, tenure.end_ms, tenure.owner
        tariff = self._question.tariff
        if tariff is not None and tariff.commodity != point.commodity:
            tariff = None
        cuts = [(begin_ms, NO_PERIOD)] if tariff is None else tariff.cuts(begin_ms, end_ms)
        if len(cuts) >= BOUNDARIES_MAX:
            raise UsageError(
                f"{len(cuts)} stretches of tariff periods at a point, expected fewer than "
                f"{BOUNDARIES_MAX}: ask for a shorter time"
            )
        period_ms = self._question.period_ms or readings.commonest_ms
        registers = PointRegisters(
            readings, Ratio.of(point.ct, point.vt, point.orient), self._question.period_ms
        )
        boundaries = [registers.at(at_ms) for at_ms in (*(at_ms for at_ms, _ in cuts), end_ms)]
        stretches = [
            _stretch(registers, period, opening, closing)
            for (_, period), (opening, closing) in zip(cuts, pairwise(boundaries), strict=True)
        ]
        party = parties.party(self._ledger.state, self._ledger.epoch, owner)
        return Section(
            meter,
            point,
            owner,
            "" if party is None else party.name,
            begin_ms,
            end_ms,
            self._deeds.enrolment(meter),
            self._handover(meter, point, tenure),
            period_ms,
            boundaries,
            stretches,
            registers.parts(boundaries[0], boundaries[-1]),
            registers.holes(boundaries[0], boundaries[-1]),
            # Clocks are set a little: a reading that comes half a period late is not missing.
            readings.gaps(begin_ms, end_ms, (period_ms or 0) * 3 // 2),
            readings.substitutes(begin_ms, end_ms),
            [_line(name, stretches, tariff) for name in sorted({name for _, name in cuts})],
            tariff,
        )

    def _handover(self, meter: Meter, point: Point, tenure: _Tenure) -> tuple[int, ...]:
        if tenure.since_ms == 0:
            return ()
        return self._deeds.handover(meter.kid, point.device, tenure.owner, tenure.since_ms)


def _stretch(
    registers: PointRegisters, period: str, opening: Boundary, closing: Boundary
) -> Stretch:
    parts = registers.parts(opening, closing)
    energy = voucher_registers.total(parts)
    holes = registers.holes(opening, closing)
    lost_ms = sum(hole.to_ms - hole.from_ms for hole in holes)
    if lost_ms >= closing.at_ms - opening.at_ms:
        nothing = Registers(None, None)
        return Stretch(period, opening, closing, nothing, UNMEASURED, lost_ms)
    if min(energy.imported_mwh or 0, energy.exported_mwh or 0) < 0:
        how = CONTRADICTORY
    elif lost_ms:
        how = PARTIAL
    elif APPORTIONED in (opening.how, closing.how):
        how = SHARED
    else:
        rests_on = [one for part in parts for one in part.readings]
        how = SUBSTITUTED if any(one.is_substitute for one in rests_on) else MEASURED
    return Stretch(period, opening, closing, energy, how, lost_ms)


def _line(period: str, stretches: Sequence[Stretch], tariff: Tariff | None) -> Line:
    own = [stretch for stretch in stretches if stretch.period == period]
    energy = _added(stretch.energy for stretch in own)
    import_amount = export_amount = None
    if tariff is not None:
        prices = tariff.periods[period]
        if prices.imported is not None and energy.imported_mwh is not None:
            import_amount = prices.imported.amount(energy.imported_mwh, tariff.decimals)
        if prices.exported is not None and energy.exported_mwh is not None:
            export_amount = prices.exported.amount(energy.exported_mwh, tariff.decimals)
    return Line(
        period,
        energy,
        _added(stretch.energy for stretch in own if _touches_apportioned(stretch)),
        sum(stretch.unmeasured_ms for stretch in own),
        import_amount,
        export_amount,
    )


def _touches_apportioned(stretch: Stretch) -> bool:
    return APPORTIONED in (stretch.opening.how, stretch.closing.how)


def _added(energies: Iterable[Registers]) -> Registers:
    """The sum of those that were measured; None if none was."""
    imported, exported = [], []
    for energy in energies:
        imported.append(energy.imported_mwh)
        exported.append(energy.exported_mwh)
    return Registers(_sum_of_known(imported), _sum_of_known(exported))


def _sum_of_known(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None
