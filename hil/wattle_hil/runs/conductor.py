"""The middle of a run: everything runs, and what happens is watched, shown and provoked."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wattle_hil.children.processes import Process
from wattle_hil.children.stop_signal import StopSignal
from wattle_hil.errors import DeadlineError
from wattle_hil.report.model import Event
from wattle_hil.runs.device_plan import MeterPlan
from wattle_hil.runs.durability import Promises
from wattle_hil.runs.frames import Frames
from wattle_hil.runs.kill_plan import BROKER, GATEWAY, Kill
from wattle_hil.runs.ledger_tail import LedgerTail
from wattle_hil.runs.live_view import View
from wattle_hil.runs.substation import Substation

_TURN_S = 0.25
# `status` costs a quarter of a second of a core.
_STATUS_EVERY_S = 4.0
# Asking a gateway at its socket costs milliseconds.
_MEMBERS_EVERY_S = 1.0
RECOVERY_DEADLINE_S = 30.0


def _nothing() -> None:
    """Nothing else is to be provoked."""


@dataclass(frozen=True)
class _Recovery:
    """A part that was killed, and how to see that it is back."""

    what: str
    killed_s: float
    is_back: Callable[[], bool]


class Conductor:
    """Watches a substation. events, promises: what there was so far. on_look: called at every
    look, for what else is to be provoked.
    """

    def __init__(
        self,
        substation: Substation,
        frames: Frames,
        tail: LedgerTail,
        view: View,
        stop: StopSignal,
    ) -> None:
        self._substation = substation
        self._frames = frames
        self._tail = tail
        self._view = view
        self._stop = stop
        self._began_s = time.monotonic()
        self._status_s = float("-inf")
        self._recoveries: list[_Recovery] = []
        self._members_s = float("-inf")
        self.events: list[Event] = []
        self.promises = Promises()
        self.on_look: Callable[[], None] = _nothing

    @property
    def elapsed_s(self) -> float:
        """Seconds of real time since this conductor was made."""
        return time.monotonic() - self._began_s

    @property
    def differing(self) -> Sequence[int]:
        """The commits that gateways of an alliance showed with different digests."""
        return self._frames.heads.differences

    def tell(self, text: str) -> None:
        """Notes an event and shows it."""
        self.events.append(Event(self.elapsed_s, text))
        self._view.event(text)

    def start_meters(self, check_time: Callable[[], None]) -> bool:
        """Starts all meters and watches until each point is in the ledger.

        check_time: raises when it is too late for that. Gives and raises as `watch`.
        """
        self._substation.start_meters(self.tell)
        points = self._substation.points()

        def begun() -> bool:
            check_time()
            return self._tail.has_all(points, 0)

        if not self.watch(begun):
            return False
        self.tell(f"all {len(points)} points are in the ledger")
        return True

    def watch(
        self,
        until: Callable[[], bool],
        progress: Callable[[], float] | None = None,
        kills: Sequence[Kill] = (),
    ) -> bool:
        """Watches until the condition holds (True) or somebody asks to stop (False).

        kills: by their seconds since this conductor was made, in that order. Raises ProcessError
        or LineError when a part fails of itself, DeadlineError when a killed part does not
        come back.
        """
        left = list(kills)
        while True:
            self.look(progress() if progress else None)
            if until() and not self._recoveries:
                return True
            # A part that is still coming back would be killed for nothing.
            if left and self.elapsed_s >= left[0].at_s and not self._recoveries:
                self._kill(left.pop(0))
            if self._stop.wait(_TURN_S):
                return False

    def look(self, progress: float | None = None) -> None:
        """One look at everything, without waiting. Raises as `watch`."""
        self._substation.check()
        self.promises.note_committed(self._tail.read_new())
        self._follow_recoveries()
        if self.elapsed_s - self._status_s >= _STATUS_EVERY_S:
            self._status_s = self.elapsed_s
            self._frames.status = self._substation.control.status()
        if self.elapsed_s - self._members_s >= _MEMBERS_EVERY_S:
            self._members_s = self.elapsed_s
            self._frames.look()
        self.on_look()
        self._view.show(self._frames.frame(self.elapsed_s, progress))

    def note_durable(self) -> None:
        """Keeps what the gateway has told each meter to be durable."""
        for plan in self._substation.plans:
            durable = self._substation.meter_status(plan).get("link", {}).get("durable")
            if durable is not None:
                self.promises.note_durable(self._substation.meter_ids[plan.name], durable)

    def _kill(self, kill: Kill) -> None:
        self.note_durable()
        self.tell(str(kill))
        substation = self._substation
        if kill.target == GATEWAY:
            self._restart(substation.gateway, "gateway", substation.gateway_runs)
        elif kill.target == BROKER:
            restarts = substation.kill_broker()
            self._await("broker", lambda: substation.broker_runs(restarts + 1))
        else:
            assert kill.meter is not None
            plan = substation.plans[kill.meter]
            boot = substation.meter_status(plan).get("boot", 0)
            self._restart(
                substation.meters[plan.name], plan.name, lambda: self._is_online(plan, boot)
            )

    def _restart(self, process: Process, what: str, is_back: Callable[[], bool]) -> None:
        process.kill()
        process.start()
        self._await(what, is_back)

    def _await(self, what: str, is_back: Callable[[], bool]) -> None:
        self._recoveries.append(_Recovery(what, self.elapsed_s, is_back))

    def _is_online(self, plan: MeterPlan, boot_before: int) -> bool:
        counters = self._substation.meter_status(plan)
        connected = bool(counters.get("link", {}).get("connected"))
        return connected and counters.get("boot", 0) > boot_before

    def _follow_recoveries(self) -> None:
        waiting = []
        for recovery in self._recoveries:
            took_s = self.elapsed_s - recovery.killed_s
            if recovery.is_back():
                self.tell(f"{recovery.what} is back after {took_s:.1f} s")
            elif took_s > RECOVERY_DEADLINE_S:
                raise DeadlineError(
                    f"{recovery.what} was killed and is not back within {RECOVERY_DEADLINE_S:.0f} s"
                )
            else:
                waiting.append(recovery)
        self._recoveries = waiting
