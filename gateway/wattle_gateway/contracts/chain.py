"""The chain of a meter: which of its seqs the ledger has (SPEC section 12, rules 1 to 7).

Runs are stretches of consecutive seqs that are settled; open gaps are stretches that the meter
declared lost and that may still be filled for a time. All functions are pure on frozen values.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass

from wattle_wire import cbor, structure
from wattle_wire.downlink import MISSING_MAX
from wattle_wire.errors import WireError

from wattle_gateway.contracts.errors import RunsFullError, StateError


@dataclass(frozen=True)
class Run:
    """Consecutive settled seqs `first` .. `last`.

    `prev` = link of the first sample to its predecessor, `digest` = digest of the last sample;
    None where that edge is a segment's start or a closed gap.
    """

    first: int
    prev: bytes | None
    last: int
    digest: bytes | None


@dataclass(frozen=True)
class Gap:
    """Seqs `first` .. `last` declared lost at commit time `opened_ms` and still open."""

    first: int
    last: int
    opened_ms: int


@dataclass(frozen=True)
class Chain:
    """`final` as the ack has it, `runs` and `gaps` rising; no seq stands in two of them."""

    final: int
    runs: tuple[Run, ...] = ()
    gaps: tuple[Gap, ...] = ()


@dataclass(frozen=True)
class AckView:
    """The part of an ack that tells a meter where it stands (SPEC section 8).

    `missing` = at most 8 ranges (from, to), rising.
    """

    final: int
    durable: int
    missing: tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Arrival:
    """What a sample says about its chain: its `seq`, link `prev`, own `digest` and the seqs it
    `declares` lost, as rising, disjoint ranges (from, to) below `seq`."""

    seq: int
    prev: bytes | None
    digest: bytes
    declares: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class Admitted:
    """The chain after a sample; whether it filled an open gap, and whether a link broke."""

    chain: Chain
    late: bool
    forked: bool


def new_chain(first_seq: int) -> Chain:
    """The chain of a meter of which nothing is committed."""
    return Chain(first_seq - 1)


def expire(chain: Chain, time_ms: int, gap_open_ms: int) -> Chain:
    """Rule 5: the chain with every gap closed that has been open for more than `gap_open_ms`."""
    return _close(chain, [gap for gap in chain.gaps if gap.opened_ms + gap_open_ms < time_ms])


def close_gaps(chain: Chain) -> Chain:
    """The chain with every gap closed: what a revocation does."""
    return _close(chain, list(chain.gaps))


def settled(chain: Chain, seq: int) -> bool:
    """Whether a seq stands in a run."""
    at = bisect_right(chain.runs, seq, key=_first) - 1
    return at >= 0 and seq <= chain.runs[at].last


def admit(
    chain: Chain, first_seq: int, arrival: Arrival, time_ms: int, runs_max: int, *, gaps_open: bool
) -> Admitted | None:
    """Rules 1 to 4, 6 and 7: put a sample into an (expired) chain; None if its seq is settled.

    `time_ms` = commit time; `gaps_open` False after a revocation, when declared gaps close at
    once. Raises RunsFullError if runs and gaps would be more than `runs_max`; never for the seq
    behind `final`, so a meter that sends from there on always gets ahead.
    """
    if settled(chain, arrival.seq):
        return None
    gaps, late = _cut(chain.gaps, arrival.seq)
    runs, forked = _join(chain.runs, Run(arrival.seq, arrival.prev, arrival.seq, arrival.digest))
    declared = _uncovered(arrival.declares, first_seq, runs, gaps)
    gaps = _merged([*gaps, *(Gap(first, last, time_ms) for first, last in declared)])
    result = Chain(chain.final, runs, gaps)
    if not gaps_open:
        result = close_gaps(result)
    while _pieces(result, first_seq) > runs_max:
        if not result.gaps:
            raise RunsFullError(
                f"seq {arrival.seq} would make {_pieces(result, first_seq)} separate runs, "
                f"expected at most {runs_max}"
            )
        oldest = min(result.gaps, key=lambda gap: (gap.opened_ms, gap.first))
        result = _close(result, [oldest])
    return Admitted(Chain(_final(first_seq, result), result.runs, result.gaps), late, forked)


def ack_view(chain: Chain, held: Iterable[tuple[int, int]]) -> AckView:
    """What to tell a meter, from the committed chain and what this gateway holds on disk.

    `held` = ranges (from, to) of seqs on disk that are not committed yet, in any order and
    overlapping at will (one sample: (seq, seq)); committed runs and gaps count as held.
    """
    durable = reached = chain.final
    missing: list[tuple[int, int]] = []
    for first, last in sorted([*held, *_spans(chain.runs, chain.gaps)]):
        if first > reached + 1:
            missing.append((reached + 1, first - 1))
        reached = max(reached, last)
        if not missing:
            durable = reached
    return AckView(chain.final, durable, tuple(missing[:MISSING_MAX]))


def encode(chain: Chain) -> bytes:
    """The chain as a state value: `[final, runs, gaps]`."""
    return cbor.encode(
        [
            chain.final,
            [[run.first, run.prev, run.last, run.digest] for run in chain.runs],
            [[gap.first, gap.last, gap.opened_ms] for gap in chain.gaps],
        ]
    )


def decode(value: bytes) -> Chain:
    """The chain in a state value; StateError if it is none."""
    try:
        row = structure.array(cbor.decode(value), 3, "chain")
        return Chain(
            structure.uint(row[0], "final"),
            tuple(_run(item) for item in structure.items(row[1], cbor.ITEMS_MAX, "runs")),
            tuple(_gap(item) for item in structure.items(row[2], cbor.ITEMS_MAX, "gaps")),
        )
    except WireError as error:
        raise StateError(f"chain: {error}") from error


def _run(value: object) -> Run:
    row = structure.array(value, 4, "run")
    return Run(
        structure.uint(row[0], "first"),
        None if row[1] is None else structure.octets(row[1], 32, "prev"),
        structure.uint(row[2], "last"),
        None if row[3] is None else structure.octets(row[3], 32, "digest"),
    )


def _gap(value: object) -> Gap:
    row = structure.array(value, 3, "gap")
    return Gap(
        structure.uint(row[0], "first"),
        structure.uint(row[1], "last"),
        structure.uint(row[2], "opened_ms"),
    )


def _first(piece: Run | Gap) -> int:
    return piece.first


def _join(runs: tuple[Run, ...], new: Run) -> tuple[tuple[Run, ...], bool]:
    """Rule 3: runs with `new` among them, joined to those it touches; whether a link broke."""
    at = bisect_right(runs, new.first, key=_first)
    low, high, forked = at, at, False
    first, prev, last, digest = new.first, new.prev, new.last, new.digest
    if at > 0 and runs[at - 1].last == new.first - 1:
        below = runs[at - 1]
        forked |= None not in (below.digest, new.prev) and below.digest != new.prev
        first, prev, low = below.first, below.prev, at - 1
    if at < len(runs) and runs[at].first == new.last + 1:
        above = runs[at]
        forked |= None not in (above.prev, new.digest) and above.prev != new.digest
        last, digest, high = above.last, above.digest, at + 1
    return (*runs[:low], Run(first, prev, last, digest), *runs[high:]), forked


def _close(chain: Chain, gaps: list[Gap]) -> Chain:
    """The chain with these open gaps made part of its runs. `final` does not change by it."""
    if not gaps:
        return chain
    runs = chain.runs
    for gap in gaps:
        runs, _ = _join(runs, Run(gap.first, None, gap.last, None))
    return Chain(chain.final, runs, tuple(gap for gap in chain.gaps if gap not in gaps))


def _cut(gaps: tuple[Gap, ...], seq: int) -> tuple[tuple[Gap, ...], bool]:
    """Rule 2: the gaps without `seq`; whether it stood in one."""
    for at, gap in enumerate(gaps):
        if gap.first <= seq <= gap.last:
            halves = (Gap(gap.first, seq - 1, gap.opened_ms), Gap(seq + 1, gap.last, gap.opened_ms))
            kept = tuple(half for half in halves if half.first <= half.last)
            return (*gaps[:at], *kept, *gaps[at + 1 :]), True
    return gaps, False


def _uncovered(
    ranges: tuple[tuple[int, int], ...],
    first_seq: int,
    runs: tuple[Run, ...],
    gaps: tuple[Gap, ...],
) -> list[tuple[int, int]]:
    """Rule 4: the parts of `ranges` from `first_seq` up that are in no run and no gap."""
    taken = sorted(
        [(run.first, run.last) for run in runs] + [(gap.first, gap.last) for gap in gaps]
    )
    left: list[tuple[int, int]] = []
    for first, last in ranges:
        begin = max(first, first_seq)
        for low, high in taken:
            if low > last:
                break
            if begin < low:
                left.append((begin, low - 1))
            begin = max(begin, high + 1)
        if begin <= last:
            left.append((begin, last))
    return left


def _merged(gaps: list[Gap]) -> tuple[Gap, ...]:
    """Gaps rising, neighbours that were opened at one time made one: a chain has one form."""
    result: list[Gap] = []
    for gap in sorted(gaps, key=_first):
        below = result[-1] if result else None
        if below and below.last == gap.first - 1 and below.opened_ms == gap.opened_ms:
            result[-1] = Gap(below.first, gap.last, gap.opened_ms)
        else:
            result.append(gap)
    return tuple(result)


def _pieces(chain: Chain, first_seq: int) -> int:
    """What rule 6 limits. The run from `first_seq` on does not count: it is what grows when all
    goes well, and a meter must be able to begin it however many pieces lie above."""
    begun = bool(chain.runs) and chain.runs[0].first == first_seq
    return len(chain.runs) - begun + len(chain.gaps)


def _final(first_seq: int, chain: Chain) -> int:
    """Rule 7: the end of what begins at `first_seq` and has no hole."""
    final = first_seq - 1
    for first, last in _spans(chain.runs, chain.gaps):
        if first > final + 1:
            break
        final = last
    return final


def _spans(runs: tuple[Run, ...], gaps: tuple[Gap, ...]) -> list[tuple[int, int]]:
    """Runs and gaps as ranges (from, to), rising."""
    return sorted([(run.first, run.last) for run in runs] + [(gap.first, gap.last) for gap in gaps])
