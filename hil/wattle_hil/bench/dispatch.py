"""From the dispatch command to the write that a load sees: real gateways, meters, lines and loads.

The events are those of the demonstration, on the host's clock: four loads of four parties, each
meter at another gateway, all called at once.
"""

import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wattle_hil.bench.alliance import GATEWAYS
from wattle_hil.children.deadline import Deadline
from wattle_hil.children.programs import Programs
from wattle_hil.clock import BenchClock, host_ms
from wattle_hil.errors import BenchError
from wattle_hil.runs.adjustable_loads import adjustable_loads, plan_adjustable
from wattle_hil.runs.event_market import EventMarket
from wattle_hil.runs.event_plan import PARTICIPANTS, WRITTEN_WITHIN_S, EventTimes
from wattle_hil.runs.folder import RunFolder
from wattle_hil.runs.substation import Substation

LIMIT_S = WRITTEN_WITHIN_S
_SAMPLING_MS = 1_000
# Ten readings in an interval; settlement is no part of this.
_TIMES = EventTimes(
    interval_ms=10_000,
    before_from_min=2,
    before_to_min=1,
    select_before_ms=2_000,
    dispatch_before_ms=0,
    within_ms=2_000,
    settle_ms=3_600_000,
    dispute_ms=7_200_000,
    intervals=1,
)
# For the commands that publish and declare, on a busy machine.
_AHEAD_MS = 12_000
_DEADLINE_S = 60.0
_POLL_S = 0.05
_STEP_MS = 10_000


@dataclass(frozen=True)
class DispatchTimes:
    """Seconds, rising: `gateway_s` from the moment that the gateway is given the command,
    `program_s` from the start of the program that people type."""

    gateway_s: Sequence[float]
    program_s: Sequence[float]


def measure_dispatch(programs: Programs, events: int) -> DispatchTimes:
    """events: of each of the two ways, with four loads each. Raises the bench's errors."""
    with tempfile.TemporaryDirectory(prefix="wattle-bench-") as temporary:
        folder = RunFolder(Path(temporary) / "run")
        folder.create()
        loads = adjustable_loads(folder, host_ms() // _STEP_MS * _STEP_MS)
        market = EventMarket(folder.path, _TIMES, _SAMPLING_MS)
        clock = BenchClock(host_ms(), host_ms(), speed=1)
        plans = plan_adjustable(loads)
        substation = Substation(folder, programs, plans, _SAMPLING_MS, clock, GATEWAYS, market)
        with substation.running():
            substation.start_meters(lambda _: None)
            deadline = Deadline(_DEADLINE_S)
            deadline.wait_for(lambda: _are_heard(substation), "samples of all meters", _POLL_S)
            market.offer(_ids(substation))
            gateway_s: list[float] = []
            program_s: list[float] = []
            for _ in range(events):
                gateway_s += _one(substation, market, market.dispatch)
                program_s += _one(substation, market, market.dispatch_by_program)
            substation.stop_meters()
            substation.gateways.stop()
    return DispatchTimes(sorted(gateway_s), sorted(program_s))


def _ids(substation: Substation) -> list[str]:
    return [substation.meter_ids[plan.name] for plan in substation.plans]


def _are_heard(substation: Substation) -> bool:
    substation.check()
    seqs = [substation.meter_status(plan).get("final") or 0 for plan in substation.plans]
    return min(seqs) > 0


def _one(
    substation: Substation, market: EventMarket, dispatch: Callable[[str], None]
) -> list[float]:
    """An event from the call to the release of its loads; seconds until each was told."""
    interval_ms = _TIMES.interval_ms
    begin_ms = -(-(host_ms() + _AHEAD_MS) // interval_ms) * interval_ms
    event = market.publish(begin_ms, sum(one.capacity_w for one in PARTICIPANTS))
    market.declare(event, _ids(substation))

    def state() -> str:
        substation.check()
        return str(market.event(event)["state"])

    Deadline(_DEADLINE_S).wait_for(lambda: state() != "open", "a selection", _POLL_S)
    loads = substation.loads
    known = {name: len(load.writes) for name, load in loads.items()}
    began_ms = host_ms()
    dispatch(event)
    told = Deadline(_DEADLINE_S)
    told.wait_for(
        lambda: all(len(load.writes) > known[name] for name, load in loads.items()),
        f"all loads of event {event[:8]} are told (it is {state()})",
        _POLL_S,
    )
    took_s = [(load.writes[known[name]][0] - began_ms) / 1_000 for name, load in loads.items()]
    if min(took_s) < 0:
        raise BenchError(f"a load was told {-min(took_s):.3f} s before the command")
    end_ms = begin_ms + _TIMES.length_ms
    time.sleep(max(0, end_ms - host_ms()) / 1_000)
    Deadline(_DEADLINE_S).wait_for(
        lambda: all(
            load.setpoint_w == one.rest_w
            for load, one in zip(loads.values(), PARTICIPANTS, strict=True)
        ),
        "all loads are released",
        _POLL_S,
    )
    return took_s
