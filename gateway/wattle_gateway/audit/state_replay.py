"""The state as it was after an earlier commit: the ledger replayed up to there."""

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wattle_gateway.audit.executions import Executions
from wattle_gateway.audit.findings import Counts, Difference
from wattle_gateway.audit.ledger_replay import LedgerReplay
from wattle_gateway.audit.stored_blocks import StoredBlock
from wattle_gateway.contracts.execute import Executed
from wattle_gateway.contracts.state import changes_root
from wattle_gateway.errors import BeforeBaseError, StoreError
from wattle_gateway.ledger.commit import Commit
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.snapshot import stored as stored_base
from wattle_gateway.store import base_rows
from wattle_gateway.store.base_rows import Base


@dataclass(frozen=True)
class PastState:
    """The state after a commit; `leaf` that commit's bytes, number `at` of the log; `before` the
    state digest of the commit before, `changes_root` of what the commit changed."""

    state: Mapping[bytes, bytes]
    leaf: bytes
    at: int
    before: bytes
    changes_root: bytes


Seen = Callable[[int, Executed, Mapping[bytes, bytes]], None]
"""(ledger index of a commit's first leaf, what it left behind, the state after it)"""


def replay_to(
    connection: sqlite3.Connection, first: Epoch, index: int, seen: Seen | None = None
) -> PastState:
    """The state after commit `index`, verified from the first block on; `first` is epoch 0. `seen`
    is called for each commit, in order.

    Costs what an audit up to there costs. StoreError if the stored bytes do not add up.
    """
    base = base_rows.load(connection)
    if base is not None and index < base.index:
        raise BeforeBaseError(
            f"the state after commit {index} is not on this gateway: its ledger begins with that "
            f"after commit {base.index}; ask a gateway that has it"
        )
    if base is not None and index == base.index:
        return _begun(connection, base)
    until = _Until(connection, first, index, seen)
    try:
        LedgerReplay(connection, until, _differ).run(until.epoch)
    except _ReachedError as reached:
        return reached.past
    raise StoreError(f"commit {index} cannot be reached again; run `wattle-gateway audit`")


def _begun(connection: sqlite3.Connection, base: Base) -> PastState:
    """The state that the ledger begins with."""
    begun = stored_base.snapshot_of(connection, base)
    state = dict(base_rows.state_rows(connection))
    return PastState(state, base.body, base.at, begun.before, begun.changes_root)


class _ReachedError(Exception):
    """Ends the replay with what was looked for."""

    def __init__(self, past: PastState) -> None:
        super().__init__()
        self.past = past


class _Until(Executions):
    """Executes up to a commit."""

    def __init__(
        self, connection: sqlite3.Connection, first: Epoch, index: int, seen: Seen | None
    ) -> None:
        super().__init__(connection, first, Counts(), lambda: None)
        self._index = index
        self._seen = seen

    def run(self, commit: Commit, floor: int) -> Epoch | None:
        before = self.head.state_digest
        following = super().run(commit, floor)
        if commit.index == self._index:
            executed = self._executed
            raise _ReachedError(
                PastState(
                    self.replayed.state,
                    executed.leaves[-1],
                    self.replayed.edge.size - 1,
                    before,
                    changes_root(executed.changes),
                )
            )
        return following

    def _execute(self, commit: Commit, blocks: list[StoredBlock]) -> Executed:
        first_leaf = self.replayed.edge.size
        self._executed = super()._execute(commit, blocks)
        if self._seen is not None:
            self._seen(first_leaf, self._executed, self.replayed.state)
        return self._executed


def _differ(difference: Difference) -> None:
    raise StoreError(f"{difference}; run `wattle-gateway audit`")
