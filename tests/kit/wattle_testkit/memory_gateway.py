"""A gateway in memory: real engine and synchronizer, a shelf of dicts, execution that only hashes.

What the ledger's contracts do is no business of sync: here a commit's state digest is the hash
of all entries so far, and an entry that `changes` names ends the epoch.
"""

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

from wattle_gateway.consensus.engine import Engine, Now, Output, Recovered, window_first
from wattle_gateway.consensus.errors import HistoryError
from wattle_gateway.ledger.block import Block, BlockRef, VerifiedBlock
from wattle_gateway.ledger.commit import Commit, CommitHead, first_head
from wattle_gateway.ledger.epoch import Epoch, EpochChange, next_epoch
from wattle_gateway.ledger.leaf import CommitLeaf, commit_digest
from wattle_gateway.sync.messages import HISTORY_COMMITS_MAX, Commits, Fetch
from wattle_gateway.sync.packed import PackedBlock, pack
from wattle_gateway.sync.parcels import Parcel, Received
from wattle_gateway.sync.shelf import StoredCommit
from wattle_gateway.sync.synchronizer import Synchronizer

from wattle_testkit.alliance import CREATED_MS, Party
from wattle_testkit.simulation import cheap_keys


class MemoryShelf:
    """The `Shelf` of a gateway that keeps everything in dicts."""

    def __init__(self, kid: bytes, epoch: Epoch) -> None:
        self.kid = kid
        self.epochs = [epoch]
        self.stored: dict[int, dict[BlockRef, VerifiedBlock]] = {0: {}}
        self.commits: list[tuple[StoredCommit, tuple[VerifiedBlock, ...]]] = []
        self._head = first_head(epoch)
        self.begins = 1
        self.engine: Engine | None = None

    def copy(self) -> "MemoryShelf":
        """What a copy of the disk would hold."""
        twin = MemoryShelf(self.kid, self.epochs[0])
        twin.epochs = list(self.epochs)
        twin.stored = {epoch: dict(blocks) for epoch, blocks in self.stored.items()}
        twin.commits = list(self.commits)
        twin._head = self._head
        return twin

    @property
    def head(self) -> CommitHead:
        return self._head

    @property
    def newest(self) -> Epoch:
        """The epoch in force."""
        return self.epochs[-1]

    @property
    def _engine(self) -> Engine:
        assert self.engine is not None
        return self.engine

    def epoch(self, number: int) -> Epoch | None:
        return self.epochs[number] if number < len(self.epochs) else None

    def reach(self, first: int) -> int:
        return first + HISTORY_COMMITS_MAX

    def has_left(self, request: Commits | Fetch) -> bool:
        return False

    def holdings(self) -> tuple[int, ...]:
        return self._engine.holdings()

    def holdings_at_close(self) -> tuple[int, ...]:
        return self._engine.holdings_at_close()

    def missing(self) -> Mapping[BlockRef, frozenset[int]]:
        return self._engine.missing()

    def has(self, ref: BlockRef) -> bool:
        return self._engine.has(ref)

    def accepted(self, ref: BlockRef) -> bool:
        return self._engine.accepted(ref)

    def find(self, epoch: int, ref: BlockRef) -> PackedBlock | None:
        found = self.stored.get(epoch, {}).get(ref)
        if found is None and epoch == self.newest.number:
            found = self._engine.find(ref)
        return None if found is None else pack(found)

    def own_blocks(self, epoch: int, above_round: int) -> Iterator[tuple[int, PackedBlock]]:
        known = self.epoch(epoch)
        author = None if known is None else known.author_of(self.kid)
        for ref, verified in sorted(self.stored.get(epoch, {}).items()):
            if ref.author == author and ref.round > above_round:
                yield ref.round, pack(verified)

    def lacking(self, epoch: int, rounds: Sequence[int]) -> Iterator[PackedBlock]:
        for ref, verified in sorted(self.stored.get(epoch, {}).items()):
            if ref.round > rounds[ref.author]:
                yield pack(verified)

    def newest_of(self, epoch: int, author: int) -> Block | None:
        blocks = [held.block for held in self.stored.get(epoch, {}).values()]
        if epoch == self.newest.number:
            parked = self._engine.newest_of(author)
            blocks += [] if parked is None else [parked]
        own = [block for block in blocks if block.author == author]
        return max(own, key=lambda block: block.ref, default=None)

    def commit(self, index: int) -> StoredCommit | None:
        return self.commits[index - 1][0] if 1 <= index <= len(self.commits) else None

    def blocks_of_commit(self, index: int) -> Iterator[PackedBlock]:
        return map(pack, self.commits[index - 1][1])

    def headers_of_commit(self, index: int) -> Sequence[bytes]:
        return [verified.block.raw for verified in self.commits[index - 1][1]]

    def execute(self, commit: Commit, change: EpochChange | None) -> None:
        """Commit what the engine decided; begin the next epoch if `change` says so."""
        blocks = tuple(self.stored[commit.epoch][block.ref] for block in commit.blocks)
        entries = b"".join(entry for verified in blocks for entry in verified.entries)
        state = sha256(self._head.state_digest + entries).digest()
        leaf = CommitLeaf(
            commit.epoch, commit.index, commit.time_ms, commit.leader, self._head.digest, state
        ).encode()
        self.commits.append((StoredCommit(commit.epoch, leaf), blocks))
        self._head = CommitHead(commit.index, commit.time_ms, commit_digest(leaf), state)
        if change is not None:
            self.epochs.append(next_epoch(self.newest, change, self._head))
            self.stored[self.newest.number] = {}

    def recovered(self, author: int | None) -> Recovered:
        """What an engine begins with."""
        number = self.newest.number
        commits = [row for row in self.commits if row[0].epoch == number]
        first_index = len(self.commits) - len(commits) + 1
        taken = {held.block.ref for _stored, blocks in commits for held in blocks}
        stored = self.stored[number]
        first = window_first(first_index, self._head.index, self.newest)
        window = tuple(
            tuple(held.block for held in blocks) for _stored, blocks in self.commits[first - 1 :]
        )
        own = [ref.round for ref in stored if ref.author == author]
        return Recovered(
            self._head,
            first_index,
            commits[-1][1][-1].block.ref if commits else None,
            tuple(held.block for ref, held in stored.items() if ref in taken),
            tuple(held for ref, held in stored.items() if ref not in taken),
            window if commits else (),
            own_floor=max(own, default=0),
        )


class MemoryGateway:
    """Engine, shelf and synchronizer of one party, driven as the ledger's driver does it."""

    def __init__(
        self,
        party: Party,
        shelf: MemoryShelf,
        changes: Mapping[bytes, EpochChange],
        *,
        seed: bytes,
        wiped: bool = False,
        silent_through: int | None = None,
    ) -> None:
        self.party = party
        self.shelf = shelf
        self.heard = Received()
        self.refused: list[str] = []
        self._changes = changes
        self._silent = True
        self.engine = self._new_engine()
        self.sync = Synchronizer(
            shelf.newest,
            party.kid,
            shelf,
            cheap_keys.verify,
            seed=seed,
            wiped=wiped,
            silent_through=silent_through,
        )
        self._engine_tick_ms = 0

    @property
    def next_tick_ms(self) -> int:
        """When `tick` is due."""
        due_ms = self.sync.next_tick_ms
        return self._engine_tick_ms if due_ms is None else min(due_ms, self._engine_tick_ms)

    @property
    def author(self) -> int | None:
        """The author index in the epoch in force."""
        return self.shelf.newest.author_of(self.party.kid)

    def propose(self, entries: Sequence[bytes], steady_ms: int) -> list[Parcel]:
        """Entries for own blocks."""
        output = self.engine.propose(entries, _now(steady_ms), urgent=True)
        return [*self._obey(output, steady_ms), *self._resume(steady_ms)]

    def tick(self, steady_ms: int) -> list[Parcel]:
        """Time has passed."""
        parcels = [*self.sync.tick(steady_ms)]
        parcels += self._obey(self.engine.tick(_now(steady_ms)), steady_ms)
        return [*parcels, *self._resume(steady_ms)]

    def connected(self, kid: bytes, steady_ms: int, *, guest: bool = False) -> list[Parcel]:
        """A link is up."""
        parcels = [*self.sync.connected(kid, steady_ms, guest=guest)]
        return [*parcels, *self._resume(steady_ms)]

    def receive(self, kid: bytes, raw: bytes, steady_ms: int) -> list[Parcel]:
        """A message of a peer."""
        received = self.sync.receive(kid, raw, steady_ms)
        self._remember(received)
        parcels = list(received.parcels)
        for proved in received.history:
            if proved.index != self.shelf.head.index + 1 or proved.epoch != self._number:
                continue
            try:
                output = self.engine.adopt(proved.leader, proved.blocks, _now(steady_ms))
            except HistoryError as error:
                self.refused.append(str(error))
                self.sync.history_refused(kid, steady_ms)
                break
            parcels += self._obey(output, steady_ms)
            stored = self.shelf.commit(proved.index)
            assert stored is not None
            assert commit_digest(stored.leaf) == proved.digest
        if received.blocks:
            output = self.engine.accept(received.blocks, _now(steady_ms), voucher=received.voucher)
            parcels += self._obey(output, steady_ms)
        for author in received.accused:
            self.engine.accuse(author)
        return [*parcels, *self._resume(steady_ms)]

    @property
    def _number(self) -> int:
        return self.shelf.newest.number

    def _remember(self, received: Received) -> None:
        heard = self.heard
        heard.faults += received.faults
        heard.evidence += received.evidence
        heard.cards += received.cards
        heard.joins += received.joins
        heard.checkpoints += received.checkpoints
        heard.history += received.history

    def _resume(self, steady_ms: int) -> list[Parcel]:
        above = self.sync.resume_above
        if above is None or not self._silent:
            return []
        self._silent = False
        return self._obey(self.engine.resume(above, _now(steady_ms)), steady_ms)

    def _new_engine(self) -> Engine:
        sign = cheap_keys.signer(self.party.member.block_key)
        recovered = self.shelf.recovered(self.author)
        engine = Engine(self.shelf.newest, self.author, sign, recovered, silent=True)
        self.shelf.engine = engine
        return engine

    def _obey(self, output: Output, steady_ms: int) -> list[Parcel]:
        parcels: list[Parcel] = []
        waiting = deque([output])
        while waiting:
            output = waiting.popleft()
            for verified in output.to_persist:
                self.shelf.stored[verified.block.epoch][verified.block.ref] = verified
            parcels += self.sync.after(output.to_send, steady_ms)
            self._engine_tick_ms = output.next_tick_ms
            for commit in output.commits:
                before = self._number
                self.shelf.execute(commit, self._change(commit))
                if self._number > before:
                    self.engine = self._new_engine()
                    self._silent = True
                    parcels += self.sync.new_epoch(self.shelf.newest, steady_ms)
                    waiting = deque([self.engine.tick(_now(steady_ms))])
                    break
                waiting.append(self.engine.executed(self.shelf.head, _now(steady_ms)))
        return parcels

    def _change(self, commit: Commit) -> EpochChange | None:
        stored = self.shelf.stored[commit.epoch]
        entries = (entry for block in commit.blocks for entry in stored[block.ref].entries)
        return next((self._changes[entry] for entry in entries if entry in self._changes), None)


def _now(steady_ms: int) -> Now:
    return Now(CREATED_MS + steady_ms, steady_ms)
