"""Entries that wait for a block."""

from collections import deque
from collections.abc import Sequence

from wattle_gateway.consensus.errors import EntryTooLargeError, PoolFullError
from wattle_gateway.ledger.genesis import Constants

# The driver refills after each block; more would only be memory, what waits is in its store.
POOL_BLOCKS_MAX = 4


class Pool:
    """Urgent entries before others, each in the order they came, bounded in number and bytes."""

    def __init__(self, constants: Constants) -> None:
        self._constants = constants
        self._urgent: deque[bytes] = deque()
        self._others: deque[bytes] = deque()
        self._size_bytes = 0

    def __len__(self) -> int:
        return len(self._urgent) + len(self._others)

    @property
    def has_urgent(self) -> bool:
        """Whether an urgent entry waits."""
        return bool(self._urgent)

    @property
    def fills_a_block(self) -> bool:
        """Whether waiting longer would not make the next block any fuller."""
        return (
            len(self) >= self._constants.block_entries_max
            or self._size_bytes >= self._constants.block_payload_bytes_max
        )

    @property
    def room(self) -> tuple[int, int]:
        """(entries, bytes) that still fit."""
        return (
            POOL_BLOCKS_MAX * self._constants.block_entries_max - len(self),
            POOL_BLOCKS_MAX * self._constants.block_payload_bytes_max - self._size_bytes,
        )

    def add(self, entries: Sequence[bytes], urgent: bool) -> None:
        """Take all of the entries, or raise PoolFullError or EntryTooLargeError and take none."""
        count_left, bytes_left = self.room
        size_bytes = sum(map(len, entries))
        for entry in entries:
            if len(entry) > self._constants.entry_bytes_max:
                raise EntryTooLargeError(
                    f"entry of {len(entry)} bytes, "
                    f"expected at most {self._constants.entry_bytes_max}"
                )
        if len(entries) > count_left or size_bytes > bytes_left:
            raise PoolFullError(
                f"{len(entries)} entries of {size_bytes} bytes, "
                f"room for {count_left} of {bytes_left} bytes"
            )
        (self._urgent if urgent else self._others).extend(entries)
        self._size_bytes += size_bytes

    def take(self) -> tuple[bytes, ...]:
        """The entries of the next block, removed: as many as its limits allow, in order."""
        taken: list[bytes] = []
        size_bytes = 0
        for queue in (self._urgent, self._others):
            while queue and len(taken) < self._constants.block_entries_max:
                if size_bytes + len(queue[0]) > self._constants.block_payload_bytes_max:
                    break
                size_bytes += len(queue[0])
                taken.append(queue.popleft())
        self._size_bytes -= size_bytes
        return tuple(taken)
