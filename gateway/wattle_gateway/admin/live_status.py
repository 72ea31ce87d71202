"""What only the running process knows of itself."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from wattle_gateway.ledger import genesis, peer_card
from wattle_gateway.ledger import ready as ready_format
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.sync.parcels import JoinRequest


@dataclass(frozen=True)
class LiveStatus:
    """The process and its links. The `broker_*` are None for an outside broker; `clock_speed` is
    1 but on a bench; `peers` are rows of `peers.status.PeerStatus`, `candidates` of
    `candidate_rows`, `alarms` of `alarms.message.row`; `resources` is `resources.steward.as_row`,
    None before the first look; `alarm_counts` how often each was "raised", and what became of what
    the "webhook" was told; `certificates` when each ends, Unix s. `waits`: why nothing but this is
    known yet, of a gateway that waits for room on its disk; "" of one that runs."""

    pid: int
    clock_ms: int
    clock_speed: int
    clock_alarm: bool
    clock_jumps: int
    broker_kind: str
    broker_running: bool | None
    broker_restarts: int | None
    broker_refused_connections: int | None
    link_up: bool
    link_connects: int
    acks_sent: int
    worker_crashes: int
    write_failures: int
    online: list[str]
    counters: dict[str, int]
    peers: list[dict[str, Any]]
    peer_strangers: int
    candidates: list[dict[str, Any]]
    resources: dict[str, Any] | None
    alarms: list[dict[str, Any]]
    alarm_counts: dict[str, dict[str, int]]
    certificates: dict[str, int]
    waits: str = ""


@dataclass(frozen=True)
class ConsensusStatus:
    """Where the ledger stands (`commit_ms` Unix ms) and its engine.

    `signing`: own blocks are signed, else this gateway follows; `quorum_round` the highest round
    of which it has blocks of q authors; `leaders` the kids whose turn it is by the schedule,
    `twins` of members seen to sign two blocks of a round in this epoch, `differing` of members
    whose newest checkpoint is not of our log.
    """

    epoch: int
    commit: int
    commit_digest: str
    commit_ms: int
    votes: bool
    signing: bool
    own_round: int
    quorum_round: int
    leaders: list[str]
    twins: list[str]
    differing: list[str]


def consensus_status(driver: LedgerDriver) -> ConsensusStatus:
    """Where the engine of a driver stands; in the ledger's thread."""
    engine, members = driver.engine, driver.epoch.members
    return ConsensusStatus(
        epoch=driver.epoch.number,
        commit=driver.head.index,
        commit_digest=driver.head.digest.hex(),
        commit_ms=driver.head.time_ms,
        votes=driver.author is not None,
        signing=driver.signing,
        own_round=engine.own_round,
        quorum_round=engine.quorum_round,
        leaders=[members[author].kid.hex() for author in engine.leaders],
        twins=[members[author].kid.hex() for author in sorted(engine.twins)],
        differing=[kid.hex() for kid in driver.checkpoints.differing()],
    )


def candidate_rows(requests: Iterable[JoinRequest], ledger_id: bytes) -> list[dict[str, Any]]:
    """Those who ask to become members, by name: up to which commit of which epoch each says that
    it follows, and where its card says that it is."""
    rows = []
    for request in requests:
        wish = ready_format.parse(request.ready, ledger_id)
        card = peer_card.parse(request.card, ledger_id)
        rows.append(
            {
                "name": wish.member.name,
                "kid": wish.kid.hex(),
                "role": genesis.ROLE_NAMES[wish.member.role],
                "votes": wish.member.votes,
                "epoch": wish.epoch,
                "commit": wish.commit_index,
                "address": f"{card.host}:{card.port}",
            }
        )
    return sorted(rows, key=lambda row: (str(row["name"]), str(row["kid"])))
