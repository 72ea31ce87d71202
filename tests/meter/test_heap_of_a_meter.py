"""RAM that a whole meter takes, linked, on the 32-bit interpreter: after its boot, and at its peak.

The meter is a process with a connection: its serial line, TLS, gateway and outbox are real ones.
"""

from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_hil.children.processes import ProcessGroup
from wattle_hil.clock import host_ms
from wattle_hil.devices.line import Line
from wattle_testkit import rom_image, waiting
from wattle_testkit.meter_site import MeterSite, emulated_sdm120

SAMPLES = 8
SAMPLES_S = 60.0
# What it keeps when it meters and is connected, after a collection.
AFTER_BOOT_BYTES_MAX = 70_000
# The smallest heap that it gets on in: its peak, garbage that must be there at once included.
PEAK_HEAP = "80k"

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("heap", [rom_image.BOARD_HEAP, PEAK_HEAP])
def test_a_meter_with_a_connection_leaves_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, heap: str
) -> None:
    try:
        parts.micropython(32)
    except parts.PartMissingError as error:
        pytest.skip(str(error))
    monkeypatch.setattr(rom_image, "BOARD_HEAP", heap)
    devices = [emulated_sdm120(host_ms() - 1_000)]
    with ProcessGroup() as group, Line(tmp_path / "line", devices, host_ms) as line:
        site = MeterSite(tmp_path, group)
        board = site.board("meter", "rom", line.link)
        site.start_broker()
        group.start(board.process)

        def reached() -> bool:
            return max(board.meter.samples, default=0) >= SAMPLES

        waiting.until(reached, SAMPLES_S, f"sample {SAMPLES}")
        status = waiting.until(board.status, SAMPLES_S, "status")
        site.gateway.disconnect()
    print(f"heap {heap}: {status['heap_used']} bytes in use, {status['heap_free']} free")
    used = status["heap_used"]
    assert isinstance(used, int)
    assert used <= AFTER_BOOT_BYTES_MAX
    assert status["restarts"] == 0
