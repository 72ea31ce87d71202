"""Entries waiting for a block: order, limits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.consensus.errors import EntryTooLargeError, PoolFullError
from wattle_gateway.consensus.pool import Pool
from wattle_gateway.ledger.genesis import Constants

SMALL = Constants(block_entries_max=3, block_payload_bytes_max=100, entry_bytes_max=50)


def pool_of(*entries: bytes, urgent: bool = False) -> Pool:
    pool = Pool(SMALL)
    pool.add(entries, urgent)
    return pool


def test_entries_leave_in_the_order_they_came() -> None:
    pool = pool_of(b"1", b"2", b"3", b"4")
    assert [pool.take(), pool.take(), pool.take()] == [(b"1", b"2", b"3"), (b"4",), ()]


def test_urgent_entries_go_first() -> None:
    pool = pool_of(b"1", b"2")
    pool.add([b"u"], urgent=True)
    assert pool.has_urgent
    assert pool.take() == (b"u", b"1", b"2")
    assert not pool.has_urgent


def test_a_block_takes_no_more_bytes_than_it_may() -> None:
    pool = pool_of(bytes(50), bytes(49), bytes(2))
    assert list(map(len, pool.take())) == [50, 49]
    assert list(map(len, pool.take())) == [2]


def test_the_limit_of_entries_is_four_blocks() -> None:
    pool = pool_of(*[b"x"] * 12)
    assert pool.room == (0, 388)
    with pytest.raises(PoolFullError, match="1 entries of 1 bytes, room for 0 of 388"):
        pool.add([b"y"], False)


def test_the_limit_of_bytes_is_four_blocks() -> None:
    pool = pool_of(*[bytes(50)] * 8)
    with pytest.raises(PoolFullError, match="room for 4 of 0 bytes"):
        pool.add([b"y"], True)


def test_what_does_not_fit_leaves_the_pool_as_it_was() -> None:
    pool = pool_of(b"1")
    with pytest.raises(PoolFullError):
        pool.add([b"x"] * 12, False)
    with pytest.raises(EntryTooLargeError, match="entry of 51 bytes, expected at most 50"):
        pool.add([b"x", bytes(51)], False)
    assert pool.take() == (b"1",)
    assert pool.room == (12, 400)


@pytest.mark.parametrize(
    ("entries", "fills"),
    [([b"x"] * 2, False), ([b"x"] * 3, True), ([bytes(50)], False), ([bytes(50)] * 2, True)],
)
def test_when_waiting_would_not_make_a_block_fuller(entries: list[bytes], fills: bool) -> None:
    assert pool_of(*entries).fills_a_block == fills


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=50), st.booleans()), max_size=8))
def test_nothing_is_lost_or_doubled(offers: list[tuple[bytes, bool]]) -> None:
    pool = Pool(SMALL)
    for entry, urgent in offers:
        pool.add([entry], urgent)
    taken: list[bytes] = []
    while len(pool):
        block = pool.take()
        assert 1 <= len(block) <= 3
        assert sum(map(len, block)) <= 100
        taken.extend(block)
    assert sorted(taken) == sorted(entry for entry, _ in offers)
    assert pool.room == (12, 400)
