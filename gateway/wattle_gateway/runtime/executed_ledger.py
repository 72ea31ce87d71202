"""The ledger as far as it is executed: state, head, tree and epochs, in memory and in the store."""

import sqlite3
from collections.abc import Sequence

from wattle_gateway.contracts import alliance, execute
from wattle_gateway.contracts.events import agenda
from wattle_gateway.contracts.execute import Executed
from wattle_gateway.contracts.samples import ParseSample
from wattle_gateway.contracts.state import StateRows
from wattle_gateway.errors import BeforeBaseError, StoreError
from wattle_gateway.ledger import leaf
from wattle_gateway.ledger.block import BlockRef
from wattle_gateway.ledger.commit import Commit, CommitHead, first_head
from wattle_gateway.ledger.crypto import Verify
from wattle_gateway.ledger.epoch import Epoch, next_epoch
from wattle_gateway.ledger.leaf import CommitLeaf
from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_gateway.runtime.errors import DivergenceError
from wattle_gateway.store import base_rows, ledger_rows
from wattle_gateway.store.base_rows import Base
from wattle_gateway.store.block_rows import StoredBlock
from wattle_gateway.store.ledger_rows import SampleTimes


class ExecutedLedger:
    """What the executed commits add up to; `connection` is the writer's."""

    def __init__(self, connection: sqlite3.Connection, first: Epoch) -> None:
        """Read from the store; `first` is epoch 0. StoreError or StateError if it is damaged,
        RulesError for an epoch of rules that this gateway does not know."""
        self._connection = connection
        self._before_first = first_head(first)
        self.base = base_rows.load(connection)
        stored = ledger_rows.load_head(connection, self._before_first)
        self.state = StateRows(ledger_rows.load_state(connection))
        self.head = stored.commit
        self.edge = stored.edge
        self._epochs = [first]
        self._first_indexes = [1]
        while (row := alliance.epoch_row(self.state, len(self._epochs))) is not None:
            self._begin(row.commit_index, next_epoch(self.epoch, row.change, self._at(row)))
        # The leader of an epoch that is over is none to go on from.
        self.leader = stored.leader if self.head.index >= self.first_index else None

    @property
    def epoch(self) -> Epoch:
        """The epoch in force."""
        return self._epochs[-1]

    @property
    def first_index(self) -> int:
        """The index of the first commit of the epoch in force."""
        return self._first_indexes[-1]

    @property
    def deadline_ms(self) -> int | None:
        """When the ledger has something to do by itself (D23), None if nothing is planned or the
        rules in force do nothing by themselves."""
        return None if self.epoch.constants.market is None else agenda.next_ms(self.state)

    def epoch_at(self, number: int) -> Epoch | None:
        """An epoch by number, None for one that has not begun."""
        return self._epochs[number] if 0 <= number < len(self._epochs) else None

    @property
    def ever_members(self) -> frozenset[bytes]:
        """The kids of all members that any epoch so far has had."""
        return frozenset(member.kid for epoch in self._epochs for member in epoch.everyone)

    def epoch_of_commit(self, index: int) -> Epoch:
        """The epoch that a commit, executed or the next, belongs to."""
        number = sum(1 for first in self._first_indexes if first <= index) - 1
        return self._epochs[max(0, number)]

    def digest_of(self, index: int) -> bytes | None:
        """The digest (32 bytes) of an executed commit; of epoch 0 for index 0; else None: for one
        before the base, too, that is not kept."""
        if index == self.head.index:
            return self.head.digest
        if index == 0:
            return self._before_first.digest
        return ledger_rows.load_commit_digest(self._connection, index)

    def execute(
        self,
        commit: Commit,
        blocks: Sequence[StoredBlock],
        verify: Verify,
        parse: ParseSample,
    ) -> Executed:
        """Execute the next commit and write what it leaves behind; `blocks` are its blocks in
        its order. If it ended its epoch, the next one is in force from now on.

        Inside the caller's transaction: when that fails, this object is to be thrown away.
        """
        samples: dict[bytes, SampleTimes] = {}

        def parse_and_note(raw: bytes, ledger_id: bytes) -> SignedSample:
            signed = parse(raw, ledger_id)
            readings = signed.sample.readings
            samples[signed.digest] = SampleTimes(readings[0].time_ms, readings[-1].time_ms)
            return signed

        executed = execute.execute(
            self.state,
            self.head,
            commit,
            [stored.verified() for stored in blocks],
            self.epoch,
            verify,
            self._named_digest,
            parse_and_note,
        )
        ids: dict[BlockRef, int] = {stored.block.ref: stored.id for stored in blocks}
        self.edge = ledger_rows.insert_executed(
            self._connection, commit, executed, self.edge, ids, samples
        )
        for key, value in executed.changes:
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value
        self.head = executed.head
        self.leader = commit.leader
        if executed.ended is not None:
            self._begin(commit.index, next_epoch(self.epoch, executed.ended, self.head))
            self.leader = None
        return executed

    def find_sample(self, meter: bytes, seq: int) -> bytes | None:
        """The entry of a committed sample, None if the ledger has none of this meter and seq."""
        return ledger_rows.find_sample(self._connection, meter, seq)

    def _begin(self, ended_by: int, epoch: Epoch) -> None:
        self._epochs.append(epoch)
        self._first_indexes.append(ended_by + 1)

    def _at(self, row: alliance.EpochRow) -> CommitHead:
        """The head after the commit that ended an epoch."""
        body = ledger_rows.load_commit_leaf(self._connection, row.commit_index)
        found = None if body is None else leaf.decode(body)
        if body is None or not isinstance(found, CommitLeaf):
            raise StoreError(
                f"commit {row.commit_index}, which ended epoch {row.number - 1}, is not stored; "
                "run `wattle-gateway audit`"
            )
        return CommitHead(found.index, found.time_ms, leaf.commit_digest(body), found.state_digest)

    def _named_digest(self, index: int) -> bytes | None:
        """`digest_of` for execution, which must not take what is not kept for what never was: this
        ledger cannot go on."""
        try:
            return kept_digest(self.base, index, self.digest_of(index))
        except BeforeBaseError as error:
            raise DivergenceError(str(error)) from error


def kept_digest(base: Base | None, index: int, digest: bytes | None) -> bytes | None:
    """The same digest. BeforeBaseError if there is none only because the ledger begins later: then
    execution would not come to the verdict of those who have it."""
    if digest is None and base is not None and 0 < index < base.index:
        raise BeforeBaseError(
            f"execution needs commit {index}, and the ledger begins with commit {base.index}; "
            "begin again with an older snapshot"
        )
    return digest
