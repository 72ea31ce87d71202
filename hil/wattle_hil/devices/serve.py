"""`wattle-hil device`: an emulated metering device on a pty, for whatever master is at hand."""

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path

from wattle_hil.children.stop_signal import StopSignal
from wattle_hil.clock import MAX_SPEED, BenchClock, host_ms
from wattle_hil.curves.arguments import add_curve_arguments, curve_from, whole_number
from wattle_hil.curves.curve import Curve, iso_utc
from wattle_hil.curves.shapes import SHAPES, STEP_MS
from wattle_hil.devices.device import MAX_UNIT, EmulatedDevice
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


def serve(
    options: argparse.Namespace, stop: StopSignal, tell: Callable[[str], None] = print
) -> None:
    """Serves the device until a signal. Raises the errors of the bench."""
    began_ms = host_ms()
    curve = _curve(options, began_ms)
    # A curve of another day is replayed from its start; a made one runs on the host's clock.
    clock = BenchClock(curve.start_ms if options.curve else began_ms, began_ms, options.speed)
    device = EmulatedDevice(options.unit_id, FAMILIES[options.model], curve, baud=options.baud)
    baud, parity = options.baud or device.model.baud, device.model.parity
    bits = 10 if parity == "N1" else 11
    timing = LineTiming(baud=baud, bits_per_character=bits, paced=options.paced)
    port = options.port or Path(tempfile.gettempdir()) / f"wattle-{options.model}"
    with Line(port, [device], clock.now_ms, timing):
        for line in curve.summary():
            tell(line)
        tell(
            f"{device.model.name}, unit {options.unit_id}, {baud} baud 8{parity} on"
            f" {port}; {iso_utc(clock.now_ms())} at speed {options.speed};"
            " Ctrl-C ends it"
        )
        stop.wait(None)


def _curve(options: argparse.Namespace, now_ms: int) -> Curve:
    if options.shape:
        start_ms = now_ms // STEP_MS * STEP_MS
        return SHAPES[options.shape](start_ms, _SHAPE_LENGTH_MS, options.seed)
    if not (options.time and options.power and options.unit):
        raise CurveError("--curve needs --time, --power and --unit")
    return curve_from(options.curve, options)
