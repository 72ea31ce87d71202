"""Blocks: one member's signed vertex of the DAG (SPEC section 10).

A `Block` is well-formed and nothing more; a `VerifiedBlock` has passed every rule of validity
and carries its entries. Consensus takes only the latter: trust is a type.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from wattle_wire import cbor, cose, structure

from wattle_gateway.ledger import entry, merkle
from wattle_gateway.ledger.crypto import Sign, Verify
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import BlockError, FormatError, LimitError, wire_errors_named
from wattle_gateway.ledger.genesis import MEMBERS_MAX, Member

DIGEST_BYTES = 32
# A header with MEMBERS_MAX parents is below 2 KiB; nothing longer can be one.
HEADER_BYTES_MAX = 4096
ROUND_MAX = (1 << 53) - 1


@dataclass(frozen=True, order=True)
class BlockRef:
    """A block's name. The field order is the order in which a commit executes blocks."""

    round: int
    author: int
    digest: bytes


@dataclass(frozen=True)
class CommitVote:
    """The newest commit an author has executed: index and commit digest (32 bytes)."""

    index: int
    digest: bytes


@dataclass(frozen=True)
class PayloadSummary:
    """What a header says about its entries: number (>= 1), sum of lengths, RFC 6962 root."""

    count: int
    size_bytes: int
    root: bytes


@dataclass(frozen=True)
class Block:
    """A well-formed block header; nothing is verified. `raw` is its COSE_Sign1 bytes.

    `payload` is None for a block without entries.
    """

    epoch: int
    author: int
    round: int
    time_ms: int
    parents: tuple[BlockRef, ...]
    commit_vote: CommitVote
    payload: PayloadSummary | None
    kid: bytes
    digest: bytes
    signature: bytes
    raw: bytes

    @cached_property
    def ref(self) -> BlockRef:
        """This block's name."""
        return BlockRef(self.round, self.author, self.digest)

    @property
    def carries(self) -> bool:
        """Whether it has entries."""
        return self.payload is not None


@dataclass(frozen=True)
class VerifiedBlock:
    """A valid block with its entries; made by `check` and `build` only."""

    block: Block
    entries: tuple[bytes, ...]

    @cached_property
    def urgent(self) -> bool:
        """Whether it carries a transaction or evidence, for which rounds follow fast."""
        return any(map(entry.is_urgent, self.entries))


def round_zero(epoch: Epoch, author: int) -> BlockRef:
    """The implied round-0 block of an author: `[0, author, epoch digest]`."""
    return BlockRef(0, author, epoch.digest)


def summary_of(entries: Sequence[bytes]) -> PayloadSummary | None:
    """Count, bytes and RFC 6962 root of entries, None for none."""
    if not entries:
        return None
    return PayloadSummary(
        len(entries),
        sum(map(len, entries)),
        merkle.root([merkle.leaf_hash(raw) for raw in entries]),
    )


def build(
    epoch: Epoch,
    author: int,
    sign: Sign,
    *,
    round_number: int,
    time_ms: int,
    parents: Sequence[BlockRef],
    commit_vote: CommitVote,
    entries: Sequence[bytes],
) -> VerifiedBlock:
    """Make and sign an own block. The caller answers for the rules that `check` tests."""
    summary = summary_of(entries)
    payload = cbor.encode(
        [
            epoch.number,
            author,
            round_number,
            time_ms,
            [[ref.round, ref.author, ref.digest] for ref in parents],
            [commit_vote.index, commit_vote.digest],
            None if summary is None else [summary.count, summary.size_bytes, summary.root],
        ]
    )
    kid = epoch.members[author].kid
    signature = sign(cose.digest("block", epoch.ledger_id, kid, payload))
    raw = cose.sign1(kid, payload, signature)
    return VerifiedBlock(parse(raw, epoch.ledger_id), tuple(entries))


def parse(raw: bytes, ledger_id: bytes) -> Block:
    """Take a block's header apart; FormatError if it is none. Nothing is verified."""
    if len(raw) > HEADER_BYTES_MAX:
        raise LimitError(f"block of {len(raw)} bytes, expected at most {HEADER_BYTES_MAX}")
    with wire_errors_named("block"):
        signed = cose.parse_sign1("block", ledger_id, raw)
        row = structure.array(cbor.decode(signed.payload), 7, "block")
        vote = structure.array(row[5], 2, "commit vote")
        return Block(
            epoch=structure.uint(row[0], "epoch"),
            author=structure.uint(row[1], "author"),
            round=structure.uint(row[2], "round", ROUND_MAX),
            time_ms=structure.uint(row[3], "time_ms"),
            parents=tuple(
                ref_of(parent) for parent in structure.items(row[4], MEMBERS_MAX, "parents")
            ),
            commit_vote=CommitVote(
                structure.uint(vote[0], "commit index"),
                structure.octets(vote[1], DIGEST_BYTES, "commit digest"),
            ),
            payload=None if row[6] is None else _payload(row[6]),
            kid=signed.kid,
            digest=signed.digest,
            signature=signed.signature,
            raw=raw,
        )


def ref_of(value: object) -> BlockRef:
    """The reference in a decoded `[round, author, digest]`; raises WireError if it is none."""
    row = structure.array(value, 3, "block reference")
    return BlockRef(
        structure.uint(row[0], "round", ROUND_MAX),
        structure.uint(row[1], "author"),
        structure.octets(row[2], DIGEST_BYTES, "digest"),
    )


def _payload(value: object) -> PayloadSummary:
    row = structure.array(value, 3, "payload")
    count = structure.uint(row[0], "entry count")
    if count == 0:
        raise FormatError("payload of 0 entries, expected null in its place")
    return PayloadSummary(
        count,
        structure.uint(row[1], "payload bytes"),
        structure.octets(row[2], DIGEST_BYTES, "payload root"),
    )


def check(block: Block, entries: Sequence[bytes], epoch: Epoch, verify: Verify) -> VerifiedBlock:
    """Apply every rule of validity (SPEC section 10; CONSENSUS.md rules 5 to 8).

    It reads the block and the epoch and nothing else: no clock, no neighbour, so all judge
    alike. That all parents are *held* is the DAG's business.
    Raises BlockError for a broken rule, SignatureError for a bad signature: both are for ever.
    """
    member = _check_author(block, epoch)
    _check_parents(block, epoch)
    _check_payload(block, entries, epoch)
    verify(member.block_key, block.digest, block.signature)
    return VerifiedBlock(block, tuple(entries))


def check_header(block: Block, epoch: Epoch, verify: Verify) -> None:
    """The same rules for a header whose payload is not at hand: nothing may be built on it but
    what others have committed already. Raises as `check`."""
    member = _check_author(block, epoch)
    _check_parents(block, epoch)
    verify(member.block_key, block.digest, block.signature)


def _check_author(block: Block, epoch: Epoch) -> Member:
    if block.epoch != epoch.number:
        raise BlockError(f"block of epoch {block.epoch}, expected {epoch.number}")
    if block.author >= epoch.size:
        raise BlockError(f"author {block.author} in a committee of {epoch.size}")
    member = epoch.members[block.author]
    if block.kid != member.kid:
        raise BlockError(f"block of author {block.author} names another key")
    return member


def _check_parents(block: Block, epoch: Epoch) -> None:
    if block.round < 1:
        raise BlockError("a signed block of round 0, expected at least 1")
    if not block.parents or block.parents[0].author != block.author:
        raise BlockError("the first parent is not the author's own")
    others = [parent.author for parent in block.parents[1:]]
    if any(low >= high for low, high in itertools.pairwise(others)):
        raise BlockError("parents are not sorted by rising author, each author once")
    if block.author in others:
        raise BlockError("the author's own blocks are named twice")
    below = 0
    for parent in block.parents:
        if parent.author >= epoch.size:
            raise BlockError(f"parent of author {parent.author} in a committee of {epoch.size}")
        if parent.round >= block.round:
            raise BlockError(f"parent of round {parent.round} in a block of round {block.round}")
        if parent.round == 0 and parent.digest != epoch.digest:
            raise BlockError("a round-0 parent is not the epoch digest")
        below += parent.round == block.round - 1
    if below < epoch.quorum:
        raise BlockError(
            f"{below} parents of round {block.round - 1}, expected at least {epoch.quorum}"
        )


def _check_payload(block: Block, entries: Sequence[bytes], epoch: Epoch) -> None:
    constants, said = epoch.constants, block.payload
    if said is None:
        if entries:
            raise BlockError(f"{len(entries)} entries beside a header that says none")
        return
    if said.count > constants.block_entries_max:
        raise BlockError(f"{said.count} entries, expected at most {constants.block_entries_max}")
    if said.size_bytes > constants.block_payload_bytes_max:
        raise BlockError(
            f"payload of {said.size_bytes} bytes, expected at most "
            f"{constants.block_payload_bytes_max}"
        )
    if len(entries) != said.count or sum(map(len, entries)) != said.size_bytes:
        raise BlockError("the entries are not as many or as long as the header says")
    for raw in entries:
        if len(raw) > constants.entry_bytes_max:
            raise BlockError(
                f"entry of {len(raw)} bytes, expected at most {constants.entry_bytes_max}"
            )
    if summary_of(entries) != said:
        raise BlockError("the entries do not have the root that the header says")
