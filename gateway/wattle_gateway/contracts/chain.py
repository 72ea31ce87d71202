"""The chain of a meter: which of its seqs the ledger has (SPEC section 12, rules 1 to 7).

Runs are stretches of consecutive seqs that are settled; open gaps are stretches that the meter
declared lost and that may still be filled for a time. All functions are pure on frozen values.
"""

from dataclasses import dataclass


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


def new_chain(first_seq: int) -> Chain:
    """The chain of a meter of which nothing is committed."""
    return Chain(first_seq - 1)


def ack_view(chain: Chain, held: "list[tuple[int, int]]") -> AckView:
    """What to tell a meter, from the committed chain and what this gateway holds on disk.

    `held` = ranges (from, to) of seqs on disk that are not committed yet, in any order and
    overlapping at will (one sample: (seq, seq)); committed runs and gaps count as held.
    """
    raise NotImplementedError
