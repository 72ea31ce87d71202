"""Alarms are raised once, told again when worse or after a day, and cleared some time later."""

import json
from itertools import chain
from pathlib import Path

import pytest
from wattle_gateway.alarms import catalog, message
from wattle_gateway.alarms.board import (
    CLEAR_AFTER_MS,
    CLEARED,
    RAISED,
    REPEAT_EVERY_MS,
    REPEATED,
    AlarmBoard,
    Finding,
)
from wattle_gateway.alarms.catalog import BROKER, CRITICAL, DISK, PEER, WARNING
from wattle_gateway.alarms.message import Sender

UNIX_MS = 1_800_000_000_000
MINUTE_MS = 60_000
LOW = {DISK: Finding(WARNING, "little is left")}
FULL = {DISK: Finding(CRITICAL, "nothing is left")}


class Watched:
    """A board, and a clock that goes on from look to look."""

    def __init__(self) -> None:
        self.board = AlarmBoard()
        self.now_ms = 0

    def look(self, found: dict[str, Finding], later_ms: int = 5_000) -> list[tuple[str, str]]:
        self.now_ms += later_ms
        events = self.board.look(self.now_ms, UNIX_MS + self.now_ms, found)
        return [(event.what, event.alarm.name) for event in events]

    @property
    def names(self) -> list[str]:
        return [alarm.name for alarm in self.board.active()]


def test_an_alarm_is_raised_once_and_cleared_after_a_minute_without_its_cause() -> None:
    watched = Watched()
    assert watched.look(LOW) == [(RAISED, DISK)]
    assert watched.look(LOW) == []
    assert watched.look({}, CLEAR_AFTER_MS - 1) == []
    assert watched.names == [DISK]
    assert watched.look({}, 1) == [(CLEARED, DISK)]
    assert watched.names == []
    assert watched.look({}) == []
    assert watched.board.raised_count[DISK] == 1


def test_what_comes_and_goes_is_one_alarm() -> None:
    watched = Watched()
    looks = [watched.look(LOW if turn % 2 else {}, 20_000) for turn in range(100)]
    assert [*chain(*looks)] == [(RAISED, DISK)]


def test_worse_is_told_again_and_better_is_not() -> None:
    watched = Watched()
    watched.look(LOW)
    assert watched.look(FULL) == [(RAISED, DISK)]
    assert watched.look(FULL) == []
    assert watched.look(LOW) == []
    assert [alarm.severity for alarm in watched.board.active()] == [WARNING]
    assert watched.board.raised_count[DISK] == 1


def test_a_lasting_alarm_is_repeated_once_a_day() -> None:
    watched = Watched()
    looks = [watched.look(LOW, 3_600_000) for _ in range(24 * 3 + 1)]
    assert [*chain(*looks)] == [(RAISED, DISK), *[(REPEATED, DISK)] * 3]
    assert REPEAT_EVERY_MS == 24 * 3_600_000


def test_what_may_pass_by_itself_has_to_last() -> None:
    away = {PEER: Finding(WARNING, "no link to retail")}
    watched = Watched()
    for _ in range(4):
        assert watched.look(away, MINUTE_MS) == []
    assert watched.look({}, 5_000) == []
    for _ in range(5):
        assert watched.look(away, MINUTE_MS) == []
    assert watched.look(away, MINUTE_MS) == [(RAISED, PEER)]


def test_since_is_when_the_cause_began_and_the_text_is_the_newest() -> None:
    watched = Watched()
    watched.look({BROKER: Finding(CRITICAL, "down")}, 1_000)
    watched.look({BROKER: Finding(CRITICAL, "still down")}, MINUTE_MS)
    (alarm,) = watched.board.active()
    assert (alarm.since_ms, alarm.text) == (UNIX_MS + 1_000, "still down")


def test_several_stand_in_the_catalogue_s_order() -> None:
    watched = Watched()
    watched.look({name: Finding(WARNING, "x") for name in reversed(catalog.NAMES)})
    watched.look({name: Finding(WARNING, "x") for name in catalog.NAMES}, 10 * MINUTE_MS)
    assert watched.names == list(catalog.NAMES)


def test_each_kind_says_what_to_do() -> None:
    assert len(catalog.NAMES) == len(set(catalog.NAMES)) == 12
    assert all(kind.advice and kind.after_ms >= 0 for kind in catalog.KINDS)


def test_a_message_names_the_event_and_all_that_is_active() -> None:
    board = AlarmBoard()
    board.look(0, UNIX_MS, LOW)
    (event,) = board.look(1, UNIX_MS + 1, FULL)
    sender = Sender("aa" * 16, "bb" * 8, 'the "grid"', "home")
    found = json.loads(message.encode(sender, event.what, event, board.active(), UNIX_MS + 1))
    alarm = {
        "alarm": "disk",
        "severity": "critical",
        "since_ms": UNIX_MS,
        "text": "nothing is left",
        "advice": catalog.BY_NAME[DISK].advice,
    }
    assert found == {
        "version": 1,
        "ledger": "aa" * 16,
        "gateway": "bb" * 8,
        "name": 'the "grid"',
        "site": "home",
        "time_ms": UNIX_MS + 1,
        "event": "raised",
        "alarm": alarm,
        "active": [alarm],
    }


def test_the_state_at_a_start_has_no_alarm_of_its_own() -> None:
    found = json.loads(message.encode(Sender("", "", "", ""), "started", None, [], 5))
    assert (found["event"], found["alarm"], found["active"]) == ("started", None, [])


@pytest.mark.parametrize("name", catalog.NAMES)
def test_each_alarm_is_listed_for_operators(name: str) -> None:
    text = (Path(__file__).resolve().parents[2] / "gateway/METRICS.md").read_text()
    assert f"\n| `{name}` | " in text.partition("## Alarms")[2].partition("## Log")[0]
