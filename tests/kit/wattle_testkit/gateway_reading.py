"""A reading of a running gateway, as `app.observation` takes it: everything works."""

from wattle_gateway.admin.live_status import ConsensusStatus, LiveStatus
from wattle_gateway.ingest import commands
from wattle_gateway.metrics.reading import DiskReading, LedgerReading, Reading

NOW_MS = 1_800_000_000_000
OWN, OTHER, GUEST, METER = "0a" * 8, "0b" * 8, "0c" * 8, "0d" * 8
PEER = {
    "kid": OTHER,
    "up_s": 7,
    "heard_s": 1.5,
    "latency_ms": 20,
    "queued_bytes": 3,
    "sent_bytes": 100,
    "received_bytes": 200,
    "links": 2,
    "faults": 1,
}
LIVE = LiveStatus(
    pid=1,
    clock_ms=NOW_MS,
    clock_speed=1,
    clock_alarm=False,
    clock_jumps=0,
    broker_kind="embedded",
    broker_running=True,
    broker_restarts=0,
    broker_refused_connections=0,
    link_up=True,
    link_connects=1,
    acks_sent=4,
    worker_crashes=0,
    write_failures=0,
    online=[METER],
    counters={"stored": 9, "refused.busy": 2, "births": 1, commands.COUNTER: NOW_MS},
    peers=[PEER, {**PEER, "kid": GUEST}],
    peer_strangers=0,
    candidates=[],
    resources={
        "disk": {
            "used": 1 << 20,
            "room": 1 << 30,
            "free": 1 << 30,
            "budget": 0,
            "capacity": (1 << 30) + (1 << 20),
            "level": 1,
            "growth": 4_096,
            "full_ms": NOW_MS + 86_400_000,
            "known_from_ms": None,
        },
        "memory": {
            "used": 100 << 20,
            "limit": 256 << 20,
            "resident": 90 << 20,
            "source": "cgroup",
            "stalled_ppm": 1_500,
            "level": 0,
        },
        "cpu": {
            "used_ppm": 250_000,
            "limit_ppm": 1_000_000,
            "source": "machine",
            "stalled_ppm": None,
            "level": 0,
        },
        "steps": {"archive": ["disk"]},
        "taken": {"archive": 2},
        "archive": "done",
    },
    alarms=[
        {
            "alarm": "disk",
            "severity": "warning",
            "since_ms": NOW_MS - 60_000,
            "text": "little is left",
            "advice": "free some",
        }
    ],
    alarm_counts={"raised": {"disk": 3}, "webhook": {"sent": 4, "failed": 1, "dropped": 0}},
    certificates={"broker": NOW_MS // 1000 + 86_400},
)
CONSENSUS = ConsensusStatus(
    epoch=1,
    commit=30,
    commit_digest="",
    commit_ms=NOW_MS - 1_500,
    votes=True,
    signing=True,
    own_round=8,
    quorum_round=9,
    leaders=[OWN, OTHER],
    twins=[OTHER],
    differing=[],
)
LEDGER = LedgerReading(CONSENSUS, NOW_MS - 9_000_000, 4, 3, 77, 5)
DISK = DiskReading(1 << 20, 1 << 30, 1 << 34, False)
READING = Reading(
    version="1.2.3",
    ledger_id="ff" * 16,
    kid=OWN,
    members={OWN: "grid", OTHER: 'the "other"'},
    meters=3,
    live=LIVE,
    ledger=LEDGER,
    ledger_trouble="",
    disk=DISK,
)
