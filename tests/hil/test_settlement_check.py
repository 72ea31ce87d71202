"""A program that shares no code with the gateway finds the amounts of every statement (settlement
check), from the samples' CSV and the event's JSON alone; and what it says when they differ."""

import ast
import json
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from wattle_gateway.contracts.baseline.presets import PRESETS
from wattle_gateway.ledger.settlement_bodies import Decide, Dispute
from wattle_gateway.ledger.transaction import DECIDE, DISPUTE, WITHDRAW
from wattle_hil.settlement_check.__main__ import CANNOT_CHECK, DIFFERENT, EQUAL, main
from wattle_testkit.account_ledger import GRID, User
from wattle_testkit.event_export import event_json, write_samples
from wattle_testkit.event_ledger import BEGIN_MS, HOUSE, INTERVAL_MS, NEIGHBOUR
from wattle_testkit.settled_event import FINAL_MS, MARKET, SETTLE_MS, SettledEvent, fresh
from wattle_testkit.stored_chain import stored
from wattle_wire.sample import READINGS_MAX, Reading


class Export:
    """Files of a ledger, and the check run over them."""

    def __init__(self, folder: Path, ledger: SettledEvent, *events: bytes) -> None:
        self.samples = folder / "samples.csv"
        with closing(stored(folder / "ledger.db", ledger.chain)) as connection:
            write_samples(self.samples, connection, ledger.epoch.ledger_id)
        self.events = []
        for number, event in enumerate(events):
            self.events.append(folder / f"event-{number}.json")
            time_ms = ledger.chain.head.time_ms
            self.write(number, event_json(ledger.state, ledger.epoch, time_ms, event))

    def read(self, number: int = 0) -> dict[str, Any]:
        content = json.loads(self.events[number].read_text(encoding="utf-8"))
        assert isinstance(content, dict)
        return content

    def write(self, number: int, content: Mapping[str, Any]) -> None:
        self.events[number].write_text(json.dumps(content), encoding="utf-8")

    def check(self) -> int:
        return main([*map(str, self.events), "--samples", str(self.samples)])


def delivered(ledger: SettledEvent) -> bytes:
    """An event in which one falls short and one goes beyond."""
    event = ledger.call(penalty_price=700_001, availability_price=33_333)
    ledger.deliver(event, {HOUSE: 777, NEIGHBOUR: 2_700})
    return event


def test_initial_and_final_statements(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ledger = fresh()
    event = delivered(ledger)
    ledger.commit_at(SETTLE_MS)
    (tmp_path / "initial").mkdir()
    assert Export(tmp_path / "initial", ledger, event).check() == EQUAL
    assert "8 lines of 2 loads, 0 payments: equal" in capsys.readouterr().out
    ledger.commit_at(FINAL_MS)
    assert ledger.carried(HOUSE) < 0
    assert Export(tmp_path, ledger, event).check() == EQUAL
    assert "8 lines of 2 loads, 2 payments: equal" in capsys.readouterr().out


def test_opting_out_silence_and_a_decision(tmp_path: Path) -> None:
    ledger = fresh()
    event = ledger.call()
    ledger.commit_at(BEGIN_MS + INTERVAL_MS + 1)
    ledger.done(HOUSE, WITHDRAW, ledger.withdrawal(event, HOUSE))
    ledger.deliver(event, {HOUSE: 1_234})
    ledger.commit_at(SETTLE_MS)
    body = Dispute(event, ledger.board(HOUSE).kid, 1, 0, "it was more").row()
    digest = ledger.done(HOUSE, DISPUTE, body)
    ledger.done(GRID, DECIDE, Decide(digest, 17, "it was").row())
    ledger.commit_at(FINAL_MS)
    export = Export(tmp_path, ledger, event)
    statuses = {
        line["status"] for part in export.read()["parts"] for line in part["statement"]["lines"]
    }
    assert statuses == {"called", "withdrawn", "unmeasured"}
    assert export.check() == EQUAL


def test_two_events_with_a_debt_between_them_and_a_correction(tmp_path: Path) -> None:
    # Whoever delivers nothing for the lowest price is suspended elsewhere.
    ledger = SettledEvent(replace(MARKET, suspend_permille=0))
    first = ledger.call(penalty_price=1_000_000)
    powers = dict.fromkeys(range(4), 2_800)
    ledger.measured(HOUSE, powers, confirms=ledger.order, without=(1,))
    ledger.deliver(first, {NEIGHBOUR: 2_400})
    ledger.commit_at(FINAL_MS)
    late = Reading(1, BEGIN_MS + INTERVAL_MS, "G", {"ei": 10_000 + 5 * 700, "p": 28_000})
    ledger.sample(HOUSE, [late])
    begin_ms = BEGIN_MS + 8 * 3_600_000
    ledger.commit_at(begin_ms - 2 * 3_600_000)
    second = ledger.call(begin_ms=begin_ms, energy_price=2_000_000, prices={HOUSE: 2_000_000})
    ledger.deliver(second, {HOUSE: 2_400})
    ledger.commit_at(begin_ms + 30 * 86_400_000 // 6)
    export = Export(tmp_path, ledger, first, second)
    (part,) = [part for part in export.read()["parts"] if part["owner_kid"] == HOUSE.kid.hex()]
    assert part["statement"]["correction"]["amount"] != 0
    assert [one["before"] < 0 for one in export.read(1)["payments"]] == [True]
    assert export.check() == EQUAL


DAY_MS = 86_400_000
QUARTERS = 96
HISTORY_DAYS = 20
# 14:00 UTC, on a Tuesday, twenty days after the first reading.
LATER_MS = (BEGIN_MS // DAY_MS + HISTORY_DAYS + 1) * DAY_MS + 14 * 3_600_000


def power_w(user: User, quarter: int) -> int:
    """What a load draws in a quarter of an hour since the beginning of its history: something else
    each time, in the nights so little that no register resolves it."""
    of_user = 1 if user is HOUSE else 2
    night = quarter % QUARTERS < 20
    return (quarter * 7919 * of_user) % 997 + (100 if night else 1_900)


@pytest.fixture(scope="module")
def history() -> SettledEvent:
    """Both loads measured for twenty days; an event on one of them. One day lacks readings."""
    # A rule that looks at the rest of the event's day has it before the last statement.
    ledger = SettledEvent(replace(MARKET, dispute_ms=DAY_MS, suspend_permille=0))
    for user in (HOUSE, NEIGHBOUR):
        ledger.offer(user, period_ms=INTERVAL_MS // 3)
    first_day = BEGIN_MS // DAY_MS + 1
    for day in range(HISTORY_DAYS):
        for user in (HOUSE, NEIGHBOUR):
            skipped = range(50, 60) if day == 4 and user is HOUSE else ()
            readings = day_readings(user, first_day * DAY_MS, day, skipped)
            send(ledger, user, readings)
        if day == 9:
            begin_ms = (first_day + day + 1) * DAY_MS + 15 * 3_600_000
            ledger.call(begin_ms=begin_ms)
    return ledger


def day_readings(user: User, start_ms: int, day: int, skipped: Sequence[int]) -> list[Reading]:
    """A day's readings at each quarter of an hour, and in its nights every five minutes."""
    found = []
    counter_mwh = sum(power_w(user, quarter) * 250 for quarter in range(day * QUARTERS))
    for quarter in range(day * QUARTERS, (day + 1) * QUARTERS):
        power = power_w(user, quarter)
        steps = 3 if quarter % QUARTERS < 20 else 1
        for step in range(steps):
            at_ms = start_ms + quarter * INTERVAL_MS + step * INTERVAL_MS // 3
            shown_wh = (counter_mwh + power * 250 * step // 3) // 1_000
            if quarter % QUARTERS not in skipped:
                found.append(Reading(1, at_ms, "G", {"ei": shown_wh, "p": power * 10}))
        counter_mwh += power * 250
    return found


def send(ledger: SettledEvent, user: User, readings: list[Reading]) -> None:
    """As many samples as they need."""
    for first in range(0, len(readings), READINGS_MAX):
        some = readings[first : first + READINGS_MAX]
        ledger.sample(user, some, time_ms=some[-1].time_ms)


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_every_preset(tmp_path: Path, preset: str, history: SettledEvent) -> None:
    """Whatever the rule: each baseline, line and payment is the same."""
    ledger = deepcopy(history)
    start_ms = (BEGIN_MS // DAY_MS + 1) * DAY_MS
    control = preset == "control-group"
    event = ledger.call(
        begin_ms=LATER_MS,
        rule=PRESETS[preset].rule,
        quotas_w=(1_000,) * 4,
        quantity_w=1_000 if control else 2_000,
    )
    for user in (HOUSE, NEIGHBOUR):
        readings = day_readings(user, start_ms, HISTORY_DAYS, ())
        midnight = day_readings(user, start_ms, HISTORY_DAYS + 1, ())[:1]
        send(ledger, user, readings + midnight)
    ledger.commit_at(LATER_MS + 2 * DAY_MS)
    export = Export(tmp_path, ledger, event)
    parts = [part for part in export.read()["parts"] if part["statement"] is not None]
    statuses = {line["status"] for part in parts for line in part["statement"]["lines"]}
    assert statuses == {"called"}
    assert len(parts) == (1 if control else 2)
    assert export.check() == EQUAL


def _changed(content: dict[str, Any], path: str) -> None:
    """Move one number of the first load's statement by one."""
    statement = content["parts"][0]["statement"]
    if path == "paid":
        content["payments"][0]["paid"] += 1
    elif path == "own":
        content["payments"][0]["own"] += 1
    elif path == "net":
        statement["net"] += 1
    elif path == "status":
        statement["lines"][0]["status"] = "uncalled"
    else:
        statement["lines"][0][path] += 1


@pytest.mark.parametrize(
    "path",
    [
        *("baseline_mj", "energy_mwh", "uncertainty_mwh", "availability", "energy", "penalty"),
        *("status", "net", "own", "paid"),
    ],
)
def test_one_unit_too_much_is_named(
    finished: Path, capsys: pytest.CaptureFixture[str], path: str
) -> None:
    content = json.loads((finished / "event-0.json").read_text(encoding="utf-8"))
    _changed(content, path)
    changed = finished / "changed.json"
    changed.write_text(json.dumps(content), encoding="utf-8")
    assert main([str(changed), "--samples", str(finished / "samples.csv")]) == DIFFERENT
    named = {"own": "shares of", "paid": "payment to"}.get(path, path)
    assert f": {named}" in capsys.readouterr().out


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a paid event."""
    folder = tmp_path_factory.mktemp("finished")
    ledger = fresh()
    event = delivered(ledger)
    ledger.commit_at(FINAL_MS)
    Export(folder, ledger, event)
    return folder


def test_a_reading_less_is_noticed(finished: Path, tmp_path: Path) -> None:
    lines = (finished / "samples.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    kept = [line for line in lines if f",{BEGIN_MS},1,G," not in line]
    assert len(kept) == len(lines) - 2
    shorter = tmp_path / "samples.csv"
    shorter.write_text("".join(kept), encoding="utf-8")
    assert main([str(finished / "event-0.json"), "--samples", str(shorter)]) == DIFFERENT


def test_what_cannot_be_checked(
    finished: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    samples, event = finished / "samples.csv", finished / "event-0.json"
    broken = tmp_path / "broken.json"
    for content in ("", "[]", "{}", '{"parts": [{}]}'):
        broken.write_text(content, encoding="utf-8")
        assert main([str(broken), "--samples", str(samples)]) == CANNOT_CHECK
        assert capsys.readouterr().err.startswith("cannot check: ")
    broken.write_text("meter,seq\n", encoding="utf-8")
    assert main([str(event), "--samples", str(broken)]) == CANNOT_CHECK
    assert "no column" in capsys.readouterr().err
    assert main([str(event), "--samples", str(tmp_path / "none.csv")]) == CANNOT_CHECK


def test_it_shares_no_code_with_what_it_checks() -> None:
    """Standard library and its own modules only."""
    package = Path(sys.modules[main.__module__].__file__ or "").parent
    for path in package.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                assert {name.name.partition(".")[0] for name in node.names} <= STANDARD
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                assert (node.module or "").partition(".")[0] in STANDARD
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 1


STANDARD = sys.stdlib_module_names
