"""How the meter is, as `state` carries it (SPEC section 7)."""

import gc

from wattle_meter.board import Board
from wattle_meter.bus import OUTCOMES
from wattle_meter.journal import Journal
from wattle_meter.metering import Device
from wattle_meter.resets import Resets

_WORK = ("rounds", "failed_readings", "missed_slots", "unsaved", "restarts")


def record(
    board: Board,
    resets: Resets,
    journal: Journal,
    devices: list[Device],
    counts: dict[str, int],
) -> list[object]:
    """The array of SPEC section 7; `counts` holds those of bus, sampling, tasks and connection.

    Collects garbage.
    """
    gc.collect()
    kept = journal.counts()
    failing: list[list[int]] = []
    for device in devices:
        failed = sum(device.failures.values())
        if failed or device.counters.frozen:
            failing.append([device.number, failed, device.counters.frozen])
    return [
        [board.clock.ticks_ms() // 1000, gc.mem_free()],
        [resets.cause] + resets.counts,
        board.rssi_dbm(),
        [
            max(0, journal.newest - journal.chain.final),
            kept["outbox_flash_bytes"],
            kept["write_failed"],
            kept["dropped"],
        ],
        [counts[name] for name in OUTCOMES],
        [counts[name] for name in _WORK],
        [counts["opened"], counts["resent"]],
        failing,
    ]
