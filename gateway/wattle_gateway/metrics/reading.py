"""What a scrape or a probe finds: one look at the running gateway, taken by `app.observation`.

Nothing is counted here: every figure is one that `status` shows, or that the host keeps.
"""

import os
from dataclasses import dataclass
from pathlib import Path

from wattle_gateway.admin.live_status import ConsensusStatus, LiveStatus, consensus_status
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.store import pool_rows
from wattle_gateway.store.connection import store_errors_named


@dataclass(frozen=True)
class LedgerReading:
    """What the ledger's thread says. `created_ms` (Unix ms) when the epoch in force began, `voters`
    and `quorum` of it; `leaves` of the log; `pool` durable entries that wait for a block."""

    consensus: ConsensusStatus
    created_ms: int
    voters: int
    quorum: int
    leaves: int
    pool: int


@dataclass(frozen=True)
class DiskReading:
    """The file system of the gateway's folder, bytes; `used_bytes` by the folder itself."""

    used_bytes: int
    free_bytes: int
    size_bytes: int
    read_only: bool


@dataclass(frozen=True)
class Reading:
    """The whole look. `ledger` None while its thread does not answer within the deadline or
    `ledger_trouble` ("" for none) says why it cannot; `members` the names of the epoch's members
    by kid (hex), our own `kid` among them; `meters` how many are enrolled and not revoked."""

    version: str
    ledger_id: str
    kid: str
    members: dict[str, str]
    meters: int
    live: LiveStatus
    ledger: LedgerReading | None
    ledger_trouble: str
    disk: DiskReading


def read_ledger(driver: LedgerDriver) -> LedgerReading:
    """What the ledger says; in its thread. Raises StoreError if its database cannot be read."""
    with store_errors_named("ledger.db"):
        pool = pool_rows.size(driver.connection)
    return LedgerReading(
        consensus=consensus_status(driver),
        created_ms=driver.epoch.created_ms,
        voters=driver.epoch.size,
        quorum=driver.epoch.quorum,
        leaves=driver.ledger.edge.size,
        pool=pool,
    )


def read_disk(folder: Path, used_bytes: int) -> DiskReading:
    """How the file system of a folder stands, as one without root's reserve sees it. OSError if
    it does not answer."""
    found = os.statvfs(folder)
    return DiskReading(
        used_bytes=used_bytes,
        free_bytes=found.f_bavail * found.f_frsize,
        size_bytes=found.f_blocks * found.f_frsize,
        read_only=bool(found.f_flag & os.ST_RDONLY),
    )
