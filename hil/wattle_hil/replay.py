"""`wattle-hil replay`: a load curve through meters and gateway into the ledger, and checked."""

from wattle_hil.clock import BenchClock, host_ms
from wattle_hil.conclusion import bring_to_an_end, conclude, write_note
from wattle_hil.conductor import Conductor
from wattle_hil.errors import RunError
from wattle_hil.frames import Frames
from wattle_hil.ledger_tail import LedgerTail
from wattle_hil.live_view import LiveView, View
from wattle_hil.points_file import ReadingTimes
from wattle_hil.programs import Programs
from wattle_hil.replay_plan import ReplayPlan
from wattle_hil.report.model import Check, Report
from wattle_hil.schedule import Schedule
from wattle_hil.stop_signal import StopSignal
from wattle_hil.substation import Substation


def replay(plan: ReplayPlan, programs: Programs, command: str, stop: StopSignal) -> Report:
    """Runs a replay to its report, showing it on standard output.

    Raises the bench's errors; KeyboardInterrupt when somebody asks to stop.
    """
    substation = Substation(plan.folder, programs, plan.meters, plan.schedule.interval_ms)
    with LiveView() as view:
        _announce(plan, view)
        substation.prepare(_clock(plan))
        title = f"Replay of {plan.load}"
        names = _load_names(plan)
        write_note(substation, title, command, plan.seed, plan.schedule.speed, names)
        conductor, complete = _run(plan, substation, view, stop)
        view.event("checking")
        return conclude(substation, conductor, complete, _times(plan.schedule))


def _load_names(plan: ReplayPlan) -> dict[str, str]:
    return {meter.name: plan.load for meter in plan.meters}


def _times(schedule: Schedule) -> ReadingTimes:
    return ReadingTimes(
        schedule.interval_ms,
        schedule.lateness_ms,
        schedule.first_slot_ms,
        schedule.last_slot_ms,
    )


def _clock(plan: ReplayPlan) -> BenchClock:
    """The bench clock, beginning now."""
    return BenchClock(plan.schedule.begin_ms, host_ms(), plan.schedule.speed)


def _announce(plan: ReplayPlan, view: View) -> None:
    curve = plan.meters[0].devices[0].load.curve
    for line in curve.summary():
        view.event(line)
    for gap in curve.gaps:
        view.event(f"gap in the curve: {gap}")
    view.event(
        f"{plan.schedule.real_s:.0f} s at speed {plan.schedule.speed}, a reading every"
        f" {plan.schedule.interval_ms // 1_000} s of the curve; files in {plan.folder.path}"
    )


def _run(
    plan: ReplayPlan, substation: Substation, view: View, stop: StopSignal
) -> tuple[Conductor, Check]:
    """From the first process to the last. The bench clock begins when this does."""
    clock = _clock(plan)
    tail = LedgerTail(plan.folder.followed)
    title = f"replay of {plan.load}"
    frames = Frames(title, substation, clock, tail, _load_names(plan))
    conductor = Conductor(substation, frames, tail, view, stop)

    def in_time() -> None:
        if clock.now_ms() > plan.schedule.first_slot_ms:
            raise RunError(
                "the meters did not read before the curve was to begin:"
                " a lower speed, or fewer meters?"
            )

    with substation.running(clock):
        _watched(conductor.start_meters(in_time))
        span_ms = plan.schedule.end_ms - plan.schedule.begin_ms
        _watched(
            conductor.watch(
                lambda: clock.now_ms() >= plan.schedule.end_ms,
                lambda: min(1.0, (clock.now_ms() - plan.schedule.begin_ms) / span_ms),
                plan.kills,
            )
        )
        complete = bring_to_an_end(substation, conductor, tail, plan.schedule.last_slot_ms)
    return conductor, complete


def _watched(to_the_end: bool) -> None:
    """A replay that is stopped half-way has nothing to check."""
    if not to_the_end:
        raise KeyboardInterrupt
