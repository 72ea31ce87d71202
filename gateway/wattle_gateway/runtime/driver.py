"""The ledger's driver: does what consensus and sync say, with one database, in one thread.

Every method is one step and one durable write: when it returns, all that it made is on disk, and
what it gives back may be sent. When it raises StoreError nothing of the step happened, but memory
is ahead of the disk: `open` again.
"""

import os
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from wattle_gateway.consensus.engine import Engine, Now, Output, Recovered
from wattle_gateway.consensus.errors import HistoryError, SafetyError
from wattle_gateway.contracts import registry
from wattle_gateway.contracts.chain import AckView, ack_view
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import crypto, entry, evidence
from wattle_gateway.ledger.block import VerifiedBlock
from wattle_gateway.ledger.checkpoint import SignText
from wattle_gateway.ledger.commit import Commit, CommitHead
from wattle_gateway.ledger.crypto import Sign, Verify
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.evidence import Evidence
from wattle_gateway.runtime import recovery
from wattle_gateway.runtime.accusations import Accusations
from wattle_gateway.runtime.checkpoints import CheckpointDesk
from wattle_gateway.runtime.commit_votes import CommitVotes
from wattle_gateway.runtime.errors import DivergenceError
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.runtime.ingest_memory import IngestMemory
from wattle_gateway.runtime.progress import Progress
from wattle_gateway.runtime.queue import EntryQueue
from wattle_gateway.runtime.settlement import Settlement, Step
from wattle_gateway.runtime.shelf import LedgerShelf
from wattle_gateway.runtime.signing_right import SigningRight
from wattle_gateway.runtime.uncommitted import Uncommitted
from wattle_gateway.store import block_rows, schema
from wattle_gateway.store import connection as database
from wattle_gateway.store.block_rows import StoredBlock
from wattle_gateway.store.connection import store_errors_named
from wattle_gateway.store.pool_rows import PoolEntry
from wattle_gateway.store.schema import Schema
from wattle_gateway.sync.intake import CheckBlock, ParseBlock
from wattle_gateway.sync.parcels import ProvedCommit, Received
from wattle_gateway.sync.synchronizer import Synchronizer

# Nobody can answer a question of this start before it was asked.
SEED_BYTES = 16

OpenDatabase = Callable[[Path, Schema, bytes], sqlite3.Connection]
"""As `connection.open_writer`; the simulator's breaks."""


class LedgerDriver:
    """One gateway's ledger. Call `open` first, `close` last; use it from one thread only."""

    def __init__(
        self,
        path: Path,
        first: Epoch,
        kid: bytes,
        sign: Sign,
        checkpoint_sign: SignText | None = None,
        *,
        verify: Verify = crypto.verify,
        open_database: OpenDatabase = database.open_writer,
        random_bytes: Callable[[int], bytes] = os.urandom,
        parse_block: ParseBlock = block_format.parse,
        check_block: CheckBlock = block_format.check,
        follow_only: bool = False,
        archive_read: bool = False,
    ) -> None:
        """`first` is epoch 0; the others stand in the ledger. `kid`, `sign`: the own block key;
        `checkpoint_sign` with the own checkpoint key, None: none are signed. `follow_only`:
        sign no block whatever happens (repair). `archive_read`: the caller answers
        `Progress.archived`. `parse_block`, `check_block`: or caches of them."""
        self.kid = kid
        self._path = path
        self._first = first
        self._sign = sign
        self._checkpoint_sign = checkpoint_sign
        self._verify = verify
        self._open_database = open_database
        self._random_bytes = random_bytes
        self._parse_block = parse_block
        self._check_block = check_block
        self._follow_only = follow_only
        self._archive_read = archive_read
        self._peers: dict[bytes, bool] = {}
        self._database: sqlite3.Connection | None = None

    def open(self) -> None:
        """Read the ledger and take up where it stands; also after an error (disk full ...): the
        links that were up are taken to be up still.

        Raises StoreError, StoppedError for a ledger that must not go on, and what damage leads to.
        """
        self.close()
        ledger_id = self._first.ledger_id
        self._database = self._open_database(self._path, schema.LEDGER, ledger_id)
        try:
            with store_errors_named(self._path):
                self._take_up(self._database)
        except BaseException:
            self.close()
            raise

    def _take_up(self, connection: sqlite3.Connection) -> None:
        self.memory = IngestMemory(self._verify)
        self.ledger = ExecutedLedger(connection, self._first)
        self.queue = EntryQueue(connection, self.epoch.ledger_id)
        self._settlement = Settlement(self.ledger, self.queue, self.memory)
        self.checkpoints = CheckpointDesk(connection, self.kid, self._checkpoint_sign)
        self._right = SigningRight(connection, self.kid, self.epoch, follow_only=self._follow_only)
        self._uncommitted = Uncommitted()
        restart = recovery.load(connection, self.ledger, self._own_round, self.memory.verify)
        for stored in restart.uncommitted:
            self._uncommitted.add(stored)
            if stored.block.author == self.author:
                self.queue.carried(stored.entries)
        self._start_engine(restart.recovered)
        shelf = LedgerShelf(connection, self.kid, self.ledger, lambda: self.engine)
        shelf.archive_read = self._archive_read
        self.synchronizer = Synchronizer(
            self.epoch,
            self.kid,
            shelf,
            self.memory.verify,
            seed=self._random_bytes(SEED_BYTES),
            wiped=self._right.lost,
            silent_through=self._right.silent_through,
            parse=self._parse_block,
            check=self._check_block,
        )
        self._accusations = Accusations(self.ledger, self.queue, self.synchronizer)
        self._to_greet = dict(self._peers)

    def _start_engine(self, recovered: Recovered) -> None:
        self.engine = Engine(
            self.epoch, self.author, self._sign, recovered, silent=not self.signing
        )
        self.votes = CommitVotes(self.epoch, self.author)
        self._engine_tick_ms = 0

    def close(self) -> None:
        """Close the database."""
        if self._database is not None:
            self._database.close()
            self._database = None

    @property
    def connection(self) -> sqlite3.Connection:
        """The writer's connection."""
        assert self._database is not None
        return self._database

    @property
    def epoch(self) -> Epoch:
        """The epoch in force."""
        return self.ledger.epoch

    @property
    def author(self) -> int | None:
        """The own author index in the epoch in force, None without a vote."""
        return self.epoch.author_of(self.kid)

    @property
    def head(self) -> CommitHead:
        """The newest executed commit."""
        return self.ledger.head

    @property
    def state(self) -> Mapping[bytes, bytes]:
        """The state after the newest commit; not to be changed."""
        return self.ledger.state

    @property
    def _own_round(self) -> int:
        return self._right.highest_in(self.epoch)

    @property
    def signing(self) -> bool:
        """Whether own blocks are signed; False: this gateway follows in silence."""
        return self._right.active

    @contextmanager
    def _step(self, now: Now) -> Iterator[Step]:
        step = Step(now, Progress(self.head, 0))
        try:
            with store_errors_named(self._path), database.transaction(self.connection):
                self._greet(step)
                yield step
                self._offer(step)
        except (SafetyError, DivergenceError) as error:
            self._stop(error, step)
            raise
        progress = step.progress
        views = {meter: self.stands(meter) for meter in sorted(step.moved)}
        progress.acks = {meter: view for meter, view in views.items() if view is not None}
        progress.head = self.head
        due_ms = (self._engine_tick_ms, self.synchronizer.next_tick_ms)
        progress.next_tick_ms = min(time for time in due_ms if time is not None)

    def _stop(self, error: SafetyError | DivergenceError, step: Step) -> None:
        """Nothing is decided here any more, whoever starts this gateway again; of two certified
        blocks in a slot (rule 23) the evidence stays."""
        with store_errors_named(self._path), database.transaction(self.connection):
            self._right.stop(str(error))
            if isinstance(error, SafetyError):
                self._accuse(evidence.two_blocks(*error.blocks), step)

    def add(self, entries: Sequence[PoolEntry], now: Now) -> Progress:
        """Store entries durably, then let blocks carry them."""
        with self._step(now) as step:
            for row in entries:
                self.queue.insert(row)
                if row.meter is not None:
                    step.moved.add(row.meter)
        return step.progress

    def tick(self, now: Now) -> Progress:
        """Time has passed."""
        with self._step(now) as step:
            step.progress.to_send += self.synchronizer.tick(now.steady_ms)
            self._settle_recovery(step)
            self._obey(self.engine.tick(now), step)
        return step.progress

    def connected(self, peer: bytes, now: Now, *, guest: bool = False) -> Progress:
        """The link to this peer is up; `guest`: it showed a token, not a member's certificate."""
        self._peers[peer] = self._to_greet[peer] = guest
        with self._step(now) as step:
            pass  # every step begins by greeting
        return step.progress

    def _greet(self, step: Step) -> None:
        """Links that are up and that the synchronizer does not know of yet."""
        connected, steady_ms = self.synchronizer.connected, step.now.steady_ms
        for peer, guest in sorted(self._to_greet.items()):
            step.progress.to_send += connected(peer, steady_ms, guest=guest)
        self._to_greet.clear()

    def disconnected(self, peer: bytes, now: Now) -> Progress:
        """The link to this peer is gone."""
        for links in (self._peers, self._to_greet):
            links.pop(peer, None)
        with self._step(now) as step:
            self.synchronizer.disconnected(peer)
        return step.progress

    def know_cards(self, cards: Sequence[bytes], now: Now) -> Progress:
        """The own peer card and those of the address book; LedgerError for one that is none."""
        with self._step(now) as step:
            step.progress.to_send += self.synchronizer.know_cards(cards, now.steady_ms)
        return step.progress

    def receive(self, peer: bytes, raw: bytes, now: Now) -> Progress:
        """A peer has sent a message. Whatever it is, nothing but the package's own errors come
        out, and those only for our own disk or ledger: its faults are in the progress."""
        with self._step(now) as step:
            received = self.synchronizer.receive(peer, raw, now.steady_ms)
            step.progress.note(received)
            self._take_in(received, step)
            self._settle_recovery(step)
        return step.progress

    def _take_in(self, received: Received, step: Step) -> None:
        for proved in received.history:
            self._adopt(proved, step)
        number = self.epoch.number
        blocks = [verified for verified in received.blocks if verified.block.epoch == number]
        if blocks:
            self._obey(self.engine.accept(blocks, step.now, voucher=received.voucher), step)
        for raw in received.evidence:
            self._accuse(evidence.decode(entry.decode(raw).body, self.epoch.ledger_id), step)
        if self.epoch.number == number:
            for author in received.accused:
                self.engine.accuse(author)
        self.queue.carry(received.carried, self.state)
        news = self.checkpoints.take(received, self.ledger)
        step.progress.to_send += self._accusations.tell(news)

    def _adopt(self, proved: ProvedCommit, step: Step) -> None:
        if proved.index != self.head.index + 1 or proved.epoch != self.epoch.number:
            return  # decided by the rules meanwhile, or it stands on one that was refused
        try:
            output = self.engine.adopt(proved.leader, proved.blocks, step.now)
        except HistoryError as error:
            step.progress.faults.append(str(error))
            self.synchronizer.history_refused(proved.source, step.now.steady_ms)
            return
        self._obey(output, step)
        if self.ledger.digest_of(proved.index) != proved.digest:
            raise DivergenceError(
                f"commit {proved.index} of this gateway is not the one that a quorum votes for: "
                "stop, `audit`, and `repair` from a peer"
            )

    def _settle_recovery(self, step: Step) -> None:
        """Enough others may have said what they know of our blocks (rules 31, 32)."""
        asked = self.synchronizer
        above = self._right.grant(self.epoch, asked.resume_above, asked.silent_through)
        if above is not None:
            self._obey(self.engine.resume(above, step.now), step)

    def _offer(self, step: Step) -> None:
        """Hand waiting entries to the engine while it has room."""
        while any(offers := self.queue.next_for(*self.engine.room)):
            urgent, others = offers
            if urgent:
                self._obey(self.engine.propose(urgent, step.now, urgent=True), step)
            if others:
                self._obey(self.engine.propose(others, step.now), step)

    def _obey(self, output: Output, step: Step) -> None:
        """The engine's duties: blocks, then commits, until there is nothing left to do. What is
        to be sent goes out when the step is durable."""
        waiting = deque([output])
        while waiting:
            output = waiting.popleft()
            own = {verified.block.ref for verified in output.to_send}
            for verified in output.to_persist:
                self._persist(verified, made=verified.block.ref in own)
                self._settlement.watch(verified, step)
            self.queue.give_back(output.returned)
            for pair in output.cheats:
                self._accuse(evidence.two_blocks(*pair), step)
            step.progress.to_send += self.synchronizer.after(output.to_send, step.now.steady_ms)
            self._engine_tick_ms = output.next_tick_ms
            for commit in output.commits:
                if self._execute(commit, step):
                    waiting.clear()  # later blocks of the epoch are void (rule 29)
                    waiting.append(self._enter_epoch(step))
                    break
                waiting.append(self.engine.executed(self.head, step.now, self.ledger.deadline_ms))

    def _persist(self, verified: VerifiedBlock, *, made: bool) -> None:
        block = verified.block
        if made:
            self._right.use(block)
            self.queue.took(verified.entries)
        elif block.author == self.author:
            self._right.recall(block)
            self.queue.carried(verified.entries)
        place = block_rows.insert(self.connection, verified)
        self._uncommitted.add(StoredBlock(place, block, verified.entries))
        self.votes.note(block, self.head, self.ledger.digest_of)

    def _execute(self, commit: Commit, step: Step) -> bool:
        """Execute a commit; whether it ended the epoch."""
        epoch, own, before = self.epoch, self.author, self.head
        blocks = [self._uncommitted.take(header.ref) for header in commit.blocks]
        executed = self.ledger.execute(commit, blocks, self.memory.verify, self.memory.parse)
        found: list[Evidence] = [*self._settlement.settle(executed, blocks, own, step)]
        self._uncommitted.drop(commit.leader.round - epoch.constants.gc_depth)
        self.votes.executed(self.head)
        news = self.checkpoints.executed(before, self.ledger, epoch)
        step.progress.to_send += self._accusations.tell(news)
        for evident in found:
            self._accuse(evident, step)
        if executed.ended is None and executed.cheats:
            for author in recovery.cheaters(self.ledger):
                self.engine.accuse(author)
        return executed.ended is not None

    def _enter_epoch(self, step: Step) -> Output:
        """The next epoch is in force: its engine, and all that waits is proposed there."""
        self._uncommitted.clear()
        self.queue.begin_again()
        self._right.enter(self.epoch)
        self._start_engine(recovery.fresh(self.ledger, self._own_round))
        step.progress.epoch_changed = self.epoch
        step.progress.to_send += self.synchronizer.new_epoch(self.epoch, step.now.steady_ms)
        return self.engine.tick(step.now)

    def _accuse(self, shown: Evidence, step: Step) -> None:
        step.progress.to_send += self._accusations.bring(shown)

    def stands(self, meter: bytes) -> AckView | None:
        """Where a meter stands, None if it is not enrolled."""
        found = registry.meter(self.state, meter)
        if found is None:
            return None
        chain = registry.chain(self.state, meter, found.first_seq)
        return ack_view(chain, self.queue.held(meter))

    def meters(self) -> dict[bytes, Meter]:
        """Every meter of the registry by kid."""
        return {found.kid: found for found in registry.meters(self.state)}

    def next_nonce(self, lane: int) -> int:
        """The nonce of this member's next transaction in a lane."""
        return registry.next_nonce(self.state, self.kid, lane)
