"""The wall clock: states of SPEC section 6, the nonce rule, and what may correct it."""

from wattle_meter.clock import EPOCH_2000_MS, SYNCHRONISED_FOR_MS, ClockError, WallClock

T = 1700000000000
NONCE = bytes(range(16))
OTHER = bytes(16)


def refused(clock, uptime_ms, nonce, unix_ms=T):
    before = clock.now_ms(uptime_ms), clock.state(uptime_ms)
    try:
        clock.answer(uptime_ms, nonce, unix_ms)
    except ClockError as error:
        assert (clock.now_ms(uptime_ms), clock.state(uptime_ms)) == before
        return str(error)
    raise AssertionError("accepted")


def test_without_any_time_it_counts_from_2000():
    clock = WallClock(5000)
    assert clock.now_ms(5000) == EPOCH_2000_MS
    assert clock.now_ms(6500) == EPOCH_2000_MS + 1500
    assert clock.state(6500) == "U"


def test_without_any_time_it_goes_on_from_the_highest_stored():
    assert WallClock(5000, T).now_ms(5001) == T + 1
    assert WallClock(5000, T).state(5001) == "U"
    assert WallClock(5000, 7).now_ms(5000) == EPOCH_2000_MS


def test_a_clock_that_is_late_stays_refused():
    late_ms = 3600000
    for uptime_ms in (0, late_ms, 4 * late_ms, 24 * late_ms):
        clock = WallClock(0, T)
        assert clock.inform(uptime_ms, T + uptime_ms - late_ms) == 0
        assert clock.state(uptime_ms) == "U"
        # one that is right is believed at any time, and corrects one that ran ahead
        assert clock.inform(uptime_ms, T + uptime_ms + late_ms) == late_ms
        assert clock.inform(uptime_ms, T + uptime_ms) == -late_ms
        assert clock.inform(uptime_ms, T + uptime_ms - late_ms) == 0


def test_a_right_clock_is_believed_by_a_board_whose_crystal_is_fast():
    year_ms = 365 * 86400000
    clock = WallClock(0, T)
    assert clock.inform(year_ms + year_ms // 2000, T + year_ms) == -(year_ms // 2000)


def test_a_host_clock_informs():
    clock = WallClock(0)
    assert clock.inform(100, T) == T - EPOCH_2000_MS - 100
    assert clock.state(100) == "I"
    assert clock.now_ms(200) == T + 100
    assert clock.inform(300, T + 195) == -5
    assert clock.now_ms(300) == T + 195


def test_a_host_clock_in_the_past_is_not_believed():
    clock = WallClock(0, T)
    assert clock.inform(0, T - 60001) == 0
    assert clock.state(0) == "U"
    assert clock.now_ms(0) == T
    assert clock.inform(0, T - 60000) == -60000
    assert clock.state(0) == "I"


def test_a_gateways_answer_synchronises():
    clock = WallClock(0)
    assert clock.wants_time(0)
    clock.ask(1000, NONCE)
    clock.answer(1400, NONCE, T)
    assert clock.state(1400) == "S"
    assert clock.now_ms(1400) == T + 200  # half of the round trip has passed since
    assert not clock.wants_time(1400)


def test_a_difference_within_half_the_round_trip_corrects_nothing():
    for off_ms, jump_ms in ((-200, 0), (200, 0), (201, 201), (-201, -201)):
        clock = WallClock(0)
        clock.inform(0, T)
        clock.ask(1000, NONCE)
        assert clock.answer(1400, NONCE, T + 1200 + off_ms) == jump_ms
        assert clock.now_ms(1400) == T + 1400 + jump_ms
        assert clock.state(1400) == "S"


def test_an_answer_within_ten_seconds_counts_and_a_later_one_does_not():
    clock = WallClock(0)
    clock.ask(1000, NONCE)
    assert "expected within 10000 ms" in refused(clock, 11001, NONCE)
    clock.ask(1000, NONCE)
    clock.answer(11000, NONCE, T)
    assert clock.state(11000) == "S"


def test_an_answer_counts_once_and_only_for_the_last_question():
    clock = WallClock(0)
    assert "not open" in refused(clock, 0, NONCE)
    clock.ask(0, OTHER)
    clock.ask(0, NONCE)
    assert "not open" in refused(clock, 1, OTHER)
    clock.answer(2, NONCE, T)
    assert "not open" in refused(clock, 3, NONCE, T + 10**9)


def test_a_late_answer_closes_its_question():
    clock = WallClock(0)
    clock.ask(0, NONCE)
    refused(clock, 10001, NONCE)
    assert "not open" in refused(clock, 10002, NONCE)


def test_synchronised_for_an_hour_then_relative():
    clock = WallClock(0)
    clock.ask(0, NONCE)
    clock.answer(0, NONCE, T)
    assert clock.state(SYNCHRONISED_FOR_MS) == "S"
    assert clock.state(SYNCHRONISED_FOR_MS + 1) == "R"
    assert not clock.wants_time(SYNCHRONISED_FOR_MS // 2 - 1)
    assert clock.wants_time(SYNCHRONISED_FOR_MS // 2)
    clock.ask(4000000, NONCE)
    clock.answer(4000000, NONCE, T + 4000000)
    assert clock.state(4000000) == "S"


def test_an_unauthenticated_source_never_touches_a_clock_that_a_gateway_set():
    clock = WallClock(0)
    clock.ask(0, NONCE)
    clock.answer(0, NONCE, T)
    for uptime_ms in (1, SYNCHRONISED_FOR_MS + 1):
        assert clock.inform(uptime_ms, T + 10**9) == 0
        assert clock.now_ms(uptime_ms) == T + uptime_ms


def test_a_gateway_may_set_the_clock_back_below_what_was_stored():
    clock = WallClock(0, T)
    clock.ask(0, NONCE)
    assert clock.answer(0, NONCE, T - 10**9) == -(10**9)


def test_on_a_bench_answers_and_drift_take_real_time():
    clock = WallClock(0, 0, 60)
    clock.ask(0, NONCE)
    clock.answer(600000, NONCE, T)  # ten real seconds
    assert clock.state(600000 + 60 * SYNCHRONISED_FOR_MS) == "S"
    assert clock.state(600000 + 60 * SYNCHRONISED_FOR_MS + 1) == "R"
    clock.ask(0, NONCE)
    assert "after 10000 ms" in refused(clock, 600001, NONCE)
