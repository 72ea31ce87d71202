"""`status`: where the ledger stands and how the gateway is, from its database and, if it runs,
from itself."""

import sqlite3
from dataclasses import asdict, dataclass, field
from typing import Any

from wattle_gateway.home import own_certificates
from wattle_gateway.home.identity import load_member
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.genesis import Genesis
from wattle_gateway.reports import member_status, meters
from wattle_gateway.reports.alliance import warning
from wattle_gateway.reports.member_status import MemberStatus
from wattle_gateway.reports.meters import MeterLine
from wattle_gateway.resources import stopped
from wattle_gateway.resources.folder_size import disk_bytes
from wattle_gateway.runtime import alliance_standing
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.store import base_rows, operation_rows, pool_rows

REFUSED_PREFIX = "refused."


@dataclass(frozen=True)
class Status:
    """The whole answer; `live` is what the running process says (None when it is stopped).

    `epoch` in force with n, f and q of its voting members; `votes`: this gateway is one of them;
    `round` the highest of which it has a block in this epoch; `members` everyone, `warning` what an
    operator must know about an alliance of this size; `certificates` when each ends, Unix s.
    `resources` as `resources.steward.as_row`, of a stopped gateway its disk alone; None if that
    does not answer, or before the first look. `begins`: the commit whose snapshot the ledger begins
    with, None for one that has all its history.
    """

    folder: str
    running: bool
    ledger_name: str
    ledger_id: str
    epoch: int
    size: int
    faulty_max: int
    quorum: int
    votes: bool
    warning: str
    commit: int
    commit_digest: str
    commit_ms: int
    commit_age_ms: int
    round: int
    leaves: int
    root: str
    state_digest: str
    pool: int
    members: list[MemberStatus]
    meters: list[MeterLine]
    counters: dict[str, int]
    refused: dict[str, int]
    quarantine: dict[str, int]
    certificates: dict[str, int]
    disk_bytes: int
    resources: dict[str, Any] | None
    live: dict[str, Any] | None = field(default=None)
    begins: int | None = None

    def as_json(self) -> dict[str, Any]:
        """The shape of `status --format json`."""
        return asdict(self)


def read(
    home: GatewayHome,
    genesis: Genesis,
    ledger: sqlite3.Connection,
    operation: sqlite3.Connection,
    now_ms: int,
    live: dict[str, Any] | None,
) -> Status:
    """The status; `now_ms` the host's Unix ms, used for ages when no gateway runs."""
    executed = ExecutedLedger(ledger, first_epoch(genesis))
    head, epoch, own_kid = executed.head, executed.epoch, load_member(home).kid
    standing = alliance_standing.of_ledger(ledger, executed)
    counters = operation_rows.load_counters(operation)
    if live is not None:
        counters.update(live["counters"])
    entries, size = operation_rows.quarantine_fill(operation)
    clock_ms = now_ms if live is None else live["clock_ms"]
    return Status(
        folder=str(home.folder),
        running=live is not None,
        ledger_name=genesis.name,
        ledger_id=genesis.ledger_id.hex(),
        epoch=epoch.number,
        size=epoch.size,
        faulty_max=epoch.faulty_max,
        quorum=epoch.quorum,
        votes=epoch.author_of(own_kid) is not None,
        warning=warning(epoch),
        commit=head.index,
        commit_digest=head.digest.hex(),
        commit_ms=head.time_ms,
        commit_age_ms=clock_ms - head.time_ms,
        round=standing.round,
        leaves=executed.edge.size,
        root=executed.edge.root().hex(),
        state_digest=head.state_digest.hex(),
        pool=pool_rows.size(ledger),
        members=member_status.lines(standing, own_kid, clock_ms, live),
        meters=meters.lines(
            ledger,
            operation,
            executed.state,
            epoch,
            head.time_ms,
            None if live is None else clock_ms,
        ),
        counters=dict(sorted(counters.items())),
        refused={
            name.removeprefix(REFUSED_PREFIX): count
            for name, count in sorted(counters.items())
            if name.startswith(REFUSED_PREFIX)
        },
        quarantine={"entries": entries, "bytes": size},
        certificates=own_certificates.ends(own_certificates.read(home)),
        disk_bytes=disk_bytes(home.folder),
        resources=stopped.row(home, ledger, operation, now_ms)
        if live is None
        else live["resources"],
        live=live,
        begins=base_rows.first_index(ledger) - 1 or None,
    )
