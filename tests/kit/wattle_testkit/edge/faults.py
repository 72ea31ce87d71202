"""The faults of a small machine in the field, one scenario each.

Each breaks one thing under load and says what has to be seen; `stage.perform` looks at every
sample that was acknowledged. Nobody lends a hand but as the machine does: systemd starts again a
process that ended, the host's clock is set right, space comes free, a peer is reachable again.
"""

import os
import resource
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from wattle_gateway.home.identity import load_identity
from wattle_gateway.pki import authority, renewal

from wattle_testkit.alliance_processes import linked
from wattle_testkit.edge import jumping_clock, small_disk
from wattle_testkit.edge.shares import shares
from wattle_testkit.edge.small_alliance import SmallAlliance
from wattle_testkit.edge.stage import Result, Stage, pause, perform, write_whole
from wattle_testkit.edge.usage import data_bytes, proportional_bytes
from wattle_testkit.watched_gateway import configure

GATEWAYS = 4
_HOUR_MS = 3_600_000
# What `alarms.catalog` waits before it raises these two, and a little.
_BROKER_ALARM_S = 75
_PEER_ALARM_S = 330
_JUMP_FILE = "jump"
_SQUEEZED_S = 15.0
_SPARE_BYTES = 256 << 10
# Between the first mark for memory and the one from which no new sample is taken (levels).
_SHARE_USED_PERCENT = 87


def killed_broker(stage: Stage) -> None:
    """The broker dies; with `long` again and again, until its alarm is due."""
    until_s = time.monotonic() + (_BROKER_ALARM_S if stage.long else 0)
    stage.send_signal(0, signal.SIGKILL, "broker")
    stage.tell("gateway 1: its broker is killed")
    while time.monotonic() < until_s:
        pause(0.5)
        stage.send_signal(0, signal.SIGKILL, "broker")
    stage.await_event(0, "broker ended, starting it again")
    if stage.long:
        stage.await_alarm(0, "broker", 30)
    stage.await_up(0)


def lost_peer(stage: Stage) -> None:
    """One gateway is not heard any more, with all that belongs to it, and comes back."""
    stage.send_signal(3, signal.SIGSTOP)
    stage.tell("gateway 4: stands still")
    try:
        stage.await_commits(0, 3)
        kid = stage.gateway(3).member.kid.hex()
        others = stage.alliance.gateways[:3]
        stage.await_(
            lambda: all(kid not in linked(gateway) for gateway in others),
            120,
            "the others have no link to it",
        )
        if stage.long:
            stage.await_alarm(0, "peer", _PEER_ALARM_S)
    finally:
        stage.send_signal(3, signal.SIGCONT)
    stage.await_up(3)


def killed_gateway(stage: Stage) -> None:
    """The kernel kills the gateway's process, then a worker of another: as when memory is short."""
    stage.send_signal(1, signal.SIGKILL, "worker")
    stage.tell("gateway 2: its worker is killed")
    stage.await_event(1, "a worker died, starting new ones")
    stage.send_signal(2, signal.SIGKILL, "gateway")
    stage.tell("gateway 3: is killed")
    stage.await_(lambda: stage.alliance.restarts[2] > 0, 30, "gateway 3 is started again")
    stage.await_up(2)


def clock_jumps(stage: Stage) -> None:
    """The host's clock is set an hour on, right again, and an hour back."""
    path = stage.alliance.folder / _JUMP_FILE
    for by_ms in (_HOUR_MS, -_HOUR_MS):
        stage.mark()
        write_whole(path, str(by_ms))
        stage.tell(f"all clocks are set by {by_ms // 60_000} min")
        stage.await_event(0, "wall clock jumped")
        if by_ms > 0:  # the second jump comes within a minute: to an alarm that is still raised
            stage.await_alarm(0, "clock", 30)
        stage.await_commits(0, 2)
        off_ms = abs(int(stage.gateway(0).status()["commit_ms"]) - time.time_ns() // 1_000_000)
        if off_ms > _HOUR_MS // 2:
            raise AssertionError(f"a commit is stamped {off_ms} ms off")
        write_whole(path, "0")
        stage.await_event(0, "wall clock is back")


def memory_pressure(stage: Stage) -> None:
    """Gateway 1 is killed for want of memory and comes back to a budget that it almost fills;
    gateway 2 gets no memory any more for a while, and may have to be started again."""
    budget_mib = proportional_bytes(stage.gateway(0).pid) * 100 // _SHARE_USED_PERCENT >> 20
    configure(stage.gateway(0), "resources", memory_mib=budget_mib)
    stage.send_signal(0, signal.SIGKILL, "gateway")
    stage.tell(f"gateway 1: is killed; it has a budget of {budget_mib} MiB from now on")
    stage.await_(lambda: stage.alliance.restarts[0] > 0, 30, "gateway 1 is started again")
    stage.await_alarm(0, "memory", 60)
    pid = stage.gateway(1).pid
    before = resource.prlimit(pid, resource.RLIMIT_DATA)
    taken = data_bytes(pid)
    resource.prlimit(pid, resource.RLIMIT_DATA, (taken + _SPARE_BYTES, before[1]))
    stage.tell(f"gateway 2: gets no more than {taken >> 20} MiB of data")
    pause(_SQUEEZED_S)
    if stage.gateway(1).pid == pid:
        resource.prlimit(pid, resource.RLIMIT_DATA, before)
        stage.tell("gateway 2: gets memory again")
    stage.await_up(1)


def expired_certificate(stage: Stage) -> None:
    """The certificates of gateway 1 have ended when its broker starts again: no meter connects to
    it, and it does not connect itself, until they are renewed. That may be before anybody looked,
    so it happens a second time, when the next renewal is most of a minute away."""
    for _ in range(2):
        stage.mark()
        _end_certificates(stage)
        stage.send_signal(0, signal.SIGKILL, "broker")
        stage.tell("gateway 1: its certificates have ended, and its broker has to start again")
        stage.await_event(0, "broker ended, starting it again")
        stage.await_event(0, "a certificate was renewed", 90)
        stage.await_up(0)
        if stage.has_alarm(0, "certificate"):
            break
    stage.await_alarm(0, "certificate", 1)


def _end_certificates(stage: Stage) -> None:
    home = stage.gateway(0).home
    issuer = load_identity(home).site_authority
    ended = datetime.now(UTC) - timedelta(hours=1)
    for name, renewed in (("broker", _server), ("gateway", renewal.client)):
        path = home.certificate(name)
        path.write_bytes(authority.pem(renewed(authority.load_certificate(path), issuer, ended)))


def full_disk(stage: Stage) -> None:
    """Something else fills the disk of gateway 1 to the last byte; later it goes away."""
    filler = stage.gateway(0).folder / "filler"
    written = small_disk.fill(filler)
    stage.tell(f"gateway 1: its disk is full, of {written >> 10} KiB of another program's")
    try:
        stage.await_alarm(0, "disk", 60)
        stage.await_event(0, "write failed, reading the ledger anew")
        pause(10 if stage.long else 3)
    finally:
        filler.unlink()
    stage.tell("gateway 1: its disk has room again")
    stage.await_up(0)


def _server(
    old: x509.Certificate, issuer: authority.SiteAuthority, until: datetime
) -> x509.Certificate:
    return renewal.server(old, issuer, (), until)


@dataclass(frozen=True)
class Fault:
    """A scenario: its `act`, how many seconds of load it takes, short and long."""

    act: Callable[[Stage], None]
    seconds: int
    long_seconds: int
    needs_mount: bool = False
    module: str = "wattle_gateway"


FAULTS = {
    "killed-broker": Fault(killed_broker, 20, 110),
    "lost-peer": Fault(lost_peer, 45, 390),
    "killed-processes": Fault(killed_gateway, 30, 30),
    "clock-jumps": Fault(clock_jumps, 45, 60, module="wattle_testkit.edge.jumping_clock"),
    "memory-pressure": Fault(memory_pressure, 60, 60),
    "expired-certificate": Fault(expired_certificate, 170, 170),
    "full-disk": Fault(full_disk, 45, 60, needs_mount=True),
}


def run(name: str, folder: Path, *, long: bool) -> Result:
    """A scenario in a folder of its own. OSError where its disk cannot be made.

    Not in a process that goes on: mounts, where needed, are in a namespace from then on.
    """
    fault = FAULTS[name]
    if fault.needs_mount:
        small_disk.enter_namespace()
    seconds = fault.long_seconds if long else fault.seconds
    jump = folder / _JUMP_FILE
    jump.write_text("0")
    os.environ[jumping_clock.VARIABLE] = str(jump)
    with shares(GATEWAYS) as given:
        alliance = SmallAlliance(folder, given)
        with ExitStack() as until_then:
            if fault.needs_mount:
                until_then.enter_context(small_disk.under(alliance.gateways[0].folder))
            return perform(name, alliance, fault.act, seconds, long=long, module=fault.module)
