"""The state as commands read it: a gateway's newest, or that of a snapshot which it can prove."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wattle_gateway.cli.folder import home_of, opened_ledger
from wattle_gateway.contracts import snapshot as snapshot_format
from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.contracts.snapshot import Snapshot
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger.epoch import Epoch, first_epoch
from wattle_gateway.reports import snapshots
from wattle_gateway.reports.accounts import Book
from wattle_gateway.runtime.executed_ledger import ExecutedLedger

# 10,000 meters with all their rows are some 10 MB; a file beyond is none of ours.
SNAPSHOT_BYTES_MAX = 1 << 30


@dataclass(frozen=True)
class Moment:
    """A commit: `time_ms` its time, `state_digest` hex, `epoch` the one in force."""

    commit: int
    time_ms: int
    state_digest: str
    epoch: Epoch


@contextmanager
def opened_book(folder: Path, snapshot: Path | None = None) -> Iterator[tuple[Book, Moment]]:
    """The state of a gateway's newest commit, or of a snapshot file, read with names.

    Raises HomeError, StoreError, and UsageError for a snapshot that this gateway cannot prove.
    """
    with opened_ledger(home_of(folder)) as (genesis, reader):
        first = first_epoch(genesis)
        ledger = ExecutedLedger(reader, first)
        if snapshot is None:
            head = ledger.head
            digest = head.state_digest.hex()
            moment = Moment(head.index, head.time_ms, digest, ledger.epoch)
            yield Book(ledger.state, ledger.epoch), moment
            return
        try:
            taken = read_snapshot(snapshot)
            proved = snapshots.prove(reader, first, taken)
        except SnapshotError as error:
            raise UsageError(f"{snapshot}: {error}") from error
        epoch = proved.committee
        if epoch is None:
            raise UsageError(f"{snapshot}: of epoch {proved.epoch}, of which nothing is known here")
        moment = Moment(proved.commit, proved.time_ms, proved.state_digest, epoch)
        yield Book(taken.state, epoch), moment


def read_snapshot(path: Path) -> Snapshot:
    """The snapshot in a file, whose rows are those of its commit. UsageError if the file cannot be
    read, SnapshotError if it is none."""
    try:
        if path.stat().st_size > SNAPSHOT_BYTES_MAX:
            raise UsageError(f"{path}: more than {SNAPSHOT_BYTES_MAX} bytes are no snapshot")
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    return snapshot_format.decode(raw)
