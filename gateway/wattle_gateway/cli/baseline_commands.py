"""baseline, placebo."""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass

from wattle_gateway.cli import baseline_csv, baseline_ledger, baseline_rule, baseline_text
from wattle_gateway.cli.baseline_windows import placebo_events
from wattle_gateway.contracts.baseline.history import Exclusions
from wattle_gateway.contracts.baseline.local_days import LocalDays, date_of
from wattle_gateway.contracts.baseline.placebo import accuracy, placebo_baselines
from wattle_gateway.contracts.baseline.presets import PRESETS
from wattle_gateway.contracts.baseline.rule import Method, Rule
from wattle_gateway.contracts.baseline.series import EnergySeries
from wattle_gateway.errors import UsageError


@dataclass(frozen=True)
class _Curve:
    """`called`: days that are left out because the ledger has events of the point on them."""

    series: EnergySeries
    days: LocalDays
    exclusions: Exclusions
    called: tuple[int, ...] = ()


def baseline(arguments: argparse.Namespace) -> None:
    """The baseline of one event."""
    rule = baseline_rule.rule_of(arguments, arguments.rule)
    baseline_rule.check_read(arguments, [rule])
    if arguments.control and rule.method is not Method.CONTROL_GROUP:
        raise UsageError(f"--control: a rule of method {rule.method} compares with no other points")
    source = PRESETS[arguments.rule].source
    if arguments.csv is not None:
        baseline_csv.check(arguments)
        made = baseline_csv.judged(arguments, rule)
    else:
        baseline_ledger.check(arguments)
        made = baseline_ledger.judged(arguments, rule)
    notes = [*made.notes, *baseline_text.notes(made.found)]
    if arguments.json:
        shown = baseline_text.as_json(rule, source, made.found, made.zone, notes)
        print(json.dumps({**shown, **made.more_json}, indent=2))
        return
    for note in notes:
        print(f"wattle-gateway: note: {note}", file=sys.stderr)
    print(baseline_text.as_text(rule, source, made.found, made.zone, made.more_lines))


def placebo(arguments: argparse.Namespace) -> None:
    """How far rules are off on days without an event."""
    names = arguments.rule or [
        name for name, preset in PRESETS.items() if preset.rule.method is not Method.CONTROL_GROUP
    ]
    rules = [baseline_rule.rule_of(arguments, name) for name in names]
    baseline_rule.check_read(arguments, rules)
    if arguments.control or any(rule.method is Method.CONTROL_GROUP for rule in rules):
        raise UsageError("a control group is not called either: it has no placebo events")
    curve = _curve(arguments, rules)
    events = list(placebo_events(arguments, curve.days, curve.exclusions))
    judged = {
        rule.name: placebo_baselines(rule, curve.series, events, curve.days, curve.exclusions)
        for rule in rules
    }
    shared = [event for event in events if all(event in found for found in judged.values())]
    rows = [
        baseline_text.placebo_row(name, len(found), accuracy(found[event] for event in shared))
        for name, found in judged.items()
    ]
    called = [str(date_of(day)) for day in curve.called]
    if arguments.json:
        found = {"days": len(events), "judged_by_all": len(shared), "rules": rows}
        print(json.dumps(found if arguments.csv else {**found, "called": called}, indent=2))
    else:
        if called:
            note = f"the point was called on {', '.join(called)}: no placebo, and no baseline"
            print(f"wattle-gateway: note: {note}", file=sys.stderr)
        print(baseline_text.placebo_table(rows, len(events), len(shared)))


def _curve(arguments: argparse.Namespace, rules: Sequence[Rule]) -> _Curve:
    if arguments.csv is not None:
        baseline_csv.check(arguments)
        data = baseline_csv.data(arguments)
        return _Curve(data.file.series, data.days, data.exclusions)
    baseline_ledger.check(arguments)
    return _Curve(*baseline_ledger.curve(arguments, rules))
