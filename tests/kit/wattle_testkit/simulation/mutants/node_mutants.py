"""Faults of a gateway around the rules: its disk, its execution, what it takes from peers."""

import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from wattle_gateway.consensus import acceptance, parking
from wattle_gateway.consensus.engine import Output
from wattle_gateway.contracts import chain
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.settlement import Step
from wattle_gateway.store import connection as database
from wattle_gateway.sync import proof

from wattle_testkit.simulation.mutants.replacement import Replacement


def sent_before_persisted() -> list[Replacement]:
    """A step is only durable when the next one begins (rule 12)."""

    @contextmanager
    def late(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
        if connection.in_transaction:
            connection.execute("COMMIT")
        connection.execute("BEGIN IMMEDIATE")
        yield connection

    return [(database, "transaction", late)]


def epoch_ends_late() -> list[Replacement]:
    """Commits that were decided with the one that ends the epoch still count (rule 29): how many
    these are depends on what had arrived."""
    right = LedgerDriver._obey

    def obey(self: LedgerDriver, output: Output, step: Step) -> None:
        waiting = deque([output])
        while waiting:
            output = waiting.popleft()
            right(self, replace(output, commits=()), step)
            ended = False
            for commit in output.commits:
                ended = self._execute(commit, step) or ended
                if not ended:
                    waiting.append(self.engine.executed(self.head, step.now))
            if ended:
                waiting.clear()
                waiting.append(self._enter_epoch(step))

    return [(LedgerDriver, "_obey", obey)]


def history_without_votes() -> list[Replacement]:
    """A history is believed whoever tells it (SPEC section 15)."""
    return [(proof, "_check_votes", lambda votes, digests, last_index, intake: None)]


def repeats_count() -> list[Replacement]:
    """A sample that is in the ledger takes effect again (SPEC section 12, rule 1)."""
    return [(chain, "settled", lambda chain, seq: False)]


def parking_without_bounds() -> list[Replacement]:
    """Every block that lacks parents is kept (rule 9)."""
    return [
        (parking, "PARKED_BLOCKS_MAX", 1 << 40),
        (parking, "PARKED_BYTES_MAX", 1 << 40),
        (acceptance, "ROUNDS_AHEAD_MAX", 1 << 60),
        (acceptance, "TWINS_TAKEN", 1 << 40),
    ]


MUTANTS = {
    function.__name__: function
    for function in (
        epoch_ends_late,
        history_without_votes,
        parking_without_bounds,
        repeats_count,
        sent_before_persisted,
    )
}
