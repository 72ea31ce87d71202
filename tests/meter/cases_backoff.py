"""Waiting times: growing, jittered, bounded."""

from wattle_meter.backoff import Backoff
from wattle_testkit.meter_fakes import ExtremeRandom


def test_limits_double_up_to_the_ceiling():
    backoff = Backoff(ExtremeRandom(True), 500, 6000)
    assert [backoff.next_ms() for _ in range(6)] == [500, 1000, 2000, 4000, 6000, 6000]


def test_never_less_than_half_the_base():
    backoff = Backoff(ExtremeRandom(False), 500, 6000)
    assert [backoff.next_ms() for _ in range(6)] == 6 * [250]


def test_success_begins_again():
    backoff = Backoff(ExtremeRandom(True), 500, 6000)
    backoff.next_ms()
    backoff.next_ms()
    backoff.succeeded()
    assert backoff.next_ms() == 500
