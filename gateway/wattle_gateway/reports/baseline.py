"""`baseline --point`: what a statement's baseline is made of, for any window and rule.

The data, the local days, and the days of other events are taken as contracts take them
(`settlement.baseline_data`). A window that is an event of the ledger is judged as that event is: by
the parameters that it was published under, metered as its first statement says.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from wattle_gateway.contracts import registry, usage
from wattle_gateway.contracts.baseline.engine import Baseline, baseline
from wattle_gateway.contracts.baseline.history import Event, Exclusions
from wattle_gateway.contracts.baseline.local_days import LocalDays
from wattle_gateway.contracts.baseline.rule import Method, Rule
from wattle_gateway.contracts.baseline.series import EnergySeries
from wattle_gateway.contracts.events import rows
from wattle_gateway.contracts.events.rows import Call, EventRow
from wattle_gateway.contracts.measurement.energy import DAY_MS, Metering
from wattle_gateway.contracts.settlement import baseline_data, parameters, results
from wattle_gateway.contracts.settlement.baseline_data import Point
from wattle_gateway.contracts.settlement.results import ResultLine, ResultRow
from wattle_gateway.contracts.state import State
from wattle_gateway.contracts.usage import Measured
from wattle_gateway.contracts.usage.energies import MJ_PER_MWH
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger.market import Market

_MS_PER_S = 1000


@dataclass(frozen=True)
class Answer:
    """A baseline out of the ledger.

    `measured`: the event's intervals, how each was measured. `calls`: events of the ledger whose
    days make no baseline. `event`: the one of this window, None if it is none of the ledger's;
    `statement` the newest of the point's in it; `is_its_rule`: whether the event was published
    with the rule that was asked for.
    """

    found: Baseline
    days: LocalDays
    metering: Metering
    measured: Sequence[Measured]
    calls: Sequence[Call]
    event: EventRow | None
    statement: ResultRow | None
    is_its_rule: bool

    @property
    def equals_statement(self) -> bool | None:
        """Whether baseline and energy of each interval are the statement's, to the mJ; None if
        there is no statement, or of another rule."""
        if self.statement is None or not self.is_its_rule:
            return None
        stated = [(line.baseline_mj, _energy_mj(line)) for line in self.statement.lines]
        return stated == [(one.baseline_mj, one.actual_mj) for one in self.found.intervals]


class PointLedger:
    """A point's use, by the state after a commit."""

    def __init__(
        self, state: Mapping[bytes, bytes], market: Market, meter: bytes, device: int
    ) -> None:
        """`market` the parameters in force. UsageError for a point whose use the state does not
        keep."""
        self._state = State(state)
        self._market = market
        self._point = self._known(meter, device)

    @property
    def days(self) -> LocalDays:
        """Zone and holidays by the parameters in force."""
        return usage.local_days(self._market)

    @property
    def keep_days(self) -> int:
        """For how many days the state keeps energies."""
        return self._market.keep_days

    def answer(
        self,
        rule: Rule,
        window: Event,
        more: Exclusions,
        control: Sequence[tuple[bytes, int]] = (),
    ) -> Answer:
        """The baseline of a window.

        `more`: days that make none, beside those of the point's other events; `control`: (kid,
        device) of points that were not called, for a rule that compares with them (default: those
        that the ledger's event released). Raises BaselineError as the engine does.
        """
        event, called = self._event_at(window)
        market = self._market if event is None else parameters.market_of(self._state, event)
        days = usage.local_days(market)
        statement = None if event is None else self._statement(event)
        told = self._metering(statement)
        own = None if event is None else event.digest
        others = baseline_data.other_events(self._state, self._point, days.zone, own)
        found = baseline(
            rule,
            baseline_data.series(self._state, window, rule, self._point, told, market),
            window,
            days,
            Exclusions(others.event_days | more.event_days, more.other_days),
            self._control(rule, window, control, event, market),
        )
        begin_ms, end_ms = window.start_s * _MS_PER_S, window.end_s * _MS_PER_S
        measured = usage.measured(self._state, *self._point, told, begin_ms, end_ms, market)
        # By what it says: a rule made of options has the name of the preset it began with.
        is_rule = event is not None and replace(rule, name=event.rule.name) == event.rule
        return Answer(found, days, told, measured, called, event, statement, is_rule)

    def series(self, from_ms: int, to_ms: int) -> EnergySeries:
        """The measured intervals between two Unix ms, by the parameters in force."""
        told = usage.metering(self._state, *self._point)
        return usage.series(self._state, *self._point, told, from_ms, to_ms, self._market)

    def exclusions(self) -> Exclusions:
        """The days of all events that the point was selected in."""
        return baseline_data.other_events(self._state, self._point, self.days.zone)

    def _known(self, kid: bytes, device: int) -> Point:
        meter = registry.meter(self._state, kid)
        if meter is None:
            raise UsageError(f"meter {kid.hex()} is not enrolled")
        point = meter.point(device)
        if point is None:
            devices = ", ".join(str(point.device) for point in meter.points)
            raise UsageError(f"meter {kid.hex()} has the devices {devices}")
        if not point.capacity_w:
            raise UsageError(
                f"{kid.hex()}/{device} has no adjustable capacity: the state keeps the use of"
                " adjustable points only (`wattle-gateway energy` reads any point's samples)"
            )
        return meter, device

    def _event_at(self, window: Event) -> tuple[EventRow | None, Sequence[Call]]:
        """The event of the ledger with this window that the point was selected in (the newest), and
        its calls in others."""
        begin_ms, end_ms = window.start_s * _MS_PER_S, window.end_s * _MS_PER_S
        meter, device = self._point
        calls = rows.calls(self._state, meter.kid, device)
        for call in reversed(calls):
            event = rows.event(self._state, call.event)
            if event is not None and (call.begin_ms, call.end_ms) == (begin_ms, end_ms):
                return event, [other for other in calls if other.event != call.event]
        return None, calls

    def _statement(self, event: EventRow) -> ResultRow | None:
        meter, device = self._point
        return results.result(self._state, event.digest, meter.kid, device)

    def _metering(self, statement: ResultRow | None) -> Metering:
        told = usage.metering(self._state, *self._point)
        if statement is None:
            return told
        return replace(told, period_ms=statement.period_ms, resolution_wh=statement.resolution_wh)

    def _control(
        self,
        rule: Rule,
        window: Event,
        named: Sequence[tuple[bytes, int]],
        event: EventRow | None,
        market: Market,
    ) -> Sequence[EnergySeries]:
        if rule.method is not Method.CONTROL_GROUP:
            return ()
        if not named and event is not None:
            return baseline_data.control_group(self._state, event, market)
        points = [self._known(*one) for one in named]
        return [
            baseline_data.series(
                self._state, window, rule, point, usage.metering(self._state, *point), market
            )
            for point in points
        ]


def span_ms(first_day: int, last_day: int, rules: Sequence[Rule]) -> tuple[int, int]:
    """Unix ms between which lies all that rules may ask for, of events on local days between two
    (days since 1970-01-01)."""
    back = max(rule.look_back_days for rule in rules) + 2
    return max(0, (first_day - back) * DAY_MS), (last_day + 3) * DAY_MS


def _energy_mj(line: ResultLine) -> int | None:
    energy_mwh = line.energy.energy_mwh
    return None if energy_mwh is None else energy_mwh * MJ_PER_MWH
