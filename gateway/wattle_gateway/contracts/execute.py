"""Execution: a commit and the state before it, in; leaves, changes and digests, out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wattle_gateway.contracts.state import Change
from wattle_gateway.ledger.block import VerifiedBlock
from wattle_gateway.ledger.commit import Commit, CommitHead
from wattle_gateway.ledger.crypto import Verify
from wattle_gateway.ledger.epoch import Epoch

# What became of an entry.
RECORDED = "recorded"  # it has a leaf
REPEAT = "repeat"  # the ledger has it, or it can never count: forget it
HELD = "held"  # the meter has too many runs: propose it again later
VOID = "void"  # not what an honest gateway proposes: malformed, not enrolled, bad signature ...


@dataclass(frozen=True)
class Outcome:
    """What became of one entry: `effect` one of the words above.

    `position` of the entry in its block (`round`, `author`); `leaf` index into
    `Executed.leaves` or None; `verdict` of the leaf, else 0; `meter` kid and `seq` of a sample
    or evidence, `digest` (32 bytes) of a sample or transaction, where the bytes could be read.
    """

    author: int
    round: int
    position: int
    kind: int
    effect: str
    verdict: int
    leaf: int | None
    meter: bytes | None
    seq: int | None
    digest: bytes | None


@dataclass(frozen=True)
class Executed:
    """Everything a commit leaves behind; to be stored in one piece.

    `leaves` = bytes of the entry leaves, then of the commit leaf, in log order; `changes` to
    the state, sorted by key; `meters` = kids whose state changed, rising; `head` for the next
    commit, votes and acks.
    """

    head: CommitHead
    leaves: tuple[bytes, ...]
    outcomes: tuple[Outcome, ...]
    changes: tuple[Change, ...]
    meters: tuple[bytes, ...]


def execute(
    state: Mapping[bytes, bytes],
    head: CommitHead,
    commit: Commit,
    blocks: Sequence[VerifiedBlock],
    epoch: Epoch,
    verify: Verify,
) -> Executed:
    """Execute one commit (SPEC sections 11 and 12). Changes nothing: apply `changes` yourself.

    `state` the state after `head`, the commit before; `blocks` the commit's blocks in its order,
    with entries; `verify(public key, digest, signature)` raises SignatureError (a live gateway
    may answer from what ingest verified, an audit must not).
    """
    raise NotImplementedError
