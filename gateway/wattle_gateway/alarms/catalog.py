"""The alarms that there are, when each counts, and what to do about it (METRICS.md lists them)."""

from dataclasses import dataclass

WARNING = "warning"
CRITICAL = "critical"
SEVERITIES = (WARNING, CRITICAL)

CLOCK = "clock"
DISK = "disk"
MEMORY = "memory"
CPU = "cpu"
CERTIFICATE = "certificate"
BROKER = "broker"
PEER = "peer"
LEDGER = "ledger"
FINALITY = "finality"
QUARANTINE = "quarantine"
KEYS = "keys"
ARCHIVE = "archive"

_MINUTE_MS = 60_000


@dataclass(frozen=True)
class Kind:
    """An alarm: its `name`, what to do (`advice`), and how long (`after_ms`) its cause must last
    before it is raised, because it may pass by itself."""

    name: str
    advice: str
    after_ms: int = 0


KINDS = (
    Kind(CLOCK, "find out which time is right, then start the gateway again; run an NTP client"),
    Kind(
        DISK,
        "free space, raise [resources] disk_mib, configure an archive, or move the folder to a "
        "larger disk while the gateway is stopped",
    ),
    Kind(MEMORY, "raise [resources] memory_mib or the container's limit, or end what takes it"),
    Kind(CPU, "raise [resources] cpu_percent or the container's limit", 5 * _MINUTE_MS),
    Kind(CERTIFICATE, "`wattle-gateway doctor` says which, and what to do"),
    Kind(BROKER, "see the gateway's log; meters keep their samples meanwhile", _MINUTE_MS),
    Kind(PEER, "is that gateway up, and one of the two reachable?", 5 * _MINUTE_MS),
    Kind(LEDGER, "look at the log and the disk; nothing acknowledged is lost"),
    Kind(FINALITY, "`wattle-gateway status`: are enough members connected?"),
    Kind(QUARANTINE, "`wattle-gateway quarantine` shows what was refused, and by which topic"),
    Kind(KEYS, "`wattle-gateway doctor` says which, and what to do"),
    Kind(
        ARCHIVE,
        "mount or reach what [archive] target names; all stays in ledger.db meanwhile",
        10 * _MINUTE_MS,
    ),
)
BY_NAME = {kind.name: kind for kind in KINDS}
NAMES = tuple(BY_NAME)
