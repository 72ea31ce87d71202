"""The state of a commit: what counts as a change, and the digests over it."""

from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.contracts import registry
from wattle_gateway.contracts import state as rows
from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.state import State, key
from wattle_gateway.ledger import merkle
from wattle_testkit.alliance import GRID, Board, enrol_entry, epoch_of
from wattle_testkit.commit_chain import CommitChain
from wattle_wire import cbor

KEYS = st.sampled_from([bytes([number]) for number in range(6)])
VALUES = st.none() | st.binary(max_size=2)
MAPS = st.dictionaries(KEYS, st.binary(max_size=2))


def leaf(row: bytes, value: bytes | None) -> bytes:
    return merkle.leaf_hash(cbor.encode([row, value]))


@given(MAPS, st.lists(st.tuples(KEYS, VALUES)))
def test_changes_are_what_makes_the_new_map_of_the_old(
    base: dict[bytes, bytes], writes: list[tuple[bytes, bytes | None]]
) -> None:
    state, twin = State(base), dict(base)
    for row, value in writes:
        if value is None:
            state.delete(row)
            twin.pop(row, None)
        else:
            state.put(row, value)
            twin[row] = value
        assert state.get(row) == twin.get(row)
    after = dict(base)
    for row, value in state.changes():
        assert after.get(row) != value
        if value is None:
            del after[row]
        else:
            after[row] = value
    assert after == twin
    assert [row for row, _ in state.changes()] == sorted({row for row, _ in state.changes()})
    assert state.root() == merkle.root([leaf(row, twin[row]) for row in sorted(twin)])


def test_a_value_put_back_is_no_change() -> None:
    state = State({b"k": b"old"})
    state.put(b"k", b"new")
    state.put(b"k", b"old")
    state.put(b"x", b"")
    state.delete(b"x")
    assert state.changes() == ()


def test_the_base_is_never_written() -> None:
    base = {b"k": b"old"}
    state = State(base)
    state.put(b"k", b"new")
    state.delete(b"k")
    assert base == {b"k": b"old"}


def test_digest_is_the_hash_that_spec_states() -> None:
    changes = [(b"a", b"1"), (b"b", None)]
    root = merkle.root([leaf(b"a", b"1"), leaf(b"b", None)])
    assert rows.digest(bytes(32), changes, None) == sha256(cbor.encode([bytes(32), root])).digest()
    full = b"f" * 32
    said = sha256(cbor.encode([bytes(32), root, full])).digest()
    assert rows.digest(bytes(32), changes, full) == said


def test_a_commit_may_change_more_rows_than_an_array_holds() -> None:
    changes = [(number.to_bytes(4, "big"), b"") for number in range(5000)]
    assert len(rows.digest(bytes(32), changes, None)) == 32


def test_keys_are_arrays_of_table_and_ids() -> None:
    assert key("register", b"k" * 8, 3) == cbor.encode(["register", b"k" * 8, 3])


@pytest.mark.parametrize("table", ["meter", "chain", "eui64"])
def test_a_prefix_begins_the_keys_of_its_table_only(table: str) -> None:
    begin = rows.prefix(table, 1)
    assert key(table, bytes(8)).startswith(begin)
    for other in (key(table + "s", bytes(8)), key(table, bytes(8), 1), key("x", bytes(8))):
        assert not other.startswith(begin)


def test_meters_are_listed_by_kid_and_alone() -> None:
    epoch = epoch_of()
    boards = [Board(name, epoch) for name in ("one", "two", "three")]
    ledger = CommitChain(epoch, GRID)
    ledger.commit(*(enrol_entry(board, nonce=nonce) for nonce, board in enumerate(boards)))
    kids = [meter.kid for meter in registry.meters(ledger.state)]
    assert kids == sorted(board.kid for board in boards)


@pytest.mark.parametrize("value", [b"", b"\x80", cbor.encode([b""] * 12)])
def test_a_damaged_meter_is_named(value: bytes) -> None:
    kid = b"k" * 8
    with pytest.raises(StateError, match=kid.hex()):
        registry.meter({key("meter", kid): value}, kid)


def test_damaged_numbers_are_named() -> None:
    with pytest.raises(StateError, match="nonce"):
        registry.next_nonce({key("nonce", bytes(8), 0): b"\x20"}, bytes(8), 0)
    with pytest.raises(StateError, match="fork"):
        registry.fork({key("fork", bytes(8), 1): b"\x80"}, bytes(8), 1)
