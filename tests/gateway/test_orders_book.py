"""Which load is told what, when, and by whom: the book of orders, with its clock in the test."""

from dataclasses import replace

from wattle_gateway.orders.book import Command, OrderBook, PointOrder

METER, OTHER = b"meter--1", b"meter--2"
EVENT, SECOND_EVENT = b"e" * 32, b"f" * 32
FIRST_LINK, SECOND_LINK = b"link---1", b"link---2"
ORDER = PointOrder(EVENT, b"1" * 32, METER, 1, 500, from_ms=1_000, until_ms=9_000)


def connected(*meters: bytes) -> OrderBook:
    book = OrderBook()
    for meter in meters or (METER,):
        book.online(meter, FIRST_LINK)
    return book


def setpoint(order: PointOrder) -> Command:
    return Command(order, holds=True)


def release(order: PointOrder) -> Command:
    return Command(order, holds=False)


def test_a_load_is_told_once_and_released_at_the_end() -> None:
    book = connected()
    book.put(ORDER)
    assert book.due(1_000) == [setpoint(ORDER)]
    assert book.due(1_001) == []
    assert book.next_ms == 9_000
    assert book.due(8_999) == []
    assert book.due(9_000) == [release(ORDER)]
    assert book.due(9_001) == []
    assert book.next_ms is None


def test_an_order_waits_for_its_beginning() -> None:
    book = connected()
    book.put(ORDER)
    assert book.due(999) == []
    assert book.next_ms == 1_000
    assert book.due(1_000) == [setpoint(ORDER)]


def test_an_order_that_is_over_is_not_sent() -> None:
    book = connected()
    book.put(ORDER)
    assert book.due(9_000) == []
    assert book.next_ms is None


def test_a_meter_elsewhere_is_not_told_until_it_comes() -> None:
    book = OrderBook()
    book.put(ORDER)
    assert book.due(2_000) == []
    book.online(METER, FIRST_LINK)
    assert book.due(3_000) == [setpoint(ORDER)]
    book.offline(METER)
    assert book.due(9_000) == []


def test_a_new_connection_is_told_again_only_what_it_has_not_confirmed() -> None:
    book = connected()
    book.put(ORDER)
    assert book.due(2_000) == [setpoint(ORDER)]
    book.online(METER, FIRST_LINK)
    assert book.due(2_500) == []
    book.online(METER, SECOND_LINK)
    assert book.due(3_000) == [setpoint(ORDER)]
    book.heard(METER, 0, (ORDER.digest, 480))
    book.online(METER, FIRST_LINK)
    assert book.due(4_000) == []
    assert book.due(9_000) == [release(replace(ORDER, confirmed=True))]


def test_a_confirmation_on_the_ledger_counts_for_the_gateway_that_it_moved_to() -> None:
    book = OrderBook()
    book.put(replace(ORDER, confirmed=True))
    book.online(METER, FIRST_LINK)
    assert book.due(2_000) == []
    assert book.due(9_000) == [release(replace(ORDER, confirmed=True))]


def test_a_restart_of_the_meter_undoes_what_it_was_told() -> None:
    book = OrderBook([(METER, 3)])
    book.online(METER, FIRST_LINK)
    book.put(ORDER)
    assert book.due(2_000) == [setpoint(ORDER)]
    book.heard(METER, 3, (ORDER.digest, 500))
    book.heard(METER, 4, None)
    # What it had confirmed before the restart comes late, and says nothing of now.
    book.put(replace(ORDER, confirmed=True))
    assert [command.order.digest for command in book.due(3_000)] == [ORDER.digest]
    book.heard(METER, 3, (ORDER.digest, 500))
    book.heard(METER, 4, None)
    assert book.due(3_500) == []


def test_a_meter_without_time_is_told_again_when_it_has_it() -> None:
    book = connected()
    book.put(ORDER)
    assert book.due(2_000) == [setpoint(ORDER)]
    book.heard(METER, 1, None, has_time=False)
    book.heard(METER, 1, None, has_time=False)
    assert book.due(3_000) == []
    book.heard(METER, 1, None)
    assert book.due(4_000) == [setpoint(ORDER)]
    book.heard(METER, 1, None)
    assert book.due(5_000) == []


def test_the_first_word_of_a_meter_is_no_restart() -> None:
    book = connected()
    book.put(ORDER)
    assert book.due(2_000) == [setpoint(ORDER)]
    book.heard(METER, 17, None)
    assert book.due(3_000) == []


def test_of_two_events_the_one_that_began_last_holds_the_load() -> None:
    book = connected()
    second = replace(ORDER, event=SECOND_EVENT, digest=b"3" * 32, from_ms=5_000, until_ms=7_000)
    book.put(ORDER)
    book.put(second)
    assert book.due(1_000) == [setpoint(ORDER)]
    assert book.due(5_000) == [setpoint(second)]
    # No release in between: the load is commanded otherwise.
    assert book.due(7_000) == [setpoint(ORDER)]
    assert book.due(9_000) == [release(ORDER)]


def test_a_withdrawal_ends_an_order_sooner() -> None:
    book = connected()
    book.put(ORDER)
    book.due(1_000)
    book.put(replace(ORDER, until_ms=6_000))
    assert book.due(5_999) == []
    assert book.due(6_000) == [release(ORDER)]
    assert book.due(9_000) == []


def test_what_the_broker_did_not_take_is_due_again_until_the_end() -> None:
    book = connected()
    book.put(ORDER)
    (command,) = book.due(2_000)
    book.failed(command)
    assert book.next_ms == 0
    (command,) = book.due(3_000)
    book.failed(command)
    assert book.due(9_000) == []


def test_an_emergency_is_not_told_again_when_it_commits() -> None:
    book = connected()
    early = replace(ORDER, committed=False)
    book.put(early)
    assert book.due(1_000) == [setpoint(early)]
    book.put(replace(ORDER, from_ms=1_400))
    book.put(early)
    assert book.due(1_200) == []
    assert [command.holds for command in book.due(9_000)] == [False]


def test_an_emergency_that_no_commit_accepts_is_released() -> None:
    book = connected(METER, OTHER)
    early = replace(ORDER, committed=False)
    kept = replace(ORDER, digest=b"5" * 32, meter=OTHER)
    for order in (early, kept):
        book.put(order)
    assert len(book.due(1_000)) == 2
    book.drop(b"9" * 32)
    assert book.due(1_500) == []
    book.drop(early.digest)
    assert book.due(2_000) == [release(early)]
    assert book.due(9_000) == [release(kept)]


def test_loads_of_one_meter_are_confirmed_by_their_own_setpoints() -> None:
    book = connected()
    second = replace(ORDER, device=2, watts=700)
    book.put(ORDER)
    book.put(second)
    assert book.due(1_000) == [setpoint(ORDER), setpoint(second)]
    book.heard(METER, 0, (ORDER.digest, 700))
    book.online(METER, SECOND_LINK)
    assert book.due(2_000) == [setpoint(ORDER)]
