"""The event of a demonstration, from the call to the payment, told while it happens.

The commands run in a thread of their own, so that the view goes on; processes are killed and
started in the main thread, by `look`.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from wattle_hil.children.processes import Process
from wattle_hil.errors import DeadlineError, HilError
from wattle_hil.runs import event_plan
from wattle_hil.runs.event_market import EventMarket
from wattle_hil.runs.event_plan import PARTICIPANTS, EventTimes
from wattle_hil.runs.substation import Substation

# What ought to be on the ledger at a time is there some commits later.
_AFTER_DEADLINE_S = 30.0
_POLL_S = 0.3


@dataclass(frozen=True)
class EventOutcome:
    """What there was when the story ended. event: as `dr event` says it. before, after: unlocked
    money by party, before the call and at the end. written_s: by meter's name, real seconds from
    the dispatch command to the write that its load saw, None for none."""

    event: Mapping[str, Any]
    before: Mapping[str, int]
    after: Mapping[str, int]
    written_s: Mapping[str, float | None]


class EventStory:
    """Begin it when every point is in the ledger, `look` again and again, `finish` before the end.

    outcome: once it is over, None if it was ended before. declared: whether everybody has
    answered.
    """

    def __init__(
        self,
        substation: Substation,
        market: EventMarket,
        times: EventTimes,
        before_kill: Callable[[], None],
        tell: Callable[[str], None],
    ) -> None:
        self._substation = substation
        self._market = market
        self._times = times
        self._before_kill = before_kill
        self._tell = tell
        self._stop = threading.Event()
        self._errands: deque[Callable[[], None]] = deque()
        self._error: HilError | None = None
        self._thread = threading.Thread(target=self._run, name="event", daemon=True)
        self.declared = False
        self.outcome: EventOutcome | None = None

    def begin(self) -> None:
        """Everything is measured from now on."""
        self._measured_ms = self._substation.clock.now_ms()
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens by itself."""
        return not self._thread.is_alive() and not self._errands

    def look(self) -> None:
        """Tells what has happened, kills and starts what is due. Raises what went wrong."""
        while self._errands:
            self._errands.popleft()()
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def finish(self) -> None:
        """The demonstration ends: what has begun is not waited for."""
        self._stop.set()

    def _run(self) -> None:
        try:
            self._play()
        except _EndedError:
            self._say("the event is not over: it was ended before")
        except HilError as error:
            self._error = error
        self._errands.append(self._revive)

    def _play(self) -> None:
        market, times, clock = self._market, self._times, self._substation.clock
        ids = [self._substation.meter_ids[plan.name] for plan in self._substation.plans]
        market.offer(ids)
        before = market.balances()
        begin_ms = times.begin_after(self._measured_ms, clock.now_ms())
        event = market.publish(begin_ms, event_plan.QUANTITY_W)
        kilowatts = event_plan.QUANTITY_W / 1_000
        ahead_s = (begin_ms - clock.now_ms()) / clock.speed / 1_000
        asked = f"{kilowatts:g} kW near {event_plan.NEAR}"
        self._say(f"event {event[:8]}: bench-1 calls for {asked}, in {ahead_s:.0f} s")
        market.declare(event, ids)
        self.declared = True
        for one in PARTICIPANTS:
            how = "answers by its policy" if one.quota_w is None else f"declares {one.quota_w} W"
            self._say(f"{one.party}, {one.load} on {one.area} at {one.price}: {how}")
        self._wait_for(event, begin_ms - times.select_before_ms, ("selected", "failed"))
        written_s = self._dispatch(event, begin_ms - times.dispatch_before_ms)
        self._wait_until(begin_ms + times.interval_ms * 5 // 4)
        self._errands.append(self._silence)
        self._wait_until(begin_ms + times.length_ms)
        self._say("the window is over")
        self._errands.append(self._revive)
        self._wait_for(event, begin_ms + times.length_ms + times.settle_ms, ("settled", "final"))
        self._say("the ledger has settled the event")
        end_ms = begin_ms + times.length_ms + times.dispute_ms
        said = self._wait_for(event, end_ms, ("final",))
        self._say("the statements are final, and paid")
        self.outcome = EventOutcome(said, before, market.balances(), written_s)

    def _dispatch(self, event: str, at_ms: int) -> Mapping[str, float | None]:
        self._wait_until(at_ms)
        clock, loads = self._substation.clock, self._substation.loads
        known = {name: len(load.writes) for name, load in loads.items()}
        began_ms = clock.now_ms()
        self._market.dispatch(event)
        called = [name for name in loads if name != self._spared]
        deadline_s = time.monotonic() + _AFTER_DEADLINE_S
        while any(len(loads[name].writes) == known[name] for name in called):
            if time.monotonic() >= deadline_s:
                break
            self._rest()
        written_s: dict[str, float | None] = dict.fromkeys(loads)
        for name in called:
            writes = list(loads[name].writes)[known[name] :]
            if writes:
                written_s[name] = (writes[0][0] - began_ms) / clock.speed / 1_000
        times = ", ".join(
            f"{name} never" if written_s[name] is None else f"{name} after {written_s[name]:.2f} s"
            for name in called
        )
        self._say(f"bench-1 dispatches; loads were told: {times}")
        return written_s

    @property
    def _spared(self) -> str:
        return self._substation.plans[event_plan.TOO_DEAR].name

    @property
    def _silent_meter(self) -> Process:
        plan = self._substation.plans[event_plan.FALLS_SILENT]
        return self._substation.meters[plan.name]

    def _silence(self) -> None:
        """In the main thread."""
        self._before_kill()
        self._silent_meter.kill_for_now()
        plan = self._substation.plans[event_plan.FALLS_SILENT]
        self._tell(f"the meter {self._substation.meter_ids[plan.name]} stops reporting")

    def _revive(self) -> None:
        """In the main thread: who was silenced reports again."""
        if not self._silent_meter.alive:
            self._silent_meter.start()

    def _say(self, text: str) -> None:
        self._errands.append(lambda: self._tell(text))

    def _wait_until(self, at_ms: int) -> None:
        """Until the bench clock shows it."""
        while self._substation.clock.now_ms() < at_ms:
            self._rest()

    def _wait_for(self, event: str, at_ms: int, states: tuple[str, ...]) -> Mapping[str, Any]:
        """Until the event is in one of these states, some time after `at_ms` at the latest."""
        self._wait_until(at_ms)
        deadline_s = time.monotonic() + _AFTER_DEADLINE_S
        while True:
            said = self._market.event(event)
            if said["state"] in states:
                return said
            if time.monotonic() >= deadline_s:
                raise DeadlineError(
                    f"event {event[:8]} is {said['state']} {_AFTER_DEADLINE_S:.0f} s after it"
                    f" should be {states[0]}"
                )
            self._rest()

    def _rest(self) -> None:
        if self._stop.wait(_POLL_S):
            raise _EndedError


class _EndedError(Exception):
    """Somebody ends the demonstration."""
