"""Rows of the state with a common beginning, while commits change them."""

from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.contracts.state import State, StateRows, key, prefix

ROWS = st.sampled_from(
    [
        key(table, kid, number)
        for table in ("a", "b", "ab")
        for kid in (b"x", b"y")
        for number in (0, 30, 300)
    ]
    + [key("a", b"x"), key("a", b"xy", 0)]
)
CHANGES = st.lists(st.tuples(ROWS, st.none() | st.binary(max_size=1)), max_size=12)
BEGINNINGS = st.sampled_from([prefix("a", 2), prefix("a", 2, b"x"), prefix("ab", 2, b"y"), b""])


def plain(rows: dict[bytes, bytes], begin: bytes) -> list[tuple[bytes, bytes]]:
    return sorted((row, value) for row, value in rows.items() if row.startswith(begin))


@given(st.lists(CHANGES, max_size=4), BEGINNINGS)
def test_rows_are_those_that_a_look_at_all_would_find(
    commits: list[list[tuple[bytes, bytes | None]]], begin: bytes
) -> None:
    kept = StateRows()
    told: dict[bytes, bytes] = {}
    for changes in commits:
        views = [State(kept), State(told)]
        now = dict(told)
        for row, value in changes:
            for view in views:
                if value is None:
                    view.delete(row)
                else:
                    view.put(row, value)
            now.pop(row, None)
            if value is not None:
                now[row] = value
        for view in views:
            assert view.rows(begin) == plain(now, begin)
        for row, value in views[0].changes():
            if value is None:
                del kept[row]
            else:
                kept[row] = value
        told = now
        assert kept == told
        assert kept.beginning_with(begin) == [row for row, _ in plain(told, begin)]


def test_a_beginning_names_whole_ids() -> None:
    state = State(
        {key("quota", b"e" * 32, b"k" * 8, 1): b"1", key("quota", b"f" * 32, b"k", 1): b"2"}
    )
    assert [value for _, value in state.rows(prefix("quota", 3, b"e" * 32))] == [b"1"]
    assert state.rows(prefix("quota", 2)) == []
