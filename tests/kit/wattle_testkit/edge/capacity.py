"""Four gateways on small machines, with meters at their pace: what each of them took.

python -m wattle_testkit.edge --only capacity --meters 200 --minutes 60 --speed 8
"""

import asyncio
import json
import resource
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wattle_testkit.edge import ledgers, virtual_time
from wattle_testkit.edge import meters as paper
from wattle_testkit.edge.sender import Sender
from wattle_testkit.edge.shares import Share, shares
from wattle_testkit.edge.small_alliance import SmallAlliance, send_all
from wattle_testkit.edge.usage import Usage
from wattle_testkit.gateway_process import GatewayProcess, command

GATEWAYS = 4
# Until the first sample is due, in virtual time: enrolling takes some seconds.
_LEAD_MS = 5_000
# After the last sample is due, real seconds.
_TAIL_S = 90.0
# After so long, with a day kept here, all is old.
_PAST_MS = 3 * 86_400_000


@dataclass(frozen=True)
class Load:
    """So many meters, each with a sample every ten seconds for so long (virtual time), at so many
    virtual seconds a second. `sealed`: every folder is. `past_minutes`: so long as many others
    have sent three days before, which leaves for the archive meanwhile."""

    meters: int
    minutes: float
    speed: int
    sealed: bool = False
    past_minutes: float = 0

    @property
    def samples_each(self) -> int:
        return _samples_in(self.minutes)

    @property
    def described(self) -> str:
        times = "in real time" if self.speed == 1 else f"at {self.speed} times real time"
        more = ", folders sealed" if self.sealed else ""
        if self.past_minutes:
            more += f", {self.past_minutes:g} min of three days before being archived"
        return (
            f"{self.meters} meters at 0.1 Hz for {self.minutes:g} min {times}: "
            f"{self.meters * self.samples_each} samples{more}"
        )


@dataclass(frozen=True)
class Taken:
    """What one gateway took: memory as `usage` says, share of a core while samples came, finality
    in real seconds as its meters were told, bytes in its folder, and what its ledger lacks;
    `kills` and `kernel`: for want of memory, and what else the cgroup counted, where it has one;
    `archived` samples that have left, `archive` what is wrong with where they are."""

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
    archived: int
    archive: str

    @property
    def fits(self) -> bool:
        """Whether it stayed within its share, without loss and without a restart."""
        is_within = self.usage.peak_bytes <= self.share.memory_bytes
        return is_within and not (self.lost or self.restarts or self.kills or self.archive)


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
        archives = load.past_minutes > 0
        alliance = SmallAlliance(Path(folder), given, sealed=load.sealed, archives=archives)
        clock = virtual_time.begin(load.speed)
        try:
            alliance.start(clock)
            if archives:
                _live_in_the_past(load, alliance, clock)
                clock = virtual_time.begin(load.speed, _PAST_MS)
                alliance.start(clock)
            return _run(load, alliance, clock)
        finally:
            alliance.stop()


def _live_in_the_past(load: Load, alliance: SmallAlliance, clock: virtual_time.VirtualTime) -> None:
    """As many other meters have sent, and all gateways are ended."""
    epoch, name = alliance.gateways[0].epoch, "meter of before"
    alliance.enrol(paper.signed_ahead(epoch, load.meters, GATEWAYS, clock.now_ms(), 1, name=name))
    samples = _samples_in(load.past_minutes)
    first_ms = clock.now_ms() + _LEAD_MS
    made = paper.signed_ahead(epoch, load.meters, GATEWAYS, first_ms, samples, name=name)
    # Of that time nothing is measured: they send as fast as they can.
    fast = [replace(meter, times_ms=range(first_ms, first_ms + samples)) for meter in made]
    if not asyncio.run(send_all(alliance.senders(fast), clock, _TAIL_S)):
        raise AssertionError("what was sent before has not become final")
    alliance.stop()
    alliance.usages[:] = [Usage() for _ in alliance.usages]


def _samples_in(minutes: float) -> int:
    return max(1, int(minutes * 60_000) // paper.PERIOD_MS)


def _archived(alliance: SmallAlliance, gateway: GatewayProcess) -> tuple[int, str]:
    """How many samples have left for the archive, and what is wrong with it or with the audit
    through it."""
    if not alliance.archive_of(gateway).exists():
        return 0, ""
    said = []
    for words in (("archive", "verify"), ("audit",)):
        done = command(*words, gateway.folder, "--format", "json")
        if done.returncode != 0:
            said.append(done.stdout + done.stderr)
    status = json.loads(command("archive", "status", gateway.folder, "--format", "json").stdout)
    return int(status["gone"]["samples"]), " ".join(said)


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
        *_archived(alliance, gateway),
    )


def _quantile(values: Sequence[float], percent: int) -> float:
    return values[min(len(values) - 1, len(values) * percent // 100)] if values else float("nan")


def _own_cpu_s() -> float:
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return used[0].ru_utime + used[0].ru_stime + used[1].ru_utime + used[1].ru_stime
