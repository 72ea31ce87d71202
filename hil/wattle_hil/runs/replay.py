"""`wattle-hil replay`: a load curve through meters and gateway into the ledger, and checked."""

from datetime import UTC, datetime

from wattle_hil.children.programs import Programs
from wattle_hil.children.stop_signal import StopSignal
from wattle_hil.clock import BenchClock, host_ms
from wattle_hil.curves.curve import iso_utc
from wattle_hil.errors import RunError
from wattle_hil.report.model import Check, Report
from wattle_hil.runs.conclusion import RunTitle, bring_to_an_end, conclude
from wattle_hil.runs.conductor import Conductor
from wattle_hil.runs.frames import Frames
from wattle_hil.runs.ledger_tail import LedgerTail
from wattle_hil.runs.live_view import LiveView, View
from wattle_hil.runs.points_file import ReadingTimes
from wattle_hil.runs.replay_plan import ReplayPlan
from wattle_hil.runs.schedule import Schedule
from wattle_hil.runs.substation import Substation

# The rest of a curve with very many stands in its report.
GAPS_SHOWN = 5


def replay(plan: ReplayPlan, programs: Programs, command: str, stop: StopSignal) -> Report:
    """Runs a replay to its report, showing it on standard output.

    Raises the bench's errors; KeyboardInterrupt when somebody asks to stop.
    """
    names = {meter.name: plan.load for meter in plan.meters}
    began = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    run = RunTitle(f"Replay of {plan.load}", command, began, plan.seed, names)
    with LiveView() as view:
        _announce(plan, view)
        clock = BenchClock(plan.schedule.begin_ms, host_ms(), plan.schedule.speed)
        interval_ms = plan.schedule.interval_ms
        substation = Substation(plan.folder, programs, plan.meters, interval_ms, clock)
        conductor, complete = _run(plan, run, substation, view, stop)
        view.event("checking")
        return conclude(run, substation, conductor, [complete], _times(plan.schedule))


def _announce(plan: ReplayPlan, view: View) -> None:
    curve = plan.meters[0].devices[0].load.curve
    for line in curve.summary():
        view.event(line)
    for gap in curve.gaps[:GAPS_SHOWN]:
        view.event(f"gap in the curve: {gap}")
    if len(curve.gaps) > GAPS_SHOWN:
        view.event(f"and {len(curve.gaps) - GAPS_SHOWN} gaps more, named in report.json")
    view.event(
        f"{plan.schedule.real_s:.0f} s at speed {plan.schedule.speed}, a reading every"
        f" {plan.schedule.interval_ms // 1_000} s of the curve; files in {plan.folder.shown}"
    )


def _times(schedule: Schedule) -> ReadingTimes:
    return ReadingTimes(
        schedule.interval_ms,
        schedule.lateness_ms,
        schedule.first_slot_ms,
        schedule.last_slot_ms,
    )


def _run(
    plan: ReplayPlan, run: RunTitle, substation: Substation, view: View, stop: StopSignal
) -> tuple[Conductor, Check]:
    """From the first process to the last."""
    clock, schedule = substation.clock, plan.schedule
    tail = LedgerTail(plan.folder.followed)
    frames = Frames(run.title, substation, tail, run.load_names)
    conductor = Conductor(substation, frames, tail, view, stop)

    def in_time() -> None:
        if clock.now_ms() > schedule.first_slot_ms:
            raise RunError(
                f"not every meter was in the ledger at {iso_utc(schedule.first_slot_ms)}, when"
                " readings must begin: allow more time with --start-up, or choose fewer meters"
            )

    def progress() -> float:
        done_ms = clock.now_ms() - schedule.begin_ms
        return min(1.0, done_ms / (schedule.end_ms - schedule.begin_ms))

    with substation.running():
        _watched(conductor.start_meters(in_time))
        _watched(conductor.watch(lambda: clock.now_ms() >= schedule.end_ms, progress, plan.kills))
        complete = bring_to_an_end(substation, conductor, tail, schedule.last_slot_ms)
    return conductor, complete


def _watched(to_the_end: bool) -> None:
    """A replay that is stopped half-way has nothing to check."""
    if not to_the_end:
        raise KeyboardInterrupt
