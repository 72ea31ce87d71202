"""The signed register readings of one point, found by time without decoding what lies between.

A month at 1 Hz is 2.6 million samples, of which a voucher needs those around its boundaries. The
rows of `samples` say when each one was read; decoded are those that are asked for, and those
whose verdict says that not every reading of them is good.
"""

import itertools
import sqlite3
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

from wattle_wire import quantity
from wattle_wire.sample import Reading

from wattle_gateway.contracts import classes
from wattle_gateway.errors import StoreError, UsageError
from wattle_gateway.ledger import entry, signed_sample
from wattle_gateway.ledger import leaf as leaf_format
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.leaf import EntryLeaf
from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_gateway.store import log_index, tree_rows
from wattle_gateway.store.archived import archive_of

# 32 bytes each; more than a month at 1 Hz.
SAMPLES_MAX = 4_000_000
# The neighbours of a boundary lie within this as a rule; others are looked for one by one.
_PAD_MS = 86_400_000
_PAGE = 64
# Decoding more than these would tell no better how often a meter reads.
_SPACING_SAMPLES = 100
_UNSYNCHRONISED = "U"
# Samples of which not every reading is good, known, or of a known time.
_ODD = classes.FAILED | classes.EXCHANGED | classes.CLOCK_UNSURE
_RESTARTS = (quantity.EXCHANGED, quantity.OUT_OF_RANGE)
_SUBSTITUTE = "S"
_USABLE = f"leaf < ? AND verdict & {classes.IMPLAUSIBLE} = 0"
_INSIDE = (
    f"SELECT first_ms, last_ms, leaf, verdict FROM {{}} WHERE {_USABLE} "
    "AND last_ms >= ? AND first_ms <= ? ORDER BY first_ms, leaf LIMIT ?"
)
_EARLIER = (
    f"SELECT leaf, last_ms FROM {{}} WHERE {_USABLE} AND last_ms >= ? AND last_ms < ? "
    "ORDER BY last_ms DESC, leaf LIMIT ? OFFSET ?"
)
_LATER = (
    f"SELECT leaf, first_ms FROM {{}} WHERE {_USABLE} AND first_ms > ? AND first_ms <= ? "
    "ORDER BY first_ms, leaf LIMIT ? OFFSET ?"
)
# How far behind a limit neighbours are looked for, in turn: what has left for the archive is
# fetched no farther than need be.
_REACHES_MS = (_PAD_MS, 32 * _PAD_MS, 1 << 52)


@dataclass(frozen=True)
class SignedReading:
    """The registers of a point at one time, as shown (Wh; None for one that the point has not),
    and the sample that says so: its ledger index `leaf`, `verdict`, `seq`, `clock` state and
    `digest`."""

    time_ms: int
    leaf: int
    verdict: int
    seq: int
    clock: str
    digest: bytes
    status: str
    imported_wh: int | None
    exported_wh: int | None

    @property
    def restarts(self) -> bool:
        """Whether the meter marks it as the first of another counter."""
        return self.status in _RESTARTS

    @property
    def is_substitute(self) -> bool:
        """Whether the meter calls its values substitutes."""
        return self.status == _SUBSTITUTE


@dataclass(frozen=True)
class Gap:
    """From one usable reading to the next, further apart than readings are. `statuses`: letters
    of the point's readings inside that failed; none if there are no readings at all."""

    from_ms: int
    to_ms: int
    statuses: str


class PointReadings:
    """The readings of device `device` of `meter` (kid) around a span of time, as they stand in the
    first `size` leaves. Implausible samples (SPEC section 12) and those of a meter that did not
    know the time (clock `U`) say nothing here."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        ledger_id: bytes,
        point: tuple[bytes, int],
        span_ms: tuple[int, int],
        size: int,
    ) -> None:
        """Raises UsageError for a span of too many samples, StoreError for a damaged entry."""
        self._connection = connection
        self._ledger_id = ledger_id
        self._meter, self._device = point
        self._size = size
        self._begin_ms, self._end_ms = span_ms[0] - _PAD_MS, span_ms[1] + _PAD_MS
        # Of each sample, by rising first reading. `_ends`: the latest end up to it.
        self._firsts, self._lasts, self._leaves = array("q"), array("q"), array("q")
        self._ends = array("q")
        self._known: dict[int, list[SignedReading]] = {}
        self._failed: list[tuple[int, str]] = []
        self._restarts: set[int] = set()
        self._substitutes: list[int] = []
        self._inner: list[tuple[int, int]] = []
        self._load()

    @cached_property
    def commonest_ms(self) -> int | None:
        """The commonest time between readings, in some samples spread over the span and from each
        of them to the next one; of two equally common ones the shorter. None without two."""
        counts: Counter[int] = Counter()
        for at in range(0, len(self._firsts), max(1, len(self._firsts) // _SPACING_SAMPLES)):
            times = [one.time_ms for one in self._decoded(self._leaves[at])]
            if at + 1 < len(self._firsts):
                times.append(self._firsts[at + 1])
            counts.update(later_ms - at_ms for at_ms, later_ms in pairwise(times))
        return _commonest(counts)

    def period_at(self, time_ms: int) -> int | None:
        """The commonest time between readings around a moment: from each sample to the next among
        those of a day before and after it (the nearest ones), and inside the two next to it; of
        two equally common ones the shorter. None without any. What lies farther away, and so the
        span that was asked for, does not count: the moment has one period in every voucher."""
        at = bisect_right(self._firsts, time_ms)
        first = max(bisect_left(self._firsts, time_ms - _PAD_MS), at - _SPACING_SAMPLES)
        end = min(bisect_right(self._firsts, time_ms + _PAD_MS), at + _SPACING_SAMPLES)
        counts = Counter(self._firsts[one + 1] - self._lasts[one] for one in range(first, end - 1))
        for near in range(max(first, at - 1), min(end, at + 1)):
            inside = pairwise(one.time_ms for one in self._decoded(self._leaves[near]))
            counts.update(later_ms - at_ms for at_ms, later_ms in inside)
        return _commonest(counts)

    @property
    def restarts(self) -> list[int]:
        """The times of readings with which another counter began, rising."""
        outer = {one.time_ms for one in (self._earlier, self._later) if one and one.restarts}
        return sorted(self._restarts | outer)

    def before(self, time_ms: int) -> SignedReading | None:
        """The last reading not after a time; of several of one time the first on the ledger."""
        best: SignedReading | None = None
        for at in range(bisect_right(self._firsts, time_ms) - 1, -1, -1):
            if best is not None and self._ends[at] < best.time_ms:
                break
            if best is not None and self._lasts[at] < best.time_ms:
                continue
            for one in self._decoded(self._leaves[at]):
                if one.time_ms <= time_ms and (best is None or _is_later(one, best)):
                    best = one
        return best or self._earlier

    def after(self, time_ms: int) -> SignedReading | None:
        """The first reading not before a time; of several of one time the first on the ledger."""
        best: SignedReading | None = None
        for at in range(bisect_left(self._ends, time_ms), len(self._firsts)):
            if best is not None and self._firsts[at] > best.time_ms:
                break
            if self._lasts[at] < time_ms:
                continue
            for one in self._decoded(self._leaves[at]):
                if one.time_ms >= time_ms and (best is None or _is_earlier(one, best)):
                    best = one
        return best or self._later

    def gaps(self, from_ms: int, to_ms: int, wider_than_ms: int) -> list[Gap]:
        """The gaps wider than this that overlap a span, rising; none before the first reading
        and after the last."""
        between = zip(self._ends, self._firsts[1:], strict=False)
        wide = {
            (begin_ms, end_ms)
            for begin_ms, end_ms in (*between, *self._inner)
            if end_ms - begin_ms > wider_than_ms and begin_ms < to_ms and end_ms > from_ms
        }
        return [
            Gap(
                begin_ms,
                end_ms,
                "".join(
                    sorted({word for at_ms, word in self._failed if begin_ms < at_ms < end_ms})
                ),
            )
            for begin_ms, end_ms in sorted(wide)
        ]

    def substitutes(self, from_ms: int, to_ms: int) -> int:
        """How many readings in `[from_ms, to_ms)` the meter calls substitutes."""
        return sum(1 for at_ms in self._substitutes if from_ms <= at_ms < to_ms)

    def _load(self) -> None:
        asked = (self._size, self._begin_ms, self._end_ms, SAMPLES_MAX + 1)
        odd = []
        for first_ms, last_ms, leaf, verdict in self._select(
            _INSIDE, (self._begin_ms, self._end_ms), asked
        ):
            if verdict & _ODD:
                odd.append(leaf)
                continue
            self._firsts.append(first_ms)
            self._lasts.append(last_ms)
            self._leaves.append(leaf)
        if len(self._firsts) + len(odd) > SAMPLES_MAX:
            raise UsageError(
                f"more than {SAMPLES_MAX} samples of meter {self._meter.hex()}, expected a shorter "
                "span"
            )
        self._insert([usable for leaf in odd if (usable := self._inspect(leaf))])
        end_ms = 0
        for last_ms in self._lasts:
            end_ms = max(end_ms, last_ms)
            self._ends.append(end_ms)

    def _insert(self, samples: list[list[SignedReading]]) -> None:
        """Put odd samples, by their usable readings, among the others."""
        for usable in samples:
            at = bisect_right(self._firsts, usable[0].time_ms)
            self._firsts.insert(at, usable[0].time_ms)
            self._lasts.insert(at, usable[-1].time_ms)
            self._leaves.insert(at, usable[0].leaf)

    def _inspect(self, leaf: int) -> list[SignedReading]:
        """The usable readings of a sample, after noting what the others say."""
        usable = self._decoded(leaf)
        for reading in self._sample(leaf)[1].sample.readings:
            if reading.device == self._device and not _is_usable(reading):
                self._failed.append((reading.time_ms, reading.status))
        self._restarts |= {one.time_ms for one in usable if one.restarts}
        self._substitutes += [one.time_ms for one in usable if one.is_substitute]
        self._inner += pairwise(one.time_ms for one in usable)
        return usable

    def _decoded(self, leaf: int) -> list[SignedReading]:
        """The usable readings of a sample, by rising time."""
        if leaf not in self._known:
            verdict, signed = self._sample(leaf)
            told = signed.sample
            self._known[leaf] = [
                SignedReading(
                    reading.time_ms,
                    leaf,
                    verdict,
                    told.seq,
                    told.clock,
                    signed.digest,
                    reading.status,
                    _register(reading, "ei"),
                    _register(reading, "ee"),
                )
                for reading in told.readings
                if told.clock != _UNSYNCHRONISED
                and reading.device == self._device
                and _is_usable(reading)
            ]
        return self._known[leaf]

    def _sample(self, leaf: int) -> tuple[int, SignedSample]:
        """(verdict, sample) of a leaf; StoreError for a damaged one."""
        (raw,) = tree_rows.leaves(self._connection, leaf, leaf + 1)
        try:
            found = leaf_format.decode(raw)
            if not isinstance(found, EntryLeaf):
                raise StoreError(f"leaf {leaf} is that of a commit; run the audit")
            body = entry.decode(found.entry).body
            return found.verdict, signed_sample.parse(body, self._ledger_id)
        except LedgerError as error:
            raise StoreError(f"leaf {leaf} is damaged ({error}); run the audit") from error

    def _select(
        self, query: str, reach_ms: tuple[int, int], asked: tuple[int, ...]
    ) -> sqlite3.Cursor:
        """Rows of the meter's samples, those in `reach_ms` (first, last) that have left among
        them."""
        archive = archive_of(self._connection)
        if archive is not None:
            archive.reach(self._meter, reach_ms[0], reach_ms[1] + 1)
        rows, parameters = log_index.samples_of(self._connection, self._meter)
        return self._connection.execute(query.format(rows), (*parameters, *asked))

    @cached_property
    def _earlier(self) -> SignedReading | None:
        """The newest reading before all that were loaded."""
        best: SignedReading | None = None
        for leaf, last_ms in self._beyond(_EARLIER, self._begin_ms):
            if best is not None and last_ms < best.time_ms:
                break
            for one in self._decoded(leaf):
                if best is None or _is_later(one, best):
                    best = one
        return best

    @cached_property
    def _later(self) -> SignedReading | None:
        """The oldest reading behind all that were loaded."""
        best: SignedReading | None = None
        for leaf, first_ms in self._beyond(_LATER, self._end_ms):
            if best is not None and first_ms > best.time_ms:
                break
            for one in self._decoded(leaf):
                if best is None or _is_earlier(one, best):
                    best = one
        return best

    def _beyond(self, query: str, limit_ms: int) -> Iterator[tuple[int, int]]:
        """(leaf, time nearest to the limit) of samples behind it, the nearest first."""
        near_ms = 0
        for far_ms in _REACHES_MS:
            if query is _EARLIER:
                reach = limit_ms - far_ms, limit_ms - near_ms
            else:
                reach = limit_ms + near_ms, limit_ms + far_ms
            for offset in itertools.count(0, _PAGE):
                asked = (self._size, *reach, _PAGE, offset)
                rows = self._select(query, reach, asked).fetchall()
                yield from rows
                if len(rows) < _PAGE:
                    break
            near_ms = far_ms


def _commonest(counts: Counter[int]) -> int | None:
    found = [(-count, space_ms) for space_ms, count in counts.items() if space_ms > 0]
    return min(found)[1] if found else None


def _is_later(one: SignedReading, other: SignedReading) -> bool:
    return (one.time_ms, -one.leaf) > (other.time_ms, -other.leaf)


def _is_earlier(one: SignedReading, other: SignedReading) -> bool:
    return (one.time_ms, one.leaf) < (other.time_ms, other.leaf)


def _is_usable(reading: Reading) -> bool:
    """Whether a reading has registers, and none that failed: one alone would look like another
    device (as `measurement.interval` has it)."""
    values = [reading.values.get(name) for name in ("ei", "ee")]
    return not any(isinstance(value, str) for value in values) and any(
        value is not None for value in values
    )


def _register(reading: Reading, name: str) -> int | None:
    value = reading.values.get(name)
    return value if isinstance(value, int) else None
