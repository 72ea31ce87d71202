"""Whether the gateway can do its work now: take samples, keep them, and make them final."""

from collections.abc import Iterator

from wattle_gateway.admin.live_status import LiveStatus
from wattle_gateway.config import EMBEDDED
from wattle_gateway.consensus.engine import IDLE_ROUND_MS
from wattle_gateway.metrics.reading import Reading
from wattle_gateway.resources import steps
from wattle_gateway.store.connection import LOG_BYTES_KEPT

LEDGER = "ledger"
DISK = "disk"
MEMORY = "memory"
BROKER = "broker"
SIGNING = "signing"
COMMITS = "commits"
REASONS = (LEDGER, DISK, MEMORY, BROKER, SIGNING, COMMITS)
# The write-ahead log grows to this while somebody reads for long (an audit); with less, the next
# writes may fail.
DISK_FREE_BYTES_MIN = LOG_BYTES_KEPT
# An idle alliance makes a round a minute and a commit in three of them, in six when a leader is
# away: after ten there is no quorum.
COMMIT_LATE_MS = 10 * IDLE_ROUND_MS


def not_ready(reading: Reading) -> dict[str, str]:
    """Why the gateway is not ready: a sentence for each of REASONS that holds; empty when ready."""
    return dict(_found(reading))


def _refuse_samples(live: LiveStatus) -> list[str]:
    """The resources for whose sake no new samples are taken in."""
    held: dict[str, list[str]] = (live.resources or {}).get("steps", {})
    return held.get(steps.REFUSE_SAMPLES, [])


def _found(reading: Reading) -> Iterator[tuple[str, str]]:
    live, disk, ledger = reading.live, reading.disk, reading.ledger
    if reading.ledger_trouble:
        yield LEDGER, reading.ledger_trouble
    elif ledger is None:
        yield LEDGER, "the ledger's thread is busy"
    if disk.read_only:
        yield DISK, "the file system is mounted read-only"
    elif disk.free_bytes < DISK_FREE_BYTES_MIN:
        yield DISK, f"{disk.free_bytes} bytes are free, expected {DISK_FREE_BYTES_MIN} or more"
    elif DISK in _refuse_samples(live):
        yield DISK, "no new samples are taken in: nearly nothing is left of the disk's budget"
    if MEMORY in _refuse_samples(live):
        yield MEMORY, "no new samples are taken in: nearly all memory is used"
    if live.broker_kind == EMBEDDED and not live.broker_running:
        yield BROKER, "the embedded broker does not run"
    elif not live.link_up:
        yield BROKER, "not connected to the broker"
    if ledger is None:
        return
    if ledger.consensus.votes and not ledger.consensus.signing:
        yield SIGNING, "the other members have yet to say what this gateway has signed"
    # One voting member alone commits when there is something to commit.
    since_ms = live.clock_ms - max(ledger.consensus.commit_ms, ledger.created_ms)
    if ledger.voters > 1 and since_ms > COMMIT_LATE_MS * live.clock_speed:
        yield COMMITS, f"no commit for {since_ms // 1000} s: are {ledger.quorum} members connected?"
