"""From the store to an engine: what is needed to go on where the ledger stands."""

import sqlite3
from dataclasses import dataclass

from wattle_gateway.consensus import linearizer
from wattle_gateway.consensus.engine import Recovered, window_first
from wattle_gateway.contracts import alliance
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger.block import Block
from wattle_gateway.ledger.crypto import Verify
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.snapshot import stored as stored_base
from wattle_gateway.snapshot.horizon import Horizon
from wattle_gateway.store import block_rows, ledger_rows
from wattle_gateway.store.block_rows import StoredBlock


@dataclass(frozen=True)
class Restart:
    """What the store holds of the epoch in force: for the engine, and the blocks that no commit
    has taken, verified once more."""

    recovered: Recovered
    uncommitted: tuple[StoredBlock, ...]


def load(
    connection: sqlite3.Connection, ledger: ExecutedLedger, own_round: int, verify: Verify
) -> Restart:
    """Read it. `own_round`: the highest round this gateway signed a block for in this epoch.

    Raises StoreError for rows that are missing, LedgerError for damaged ones.
    """
    epoch = ledger.epoch
    floor = linearizer.floor_after(ledger.leader, epoch.constants.gc_depth)
    taken = ledger_rows.taken_above(connection, epoch.number, floor)
    past = _past(connection, ledger)
    committed = [block for block in past.committed if block.round > floor]
    uncommitted = []
    for stored in block_rows.load_above(
        connection, epoch.ledger_id, epoch.number, [floor] * epoch.size
    ):
        if stored.id in taken:
            committed.append(stored.block)
        else:
            block_format.check(stored.block, stored.entries, epoch, verify)
            uncommitted.append(stored)
    recovered = Recovered(
        head=ledger.head,
        first_index=ledger.first_index,
        leader=ledger.leader,
        committed=tuple(committed),
        uncommitted=tuple(stored.verified() for stored in uncommitted),
        window=_window(connection, ledger, past),
        cheaters=cheaters(ledger),
        own_floor=own_round,
        deadline_ms=ledger.deadline_ms,
    )
    return Restart(recovered, tuple(uncommitted))


def fresh(ledger: ExecutedLedger, own_round: int) -> Recovered:
    """What an epoch begins with that has just been entered."""
    return Recovered(
        head=ledger.head,
        first_index=ledger.first_index,
        cheaters=cheaters(ledger),
        own_floor=own_round,
        deadline_ms=ledger.deadline_ms,
    )


def window(connection: sqlite3.Connection, ledger: ExecutedLedger) -> tuple[tuple[Block, ...], ...]:
    """The blocks of the commits that the leader schedule is rebuilt from (rule 28)."""
    return _window(connection, ledger, _past(connection, ledger))


def _window(
    connection: sqlite3.Connection, ledger: ExecutedLedger, past: Horizon
) -> tuple[tuple[Block, ...], ...]:
    epoch, head, first = ledger.epoch, ledger.head.index, ledger.first_index
    begin = window_first(first, head, epoch)
    commits: list[tuple[Block, ...]] = []
    if past.window and ledger.base is not None:
        commits += past.window[begin - window_first(first, ledger.base.index, epoch) :]
        begin = max(begin, ledger.base.index + 1)
    for index in range(begin, head + 1):
        stored = ledger_rows.load_commit(connection, index)
        ids = () if stored is None else stored.blocks
        headers = block_rows.load_headers(connection, ids)
        commits.append(tuple(block_format.parse(raw, epoch.ledger_id) for raw in headers))
    return tuple(commits)


def _past(connection: sqlite3.Connection, ledger: ExecutedLedger) -> Horizon:
    """What consensus still reads of the commits up to the base, empty if that is nothing."""
    epoch, base = ledger.epoch, ledger.base
    if base is None or base.index < ledger.first_index:
        return Horizon()
    floor = linearizer.floor_after(ledger.leader, epoch.constants.gc_depth)
    begin = window_first(ledger.first_index, ledger.head.index, epoch)
    if base.leader.round <= floor and base.index < begin:
        return Horizon()
    return stored_base.horizon(connection, base, epoch, ledger.first_index)


def cheaters(ledger: ExecutedLedger) -> frozenset[int]:
    """Authors of whom the ledger has evidence of this epoch."""
    found = set()
    for author, member in enumerate(ledger.epoch.members):
        shown = alliance.cheat(ledger.state, member.kid)
        if shown is not None and shown.epoch == ledger.epoch.number:
            found.add(author)
    return frozenset(found)
