"""Store-and-forward of signed samples: nothing is dropped unseen, nothing is reordered.

A sample first waits in memory. It reaches flash with others in one append of about 4 KB (the
erase block of the flash), after MEMORY_AGE_MS at the latest, or at once while the link is down.
What becomes `final` meanwhile is never written: the ledger has it, and flash wears. Whoever
appends a sample may have packed it (packing.py); what is read is the sample as it was signed.

On flash, samples stand in segment files, oldest first. Only `final` lets a segment be deleted
freely, and only when its space is needed. An outbox that is full without `final` deletes its
oldest segment all the same and reports the seqs, which the caller must declare as a gap.

After a power cut whole records are kept, torn ones are cut off and counted. A segment that ends
in a torn record, or that could not be written, is never appended to again.
"""

import io

from wattle_meter import packing, segment
from wattle_meter.board import Files
from wattle_meter.errors import MeterError
from wattle_meter.packing import PackedDamagedError

TYPE_CHECKING = False  # there is no typing on MicroPython; a type checker reads this as true
if TYPE_CHECKING:
    from collections.abc import Callable

MEMORY_AGE_MS = 30000
APPEND_BYTES = 4096
SEGMENT_BYTES_MIN = 8192
SEGMENTS_MAX = 64  # each costs 112 bytes of heap
# While flash cannot be written, this much waits in memory before the oldest are dropped.
MEMORY_BYTES_MAX = 20480
CAPACITY_BYTES_MIN = 65536
LOST_MAX = 8  # ranges waiting to be declared; of more, the two lowest become one

_SUFFIX = ".seg"
_ENOSPC = 28


class OutboxError(MeterError):
    """An outbox that is used wrongly: too small, or a seq that does not rise."""


class _Segment:
    def __init__(self, name: str) -> None:
        self.name = name
        self.first = 0
        self.last = 0
        self.size = 0

    def add(self, seq: int) -> None:
        if not self.first:
            self.first = seq
        self.last = seq


class Outbox:
    """Samples by seq (1..2^53-1), in `files`, at most `capacity_bytes` of them on flash.

    `first`, `last`: lowest and highest seq kept, or None. `counts`: torn and damaged records
    met, failed writes, samples dropped without being final.
    """

    def __init__(
        self, files: Files, capacity_bytes: int, collect: "Callable[[], object] | None" = None
    ) -> None:
        """`collect`: frees the heap of garbage; asked for before something is made that stays."""
        if capacity_bytes < CAPACITY_BYTES_MIN:
            raise OutboxError(
                "capacity %d bytes, expected at least %d" % (capacity_bytes, CAPACITY_BYTES_MIN)
            )
        self._files = files
        self._collect = collect
        self._capacity_bytes = capacity_bytes
        self._segment_bytes = max(SEGMENT_BYTES_MIN, capacity_bytes // SEGMENTS_MAX)
        self._segments: list[_Segment] = []
        self._open: _Segment | None = None  # the one that may be appended to
        self._number = 0
        self._memory: list[tuple[int, bytes, bool, int]] = []  # seq, data, packed, since when
        self._memory_bytes = 0
        self._no_space = False  # the file system said so: it is smaller than the capacity
        self._final = 0
        self._lost: list[tuple[int, int]] = []
        self._position: tuple[str, int] = ("", 0)  # where the last record read ends
        self._position_seq = 0
        self.counts = {"damaged": 0, "dropped": 0, "torn": 0, "write_failed": 0}
        self._recover()

    # ---- what is kept

    @property
    def first(self) -> int | None:
        if self._segments:
            return self._segments[0].first
        return self._memory[0][0] if self._memory else None

    @property
    def last(self) -> int | None:
        if self._memory:
            return self._memory[-1][0]
        return self._segments[-1].last if self._segments else None

    def flash_bytes(self) -> int:
        """Bytes of all segment files."""
        return sum([kept.size for kept in self._segments])

    def read_from(self, seq: int) -> tuple[int, bytes | bytearray] | None:
        """(seq, data) of the lowest sound sample kept at or above `seq`, or None. Raises OSError.

        Going on from seq + 1 each time costs one read per sample.
        """
        for kept in self._segments:
            if kept.last >= seq:
                found = self._search(kept, seq)
                if found is not None:
                    return found
        for waiting, data, packed, _ in self._memory:
            if waiting >= seq:
                return waiting, _unpacked(data) if packed else data
        return None

    def get(self, seq: int) -> bytes | bytearray | None:
        """The sample `seq`, or None if it is not kept or not sound. Raises OSError."""
        found = self.read_from(seq)
        return found[1] if found is not None and found[0] == seq else None

    def take_lost(self) -> list[tuple[int, int]]:
        """Ranges (from, to) dropped since the last call without being final, rising."""
        lost, self._lost = self._lost, []
        return lost

    # ---- what comes and goes

    def append(
        self, seq: int, data: bytes, now_ms: int, link_up: bool, packed: bool = False
    ) -> None:
        """Takes a signed sample, as it is or packed; `now_ms` is monotonic.

        Raises OutboxError if seq does not rise.
        """
        last = self.last
        if last is not None and seq <= last:
            raise OutboxError("seq %d after %d" % (seq, last))
        self._memory.append((seq, data, packed, now_ms))
        self._memory_bytes += segment.HEAD_BYTES + len(data)
        self.service(now_ms, link_up)

    def service(self, now_ms: int, link_up: bool) -> None:
        """Writes to flash what should not wait any longer; call at least once a second.

        A write that fails is counted and tried again at the next call.
        """
        due = not link_up or self._memory_bytes >= APPEND_BYTES
        if self._memory and (due or now_ms - self._memory[0][3] >= MEMORY_AGE_MS):
            self.flush()
        while self._memory_bytes > MEMORY_BYTES_MAX:
            seq = self._forget_oldest()
            self._drop(seq, seq, 1)

    def confirm_final(self, seq: int) -> None:
        """Everything up to `seq` is in the ledger: it may go when its space is needed."""
        self._final = max(self._final, seq)
        while self._memory and self._memory[0][0] <= self._final:
            self._forget_oldest()

    def flush(self) -> None:
        """Writes all that waits in memory. A failure is counted; the samples stay in memory."""
        try:
            self._write()
        except OSError as error:
            self.counts["write_failed"] += 1
            self._open = None  # it may end in a torn record
            self._no_space = error.args[:1] == (_ENOSPC,)

    # ---- flash

    def _write(self) -> None:
        """One append of all that waits; a segment that has reached its size takes no further."""
        if not self._memory:
            return
        pieces: list[bytes] = []
        for seq, data, packed, _ in self._memory:
            pieces += [segment.head(seq, data, packed), data]
        self._make_room(self._memory_bytes)
        target = self._open
        if target is None or target.size >= self._segment_bytes:
            if self._collect is not None:
                self._collect()  # behind what is garbage by now it would cut the heap in two
            self._number += 1
            target = _Segment("%08d%s" % (self._number, _SUFFIX))
        target.size += self._memory_bytes  # of a failed append, too, any part may be there
        try:
            self._files.append(target.name, pieces)
        except OSError:
            if target is not self._open:
                self._discard(target.name)
            raise
        if target is not self._open:
            self._segments.append(target)
            self._open = target
        while self._memory:
            target.add(self._forget_oldest())

    def _discard(self, name: str) -> None:
        try:
            self._files.remove(name)
        except OSError:
            pass  # was not even made; if it was, the next recovery finds it

    def _make_room(self, size: int) -> None:
        if self._no_space and self._segments:
            self._delete_oldest()
        self._no_space = False
        while self._segments and (
            self.flash_bytes() + size > self._capacity_bytes or len(self._segments) >= SEGMENTS_MAX
        ):
            self._delete_oldest()

    def _delete_oldest(self) -> None:
        oldest = self._segments[0]
        self._files.remove(oldest.name)
        del self._segments[0]
        if oldest is self._open:
            self._open = None
        if oldest.last > self._final:
            first = max(oldest.first, self._final + 1)
            self._drop(first, oldest.last, oldest.last - first + 1)

    def _forget_oldest(self) -> int:
        seq, data, _, _ = self._memory.pop(0)
        self._memory_bytes -= segment.HEAD_BYTES + len(data)
        return seq

    def _drop(self, first: int, last: int, samples: int) -> None:
        """Notes a loss: at the low end of flash, or of memory while flash fails."""
        self.counts["dropped"] += samples
        lost: list[tuple[int, int]] = []
        for row in sorted(self._lost + [(first, last)]):
            if lost and lost[-1][1] + 1 >= row[0]:
                lost[-1] = (lost[-1][0], max(lost[-1][1], row[1]))
            else:
                lost.append(row)
        if len(lost) > LOST_MAX:
            # A gap covers only what nobody has, and below what flash keeps there is nothing left.
            lost = [(lost[0][0], lost[1][1])] + lost[2:]
        self._lost = lost

    def _search(self, kept: _Segment, seq: int) -> tuple[int, bytes | bytearray] | None:
        """The first sound record of `kept` at or above `seq`."""
        file = self._files.open(kept.name)
        try:
            offset = 0
            if self._position[0] == kept.name and self._position_seq < seq:
                offset = self._position[1]
                file.seek(offset)
            while True:
                taken, found, data, packed = segment.next_record(file)
                offset += taken
                if not taken:
                    return None
                if found is None:
                    self.counts["damaged"] += 1
                elif found >= seq:
                    try:
                        whole = _unpacked(data) if packed else data
                    except PackedDamagedError:  # sound, but not by this firmware
                        self.counts["damaged"] += 1
                        continue
                    self._position = (kept.name, offset)
                    self._position_seq = found
                    return found, whole
        finally:
            file.close()

    def _recover(self) -> None:
        names = [name for name in self._files.names() if _is_segment(name)]
        last = 0
        for name in sorted(names):
            self._number = int(name[: -len(_SUFFIX)])
            kept = _Segment(name)
            file = self._files.open(name)
            try:
                torn = self._scan(file, kept, last)
            finally:
                file.close()
            self.counts["torn"] += torn
            self._open = None
            if kept.first:
                self._segments.append(kept)
                last = kept.last
                if not torn:
                    self._open = kept
            else:
                self._discard(name)  # nothing whole in it

    def _scan(self, file: io.BufferedReader, kept: _Segment, last: int) -> bool:
        """Fills `kept` with what follows `last`; True if the file ends in a torn record."""
        while True:
            taken, seq, data, _ = segment.next_record(file)
            kept.size += taken
            if not taken:
                torn = bool(data)
                while data:
                    kept.size += len(data)
                    data = file.read(512)
                return torn
            if seq is None:
                self.counts["damaged"] += 1
            elif seq > max(last, kept.last):
                kept.add(seq)


def _unpacked(data: bytes) -> bytearray:
    return packing.unpack(data, segment.DATA_BYTES_MAX)


def _is_segment(name: str) -> bool:
    digits = name[: -len(_SUFFIX)]
    return name.endswith(_SUFFIX) and len(digits) == 8 and digits.isdigit()
