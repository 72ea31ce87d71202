"""Sequence numbers that are never used twice in the life of a key.

They are reserved in blocks in the store beside the key before the first of a block is used.
After a stop that was not clean the meter goes on at the next block, without asking anybody.
"""

from wattle_meter.board import Store
from wattle_meter.errors import MeterError

BLOCK = 1024

# A stop may lose the samples that only memory held (outbox.MEMORY_BYTES_MAX): far fewer than a
# block, but they may reach back into the block before the one reserved last.
_LOST_REACH = 2 * BLOCK

_END = "seq_end"  # the first seq that is not reserved
_CLEAN = "seq_clean"  # after a clean stop: the next seq; else empty
_BOOT = "boot"


class ReservationError(MeterError):
    """A store that holds what this firmware never wrote."""


class Reservation:
    """Hands out seqs from `store`; `first_seq` (at least 1) is the first of a new key.

    `boot` counts the starts, from 1. `lost` is (from, to) if this start followed a stop that was
    not clean: no seq of this range will come any more, save those that the outbox kept or a
    gateway has. None otherwise.
    """

    def __init__(self, store: Store, first_seq: int, kept_last: int | None) -> None:
        """Starts: `kept_last` is the highest seq that the outbox recovered. Raises OSError."""
        self._store = store
        self.boot = (_number(store, _BOOT) or 0) + 1
        end = _number(store, _END)
        clean = _number(store, _CLEAN)
        self.lost: tuple[int, int] | None = None
        if end is None:
            self._next = self._end = first_seq
        else:
            self._end = end
            self._next = end if clean is None else clean
            if kept_last is not None and kept_last >= self._next:
                raise ReservationError(
                    "the outbox holds seq %d, but only those below %d were used: "
                    "another key's outbox?" % (kept_last, self._next)
                )
            if clean is None:
                first = max(first_seq, end - _LOST_REACH, (kept_last or 0) + 1)
                if first < end:
                    self.lost = (first, end - 1)
        store.set(_BOOT, _bytes(self.boot))
        store.set(_CLEAN, b"")
        store.commit()

    @property
    def next_seq(self) -> int:
        """The seq that take() will give next."""
        return self._next

    def take(self) -> int:
        """The next seq, never given before or again. Raises OSError, then nothing is used."""
        if self._next >= self._end:
            end = self._next + BLOCK
            self._store.set(_END, _bytes(end))
            self._store.commit()
            self._end = end
        seq = self._next
        self._next += 1
        return seq

    def stop(self) -> None:
        """A clean stop: everything taken is safe in the outbox, nothing will be taken after it.

        Raises OSError.
        """
        self._store.set(_CLEAN, _bytes(self._next))
        self._store.commit()


def begin(store: Store, first_seq: int) -> None:
    """Notes in `store`, for the commit that makes a new key safe, that none was reserved yet."""
    store.set(_END, _bytes(first_seq))


def has_begun(store: Store) -> bool:
    """Whether `store` knows which seqs were reserved. Beside a key it must: see begin()."""
    return bool(store.get(_END))


def was_used(store: Store, first_seq: int) -> bool:
    """Whether seqs were ever reserved in `store`."""
    return (_number(store, _END) or 0) > first_seq


def _bytes(number: int) -> bytes:
    return number.to_bytes(8, "big")


def _number(store: Store, key: str) -> int | None:
    value = store.get(key)
    if not value:
        return None
    if len(value) != 8:
        raise ReservationError("%s: %d bytes in the store, expected 8" % (key, len(value)))
    return int.from_bytes(value, "big")
