"""Ack rules (SPEC section 8): what is sent when, and what an ack changes."""

from wattle_meter import acks
from wattle_meter.acks import Delivery, Held
from wattle_wire.downlink import BUSY, MALFORMED, NOT_ENROLLED, REVOKED, Ack


class Box(Held):
    """An outbox that holds a set of seqs."""

    def __init__(self, seqs):
        self.seqs = set(seqs)

    def next_held(self, seq):
        above = [held for held in self.seqs if held >= seq]
        return min(above) if above else None


def ack(final, durable=None, missing=(), refused=(), index=1):
    return Ack(
        final,
        final if durable is None else durable,
        [list(pair) for pair in missing],
        [list(pair) for pair in refused],
        index,
        bytes(32),
    )


def drain(delivery, box, newest, now_ms, most=1000, size=100):
    """Everything that may be sent from `now_ms` on without an ack, within a second."""
    result = []
    until = now_ms + 1000
    while len(result) < most:
        seq, wait_ms = delivery.next(box, newest, now_ms)
        if seq is not None:
            result.append(seq)
            delivery.sent(seq, size, now_ms)
        else:
            now_ms += wait_ms
            if now_ms >= until:
                return result
    return result


def connected(newest, final=0, now_ms=0):
    """A delivery that has had its first ack."""
    delivery = Delivery(final, 1, newest, now_ms)
    assert delivery.acked(ack(final), newest, now_ms)
    return delivery


def test_new_samples_are_sent_at_once_even_before_the_first_ack():
    delivery = Delivery(0, 0, 0, 0)
    assert delivery.next(Box([]), 0, 0)[0] is None
    assert delivery.next(Box([1]), 1, 5) == (1, 0)
    delivery.sent(1, 100, 5)
    assert delivery.next(Box([1]), 1, 6)[0] is None
    assert delivery.next(Box([1, 2]), 2, 7) == (2, 0)


def test_the_newest_goes_first_and_the_backlog_waits_for_an_ack_which_may_shorten_it():
    delivery = Delivery(0, 0, 9, 1000)
    box = Box(range(1, 10))
    assert delivery.next(box, 9, 1000) == (9, 0)
    delivery.sent(9, 100, 1000)
    assert delivery.next(box, 9, 1000) == (None, acks.FIRST_ACK_MS)
    assert delivery.acked(ack(3, 6), 9, 1100)
    assert drain(delivery, box, 9, 1200) == [7, 8]


def test_the_newest_is_not_sent_to_a_gateway_that_says_it_has_it():
    delivery = connected(9, final=4)
    assert delivery.acked(ack(4, 9), 9, 0)
    assert drain(delivery, Box(range(1, 11)), 10, 0) == [10]


def test_without_an_ack_the_backlog_is_sent_all_the_same():
    delivery = Delivery(0, 0, 3, 0)
    assert drain(delivery, Box([1, 2, 3]), 3, acks.FIRST_ACK_MS) == [3, 1, 2]


def test_live_goes_before_backlog():
    delivery = connected(5)
    box = Box(range(1, 8))
    assert drain(delivery, box, 5, 100, most=2) == [5, 1]
    assert delivery.next(box, 7, 100) == (6, 0)
    delivery.sent(6, 100, 100)
    delivery.sent(7, 100, 100)
    seq, wait_ms = delivery.next(box, 7, 100)
    assert (seq, wait_ms) == (None, acks.BACKLOG_INTERVAL_MS)
    assert delivery.next(box, 7, 100 + wait_ms) == (2, 0)


def test_the_backlog_has_a_rate_and_a_window():
    delivery = connected(1000)
    box = Box(range(1, 1001))
    first = drain(delivery, box, 1000, 1000)
    assert first == [1000] + list(range(1, acks.BACKLOG_WINDOW))
    assert delivery.acked(ack(0, 30), 1000, 2000)
    second = drain(delivery, box, 1000, 2000)
    assert second == list(range(32, 62))
    assert delivery.counts["backlog"] == 61


def test_after_an_outage_two_hours_drain_at_the_stated_rate_behind_what_is_new():
    """7,200 samples wait; one a second is made meanwhile. The gateway acks five times a second."""
    waiting = 7200
    rate = 1000 // acks.BACKLOG_INTERVAL_MS
    assert rate == 40
    delivery = connected(waiting)
    box = Box([])
    box.next_held = lambda seq: seq  # it holds them all
    newest = waiting
    live = drained_ms = 0
    durable = 0  # of the backlog, which comes in order
    sent_ms = [-1000] * rate
    for tick in range(0, 200000, 5):
        if tick % 1000 == 0 and tick:
            newest += 1
        if tick % 200 == 0:
            holes = [(durable + 1, waiting - 1)] if durable < waiting - 1 else []
            delivery.acked(ack(0, durable if holes else newest - 1, holes), newest, tick)
        seq, _ = delivery.next(box, newest, tick)
        if seq is None:
            continue
        delivery.sent(seq, 400, tick)
        if seq >= waiting:
            assert (tick, seq) == (1000 * live, waiting + live)
            live += 1
        else:
            assert seq == durable + 1
            durable = seq
            assert tick - sent_ms[seq % rate] >= 1000
            sent_ms[seq % rate] = drained_ms = tick
    assert (live, durable) == (200, waiting - 1)
    # But for the turns that new samples take.
    assert durable / rate <= drained_ms / 1000 <= durable / (rate - 1)
    assert delivery.counts["retries"] == 0


def test_large_samples_fill_the_window_by_bytes():
    delivery = connected(1000)
    sent = drain(delivery, Box(range(1, 1001)), 1000, 1000, size=16384)
    assert sent == [1000, 1, 2, 3]


def test_live_samples_stop_when_their_window_is_full():
    delivery = Delivery(0, 0, 0, 0)
    box = Box(range(1, 200))
    sent = drain(delivery, box, 150, 0)
    assert sent == list(range(1, acks.LIVE_WINDOW + acks.BACKLOG_WINDOW + 1))
    delivery.acked(ack(0, 64), 150, 500)
    assert drain(delivery, box, 150, 500)[0] == 65


def test_durable_ends_retransmission():
    delivery = connected(0)
    box = Box(range(1, 4))
    assert drain(delivery, box, 3, 0) == [1, 2, 3]
    delivery.acked(ack(0, 3), 3, 50)
    for now_ms in range(0, 10 * acks.RETRY_MAX_MS, acks.RETRY_MAX_MS):
        assert delivery.next(box, 3, now_ms)[0] is None
    assert delivery.counts["retries"] == 0


def test_lost_samples_are_sent_again_from_durable_on():
    delivery = connected(0)
    box = Box(range(1, 6))
    assert drain(delivery, box, 5, 0) == [1, 2, 3, 4, 5]
    delivery.acked(ack(0, 2), 5, 1000)
    assert delivery.next(box, 5, 1000 + acks.RETRY_MS - 1)[0] is None
    assert drain(delivery, box, 5, 1000 + acks.RETRY_MS) == [3, 4, 5]
    assert delivery.counts["retries"] == 1


def test_new_samples_do_not_put_off_the_retry():
    delivery = connected(0)
    box = Box(range(1, 100))
    sent = []
    for second in range(20):
        sent += drain(delivery, box, second + 1, second * 1000, most=2)
    assert sent[:17] == list(range(1, 17)) + [1]


def test_vain_retries_become_rare_until_durable_moves():
    delivery = connected(0)
    box = Box([1])
    times = []
    now_ms = 0
    while now_ms < 4000000:
        if delivery.next(box, 1, now_ms)[0] == 1:
            delivery.sent(1, 100, now_ms)
            times.append(now_ms)
        now_ms += 1000
    waits = [times[at + 1] - times[at] for at in range(len(times) - 1)]
    assert waits[:6] == [15000, 30000, 60000, 120000, 240000, 480000]
    assert max(waits) == acks.RETRY_MAX_MS
    delivery.acked(ack(0, 1), 1, now_ms)
    delivery.next(Box([1, 2]), 2, now_ms)
    delivery.sent(2, 100, now_ms)
    assert delivery.next(Box([1, 2]), 2, now_ms + acks.RETRY_MS)[0] == 2


def test_acks_only_move_forward():
    delivery = Delivery(10, 5, 20, 0)
    assert delivery.acked(ack(12, 15, index=6), 20, 0)
    assert not delivery.acked(ack(11, 20, index=7), 20, 1)
    assert not delivery.acked(ack(12, 20, index=5), 20, 2)
    assert (delivery.final, delivery.durable, delivery.commit_index) == (12, 15, 6)
    assert delivery.acked(ack(12, 13, index=6), 20, 3)
    assert delivery.durable == 15
    assert delivery.counts["stale_acks"] == 2


def test_an_ack_for_samples_never_made_is_not_believed():
    delivery = connected(5)
    assert not delivery.acked(ack(6), 5, 0)
    assert delivery.acked(ack(0, 99), 5, 0)
    assert delivery.durable == 5
    assert delivery.next(Box([6]), 6, 0) == (6, 0)


def test_what_is_missing_and_held_is_sent_again():
    delivery = connected(0)
    box = Box(range(1, 10))
    drain(delivery, box, 9, 0)
    delivery.acked(ack(0, 2, missing=[(3, 4), (7, 7)]), 9, acks.ON_ITS_WAY_MS)
    assert drain(delivery, box, 9, 6000) == [3, 4, 7]


def test_what_is_missing_but_just_sent_is_on_its_way():
    delivery = connected(0)
    box = Box(range(1, 10))
    drain(delivery, box, 9, 0)
    delivery.acked(ack(0, 2, missing=[(3, 4), (7, 7)]), 9, acks.ON_ITS_WAY_MS - 1)
    assert drain(delivery, box, 9, 5000) == []


def test_a_backlog_hole_named_missing_is_not_sent_twice():
    delivery = connected(100)
    box = Box(range(1, 102))
    sent = drain(delivery, box, 101, 100, most=11)
    assert sent == [100, 101] + list(range(1, 10))
    delivery.acked(ack(0, 0, missing=[(1, 99)]), 101, 400)
    assert drain(delivery, box, 101, 500, most=5) == [10, 11, 12, 13, 14]


def test_what_is_missing_and_not_held_is_absent():
    delivery = connected(0)
    box = Box([1, 2, 8, 9])
    assert drain(delivery, box, 9, 0) == [1, 2, 8, 9]
    assert delivery.absent == [(3, 7)]
    delivery.absent = []
    delivery.acked(ack(0, 2, missing=[(3, 7)]), 9, 10000)
    assert drain(delivery, box, 9, 10000) == []
    assert delivery.absent == [(3, 7)]


def test_holes_in_the_backlog_are_absent():
    delivery = connected(10)
    assert drain(delivery, Box([2, 3, 7]), 10, 100) == [2, 3, 7]
    assert delivery.absent == [(10, 10), (1, 1), (4, 6), (8, 9)]


def test_a_missing_seq_of_the_future_is_ignored():
    delivery = connected(3)
    delivery.acked(ack(0, 3, missing=[(4, 10**12)]), 3, 10000)
    assert drain(delivery, Box([1, 2, 3]), 3, 10000) == []
    assert delivery.absent == []
    assert delivery.next(Box([4]), 4, 10001) == (4, 0)


def test_samples_held_beyond_a_hole_leave_the_window():
    delivery = connected(0)
    box = Box(range(1, 200))
    drain(delivery, box, 64, 0)
    delivery.acked(ack(0, 0, missing=[(1, 1)]), 64, 1000)  # 2 is held; 3.. unknown
    delivery.acked(ack(0, 0, missing=[(1, 1), (40, 40)]), 64, 1000)  # 2..39, 41 are held
    sent = drain(delivery, box, 199, 1000)
    assert sent == list(range(65, 65 + 39))


def test_a_busy_gateway_gets_a_rest_but_sees_new_samples():
    for code in (BUSY, NOT_ENROLLED):
        delivery = connected(5)
        box = Box(range(1, 8))
        drain(delivery, box, 5, 0, most=2)
        delivery.acked(ack(0, 0, refused=[(1, code), (2, code)]), 5, 1000)
        assert delivery.suspects == []
        assert delivery.next(box, 6, 1000) == (6, 0)
        delivery.sent(6, 100, 1000)
        assert delivery.next(box, 6, 1000) == (None, acks.RETRY_MS)
        assert 1 in drain(delivery, box, 6, 1000 + acks.RETRY_MS)


def test_a_refused_sample_is_checked_and_sent_once_more():
    delivery = connected(0)
    box = Box([1, 2, 3])
    drain(delivery, box, 3, 0)
    delivery.acked(ack(0, 1, refused=[(2, MALFORMED)]), 3, 100)
    assert delivery.suspects == [2]
    delivery.suspects = []
    delivery.resend(2, 2)
    assert drain(delivery, box, 3, 200) == [2]
    delivery.acked(ack(0, 1, refused=[(2, MALFORMED)]), 3, 300)  # the first refusal, told again
    assert delivery.suspects == []
    later = 300 + acks.ON_ITS_WAY_MS
    delivery.acked(ack(0, 1, missing=[(2, 2)], refused=[(2, MALFORMED)]), 3, later)
    assert delivery.suspects == []
    assert drain(delivery, box, 3, later) == []
    assert drain(delivery, box, 3, later + acks.RETRY_MS) == []


def test_a_sample_refused_because_of_revocation_is_left_alone():
    delivery = connected(0)
    box = Box([1, 2])
    drain(delivery, box, 2, 0)
    delivery.acked(ack(0, 0, refused=[(1, REVOKED), (2, REVOKED)]), 2, 100)
    assert delivery.suspects == []
    assert drain(delivery, box, 2, acks.RETRY_MS) == []


def test_refusals_of_what_was_never_sent_or_is_durable_are_ignored():
    delivery = connected(5)
    delivery.acked(ack(3, 4, refused=[(2, MALFORMED), (4, MALFORMED), (77, MALFORMED)]), 5, 0)
    assert delivery.suspects == []


def test_a_damaged_sample_is_not_asked_for_again():
    delivery = connected(3)
    delivery.lost(1)
    assert drain(delivery, Box([2, 3]), 3, 0) == [3, 2]
    assert delivery.absent == []


def test_a_resend_command_sends_what_was_durable():
    delivery = connected(9, final=9)
    delivery.resend(3, 5)
    delivery.resend(9, 10**9)
    assert drain(delivery, Box([3, 5, 9]), 9, 0) == [3, 5, 9]
    assert delivery.absent == [(4, 4)]


def test_what_was_never_acked_goes_to_the_next_gateway():
    first = connected(0)
    box = Box(range(1, 6))
    drain(first, box, 5, 0)
    first.acked(ack(2, 5, index=8), 5, 10)
    second = Delivery(first.final, first.commit_index, 5, 20)
    assert drain(second, box, 5, 20 + acks.FIRST_ACK_MS) == [5, 3, 4]
