"""How one commit came about, read off the stored blocks: what PBFT calls its three phases.

    proposal      the leader's block of round r                       (pre-prepare)
    votes         blocks of round r + 1 that name it                  (prepare)
    certificates  blocks of round r + 2 that name votes of q authors  (commit)

Authors are counted, never blocks (rules 15, 17, 19, 22).
"""

import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass

from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import leaf
from wattle_gateway.ledger.block import Block, BlockRef
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.store import block_rows, ledger_rows
from wattle_gateway.store.archived import archive_of
from wattle_gateway.store.block_rows import StoredBlock
from wattle_gateway.store.ledger_rows import StoredCommit


@dataclass(frozen=True)
class CommitStory:
    """One commit. `digest` its digest, `proposal` the leader's block, `votes` and `certificates`
    the author indices of `epoch`, rising; `blocks` what it took, in order; `entries` how many
    they carried, `leaves` how many of these are on the ledger."""

    commit: StoredCommit
    epoch: Epoch
    digest: bytes
    proposal: Block
    votes: tuple[int, ...]
    certificates: tuple[int, ...]
    blocks: tuple[Block, ...]
    entries: int
    leaves: int

    @property
    def direct(self) -> bool:
        """Whether the certificates decide it by themselves (rule 19); else a later commit did
        (rule 20), or this gateway was given it with the votes that prove it."""
        return len(self.certificates) >= self.epoch.quorum


def read(connection: sqlite3.Connection, first: Epoch, index: int) -> CommitStory | None:
    """The story of a commit, None if there is none of this index; `first` is epoch 0.

    StoreError or LedgerError for a damaged ledger.
    """
    stored = ledger_rows.load_commit(connection, index)
    if stored is None:
        return None
    epoch = ExecutedLedger(connection, first).epoch_at(stored.leaf.epoch)
    if epoch is None:
        raise StoreError(f"commit {index} is of epoch {stored.leaf.epoch}, which has not begun")
    taken = _taken(connection, epoch, stored)
    leader = stored.leaf.leader
    proposal = next((found.block for found in taken if found.block.ref == leader), None)
    if proposal is None:
        raise StoreError(f"commit {index} lacks its leader's block; run `wattle-gateway audit`")
    votes = [
        block
        for block in round_at(connection, epoch, index, leader.round + 1)
        if leader in block.parents
    ]
    named = {block.ref for block in votes}
    certificates = [
        block
        for block in round_at(connection, epoch, index, leader.round + 2)
        if _authors(ref for ref in block.parents if ref in named) >= epoch.quorum
    ]
    return CommitStory(
        commit=stored,
        epoch=epoch,
        digest=leaf.commit_digest(stored.body),
        proposal=proposal,
        votes=tuple(sorted({block.author for block in votes})),
        certificates=tuple(sorted({block.author for block in certificates})),
        blocks=tuple(found.block for found in taken),
        entries=sum(len(found.entries) for found in taken),
        leaves=ledger_rows.count_leaves(connection, index),
    )


def _taken(connection: sqlite3.Connection, epoch: Epoch, stored: StoredCommit) -> list[StoredBlock]:
    """The blocks of a commit, here or in the archive, in its order."""
    archive = archive_of(connection)
    left = {} if archive is None else archive.blocks_of(stored.leaf.index)
    if not left:
        return block_rows.load_ids(connection, epoch.ledger_id, stored.blocks)
    found = []
    for block_id in stored.blocks:
        if block_id not in left:
            raise StoreError(f"block {block_id} is not in the archive; run `wattle-gateway audit`")
        block = block_format.parse(left[block_id].header, epoch.ledger_id)
        found.append(StoredBlock(block_id, block, left[block_id].entries))
    return found


def round_at(
    connection: sqlite3.Connection, epoch: Epoch, index: int, round_number: int
) -> list[Block]:
    """The headers of a round of `epoch` that follows closely on commit `index`, here or in the
    archive."""
    found = block_rows.load_round(
        connection, epoch.ledger_id, epoch.number, round_number, range(epoch.size)
    )
    archive = archive_of(connection)
    left = {} if archive is None else archive.around(index)
    parsed = (
        block_format.parse(one.header, epoch.ledger_id)
        for one in left.values()
        if one.round == round_number
    )
    known = {block.digest for block in found}
    found += [
        block for block in parsed if block.epoch == epoch.number and block.digest not in known
    ]
    return found


def _authors(refs: Iterable[BlockRef]) -> int:
    return len({ref.author for ref in refs})
