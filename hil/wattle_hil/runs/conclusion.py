"""The end of every run: everything becomes final and stops, is checked and reported."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from wattle_hil.children.deadline import Deadline
from wattle_hil.children.environment import environment
from wattle_hil.errors import RunError
from wattle_hil.report.files import write_report
from wattle_hil.report.model import Check, Report
from wattle_hil.runs.conductor import Conductor
from wattle_hil.runs.durability import broken_promises
from wattle_hil.runs.final_checks import (
    check_all_complete,
    check_audits,
    check_energy,
    check_promises,
    check_same_ledger,
    export,
)
from wattle_hil.runs.folder import PointNote, RunNote
from wattle_hil.runs.ledger_rows import read_first_seqs, read_rows
from wattle_hil.runs.ledger_tail import LedgerTail
from wattle_hil.runs.points_file import ReadingTimes, write_points
from wattle_hil.runs.report import run_report
from wattle_hil.runs.statement_check import check_statements
from wattle_hil.runs.substation import Substation

# A meter that lost its broker several times in a row waits almost a minute before it tries again,
# and sends what was lost on the way after 15 s.
FINAL_DEADLINE_S = 180.0
_SEQS_MORE = 2


def bring_to_an_end(
    substation: Substation, conductor: Conductor, tail: LedgerTail, last_slot_ms: int
) -> Check:
    """Waits until the ledger has every slot up to the last one, then stops everything.

    What is not final after FINAL_DEADLINE_S fails the check that it gives. Raises ProcessError;
    RunError when somebody asks to stop meanwhile.
    """
    deadline = Deadline(FINAL_DEADLINE_S)
    points, controls = substation.points(), substation.gateways.controls
    # A reading of the last slot is under way at most; what follows it says that it was taken.
    seqs = {name: seq + _SEQS_MORE for name, seq in substation.newest_seqs().items()}
    _watch(conductor, deadline, lambda: substation.knows_durable(seqs))
    conductor.note_durable()
    substation.stop_meters()
    checks: list[Check] = []

    def complete() -> bool:
        if deadline.left_s and not tail.has_all(points, last_slot_ms):
            return False
        checks.append(check_all_complete(controls, conductor.promises.durable))
        return checks[-1].passed is True or deadline.left_s == 0

    conductor.watch(complete)
    substation.gateways.wait_for_one_head()
    substation.gateways.stop()
    return checks[-1]


def _watch(conductor: Conductor, deadline: Deadline, until: Callable[[], bool]) -> None:
    if not conductor.watch(lambda: deadline.left_s == 0 or until()):
        raise RunError("stopped before all readings were final")


@dataclass(frozen=True)
class RunTitle:
    """What a run is called in its report. load_names: of the meters' loads, by the plan's name."""

    title: str
    command: str
    started: str
    seed: int
    load_names: Mapping[str, str]


def conclude(
    run: RunTitle,
    substation: Substation,
    conductor: Conductor,
    found: Sequence[Check],
    times: ReadingTimes,
) -> Report:
    """Exports, checks and reports a run whose processes have ended.

    found: what was checked while it ran, what `bring_to_an_end` gave among it. Raises the bench's
    errors.
    """
    real_s = conductor.elapsed_s
    folder, control, promises = substation.folder, substation.control, conductor.promises
    controls = substation.gateways.controls
    _write_note(run, substation)
    ledger_id = str(control.status()["ledger_id"])
    write_points(folder, substation.plans, substation.meter_ids, ledger_id, times)
    export(control, folder)
    broken = broken_promises(
        promises,
        read_rows(folder.samples),
        read_first_seqs(folder.meters),
        bytes.fromhex(ledger_id),
    )
    checks = [
        check_energy(folder),
        *found,
        check_promises(broken, len(promises.committed)),
        *check_statements(control, folder),
        check_audits(controls),
    ]
    if len(controls) > 1:
        checks.append(check_same_ledger(controls, conductor.differing))
    report = run_report(
        folder, checks, conductor.events, environment(substation.interpreters), real_s
    )
    write_report(report, folder.path)
    return report


def _write_note(run: RunTitle, substation: Substation) -> None:
    points = tuple(
        PointNote(
            substation.meter_ids[plan.name],
            device.number,
            run.load_names[plan.name],
            device.model.name,
        )
        for plan in substation.plans
        for device in plan.devices
    )
    speed = substation.clock.speed
    note = RunNote(run.title, run.command, run.started, run.seed, speed, points)
    note.write(substation.folder.run)
