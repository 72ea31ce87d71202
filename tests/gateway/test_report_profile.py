"""`dr profile`: how a party stands, and what its events say of it (D34)."""

import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console
from wattle_gateway.cli import main
from wattle_gateway.cli.dr_profile import print_profile
from wattle_gateway.contracts.reputation.conduct import charge, moved
from wattle_gateway.contracts.state import State
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger.market import Market
from wattle_gateway.reports import profile as report
from wattle_gateway.reports.profile import Profile
from wattle_testkit.account_ledger import AGGREGATOR, GRID, RETAIL
from wattle_testkit.event_ledger import HOUSE, INTERVAL_MS, NEIGHBOUR
from wattle_testkit.settled_event import (
    CALLED_W,
    FINAL_MS,
    MARKET,
    SETTLE_MS,
    USUAL_W,
    SettledEvent,
    fresh,
)
from wattle_testkit.shown_fault import SHOWN


@pytest.fixture
def ledger() -> SettledEvent:
    return fresh()


def profile_of(ledger: SettledEvent, kid: bytes, last: int = 10) -> Profile:
    head = ledger.chain.head
    return report.profile(ledger.state, ledger.epoch, MARKET, kid, head.time_ms, last)


def text_of(found: Profile) -> str:
    page = io.StringIO()
    print_profile(Console(file=page, width=200), found)
    return page.getvalue()


def test_who_was_in_no_event_has_a_reputation_and_no_more(ledger: SettledEvent) -> None:
    found = profile_of(ledger, GRID.kid)
    assert (found.standing.reputation, found.events, found.scores) == (500, 0, ())
    assert (found.typical_w, found.response_ms, found.endurance_ms) == (None, None, None)
    text = text_of(found)
    assert "D, reputation 500 of 1000" in text
    assert "the ledger holds no statement" in text


def test_an_event_that_was_kept_is_read_off_its_statement(ledger: SettledEvent) -> None:
    event = ledger.call()
    ledger.deliver(event, {HOUSE: USUAL_W - CALLED_W, NEIGHBOUR: USUAL_W - CALLED_W})
    ledger.commit_at(SETTLE_MS)
    found = profile_of(ledger, HOUSE.kid)
    assert (found.events, found.loads, found.typical_w) == (1, 1, 2_400)
    assert (found.ordered, found.confirmed) == (1, 1)
    assert found.endurance_ms == 4 * INTERVAL_MS
    assert sum(line.called for line in found.hours) == 4
    assert {line.permille for line in found.hours} == {1000}
    (score,) = found.scores
    assert (score.event, score.begin_ms) == (event.hex(), ledger.event(event).begin_ms)
    text = text_of(found)
    for words in ("2.4 kW", "60 min", "1 of 1 orders confirmed", "faults", "none"):
        assert words in text


def test_intervals_without_delivery_break_endurance_and_reliability(ledger: SettledEvent) -> None:
    event = ledger.call()
    begin_ms = ledger.event(event).begin_ms
    powers = {0: CALLED_W, 1: CALLED_W, 2: USUAL_W, 3: CALLED_W}
    ledger.measured(HOUSE, powers, begin_ms=begin_ms, confirms=ledger.order)
    ledger.commit_at(SETTLE_MS)
    found = profile_of(ledger, HOUSE.kid)
    assert found.endurance_ms == 2 * INTERVAL_MS
    assert (sum(line.called for line in found.hours), sum(line.kept for line in found.hours)) == (
        4,
        3,
    )
    assert found.typical_w == 2_400
    assert found.standing.faults == {"underbid": 1}  # it was the cheapest


def test_silence_counts_as_called_and_not_kept(ledger: SettledEvent) -> None:
    ledger.call()
    ledger.commit_at(SETTLE_MS)
    found = profile_of(ledger, HOUSE.kid)
    assert (sum(line.called for line in found.hours), sum(line.kept for line in found.hours)) == (
        4,
        0,
    )
    assert (found.typical_w, found.confirmed, found.endurance_ms) == (None, 0, 0)
    assert "no answer; 0 of 1 orders confirmed" in text_of(found)


def test_who_only_hosts_or_buys_has_no_loads(ledger: SettledEvent) -> None:
    event = ledger.call()
    ledger.deliver(event, {HOUSE: 2_400, NEIGHBOUR: 2_400})
    ledger.commit_at(SETTLE_MS)
    assert profile_of(ledger, RETAIL.kid).events == 0
    assert profile_of(ledger, AGGREGATOR.kid).events == 0


def test_an_aggregator_that_declares_answers_for_its_users(ledger: SettledEvent) -> None:
    event = ledger.call(declarer=AGGREGATOR)
    ledger.deliver(event, {HOUSE: 2_400, NEIGHBOUR: 2_400})
    ledger.commit_at(SETTLE_MS)
    found = profile_of(ledger, AGGREGATOR.kid)
    assert (found.events, found.loads, len(found.scores)) == (1, 2, 1)
    user = profile_of(ledger, HOUSE.kid)
    assert (user.events, user.loads, user.scores) == (1, 1, ())


def test_one_load_of_two_that_fails_costs_half_of_a_fault(ledger: SettledEvent) -> None:
    event = ledger.call(declarer=AGGREGATOR)
    ledger.deliver(event, {HOUSE: 2_400})
    ledger.commit_at(FINAL_MS - 1)
    before = profile_of(ledger, AGGREGATOR.kid).standing
    ledger.commit_at(FINAL_MS)
    after = profile_of(ledger, AGGREGATOR.kid).standing
    assert after.faults == {"silence": 1}
    # With the last statement comes the score of who left something unmeasured, too.
    rated = moved(before.reputation, after.events[0].score, MARKET.rate_permille)
    assert rated - after.reputation == MARKET.weight_of["silence"].reputation // 2


def test_only_the_newest_events_count(ledger: SettledEvent) -> None:
    first = ledger.call()
    ledger.deliver(first, {HOUSE: 2_400, NEIGHBOUR: 2_400})
    ledger.commit_at(FINAL_MS)
    later_ms = ledger.event(first).begin_ms + 24 * INTERVAL_MS
    second = ledger.call(begin_ms=later_ms)
    ledger.deliver(second, {HOUSE: 1_600, NEIGHBOUR: 1_600})
    ledger.commit_at(later_ms + SETTLE_MS - ledger.event(first).begin_ms)
    assert (profile_of(ledger, HOUSE.kid).events, profile_of(ledger, HOUSE.kid, 1).events) == (2, 1)
    assert profile_of(ledger, HOUSE.kid, 1).typical_w == 1_600
    scores = profile_of(ledger, HOUSE.kid).scores
    assert [score.event for score in scores] == [second.hex(), first.hex()]


def test_faults_and_suspension_are_shown(ledger: SettledEvent) -> None:
    state = State(ledger.state)
    for _ in range(5):
        charge(state, MARKET, HOUSE.kid, "withdrawal", SHOWN, 1_000)
    rows = {**ledger.state, **{row: value for row, value in state.changes() if value is not None}}
    found = report.profile(rows, ledger.epoch, MARKET, HOUSE.kid, 2_000, 10)
    assert found.as_json()["faults"] == {"withdrawal": 5}
    assert found.as_json()["back_ms"] == 1_000 + MARKET.probation_ms
    text = text_of(found)
    assert "SUSPENDED until" in text
    assert "leads no slot" not in text
    resting = replace(ledger.epoch, resting=(HOUSE.kid,))
    found = report.profile(rows, resting, MARKET, HOUSE.kid, 2_000, 10)
    assert found.as_json()["resting"]
    assert ", leads no slot" in text_of(found)
    assert "its merit counts 0.9" in text
    assert "E, reputation 250" in text


def test_a_party_is_found_by_name_and_kid_even_when_it_has_left(ledger: SettledEvent) -> None:
    state = State(ledger.state)
    gone = bytes(7) + b"\x01"
    charge(state, MARKET, gone, "error", SHOWN, 1)
    rows = {**ledger.state, **{row: value for row, value in state.changes() if value is not None}}
    assert report.kid_of(rows, ledger.epoch, HOUSE.name) == HOUSE.kid
    assert report.kid_of(rows, ledger.epoch, HOUSE.kid.hex()) == HOUSE.kid
    assert report.kid_of(rows, ledger.epoch, gone.hex()) == gone
    with pytest.raises(UsageError, match="no party 'nobody'"):
        report.kid_of(rows, ledger.epoch, "nobody")


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main([str(word) for word in words])
    said = capsys.readouterr()
    return code, said.out, said.err


def test_the_command_speaks_text_and_json(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "gateway"
    assert run(capsys, "init", folder, "--name", "grid", "--rules", "3")[0] == 0
    code, out, _ = run(capsys, "dr", "profile", folder, "grid", "--format", "json")
    assert code == 0
    found = json.loads(out)
    assert (found["grade"], found["reputation"], found["hours"]) == ("D", 500, [])
    assert Market().reputation_start == 500
    assert "reputation 500 of 1000" in run(capsys, "dr", "profile", folder, "grid")[1]
    code, _, err = run(capsys, "dr", "profile", folder, "nobody")
    assert (code != 0, "no party 'nobody'" in err) == (True, True)
    code, _, err = run(capsys, "dr", "profile", folder, "grid", "--events", "0")
    assert (code != 0, "expected 1 or more" in err) == (True, True)


def test_a_ledger_of_older_rules_says_what_it_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "gateway"
    assert run(capsys, "init", folder, "--name", "grid", "--rules", "2")[0] == 0
    code, _, err = run(capsys, "dr", "profile", folder, "grid")
    assert code != 0
    assert "keeps no reputations" in err
