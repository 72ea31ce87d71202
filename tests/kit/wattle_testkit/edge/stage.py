"""A small alliance under load, on which one thing is broken."""

import asyncio
import os
import signal
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from wattle_testkit.edge import ledgers, usage, virtual_time
from wattle_testkit.edge import meters as paper
from wattle_testkit.edge.sender import Sender
from wattle_testkit.edge.small_alliance import SmallAlliance, send_all
from wattle_testkit.gateway_process import GatewayProcess
from wattle_testkit.waiting import until

METERS = 8
PERIOD_MS = 1_000
# The load goes well before anything is broken, and after it is whole again.
_QUIET_SAMPLES = 5
_QUIET_S = 30.0
_TAIL_S = 120.0
_LEAD_MS = 3_000


@dataclass(frozen=True)
class Result:
    """What became of a scenario: `told` what was seen, in order; `lost` samples that a gateway had
    acknowledged (durable or final) and some ledger has not; `samples` sent."""

    name: str
    told: tuple[str, ...]
    samples: int
    complete: bool
    lost: int
    restarts: int
    finality_s: float
    failure: str = ""

    @property
    def holds(self) -> bool:
        """Whether the fault cost nothing and passed by without a hand."""
        return self.complete and not self.lost and not self.failure


@dataclass
class Stage:
    """What a scenario acts on. `long`: breaks last until an alarm is due, not only until the log
    says so."""

    alliance: SmallAlliance
    long: bool
    told: list[str] = field(default_factory=list)
    _marks: list[int] = field(default_factory=list)
    _began_s: float = field(default_factory=time.monotonic)

    def gateway(self, number: int) -> GatewayProcess:
        """Gateway `number`, from 0."""
        return self.alliance.gateways[number]

    def tell(self, what: str) -> None:
        """Note what was done or seen."""
        self.told.append(f"{time.monotonic() - self._began_s:.0f} s {what}")

    def await_(self, seen: Callable[[], object], deadline_s: float, what: str) -> None:
        """Wait for something, and note it."""
        until(seen, deadline_s / 6, what)
        self.tell(what)

    def await_event(self, number: int, event: str, deadline_s: float = 60.0) -> None:
        """Wait until the log of a gateway has an event; what came before the fault counts not."""
        self.await_(
            lambda: event in self._log(number), deadline_s, f"gateway {number + 1}: {event}"
        )

    def has_alarm(self, number: int, name: str) -> bool:
        """Whether a gateway has raised an alarm of this name since the mark."""
        return any(
            "alarm raised" in line and f"alarm={name}" in line
            for line in self._log(number).splitlines()
        )

    def await_alarm(self, number: int, name: str, deadline_s: float) -> None:
        """Wait until a gateway raises an alarm of this name."""
        self.await_(
            lambda: self.has_alarm(number, name), deadline_s, f"gateway {number + 1}: alarm {name}"
        )

    def await_up(self, number: int) -> None:
        """Wait until a gateway answers, is connected to its broker and to the other gateways."""
        gateway = self.gateway(number)
        self.await_(lambda: _is_up(gateway), 120.0, f"gateway {number + 1} is up")
        self.alliance.alliance.await_linked(self.alliance.gateways)

    def await_commits(self, number: int, more: int) -> None:
        """Wait until a gateway has executed so many commits more."""
        before = self._commit(number)
        self.await_(
            lambda: self._commit(number) >= before + more, 60.0, f"gateway {number + 1} commits on"
        )

    def _commit(self, number: int) -> int:
        return int(self.gateway(number).status()["commit"])

    def send_signal(self, number: int, sent: signal.Signals, *names: str) -> list[int]:
        """Send a signal to a gateway's processes of these kinds; their pids."""
        found = [
            pid
            for pid in usage.tree(self.gateway(number).pid)
            if not names or usage.name_of(pid) in names
        ]
        for pid in found:
            with suppress(ProcessLookupError):
                os.kill(pid, sent)
        return found

    def _log(self, number: int) -> str:
        return self.gateway(number).log.read_text(errors="replace")[self._marks[number] :]

    def mark(self) -> None:
        """From here on events count."""
        self._marks = [
            len(gateway.log.read_text(errors="replace")) for gateway in self.alliance.gateways
        ]


def perform(
    name: str,
    alliance: SmallAlliance,
    act: Callable[[Stage], None],
    seconds: int,
    *,
    long: bool,
    module: str = "wattle_gateway",
) -> Result:
    """Load for so many seconds, with `act` in the middle of it; what became of every sample."""
    clock = virtual_time.begin(1)
    stage = Stage(alliance, long)
    try:
        alliance.start(clock, module)
        alliance.keep_running()
        senders = _meters(alliance, clock, seconds)
        complete, failure = asyncio.run(_under_load(stage, act, senders, clock, seconds))
        if complete and not failure:
            alliance.alliance.await_same_head(1)
    finally:
        alliance.stop()
    lost = {
        one
        for gateway in alliance.gateways
        for one in ledgers.missing(gateway, senders, final=False)
    }
    waits = [
        final_s - sent_s
        for sender in senders
        for sent_s, final_s in zip(sender.sent_s, sender.final_s, strict=False)
    ]
    return Result(
        name,
        tuple(stage.told),
        sum(len(sender.sent_s) for sender in senders),
        complete,
        len(lost),
        sum(alliance.restarts),
        max(waits, default=0.0),
        failure,
    )


def _meters(alliance: SmallAlliance, clock: virtual_time.VirtualTime, seconds: int) -> list[Sender]:
    epoch, gateways = alliance.gateways[0].epoch, len(alliance.gateways)
    alliance.enrol(paper.signed_ahead(epoch, METERS, gateways, clock.now_ms(), 1, PERIOD_MS))
    first_ms = clock.now_ms() + _LEAD_MS
    samples = seconds * 1_000 // PERIOD_MS
    made = paper.signed_ahead(epoch, METERS, gateways, first_ms, samples, PERIOD_MS)
    return alliance.senders(made)


async def _under_load(
    stage: Stage,
    act: Callable[[Stage], None],
    senders: list[Sender],
    clock: virtual_time.VirtualTime,
    seconds: int,
) -> tuple[bool, str]:
    sending = asyncio.create_task(send_all(senders, clock, seconds + _TAIL_S))
    await asyncio.to_thread(
        until,
        lambda: all(sender.final >= _QUIET_SAMPLES for sender in senders),
        _QUIET_S,
        "the load goes well",
    )
    stage.mark()
    failure = ""
    loop = asyncio.get_running_loop()
    with ThreadPoolExecutor(1) as pool:
        try:
            await loop.run_in_executor(pool, act, stage)
        except (AssertionError, OSError) as error:
            failure = f"{error}"
    return await sending, failure


def _is_up(gateway: GatewayProcess) -> bool:
    try:
        return bool(gateway.ask("live")["live"]["link_up"])
    except Exception:
        return False


def pause(seconds: float) -> None:
    """Let time pass that a scenario is about."""
    threading.Event().wait(seconds)


def write_whole(path: Path, text: str) -> None:
    """Write a file that somebody reads at any moment."""
    draft = path.with_suffix(".new")
    draft.write_text(text)
    draft.replace(path)
