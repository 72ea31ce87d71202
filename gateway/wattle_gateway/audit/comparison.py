"""Where two members' ledgers part: the first thing that the one has otherwise than the other."""

import sqlite3
from dataclasses import dataclass

from wattle_gateway.audit.findings import Difference
from wattle_gateway.audit.remains import key_text
from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import leaf as leaf_format
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.leaf import EntryLeaf
from wattle_gateway.store import base_rows, ledger_rows
from wattle_gateway.store.archived import archive_of
from wattle_gateway.store.schema import ENTRIES_A_BLOCK


@dataclass(frozen=True)
class Comparison:
    """`commits` that each has; `difference` in what both have, None if there is none. That one
    has more is none: it is further along."""

    commits: tuple[int, int]
    difference: Difference | None

    @property
    def equal(self) -> bool:
        """Whether they are the same ledger at the same point."""
        return self.difference is None and self.commits[0] == self.commits[1]


def compare(one: sqlite3.Connection, other: sqlite3.Connection) -> Comparison:
    """Compare two open ledger.db. Verifies nothing: an audit of each does that."""
    ledgers = (one, other)
    commits = (_newest(one), _newest(other))
    ids = [ledger.execute("SELECT ledger_id FROM ledger").fetchone()[0] for ledger in ledgers]
    if ids[0] != ids[1]:
        text = f"they are of two ledgers, {ids[0].hex()} and {ids[1].hex()}"
        return Comparison(commits, Difference(text, "ledger"))
    difference = _first(one, other, min(commits))
    if difference is None and commits[0] == commits[1]:
        difference = _state(one, other)
    return Comparison(commits, difference)


def _newest(ledger: sqlite3.Connection) -> int:
    (found,) = ledger.execute("SELECT max(commit_index) FROM commits").fetchone()
    return base_rows.first_index(ledger) - 1 if found is None else int(found)


def _first(one: sqlite3.Connection, other: sqlite3.Connection, last: int) -> Difference | None:
    """The first leaf up to commit `last` that is not the same, entries before their commit, of
    those that both have."""
    first_leaf = max(map(base_rows.leaves_before, (one, other)))
    begins = max(map(base_rows.first_index, (one, other)))
    if begins > 1:
        before = [ledger_rows.load_commit_leaf(ledger, begins - 1) for ledger in (one, other)]
        if before[0] != before[1] or before[0] is None:
            text = "with which one of them begins, is not the same in the other, or it has none"
            return Difference(f"the commit {text}", "commits", commit=begins - 1)
    for index in range(begins, last + 1):
        try:
            found = [ledger_rows.load_commit(ledger, index) for ledger in (one, other)]
        except (LedgerError, StoreError) as error:
            return Difference(str(error), "commits", commit=index)
        if found[0] is None or found[1] is None:
            return Difference("one of them does not have it", "commits", commit=index)
        ends = found[0].at, found[1].at
        here = _entries(one, other, (first_leaf, min(ends)), index)
        if here is not None:
            return here
        if ends[0] != ends[1]:
            text = f"it has {ends[0] - first_leaf} entries in the one, {ends[1] - first_leaf}"
            return Difference(f"{text} in the other", "leaves", commit=index, leaf=min(ends))
        if found[0].body != found[1].body:
            return Difference(_how(found[0], found[1]), "commits", commit=index)
        first_leaf = ends[0] + 1
    return None


def _entries(
    one: sqlite3.Connection, other: sqlite3.Connection, span: tuple[int, int], index: int
) -> Difference | None:
    """The first entry of a commit that is not the same; `span` of its leaves, without its own."""
    mine, theirs = (_leaves(ledger, span) for ledger in (one, other))
    for leaf in range(*span):
        if mine.get(leaf) != theirs.get(leaf) or leaf not in mine:
            text = "entry, verdict or the block that carried it differ, or are missing"
            return Difference(text, "leaves", commit=index, leaf=leaf)
    return None


def _leaves(
    ledger: sqlite3.Connection, span: tuple[int, int]
) -> dict[int, tuple[int, bytes, int, int]]:
    """Verdict, entry, author and round of the block that carried it, by ledger index; here or in
    the archive."""
    rows = ledger.execute(
        "SELECT leaf, verdict, body, author, round FROM leaves "
        "JOIN entries ON entries.id = entry JOIN blocks ON blocks.id = entry / ? "
        "WHERE leaf >= ? AND leaf < ?",
        (ENTRIES_A_BLOCK, *span),
    )
    found = {index: (verdict, *place) for index, verdict, *place in rows.fetchall()}
    archive = archive_of(ledger)
    for index, left in ({} if archive is None else archive.leaves(*span)).items():
        told = leaf_format.decode(left.leaf_bytes)
        assert isinstance(told, EntryLeaf)
        found.setdefault(index, (told.verdict, told.entry, told.author, told.round))
    return found


def _how(mine: ledger_rows.StoredCommit, theirs: ledger_rows.StoredCommit) -> str:
    names = ("epoch", "time_ms", "leader", "previous_digest", "state_digest")
    differing = [name for name in names if getattr(mine.leaf, name) != getattr(theirs.leaf, name)]
    return f"{', '.join(differing) or 'the bytes'} of the commit differ"


def _state(one: sqlite3.Connection, other: sqlite3.Connection) -> Difference | None:
    states = [ledger_rows.load_state(ledger) for ledger in (one, other)]
    for key in sorted(states[0].keys() | states[1].keys()):
        if states[0].get(key) != states[1].get(key):
            return Difference(f"{key_text(key)} differs", "state")
    return None
