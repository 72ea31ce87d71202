"""When the meter turns to another gateway (DESIGN section 3)."""

from wattle_meter.gateway_choice import RETRY_MS, STANDSTILL_MS, VISIT_EVERY_MS, GatewayChoice

MINUTE = 60000


def switches(choice, minutes, from_ms=0):
    """(minute, index) of each switch while samples wait and final stands still."""
    result = []
    for at in range(minutes + 1):
        if choice.decide(True, from_ms + at * MINUTE):
            result.append((at, choice.index))
    return result


def test_nothing_waits_nothing_happens():
    choice = GatewayChoice(3, 0)
    assert not any(choice.decide(False, at * MINUTE) for at in range(1000))
    assert choice.index == 0


def test_final_that_moves_keeps_the_gateway():
    choice = GatewayChoice(3, 0)
    for at in range(1000):
        choice.final_moved(at * MINUTE)
        assert not choice.decide(True, at * MINUTE + 59999)


def test_standing_still_for_a_minute_below_a_waiting_sample():
    choice = GatewayChoice(2, 0)
    assert not choice.decide(True, 500000)
    assert not choice.decide(True, 500000 + STANDSTILL_MS - 1)
    assert choice.decide(True, 500000 + STANDSTILL_MS)
    assert choice.index == 1


def test_the_minute_counts_from_the_last_move():
    choice = GatewayChoice(2, 0)
    choice.decide(True, 0)
    choice.final_moved(50000)
    assert not choice.decide(True, 109999)
    assert choice.decide(True, 110000)


def test_one_round_then_every_ten_minutes():
    choice = GatewayChoice(3, 0)
    assert switches(choice, 40) == [(1, 1), (2, 2), (12, 0), (22, 1), (32, 2)]


def test_the_only_gateway_gets_a_new_connection_every_ten_minutes():
    assert switches(GatewayChoice(1, 0), 25) == [(10, 0), (20, 0)]


def test_success_elsewhere_and_back_home_later():
    choice = GatewayChoice(2, 0)
    assert switches(choice, 1) == [(1, 1)]
    for at in range(2, 11):
        choice.final_moved(at * MINUTE)
        assert not choice.decide(True, at * MINUTE)
    choice.final_moved(11 * MINUTE)
    assert choice.decide(True, MINUTE + RETRY_MS)
    assert choice.index == 0


def test_a_second_gateway_is_visited_once_a_day():
    choice = GatewayChoice(3, 0)
    visits = []
    for at in range(3 * 24 * 60):
        now_ms = at * MINUTE
        choice.final_moved(now_ms)
        if choice.decide(True, now_ms) and choice.index:
            visits.append((now_ms // VISIT_EVERY_MS, choice.index))
    assert visits == [(1, 1), (2, 2)]


def test_a_single_gateway_is_never_left_for_a_visit():
    choice = GatewayChoice(1, 0)
    for at in range(3 * 24 * 60):
        choice.final_moved(at * MINUTE)
        assert not choice.decide(True, at * MINUTE)


def test_a_visit_ends_when_it_has_shown_that_final_moves():
    choice = GatewayChoice(2, 0)
    choice.final_moved(VISIT_EVERY_MS - 1)
    assert choice.decide(True, VISIT_EVERY_MS)
    assert choice.index == 1
    assert not choice.decide(True, VISIT_EVERY_MS + 1000)
    choice.final_moved(VISIT_EVERY_MS + 2000)
    assert choice.decide(True, VISIT_EVERY_MS + 2000)
    assert choice.index == 0
    choice.final_moved(VISIT_EVERY_MS + 3000)
    assert not choice.decide(True, VISIT_EVERY_MS + 4000)


def test_visits_come_twice_in_what_the_outbox_covers():
    for outbox_ms, every_ms in ((2 * 60 * MINUTE, 60 * MINUTE), (10**12, VISIT_EVERY_MS)):
        choice = GatewayChoice(2, 0)
        choice.visit_within(outbox_ms)
        visits = []
        for at in range(2 * 24 * 60 + 1):
            now_ms = at * MINUTE
            choice.final_moved(now_ms)
            if choice.decide(True, now_ms) and choice.index:
                visits.append(now_ms)
        assert visits[0] == every_ms
        assert all(after - before == every_ms for before, after in zip(visits, visits[1:]))
