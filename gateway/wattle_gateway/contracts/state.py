"""The state of the ledger: byte keys to byte values, changed only by executing commits (SPEC 11).

A `State` is one commit's view: it reads from any mapping (a dict, a store) and keeps the changes
aside. Whoever owns the mapping applies them together with the commit's leaves.
"""

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator, Mapping, MutableMapping
from functools import lru_cache
from hashlib import sha256

from wattle_wire import cbor

from wattle_gateway.ledger import merkle

Change = tuple[bytes, bytes | None]
"""(key, new value or None for a key that is gone)."""


# Four keys are built for every sample: those of a large substation's meters are kept.
KEYS_CACHED_MAX = 4096


@lru_cache(maxsize=KEYS_CACHED_MAX)
def key(table: str, *ids: bytes | int | str) -> bytes:
    """The key of a row: encoded `[table, id, ..]`."""
    return cbor.encode([table, *ids])


def prefix(table: str, ids: int, *first: bytes | int | str) -> bytes:
    """What every key of a table with this many ids begins with, for scans; of those with these
    first ids, if some are given."""
    return b"".join([bytes([0x80 | 1 + ids]), *map(cbor.encode, (table, *first))])


class _Order:
    """Keys in order: sorted when that is first asked for, and kept so from then on."""

    def __init__(self) -> None:
        self._keys: list[bytes] | None = None

    def add(self, row: bytes) -> None:
        """A key that was not there."""
        if self._keys is not None:
            insort(self._keys, row)

    def remove(self, row: bytes) -> None:
        """A key that was there."""
        if self._keys is not None:
            del self._keys[bisect_left(self._keys, row)]

    def beginning_with(self, begin: bytes, keys: Iterable[bytes]) -> list[bytes]:
        """Those of `keys`, all that there are, that begin so."""
        if self._keys is None:
            self._keys = sorted(keys)
        found = []
        for place in range(bisect_left(self._keys, begin), len(self._keys)):
            row = self._keys[place]
            if not row.startswith(begin):
                break
            found.append(row)
        return found


class StateRows(MutableMapping[bytes, bytes]):
    """A state that many commits change, whose rows with a common beginning are found without a
    look at the others."""

    def __init__(self, rows: Iterable[tuple[bytes, bytes]] | Mapping[bytes, bytes] = ()) -> None:
        self._rows = dict(rows)
        self._order = _Order()

    def __getitem__(self, row: bytes) -> bytes:
        return self._rows[row]

    def get(  # type: ignore[override]
        self, row: bytes, default: bytes | None = None
    ) -> bytes | None:
        """The value of a key, else the default. (The inherited one raises and catches.)"""
        return self._rows.get(row, default)

    def __setitem__(self, row: bytes, value: bytes) -> None:
        if row not in self._rows:
            self._order.add(row)
        self._rows[row] = value

    def __delitem__(self, row: bytes) -> None:
        del self._rows[row]
        self._order.remove(row)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def __contains__(self, row: object) -> bool:
        return row in self._rows

    def beginning_with(self, begin: bytes) -> list[bytes]:
        """The keys that begin so, rising."""
        return self._order.beginning_with(begin, self._rows)


def keys_beginning(state: Mapping[bytes, bytes], begin: bytes) -> list[bytes]:
    """The keys of a state that begin so (see `prefix`), rising. Quick on a `StateRows`; of any
    other mapping all keys are looked at."""
    if isinstance(state, StateRows):
        return state.beginning_with(begin)
    return sorted(row for row in state if row.startswith(begin))


class State:
    """One commit's view of the state, with its changes on top of `base`."""

    def __init__(self, base: Mapping[bytes, bytes]) -> None:
        self._base = base
        self._changed: dict[bytes, bytes | None] = {}
        self._order = _Order()

    def get(self, row: bytes) -> bytes | None:
        """The value of a key, None if there is none."""
        if row in self._changed:
            return self._changed[row]
        return self._base.get(row)

    def put(self, row: bytes, value: bytes) -> None:
        """Set a key."""
        self._change(row, value)

    def delete(self, row: bytes) -> None:
        """Remove a key."""
        self._change(row, None)

    def rows(self, begin: bytes) -> list[tuple[bytes, bytes]]:
        """(key, value) of all rows whose key begins so, rising; as `keys_beginning`."""
        base = self._base
        found = {row: base[row] for row in keys_beginning(base, begin) if row not in self._changed}
        for row in self._order.beginning_with(begin, self._changed):
            value = self._changed[row]
            if value is not None:
                found[row] = value
        return sorted(found.items())

    def changes(self) -> tuple[Change, ...]:
        """The keys whose value differs from the base, sorted, each with its new value."""
        return tuple(
            (row, self._changed[row])
            for row in sorted(self._changed)
            if self._changed[row] != self._base.get(row)
        )

    def _change(self, row: bytes, value: bytes | None) -> None:
        if row not in self._changed:
            self._order.add(row)
        self._changed[row] = value

    def root(self) -> bytes:
        """RFC 6962 root over encoded `[key, value]` of the whole state sorted by key."""
        whole: dict[bytes, bytes | None] = dict(self._base.items())
        whole.update(self._changed)
        return changes_root((row, whole[row]) for row in sorted(whole) if whole[row] is not None)


Source = State | Mapping[bytes, bytes]
"""A state while a commit executes, or after one."""


def rows_beginning(state: Source, begin: bytes) -> list[tuple[bytes, bytes]]:
    """(key, value) of the rows whose key begins so, rising; as `keys_beginning`."""
    if isinstance(state, State):
        return state.rows(begin)
    return [(row, state[row]) for row in keys_beginning(state, begin)]


def digest(previous: bytes, changes: Iterable[Change], full_root: bytes | None) -> bytes:
    """The state digest (32 bytes) of a commit from the one before.

    `full_root` is given at each commit whose index is a multiple of `state_root_every`. Changes
    enter by their RFC 6962 root, so that a commit of any size has a digest.
    """
    return joined(previous, changes_root(changes), full_root)


def joined(previous: bytes, changes_root: bytes, full_root: bytes | None) -> bytes:
    """The same from roots alone: for who has no changes at hand, but their root."""
    parts = [previous, changes_root]
    if full_root is not None:
        parts.append(full_root)
    return sha256(cbor.encode(parts)).digest()


def changes_root(rows: Iterable[Change]) -> bytes:
    """RFC 6962 root over encoded `[key, value or null]`, in this order."""
    return merkle.root([leaf(row, value) for row, value in rows])


def leaf(row: bytes, value: bytes | None) -> bytes:
    """The leaf hash of a key and its value."""
    return merkle.leaf_hash(cbor.encode([row, value]))
