"""`wattle-hil device`: an emulated metering device on a pty, for whatever master is at hand.

With `--adjustable` its load is no curve but a second device of the line, which takes setpoints.
"""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from wattle_hil.children.stop_signal import StopSignal
from wattle_hil.clock import MAX_SPEED, BenchClock, host_ms
from wattle_hil.curves.arguments import add_curve_arguments, curve_from, whole_number
from wattle_hil.curves.curve import Curve, iso_utc
from wattle_hil.curves.shapes import SHAPES, STEP_MS
from wattle_hil.devices.adjustable_load import (
    DEVICE_FAILURE,
    MAX_W,
    AdjustableLoad,
    LoadTraits,
)
from wattle_hil.devices.device import MAX_UNIT, Device, EmulatedDevice
from wattle_hil.devices.families import FAMILIES
from wattle_hil.devices.line import Line
from wattle_hil.devices.rtu_slave import LineTiming
from wattle_hil.errors import CurveError

_SHAPE_LENGTH_MS = 7 * 86_400_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("model", choices=sorted(FAMILIES))
    parser.add_argument(
        "--port",
        type=Path,
        help="path of the serial port to make (default: in the temporary folder)",
    )
    load = parser.add_mutually_exclusive_group(required=True)
    load.add_argument("--curve", type=Path, metavar="CSV", help="its load, with --time ..")
    load.add_argument("--shape", choices=sorted(SHAPES), help="its load, made from --seed")
    load.add_argument(
        "--adjustable",
        type=whole_number(1, MAX_UNIT),
        metavar="UNIT",
        help="its load is an adjustable one with this unit id on the same line",
    )
    _add_load_arguments(parser)
    parser.add_argument("--seed", type=int, default=1)
    add_curve_arguments(parser, required=False)
    parser.add_argument("--unit-id", type=whole_number(1, MAX_UNIT), default=1)
    parser.add_argument("--baud", type=int, help="default: as it leaves the factory")
    parser.add_argument(
        "--paced", action="store_true", help="bytes take as long as on a wire of --baud"
    )
    parser.add_argument(
        "--speed",
        type=whole_number(1, MAX_SPEED),
        default=1,
        help="the curve runs so many times faster than life, from its start",
    )


def serve(options: argparse.Namespace, stop: StopSignal, tell: Callable[[str], None]) -> None:
    """Serves the device until a signal. Raises the errors of the bench."""
    began_ms = host_ms()
    described, start_ms, load = _load(options, began_ms)
    # A curve of another day is replayed from its start; a made one runs on the host's clock.
    clock = BenchClock(start_ms if options.curve else began_ms, began_ms, options.speed)
    curve = load.power if isinstance(load, AdjustableLoad) else load
    device = EmulatedDevice(options.unit_id, FAMILIES[options.model], curve, baud=options.baud)
    devices: list[Device] = [device]
    if isinstance(load, AdjustableLoad):
        devices.append(load)
    baud, parity = options.baud or device.model.baud, device.model.parity
    bits = 10 if parity == "N1" else 11
    timing = LineTiming(baud=baud, bits_per_character=bits, paced=options.paced)
    port = options.port or Path(tempfile.gettempdir()) / f"wattle-{options.model}"
    with Line(port, devices, clock.now_ms, timing):
        for line in described:
            tell(line)
        tell(
            f"{device.model.name}, unit {options.unit_id}, {baud} baud 8{parity} on"
            f" {port}; {iso_utc(clock.now_ms())} at speed {options.speed};"
            " Ctrl-C ends it"
        )
        stop.wait(None)


def _add_load_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    watts = whole_number(0, MAX_W)
    add("--load-start", type=watts, default=0, metavar="W", help="what it consumes at first")
    add("--load-ramp", type=watts, default=0, metavar="W/S", help="default: it jumps")
    add("--load-delay", type=whole_number(0, 600_000), default=0, metavar="MS")
    add(
        "--load-fault",
        choices=("refuses", "stuck"),
        help="refuses: answers every setpoint with exception 4; stuck: takes it and does nothing",
    )


def _load(
    options: argparse.Namespace, now_ms: int
) -> tuple[list[str], int, Curve | AdjustableLoad]:
    """(lines about it, Unix ms at which it begins, the load)."""
    if options.adjustable is None:
        curve = _curve(options, now_ms)
        return curve.summary(), curve.start_ms, curve
    traits = LoadTraits(ramp_w_per_s=options.load_ramp, delay_ms=options.load_delay)
    load = AdjustableLoad(options.adjustable, now_ms, options.load_start, traits)
    load.stuck = options.load_fault == "stuck"
    load.refusal = DEVICE_FAILURE if options.load_fault == "refuses" else None
    return [f"adjustable load, unit {load.unit}, {load.setpoint_w} W"], now_ms, load


def _curve(options: argparse.Namespace, now_ms: int) -> Curve:
    if options.shape:
        start_ms = now_ms // STEP_MS * STEP_MS
        return SHAPES[options.shape](start_ms, _SHAPE_LENGTH_MS, options.seed)
    if not (options.time and options.power and options.unit):
        raise CurveError("--curve needs --time, --power and --unit")
    return curve_from(options.curve, options)
