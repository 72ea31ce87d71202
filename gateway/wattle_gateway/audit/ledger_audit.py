"""The audit: everything the ledger claims, verified from stored bytes alone.

    genesis -> the snapshot that the ledger begins with, if it does
            -> blocks (signature, parents, rounds, payload) -> commit rule, epoch after epoch, or
    the votes of a quorum where the store has no more -> execution (every sample's signature again)
    -> leaves, commits, sample index, checkpoints -> tree, state, counts, pool

It reads in the ledger's order and stops there at the first difference, since all that follows
stands on it; what does not hang on the replay is checked all the same.
"""

import json
import sqlite3
from collections.abc import Callable
from hashlib import sha256

from wattle_gateway.audit import begins, remains
from wattle_gateway.audit.executions import Executions
from wattle_gateway.audit.findings import AuditReport, Difference, DifferenceError
from wattle_gateway.audit.ledger_replay import LedgerReplay
from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.errors import ArchiveError, StoreError
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger import genesis as genesis_format
from wattle_gateway.ledger.epoch import Epoch, first_epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.genesis import Genesis
from wattle_gateway.sealing import row_seal
from wattle_gateway.store import archive_rows, base_rows

Progress = Callable[[int, int], None]
"""(blocks verified, blocks in all)."""

# More of one kind say nothing more.
DIFFERENCES_MAX = 100


def audit_ledger(
    connection: sqlite3.Connection, genesis: Genesis, progress: Progress
) -> AuditReport:
    """Audit an open ledger.db against a genesis. Changes nothing.

    A database that cannot be read on the way is a difference, not an error.
    """
    report = AuditReport(genesis.ledger_id.hex())
    try:
        _audit(connection, first_epoch(genesis), report, progress)
    except DifferenceError as found:
        report.differences.append(found.difference)
    except ArchiveError as error:
        report.differences.append(Difference(str(error), "archive_files"))
    except SnapshotError as error:
        report.differences.append(Difference(f"what the ledger begins with: {error}", "base"))
    except sqlite3.DatabaseError as error:
        text = f"the database cannot be read: {row_seal.told(error)}"
        report.differences.append(Difference(text))
    except (LedgerError, StoreError) as error:
        report.differences.append(Difference(f"the database cannot be read: {error}"))
    del report.differences[DIFFERENCES_MAX:]
    return report


def check_genesis(home: GatewayHome, expected: bytes) -> list[Difference]:
    """Whether genesis.cbor is the genesis that site.json and ledger.db name (`expected` = id)."""
    try:
        raw = home.genesis.read_bytes()
        found = genesis_format.decode(raw)
        bundle = json.loads(home.bundle.read_bytes())
        said = (bundle["ledger_id"], bundle["genesis_sha256"])
    except (OSError, LedgerError, ValueError, TypeError, KeyError) as error:
        return [Difference(f"genesis.cbor or site.json cannot be read: {error}")]
    differences = []
    if found.ledger_id != expected:
        differences.append(
            Difference(f"genesis.cbor is of ledger {found.ledger_id.hex()}, not {expected.hex()}")
        )
    if said != (expected.hex(), sha256(raw).hexdigest()):
        differences.append(Difference("site.json names another genesis than genesis.cbor"))
    return differences


def _audit(
    connection: sqlite3.Connection, first: Epoch, report: AuditReport, progress: Progress
) -> None:
    report.differences += remains.check_file(connection)
    counts = report.counts
    (here,) = connection.execute("SELECT count(*) FROM blocks").fetchone()
    total = here + archive_rows.gone(connection).blocks
    executions = Executions(connection, first, counts, lambda: progress(counts.blocks, total))
    try:
        LedgerReplay(connection, executions, _end).run(executions.epoch)
    finally:
        replayed = executions.replayed
        report.begins = begins.of(executions.begun)
        counts.leaves = replayed.edge.size - base_rows.leaves_before(connection)
        counts.samples = replayed.samples
        counts.meters = len({meter for meter, _ in replayed.classes})
        report.epoch = executions.epoch.number
        report.commit = replayed.head.index
        report.commit_digest = replayed.head.digest.hex()
        report.root = replayed.edge.root().hex()
        report.state_digest = replayed.head.state_digest.hex()
    report.differences += remains.check_totals(connection, first.ledger_id, replayed, counts)
    report.differences += remains.check_state(connection, replayed)
    report.differences += remains.check_pool(connection, first.ledger_id, replayed, counts)


def _end(difference: Difference) -> None:
    raise DifferenceError(difference)
