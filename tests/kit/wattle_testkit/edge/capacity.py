"""Four gateways on small machines, with meters at their pace: what each of them took.

python -m wattle_testkit.edge --capacity --meters 200 --minutes 60 --speed 8
"""

import asyncio
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wattle_testkit.edge import ledgers, virtual_time
from wattle_testkit.edge import meters as paper
from wattle_testkit.edge.sender import Sender
from wattle_testkit.edge.shares import Share, shares
from wattle_testkit.edge.small_alliance import SmallAlliance, send_all
from wattle_testkit.edge.usage import Usage

GATEWAYS = 4
# Until the first sample is due, in virtual time: enrolling takes some seconds.
_LEAD_MS = 5_000
# After the last sample is due, real seconds.
_TAIL_S = 90.0
_HEAD_S = 60.0


@dataclass(frozen=True)
class Load:
    """So many meters, each with a sample every ten seconds for so long (virtual time), at so many
    virtual seconds a second."""

    meters: int
    minutes: float
    speed: int

    @property
    def samples_each(self) -> int:
        return max(1, int(self.minutes * 60_000) // paper.PERIOD_MS)

    @property
    def described(self) -> str:
        times = "in real time" if self.speed == 1 else f"at {self.speed} times real time"
        return (
            f"{self.meters} meters at 0.1 Hz for {self.minutes:g} min {times}: "
            f"{self.meters * self.samples_each} samples"
        )


@dataclass(frozen=True)
class Taken:
    """What one gateway took: memory as `usage` says, share of a core while samples came, finality
    in real seconds as its meters were told, bytes in its folder, and what its ledger lacks;
    `kills` and `kernel`: for want of memory, and what else the cgroup counted, where it has one."""

    share: Share
    usage: Usage
    cpu_share: float
    samples: int
    p50_s: float
    p99_s: float
    disk_bytes: int
    lost: int
    restarts: int
    kills: int
    kernel: str

    @property
    def fits(self) -> bool:
        """Whether it stayed within its share, without loss and without a restart."""
        is_within = self.usage.peak_bytes <= self.share.memory_bytes
        return is_within and not (self.lost or self.restarts or self.kills)


@dataclass(frozen=True)
class Outcome:
    """`taken` of each gateway; `complete`: all samples became final in time; `makers_s` CPU of
    this process, which played all meters, and of who signed for it."""

    load: Load
    taken: Sequence[Taken]
    complete: bool
    wall_s: float
    makers_s: float

    @property
    def holds(self) -> bool:
        """Whether the machine is large enough."""
        return self.complete and all(one.fits for one in self.taken)


def measure(load: Load) -> Outcome:
    """Run the load on an alliance of four in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="wattle-edge-") as folder, shares(GATEWAYS) as given:
        alliance = SmallAlliance(Path(folder), given)
        clock = virtual_time.begin(load.speed)
        try:
            alliance.start(clock)
            return _run(load, alliance, clock)
        finally:
            alliance.stop()


def _run(load: Load, alliance: SmallAlliance, clock: virtual_time.VirtualTime) -> Outcome:
    epoch = alliance.gateways[0].epoch
    # Boards are named, so that they can be enrolled before anything is signed.
    unsigned = paper.signed_ahead(epoch, load.meters, GATEWAYS, clock.now_ms(), 1)
    alliance.enrol(unsigned)
    first_ms = clock.now_ms() + _LEAD_MS + load.speed * _signing_ms(load)
    meters = paper.signed_ahead(epoch, load.meters, GATEWAYS, first_ms, load.samples_each)
    senders = alliance.senders(meters)
    cpu_before = [usage.cpu_s for usage in alliance.usages]
    began_s = time.monotonic()
    real_s = load.minutes * 60 / load.speed
    complete = asyncio.run(send_all(senders, clock, clock.wait_s(first_ms) + real_s + _TAIL_S))
    wall_s = time.monotonic() - began_s
    cpu_after = [usage.cpu_s for usage in alliance.usages]
    makers_s = _own_cpu_s()  # before the gateways end, whose CPU would be in it
    if complete:
        alliance.alliance.await_same_head(1)
    alliance.stop()
    shares_used = [
        (after - before) / wall_s for before, after in zip(cpu_before, cpu_after, strict=True)
    ]
    taken = [
        _taken(alliance, number, senders, cpu_share) for number, cpu_share in enumerate(shares_used)
    ]
    return Outcome(load, taken, complete, wall_s, makers_s)


def _signing_ms(load: Load) -> int:
    """Real ms that signing may take: 0.5 ms a sample, on one core."""
    return load.meters * load.samples_each // 2


def _taken(
    alliance: SmallAlliance, number: int, senders: Sequence[Sender], cpu_share: float
) -> Taken:
    gateway = alliance.gateways[number]
    own = [sender for sender in senders if sender.meter.gateway == number]
    waits = sorted(
        final_s - sent_s
        for sender in own
        for sent_s, final_s in zip(sender.sent_s, sender.final_s, strict=False)
    )
    return Taken(
        alliance.shares[number],
        alliance.usages[number],
        cpu_share,
        len(waits),
        _quantile(waits, 50),
        _quantile(waits, 99),
        ledgers.disk_bytes(gateway),
        len(ledgers.missing(gateway, senders)),
        alliance.restarts[number],
        alliance.shares[number].kills(),
        alliance.shares[number].kernel_says(),
    )


def _quantile(values: Sequence[float], percent: int) -> float:
    return values[min(len(values) - 1, len(values) * percent // 100)] if values else float("nan")


def _own_cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return used[0].ru_utime + used[0].ru_stime + used[1].ru_utime + used[1].ru_stime
