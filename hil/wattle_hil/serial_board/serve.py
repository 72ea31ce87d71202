"""`wattle-hil boards`: emulated boards on ptys, to practise on and to try a tool against."""

import argparse
import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path

from wattle_hil.board.cable import CabledBoard
from wattle_hil.children.stop_signal import StopSignal
from wattle_hil.clock import host_ms
from wattle_hil.curves.arguments import whole_number
from wattle_hil.curves.curve import UW_PER_W, Curve, StepSeries
from wattle_hil.devices.device import EmulatedDevice
from wattle_hil.devices.families import FAMILIES
from wattle_hil.devices.line import Line
from wattle_hil.serial_board.bench import FLASH_BYTES, BoardBench
from wattle_hil.serial_board.emulated import Faults
from wattle_hil.serial_board.flash_memory import BOOTLOADER_AT
from wattle_hil.serial_board.interpreter import (
    Interpreter,
    connected_interpreter,
    unix_interpreter,
)
from wattle_hil.serial_board.program_image import interpreter_image

_BOARDS_MAX = 32
_ROM_BYTES = 0x60000
_LOAD_W = 2_000
_YEAR_MS = 365 * 86_400_000
_MAC_PREFIX = bytes.fromhex("0200005752")  # locally administered: no maker's
FAULTS = {
    "stuck": Faults(stuck_at=0x12000),
    "unplugged": Faults(unplug_after=40_000),
    "babbling": Faults(babble=True),
    "noisy": Faults(noise=True),
    "silent": Faults(silent=True),
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Arguments of the command."""
    parser.add_argument("--count", type=whole_number(1, _BOARDS_MAX), default=1)
    parser.add_argument("--bare", action="store_true", help="without an interpreter")
    parser.add_argument("--romfs", action="store_true", help="with a partition for ROMFS")
    parser.add_argument(
        "--cortex-m3",
        action="store_true",
        help="one board more, a whole microcontroller in qemu (`make board`), without a loader",
    )
    parser.add_argument(
        "--faulty",
        action="append",
        default=[],
        choices=sorted(FAULTS),
        help="one board of the row has this fault; may be given again",
    )
    parser.add_argument(
        "--metered",
        action="store_true",
        help=f"each has an SDM120, unit 1, under {_LOAD_W} W on its line, and this machine's "
        "network",
    )
    parser.add_argument(
        "--image", type=Path, metavar="FILE", help="also writes an interpreter image to this file"
    )


def _metered_load(now_ms: int) -> EmulatedDevice:
    """An SDM120 under a load that stays as it is for a year."""
    series = StepSeries((now_ms,), (_LOAD_W * UW_PER_W,), now_ms + _YEAR_MS)
    return EmulatedDevice(1, FAMILIES["sdm120"], Curve("constant", 1_000, series))


def serve(options: argparse.Namespace, stop: StopSignal, tell: Callable[[str], None]) -> None:
    """Serves the boards until a signal. Raises the errors of the bench."""
    image = interpreter_image(romfs=options.romfs)
    if options.image is not None:
        options.image.write_bytes(image)
    content = b"" if options.bare else b"\xff" * BOOTLOADER_AT + image
    assert len(content) < FLASH_BYTES
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="wattle-boards-"))
        bench = stack.enter_context(BoardBench(Path(folder)))
        for number in range(options.count):
            name = options.faulty[number] if number < len(options.faulty) else None
            mac = _MAC_PREFIX + bytes([number + 1])
            interpreter: Interpreter = unix_interpreter
            if options.metered:
                path = Path(folder) / f"line{number}"
                line = stack.enter_context(Line(path, [_metered_load(host_ms())], host_ms))
                interpreter = connected_interpreter(line.link)
            port = bench.add(mac, content, FAULTS[name] if name else None, interpreter)
            tell(f"{port}  {mac.hex(':')}  {name or 'sound'}")
        ports = list(bench.ports().values())
        if options.cortex_m3:
            mac = _MAC_PREFIX + bytes([options.count + 1])
            cabled = stack.enter_context(CabledBoard(mac, _ROM_BYTES if options.romfs else 0))
            tell(f"{cabled.port}  {mac.hex(':')}  Cortex-M3")
            ports.append(cabled.port)
        tell("until Ctrl-C; wattle-tool boards " + " ".join(f"--port {port}" for port in ports))
        stop.wait(None)
