"""Everything that a soak saw, for the rules to judge afterwards; times are simulated ms."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Fault:
    """What is wrong from `begin_ms` to `end_ms`; `target`: 0 or 1, of two gateways, else -1."""

    kind: str
    begin_ms: int
    end_ms: int
    target: int = -1


@dataclass
class Life:
    """One run of the program; `end`: cut, stop, unstarted or over."""

    begin_ms: int
    end_ms: int = 0
    end: str = ""
    rtc: bool = False


@dataclass(frozen=True)
class Status:
    """Counters that a meter showed."""

    at_ms: int
    life: int
    counters: dict[str, int]


@dataclass(frozen=True)
class Read:
    """A request that was answered with values; its place in the list is its number."""

    asked_ms: int
    address: int


@dataclass
class Record:
    """`signed`: (when, life, payload) of every sample; `delivered`: (when, gateway, raw) of every
    one that a gateway got. `clock_told`: (when, Unix ms or None) whenever the meter's clock may
    have changed, None for the real-time clock. `shown`: commit index and digest to when a meter
    was first sent it. `lost_files`: when flash or store refused a write.
    """

    ledger_id: bytes
    signing_public: bytes = b""
    signatures: str = "cheap"
    heap_extra_bytes: int = 0
    outbox_bytes: int = 0
    quiet_ms: int = 0
    faults: list[Fault] = field(default_factory=list)
    lives: list[Life] = field(default_factory=list)
    signed: list[tuple[int, int, bytes]] = field(default_factory=list)
    delivered: list[tuple[int, int, bytes]] = field(default_factory=list)
    reads: list[Read] = field(default_factory=list)
    statuses: list[Status] = field(default_factory=list)
    clock_told: list[tuple[int, int | None]] = field(default_factory=list)
    shown: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    refused_writes: list[int] = field(default_factory=list)
    no_space: list[int] = field(default_factory=list)
    full: list[int] = field(default_factory=list)
    log: list[tuple[int, int, str]] = field(default_factory=list)
    final: int = 0
