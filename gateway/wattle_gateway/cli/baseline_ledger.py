"""`baseline` and `placebo` of a point on the ledger."""

import argparse
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from wattle_gateway.cli.baseline_judged import Judged
from wattle_gateway.cli.baseline_windows import event_between, named_exclusions, placebo_days
from wattle_gateway.cli.points import parsed_point
from wattle_gateway.cli.state_book import Moment, opened_book
from wattle_gateway.contracts.baseline.engine import Interval
from wattle_gateway.contracts.baseline.errors import HistoryError
from wattle_gateway.contracts.baseline.history import Exclusions
from wattle_gateway.contracts.baseline.local_days import LocalDays, Zone, date_of
from wattle_gateway.contracts.baseline.rule import Method, Rule
from wattle_gateway.contracts.baseline.series import EnergySeries
from wattle_gateway.contracts.events.rows import Call
from wattle_gateway.contracts.measurement.energy import UNMEASURED
from wattle_gateway.contracts.settlement.results import VERSION_NAMES
from wattle_gateway.contracts.usage import Measured
from wattle_gateway.errors import UsageError
from wattle_gateway.interval_data.times import shown_local
from wattle_gateway.ledger import genesis
from wattle_gateway.reports import baseline as baseline_report
from wattle_gateway.reports.baseline import Answer, PointLedger

# What a file does not say of itself, and the ledger does.
_OF_A_FILE = (
    *("time", "power", "unit", "stamp", "timezone"),
    *("time_format", "decimal", "substituted", "holidays"),
)
_MS_PER_S = 1000
_DIGITS_SHOWN = 12


def check(arguments: argparse.Namespace) -> None:
    """UsageError unless a folder is named, and nothing that the ledger itself says."""
    if arguments.folder is None:
        raise UsageError("--point needs the gateway's folder: `--point METER/D DIR`")
    given = [name for name in _OF_A_FILE if getattr(arguments, name) is not None]
    if given:
        named = ", ".join(f"--{name.replace('_', '-')}" for name in given)
        raise UsageError(
            f"{named}: of a CSV file; intervals, zone and holidays of a point are the ledger's"
            " (`wattle-gateway alliance market`)"
        )


def judged(arguments: argparse.Namespace, rule: Rule) -> Judged:
    """The baseline of `--event`. Raises UsageError, HomeError, StoreError or BaselineError."""
    more = named_exclusions(arguments)
    control = [parsed_point(text) for text in arguments.control]
    with _opened(arguments) as (ledger, moment):
        window = event_between(arguments.event, ledger.days.zone)
        try:
            answer = ledger.answer(rule, window, more, control)
        except HistoryError as error:
            if rule.method not in (Method.X_OF_Y, Method.NEAREST):
                raise
            raise HistoryError(
                f"{error}; the ledger keeps what a point used for {ledger.keep_days} days"
            ) from error
    zone = answer.days.zone
    calls = _shown_calls(answer, rule)
    return Judged(
        answer.found,
        zone,
        _notes(answer, rule, ledger.keep_days),
        _lines(arguments.point, answer, calls, moment),
        {"ledger": _json(arguments.point, answer, calls, moment)},
    )


def curve(
    arguments: argparse.Namespace, rules: Sequence[Rule]
) -> tuple[EnergySeries, LocalDays, Exclusions, tuple[int, ...]]:
    """The energies that rules may ask for on the days of a placebo, and the days that are none:
    those named, and those of the point's events, which come by themselves, too."""
    more = named_exclusions(arguments)
    span_ms = baseline_report.span_ms(*placebo_days(arguments), rules)
    with _opened(arguments) as (ledger, _):
        others = ledger.exclusions()
        excluded = Exclusions(others.event_days | more.event_days, more.other_days)
        called = tuple(sorted(others.event_days))
        return ledger.series(*span_ms), ledger.days, excluded, called


@contextmanager
def _opened(arguments: argparse.Namespace) -> Iterator[tuple[PointLedger, Moment]]:
    meter, device = parsed_point(arguments.point)
    with opened_book(arguments.folder, arguments.snapshot) as (book, moment):
        market = moment.epoch.constants.market
        if market is None:
            raise UsageError(
                f"the ledger goes by rules {moment.epoch.rules}: it keeps what points used from"
                f" rules {genesis.EVENT_RULES} on (`wattle-gateway alliance upgrade`)"
            )
        yield PointLedger(book.state, market, meter, device), moment


def _notes(answer: Answer, rule: Rule, keep_days: int) -> list[str]:
    notes = []
    if rule.look_back_days > keep_days:
        notes.append(
            f"the rule looks back {rule.look_back_days} days, the ledger keeps what points used for"
            f" {keep_days}"
        )
    lacking = [shown_local(one.start_s, answer.days.zone) for one in _unmeasured(answer)]
    if lacking and answer.found.measured:
        notes.append(f"unmeasured: {', '.join(lacking)}")
    if answer.event is not None and not answer.is_its_rule:
        notes.append(
            f"event {answer.event.digest.hex()[:_DIGITS_SHOWN]} of the ledger has this window, and"
            f" another rule: {answer.event.rule.name}"
        )
    if answer.equals_statement is False:
        notes.append(
            "the statement of this event says otherwise: days that were named here, samples that"
            " came later, or days that the ledger has forgotten since"
        )
    return notes


def _unmeasured(answer: Answer) -> list[Interval]:
    return [one for one in answer.found.intervals if one.actual_mj is None]


def _shown_calls(answer: Answer, rule: Rule) -> list[Call]:
    """The other events on days that the rule looks at."""
    zone = answer.days.zone
    last = _day(zone, answer.found.event.start_s)
    days = range(last - rule.look_back_days, last + 1)
    return [
        call
        for call in answer.calls
        if _day(zone, call.begin_ms // _MS_PER_S) in days
        or _day(zone, call.end_ms // _MS_PER_S - 1) in days
    ]


def _day(zone: Zone, at_s: int) -> int:
    return zone.wall(at_s)[0]


def _lines(point: str, answer: Answer, calls: Sequence[Call], moment: Moment) -> list[str]:
    zone = answer.days.zone
    lines = [f"point         {point}, by the state of commit {moment.commit}"]
    lines += [
        f"no baseline   {date_of(_day(zone, call.begin_ms // _MS_PER_S))}: called in event"
        f" {call.event.hex()[:_DIGITS_SHOWN]}"
        for call in calls
    ]
    if answer.event is not None and answer.statement is not None:
        words = {True: "equal to it", False: "differs from it", None: "of another rule"}
        lines.append(
            f"settled       event {answer.event.digest.hex()[:_DIGITS_SHOWN]}, statement"
            f" {VERSION_NAMES[answer.statement.version]}: {words[answer.equals_statement]}"
        )
    return lines


def _json(point: str, answer: Answer, calls: Sequence[Call], moment: Moment) -> dict[str, Any]:
    zone, event, statement = answer.days.zone, answer.event, answer.statement
    return {
        "point": point,
        "commit": moment.commit,
        "state_digest": moment.state_digest,
        "period_ms": answer.metering.period_ms,
        "resolution_wh": answer.metering.resolution_wh,
        "measured": [_measured_json(one, zone) for one in answer.measured],
        "excluded_events": [
            {
                "event": call.event.hex(),
                "start": shown_local(call.begin_ms // _MS_PER_S, zone),
                "end": shown_local(call.end_ms // _MS_PER_S, zone),
            }
            for call in calls
        ],
        "event": None if event is None else event.digest.hex(),
        "rule_of_event": None if event is None else answer.is_its_rule,
        "statement": None if statement is None else VERSION_NAMES[statement.version],
        "equals_statement": answer.equals_statement,
    }


def _measured_json(one: Measured, zone: Zone) -> dict[str, Any]:
    return {
        "start": shown_local(one.begin_ms // _MS_PER_S, zone),
        "how": one.energy.how,
        "energy_mwh": one.energy.energy_mwh,
        "uncertainty_mwh": None if one.energy.how == UNMEASURED else one.energy.uncertainty_mwh,
        "classes": sorted(one.classes),
    }
