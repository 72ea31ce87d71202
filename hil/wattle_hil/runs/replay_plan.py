"""What `wattle-hil replay` is told, and what is decided before anything is started."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wattle_hil.clock import MAX_SPEED
from wattle_hil.curves.arguments import (
    add_curve_arguments,
    curve_columns,
    curve_from,
    whole_number,
)
from wattle_hil.devices.sdm import MODELS
from wattle_hil.runs.device_plan import LoadSource, MeterPlan, plan_meters
from wattle_hil.runs.folder import RunFolder, new_folder
from wattle_hil.runs.kill_plan import TARGETS, Kill, plan_kills
from wattle_hil.runs.points_file import copied
from wattle_hil.runs.schedule import Schedule, schedule, start_up_real_s

_MAX_METERS = 32
_MAX_DEVICES = 8
# Kills end so long before the curve does that what they interrupt is caught up within the run.
_QUIET_END_S = 10.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    add = parser.add_argument
    add("curve", type=Path, metavar="CURVE.csv", help="plain or gzip, 1 s to 1 h resolution")
    add_curve_arguments(parser, required=True)
    add("--speed", type=whole_number(1, MAX_SPEED), default=1, help="times faster than life")
    add("--device", choices=sorted(MODELS), default="sdm120", help="type of metering device")
    add("--meters", type=whole_number(1, _MAX_METERS), default=1, help="that follow the curve")
    add("--devices", type=whole_number(1, _MAX_DEVICES), default=1, help="of each meter")
    add(
        "--interval",
        type=whole_number(1, 3_600),
        metavar="S",
        help="sampling interval of the curve's time (default: the shortest possible)",
    )
    add(
        "--start-up",
        type=whole_number(1, 600),
        metavar="S",
        help="real time to start everything before the curve begins (default: 8 s and 0.5 s a"
        " meter)",
    )
    add("--out", type=Path, help="new folder for ledger, logs, report (default: under build/runs)")
    add(
        "--kill",
        type=_targets,
        default=(),
        metavar="PART,..",
        help=f"kill -9 of {', '.join(TARGETS)} at random instants",
    )
    add("--kills", type=whole_number(1, 1_000), default=3, help="how often each (default 3)")
    add("--seed", type=int, default=1, help="of the kills (default 1)")


def _targets(text: str) -> tuple[str, ...]:
    targets = tuple(text.split(","))
    if not set(targets) <= set(TARGETS) or len(set(targets)) != len(targets):
        raise argparse.ArgumentTypeError(f"{text!r}, expected some of {','.join(TARGETS)}")
    return targets


@dataclass(frozen=True)
class ReplayPlan:
    """A replay before it begins. load: what people call the curve."""

    folder: RunFolder
    meters: Sequence[MeterPlan]
    schedule: Schedule
    kills: Sequence[Kill]
    load: str
    seed: int


def plan_replay(options: argparse.Namespace) -> ReplayPlan:
    """Reads the curve and makes the run's folder. Raises the bench's errors."""
    curve = curve_from(options.curve, options)
    start_up_s = options.start_up or start_up_real_s(options.meters)
    plan = schedule(curve, options.speed, options.devices, start_up_s, options.interval)
    from_s = (curve.start_ms - plan.begin_ms) / options.speed / 1_000
    until_s = (curve.end_ms - plan.begin_ms) / options.speed / 1_000 - _QUIET_END_S
    each = options.kills if options.kill else 0
    kills = plan_kills(options.kill, each, options.meters, from_s, until_s, options.seed)
    folder = RunFolder(options.out or new_folder("replay"))
    folder.create()
    load = copied(LoadSource(curve, options.curve, curve_columns(options)), folder)
    models = [MODELS[options.device]] * options.meters
    meters = plan_meters([load] * options.meters, models, options.devices)
    return ReplayPlan(folder, meters, plan, kills, options.curve.stem, options.seed)
