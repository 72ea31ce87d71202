"""`wattle-hil demo`: an alliance of gateways, meters on real MicroPython, loads that change."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wattle_hil.children.programs import Programs
from wattle_hil.children.stop_signal import StopSignal
from wattle_hil.clock import MAX_SPEED, BenchClock, host_ms
from wattle_hil.curves.arguments import whole_number
from wattle_hil.curves.csv_file import CurveColumns, write_curve
from wattle_hil.curves.shapes import MAX_DURATION_MS, SHAPES, STEP_MS
from wattle_hil.devices.model import Model
from wattle_hil.devices.sdm import SDM120, SDM630
from wattle_hil.report.model import Check, Report
from wattle_hil.runs.adjustable_loads import adjustable_loads, plan_adjustable, write_tracks
from wattle_hil.runs.conclusion import RunTitle, bring_to_an_end, conclude
from wattle_hil.runs.conductor import Conductor
from wattle_hil.runs.device_plan import LoadSource, MeterPlan, plan_meters
from wattle_hil.runs.event_plan import PARTICIPANTS, EventTimes, event_times
from wattle_hil.runs.folder import RunFolder, new_folder
from wattle_hil.runs.frames import Frames
from wattle_hil.runs.happenings import Happenings, market_of
from wattle_hil.runs.incident import GATEWAYS_LEAST
from wattle_hil.runs.ledger_tail import LedgerTail
from wattle_hil.runs.live_view import LiveView
from wattle_hil.runs.points_file import ReadingTimes
from wattle_hil.runs.schedule import Schedule, schedule, start_up_real_s
from wattle_hil.runs.substation import Substation
from wattle_hil.runs.terminal_picture import save_picture

DEFAULT_SPEED = 10
_MAX_METERS = 16
# Each is a process with two workers and a broker.
_MAX_GATEWAYS = 10
# Loads in the order in which meters get them; three-phase where such a load is.
_LOADS: Sequence[tuple[str, Model]] = (
    ("kettle", SDM120),
    ("heat-pump", SDM630),
    ("pv-export", SDM630),
    ("ev-charger", SDM630),
    ("office", SDM630),
)
# Sun, offices and kettles are all at work.
_BEGIN_HOUR = 9
_HOUR_MS = 3_600_000
# Without an end a demonstration has this much of real time before its loads are over.
_LOADS_LAST_S = 6 * 3_600
_MARGIN_S = 60


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add = parser.add_argument
    add(
        "--once",
        type=whole_number(5, 86_400),
        metavar="SECONDS",
        help="end by itself then, or when the event is over",
    )
    add("--gateways", type=whole_number(1, _MAX_GATEWAYS), default=4, help="default 4")
    add("--meters", type=whole_number(1, _MAX_METERS), default=4, help="default 4")
    add("--speed", type=whole_number(1, MAX_SPEED), default=DEFAULT_SPEED, help="default 10")
    add("--seed", type=int, default=1, help="of the loads (default 1)")
    add("--no-event", action="store_true", help="loads of every day, and no demand response")
    add("--out", type=Path, help="new folder for ledger, logs, report (default: under build/runs)")
    add("--picture", type=Path, metavar="FILE.svg", help="draw the last table, for documents")


@dataclass(frozen=True)
class DemoPlan:
    """A demonstration before it begins.

    gateways: how many. once_s: None = until somebody ends it. picture: where its last table is to
    be drawn. event: the times of a demand response, None: there is none.
    """

    folder: RunFolder
    meters: Sequence[MeterPlan]
    schedule: Schedule
    load_names: dict[str, str]
    gateways: int
    once_s: int | None
    seed: int
    picture: Path | None
    event: EventTimes | None = None


def plan_demo(options: argparse.Namespace) -> DemoPlan:
    """Makes the loads and the run's folder. Raises the bench's errors."""
    folder = RunFolder(options.out or new_folder("demo"))
    folder.create()
    if has_event(options):
        return _plan_event(options, folder)
    chosen = [_LOADS[index % len(_LOADS)] for index in range(options.meters)]
    length_s = _LOADS_LAST_S if options.once is None else options.once + _MARGIN_S
    length_ms = min(-(-length_s * 1_000 * options.speed // STEP_MS) * STEP_MS, MAX_DURATION_MS)
    loads = [
        _load(folder, number, name, length_ms, options.seed + number)
        for number, (name, _) in enumerate(chosen, 1)
    ]
    meters = plan_meters(loads, [model for _, model in chosen], devices=1)
    start_up_s = start_up_real_s(options.meters, options.gateways)
    plan = schedule(loads[0].curve, options.speed, 1, start_up_s)
    names = {meter.name: name for meter, (name, _) in zip(meters, chosen, strict=True)}
    return DemoPlan(
        folder,
        meters,
        plan,
        names,
        options.gateways,
        options.once,
        options.seed,
        options.picture,
    )


def has_event(options: argparse.Namespace) -> bool:
    """Whether there are the gateways and meters that the event has parties for."""
    enough = options.gateways >= GATEWAYS_LEAST and options.meters == len(PARTICIPANTS)
    return enough and not options.no_event


def _plan_event(options: argparse.Namespace, folder: RunFolder) -> DemoPlan:
    start_up_s = start_up_real_s(options.meters, options.gateways)
    begin = datetime.now(UTC).replace(hour=_BEGIN_HOUR, minute=0, second=0, microsecond=0)
    loads = adjustable_loads(folder, int(begin.timestamp()) * 1_000)
    plan = schedule(loads[0].curve, options.speed, 1, start_up_s)
    meters = plan_adjustable(loads)
    return DemoPlan(
        folder,
        meters,
        plan,
        {meter.name: one.load for meter, one in zip(meters, PARTICIPANTS, strict=True)},
        options.gateways,
        options.once,
        options.seed,
        options.picture,
        event_times(options.speed, plan.interval_ms),
    )


def _load(folder: RunFolder, number: int, name: str, length_ms: int, seed: int) -> LoadSource:
    today = datetime.now(UTC).replace(hour=_BEGIN_HOUR, minute=0, second=0, microsecond=0)
    curve = SHAPES[name](int(today.timestamp()) * 1_000, length_ms, seed)
    path = folder.curves / f"{number}-{name}.csv"
    write_curve(curve, path, STEP_MS)
    return LoadSource(curve, path, CurveColumns("time", "power_W", "W"))


def demo(plan: DemoPlan, programs: Programs, command: str, stop: StopSignal) -> Report:
    """Runs a demonstration to its report.

    Raises the bench's errors; KeyboardInterrupt when it is stopped before it has begun.
    """
    began = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    run = RunTitle("Demonstration", command, began, plan.seed, plan.load_names)
    with LiveView() as view:
        view.event(f"files in {plan.folder.shown}")
        clock = BenchClock(plan.schedule.begin_ms, host_ms(), plan.schedule.speed)
        market = None if plan.event is None else market_of(plan.folder, plan.event, plan.schedule)
        substation = Substation(
            plan.folder,
            programs,
            plan.meters,
            plan.schedule.interval_ms,
            clock,
            plan.gateways,
            market,
        )
        conductor, checks, times = _run(plan, run, substation, view, stop)
        view.event("checking")
        write_tracks(plan.meters, substation.loads, clock.now_ms())
        return conclude(run, substation, conductor, checks, times)


def _run(
    plan: DemoPlan, run: RunTitle, substation: Substation, view: LiveView, stop: StopSignal
) -> tuple[Conductor, list[Check], ReadingTimes]:
    """From the first process to the last."""
    clock, interval_ms = substation.clock, plan.schedule.interval_ms
    tail = LedgerTail(plan.folder.followed)
    frames = Frames(f"{run.title}, Ctrl-C ends it", substation, tail, run.load_names)
    conductor = Conductor(substation, frames, tail, view, stop)
    with substation.running():
        if not conductor.start_meters(lambda: None):
            raise KeyboardInterrupt
        from_ms = (clock.now_ms() // interval_ms + 1) * interval_ms
        end_s = None if plan.once_s is None else conductor.elapsed_s + plan.once_s
        happenings = Happenings(substation, conductor, plan.event)
        conductor.on_look = happenings.look
        conductor.watch(
            lambda: end_s is not None and conductor.elapsed_s >= end_s and happenings.may_end
        )
        # Asked to end is not asked to give up: what was read is still to become final.
        stop.clear()
        happenings.finish()
        conductor.watch(lambda: happenings.is_over)
        if plan.picture is not None:
            save_picture(view.picture(), "make demo", plan.picture)
        # The slot before the last one: it was read, or is being read, for sure.
        until_ms = (clock.now_ms() // interval_ms - 1) * interval_ms
        conductor.tell("waiting until everything is final")
        complete = bring_to_an_end(substation, conductor, tail, until_ms)
    times = ReadingTimes(interval_ms, plan.schedule.lateness_ms, from_ms, until_ms)
    return conductor, [complete, *happenings.checks()], times
