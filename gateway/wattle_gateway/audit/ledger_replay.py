"""The whole ledger once more, epoch after epoch: blocks in, commits out, to whoever takes them."""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from typing import Protocol

from wattle_gateway.audit.commit_replay import CommitReplay
from wattle_gateway.audit.findings import Difference
from wattle_gateway.audit.stored_blocks import Found, StoredBlock, stored_blocks
from wattle_gateway.audit.vote_proof import VoteProof
from wattle_gateway.consensus.errors import HistoryError, SafetyError
from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger.block import BlockRef
from wattle_gateway.ledger.commit import Commit, CommitHead
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.snapshot import stored as stored_base
from wattle_gateway.store import base_rows, ledger_rows, log_index
from wattle_gateway.store.ledger_rows import StoredCommit

# No ledger has that many commits.
INDEX_MAX = (1 << 63) - 1


class Taker(Protocol):
    """What is done with the ledger as it is replayed."""

    @property
    def head(self) -> CommitHead:
        """The newest commit that was run."""

    def digest_of(self, index: int) -> bytes | None:
        """The digest of a commit that was run."""

    def saw(self, stored: StoredBlock) -> None:
        """A sound block was read."""

    def entered(self, stored: StoredBlock) -> None:
        """It is in the graph: a commit may take it."""

    def run(self, commit: Commit, floor: int) -> Epoch | None:
        """Execute a commit; gives the epoch that follows if it ended its own. Nothing at or
        below round `floor` will be taken after it."""


class LedgerReplay:
    """Goes through a ledger's epochs. What is wrong is told to `found`.

    A commit that the stored blocks do not decide is taken from its row, if the commit votes of q
    authors among them prove it: `unproved` is the first one that these do not, and the replay ends
    with its epoch.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        taker: Taker,
        found: Found,
        *,
        adopts_through: int = INDEX_MAX,
        doubts_rows: bool = False,
    ) -> None:
        """`adopts_through`: the last commit that may be taken from its row. `doubts_rows`: the
        ledger is damaged. What the archive has, too, is taken from there, and where nothing more
        will be decided the replay ends."""
        self.unproved: int | None = None
        self._connection = connection
        self._taker = taker
        self._found = found
        self._adopts_through = adopts_through
        self._doubts_rows = doubts_rows

    def run(self, first: Epoch) -> None:
        """Replay from `first` on, epoch 0 or the one in force after the base."""
        epoch: Epoch | None = first
        while epoch is not None and self.unproved is None:
            epoch = self._run_epoch(epoch)

    def _run_epoch(self, epoch: Epoch) -> Epoch | None:
        replay = _replay_of(self._connection, epoch, self._taker.head)
        walk = _EpochWalk(
            self._connection,
            epoch,
            self._taker,
            self._found,
            replay,
            self._adopts_through,
            doubts_rows=self._doubts_rows,
        )
        try:
            self._walk(walk, epoch)
            walk.finish()
        finally:
            self.unproved = walk.unproved
        return walk.following

    def _walk(self, walk: "_EpochWalk", epoch: Epoch) -> None:
        blocks = stored_blocks(
            self._connection, epoch, self._found, archive_first=self._doubts_rows
        )
        with closing(blocks):  # whatever ends it: its cursors do not outlive the connection
            for stored in blocks:
                self._taker.saw(stored)
                walk.adopt_below(stored.block.round)
                walk.take(stored)
                if self._doubts_rows and walk.is_stuck:
                    break
        walk.adopt_below(None)


def _replay_of(connection: sqlite3.Connection, epoch: Epoch, head: CommitHead) -> CommitReplay:
    """The replay of an epoch after `head`: from its beginning, or from the base within it."""
    base = base_rows.load(connection)
    if base is None or (base.index, base.leaf.epoch) != (head.index, epoch.number):
        return CommitReplay(epoch, head)
    first_index = stored_base.first_index_of(connection, epoch.number)
    past = stored_base.horizon(connection, base, epoch, first_index)
    return CommitReplay(epoch, head, base.leader, past)


class _EpochWalk:
    """One epoch's replay. `following`: the next epoch, once its end was executed."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        epoch: Epoch,
        taker: Taker,
        found: Found,
        replay: CommitReplay,
        adopts_through: int,
        *,
        doubts_rows: bool,
    ) -> None:
        self.following: Epoch | None = None
        self._connection = connection
        self._epoch = epoch
        self._taker = taker
        self._found = found
        self._replay = replay
        self._votes = VoteProof(epoch, taker.digest_of)
        self._adopted: list[int] = []
        self._adopts_through = adopts_through
        self._doubts_rows = doubts_rows

    @property
    def is_stuck(self) -> bool:
        """Whether so many blocks wait for a missing one that nothing more will be decided."""
        return len(self._replay.waiting) > 2 * self._epoch.constants.gc_depth * self._epoch.size

    def take(self, stored: StoredBlock) -> None:
        """The next block. Where a ledger is put together, votes of blocks that may have to be left
        out prove nothing: whoever audits it does not have them."""
        if not self._doubts_rows:
            self._votes.note(stored.block, self._taker.head)
        self._enter(self._replay.add(stored))

    def adopt_below(self, round_number: int | None) -> None:
        """All blocks below a round are here (None: all there are). Commits that they should have
        decided long ago if they could, or that others wait for, are taken from their rows.

        A gateway that was behind by commits of leaders up to round r has blocks from r less
        `gc_depth` on, so nothing of what it has is needed to decide these commits.
        """
        depth = self._epoch.constants.gc_depth
        while self.following is None and self._taker.head.index < self._adopts_through:
            if round_number is not None and not self._replay.waiting:
                return
            stored = ledger_rows.load_commit(self._connection, self._taker.head.index + 1)
            if stored is None or stored.leaf.epoch != self._epoch.number:
                return
            leader = stored.leaf.leader
            if round_number is not None and leader.round + depth >= round_number:
                return
            try:
                commit = self._replay.adopt(leader, self._refs(stored))
            except HistoryError as error:
                self._found(Difference(str(error), "commits", commit=stored.leaf.index))
                self._adopts_through = self._taker.head.index
                return
            self._adopted.append(stored.leaf.index)
            self._run([commit])
            self._enter(self._replay.wake())

    @property
    def unproved(self) -> int | None:
        """The first adopted commit that no votes so far prove, None: there is none."""
        proved = self._votes.proved
        return next((index for index in self._adopted if index > proved), None)

    def finish(self) -> None:
        """All blocks of the epoch were given."""
        for stored in self._replay.waiting:
            missing = self._replay.missing(stored)
            if missing:
                place = f"{stored.block.round}/{stored.block.author}"
                text = f"its parent of round {missing[0].round} is not stored"
                self._found(Difference(text, block=place))
        if self.unproved is not None:
            text = "neither the stored blocks nor the votes of a quorum decide it"
            self._found(Difference(text, commit=self.unproved))

    def _enter(self, entered: Sequence[StoredBlock]) -> None:
        if not entered:
            return
        for stored in entered:
            self._taker.entered(stored)
            if self._doubts_rows:
                self._votes.note(stored.block, self._taker.head)
        if self.following is None:
            try:
                self._run(self._replay.decide())
            except SafetyError as error:
                self._found(Difference(str(error)))

    def _run(self, commits: Sequence[Commit]) -> None:
        for commit in commits:
            self.following = self._taker.run(commit, self._replay.floor)
            self._votes.executed(self._taker.head)
            if self.following is not None:
                return  # what the epoch's blocks would decide after it is void (rule 29)

    def _refs(self, commit: StoredCommit) -> list[BlockRef]:
        try:
            index, ids = commit.leaf.index, commit.blocks
            headers = log_index.headers_of(self._connection, index, ids)
            return [block_format.parse(raw, self._epoch.ledger_id).ref for raw in headers]
        except (StoreError, LedgerError) as error:
            raise HistoryError(f"one of its blocks cannot be read: {error}") from error
