"""Starts of a meter are counted by their cause, and what is known of it beats what a chip says."""

from wattle_meter.board import (
    RESET_ASKED,
    RESET_CAUSES,
    RESET_POWER,
    RESET_SAMPLING,
    RESET_SENDING,
    RESET_UNKNOWN,
    RESET_WATCHDOG,
)
from wattle_meter.resets import STALLED_MS, Resets, stalled
from wattle_testkit.meter_fakes import FakeStore


def test_starts_are_counted_by_cause():
    store = FakeStore()
    for cause in (RESET_POWER, RESET_WATCHDOG, RESET_POWER):
        found = Resets(store, cause)
        assert found.cause == cause
        store.cut()
    assert found.counts == [2, 1] + [0] * (RESET_CAUSES - 2)


def test_the_watchdog_is_told_apart_by_what_stood_still():
    for note in (RESET_SAMPLING, RESET_SENDING):
        for chip in (RESET_WATCHDOG, RESET_UNKNOWN):
            store = FakeStore()
            Resets(store, RESET_POWER).note(note)
            found = Resets(store, chip)
            assert found.cause == note
            assert found.counts[note] == 1
            assert Resets(store, chip).cause == chip  # once


def test_power_that_fails_meanwhile_is_power_that_failed():
    store = FakeStore()
    Resets(store, RESET_POWER).note(RESET_SENDING)
    assert Resets(store, RESET_POWER).cause == RESET_POWER


def test_what_gets_on_again_is_no_cause():
    store = FakeStore()
    before = Resets(store, RESET_POWER)
    before.note(RESET_SENDING)
    before.note(None)
    assert Resets(store, RESET_WATCHDOG).cause == RESET_WATCHDOG


def test_a_stop_that_was_asked_for_is_one_whatever_ends_the_power():
    for chip in (RESET_POWER, RESET_WATCHDOG, RESET_UNKNOWN):
        store = FakeStore()
        Resets(store, RESET_POWER).note(RESET_ASKED)
        assert Resets(store, chip).cause == RESET_ASKED


def test_what_stands_still_for_a_minute_lets_the_watchdog_bite():
    for now_ms, sampled_at, sent_at, cause in (
        (STALLED_MS, 1, 1, None),
        (STALLED_MS, 0, 1, RESET_SAMPLING),
        (STALLED_MS, 1, 0, RESET_SENDING),
        (5 * STALLED_MS, 0, 0, RESET_SAMPLING),
        (5 * STALLED_MS, 5 * STALLED_MS, 4 * STALLED_MS + 1, None),
    ):
        assert stalled(now_ms, sampled_at, sent_at) == cause


def test_the_store_is_written_only_when_there_is_news():
    store = FakeStore()
    found = Resets(store, RESET_POWER)
    commits = store.commits
    for _ in range(100):
        found.note(None)
    assert store.commits == commits
    found.note(RESET_SENDING)
    found.note(RESET_SENDING)
    assert store.commits == commits + 1


def test_a_store_that_fails_or_holds_nonsense_stops_nobody():
    for record in (b"", b"\xff", bytes(28), b"\x09" + bytes(28), bytes(40)):
        store = FakeStore()
        store.set("resets", record)
        assert Resets(store, RESET_WATCHDOG).counts[RESET_WATCHDOG] == 1

    class Full(FakeStore):
        def commit(self):
            raise OSError(28)

    found = Resets(Full(), RESET_POWER)
    found.note(RESET_SENDING)
    assert found.counts[RESET_POWER] == 1
