"""How long a setpoint takes from publish to the register of a load; run as a program, it measures.

    python -m wattle_testkit.control_latency [--setpoints N]

Real parts: broker, a meter process on the Linux board at 1 Hz, an SDM120 and a load on one line at
9600 Bd with the bytes' own time.
"""

import argparse
import statistics
import tempfile
from pathlib import Path

from wattle_hil.children.processes import ProcessGroup
from wattle_hil.clock import host_ms
from wattle_hil.devices.adjustable_load import AdjustableLoad
from wattle_hil.devices.device import Device, EmulatedDevice
from wattle_hil.devices.line import Line
from wattle_hil.devices.rtu_slave import LineTiming
from wattle_hil.devices.sdm import SDM120
from wattle_tools.board_folder import LoadChoice
from wattle_wire import downlink

from wattle_testkit import waiting
from wattle_testkit.meter_site import Board, MeterSite

_DEADLINE_S = 30.0
_HOUR_MS = 3_600_000
_LOAD_UNIT = 9
_LOWEST_W = 1_000
_STEP_W = 10


def measure(folder: Path, setpoints: int) -> list[int]:
    """Milliseconds of each of `setpoints` setpoints, one after another."""
    load = AdjustableLoad(_LOAD_UNIT, host_ms() - 1_000)
    devices: list[Device] = [EmulatedDevice(1, SDM120, load.power), load]
    with ProcessGroup() as group, Line(folder / "line", devices, host_ms, LineTiming(paced=True)):
        site = MeterSite(folder, group)
        choice = LoadChoice(1, "bench-load", {"unit": _LOAD_UNIT, "rest_w": 0})
        board = site.board("meter", "64", folder / "line", loads=[choice])
        site.start_broker()
        group.start(board.process)
        waiting.until(lambda: board.meter.samples, _DEADLINE_S, "a sample")
        taken_ms = [_one(site, board, load, turn) for turn in range(setpoints)]
        site.gateway.disconnect()
    return taken_ms


def _one(site: MeterSite, board: Board, load: AdjustableLoad, turn: int) -> int:
    watts = _LOWEST_W + _STEP_W * (turn % 100)
    known = len(board.meter.samples)
    waiting.until(lambda: len(board.meter.samples) > known, _DEADLINE_S, "a sample")
    # Spread over the second of the grid, so that some come in the middle of a round.
    waiting.until(lambda: host_ms() % 1_000 // 100 == turn * 3 % 10, _DEADLINE_S, "a tenth")
    began_ms = host_ms()
    body: list[object] = [bytes(32), 1, watts, began_ms + _HOUR_MS]
    site.gateway.send_command(board.meter, downlink.SETPOINT, body)
    waiting.until(lambda: load.setpoint_w == watts, _DEADLINE_S, "the register write")
    return load.writes[-1][0] - began_ms


def main() -> None:
    """Prints one line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--setpoints", type=int, default=30)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        taken_ms = measure(Path(folder), options.setpoints)
    print(
        f"publish of a setpoint to the register write, {len(taken_ms)} times:"
        f" median {statistics.median(taken_ms):.0f} ms, worst {max(taken_ms)} ms"
    )


if __name__ == "__main__":
    main()
