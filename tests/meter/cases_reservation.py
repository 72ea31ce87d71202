"""Sequence numbers: never one twice, whatever the power does."""

from wattle_meter.reservation import BLOCK, Reservation, ReservationError
from wattle_testkit.meter_fakes import FakeStore


def take(reservation, count):
    return [reservation.take() for _ in range(count)]


def test_a_new_key_begins_at_its_first_seq():
    reservation = Reservation(FakeStore(), 17, None)
    assert (reservation.boot, reservation.lost, reservation.next_seq) == (1, None, 17)
    assert take(reservation, 3) == [17, 18, 19]


def test_one_commit_a_block():
    store = FakeStore()
    reservation = Reservation(store, 1, None)
    commits = store.commits
    assert take(reservation, BLOCK) == list(range(1, BLOCK + 1))
    assert store.commits == commits + 1
    assert reservation.take() == BLOCK + 1
    assert store.commits == commits + 2


def test_a_cut_goes_on_at_the_next_block_and_reports_what_may_be_lost():
    store = FakeStore()
    take(Reservation(store, 1, None), 10)
    store.cut()
    reservation = Reservation(store, 1, None)
    assert reservation.boot == 2
    assert reservation.lost == (1, BLOCK)
    assert reservation.take() == BLOCK + 1


def test_what_the_outbox_kept_is_not_lost():
    store = FakeStore()
    take(Reservation(store, 1, None), 10)
    store.cut()
    assert Reservation(store, 1, 7).lost == (8, BLOCK)


def test_nothing_is_lost_when_the_last_of_a_block_was_kept():
    store = FakeStore()
    take(Reservation(store, 1, None), BLOCK)
    store.cut()
    reservation = Reservation(store, 1, BLOCK)
    assert reservation.lost is None
    assert reservation.take() == BLOCK + 1


def test_the_lost_range_reaches_over_a_block_border_but_not_for_ever():
    store = FakeStore()
    take(Reservation(store, 1, None), 5 * BLOCK + 2)  # memory held samples of two blocks
    store.cut()
    assert Reservation(store, 1, None).lost == (4 * BLOCK + 1, 6 * BLOCK)


def test_a_clean_stop_wastes_nothing():
    store = FakeStore()
    reservation = Reservation(store, 1, None)
    take(reservation, 10)
    reservation.stop()
    store.cut()
    reservation = Reservation(store, 1, 10)
    assert (reservation.boot, reservation.lost) == (2, None)
    assert reservation.take() == 11


def test_a_clean_stop_counts_once():
    store = FakeStore()
    reservation = Reservation(store, 1, None)
    take(reservation, 10)
    reservation.stop()
    take(Reservation(store, 1, 10), 5)
    store.cut()
    reservation = Reservation(store, 1, 12)
    assert reservation.lost == (13, BLOCK)
    assert reservation.take() == BLOCK + 1


def test_no_seq_twice_over_many_starts_of_every_kind():
    store = FakeStore()
    last = None
    for start in range(60):
        reservation = Reservation(store, 1, last)
        for _ in range(start * 379 % 1500):
            seq = reservation.take()
            assert last is None or seq > last
            last = seq
        if start % 3 == 0:
            reservation.stop()
        if start % 2:
            store.cut()
    assert reservation.boot == 60


def test_a_store_that_fails_gives_no_seq():
    class FullStore(FakeStore):
        failing = False

        def commit(self):
            if self.failing:
                raise OSError(28, "full")
            super().commit()

    store = FullStore()
    reservation = Reservation(store, 1, None)
    store.failing = True
    for _ in range(2):
        try:
            reservation.take()
        except OSError:
            pass
        else:
            raise AssertionError("gave a seq that is not reserved")
    store.failing = False
    assert reservation.take() == 1


def test_an_outbox_of_another_key_is_noticed():
    store = FakeStore()
    take(Reservation(store, 1, None), 10)
    try:
        Reservation(store, 1, BLOCK + 1)
    except ReservationError:
        return
    raise AssertionError("accepted")


def test_a_damaged_store_is_noticed():
    store = FakeStore()
    store.safe["seq_end"] = b"\0\0\0\1"
    try:
        Reservation(store, 1, None)
    except ReservationError as error:
        assert "expected 8" in str(error)
        return
    raise AssertionError("accepted")
