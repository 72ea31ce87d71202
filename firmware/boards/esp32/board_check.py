"""What a provisioned ESP32 reads and signs, for a technician at its prompt, the meter stopped.

Brought along like commissioning.py. Prints a line of JSON for each thing that was tried:
{"readings": [[d, status, {quantity: integer or letter}], ..]} for each round,
{"sample": hex} the last round as a real sample, which stays in the outbox and goes to the gateway,
and {"clock": state, "stored_ms": time}. Whom the meter reaches is tried apart (board_reach.py): the
heap of a board does not hold both.
"""

import asyncio
import binascii
import json

from esp32_board import Esp32Board
from wattle_meter import config, identity
from wattle_meter.bus import Bus
from wattle_meter.clock import WallClock
from wattle_meter.installation import Installation
from wattle_meter.journal import Journal
from wattle_meter.metering import Metering
from wattle_meter.outbox import Outbox
from wattle_meter.signer import SoftwareSigner

_TIME = "time"  # that of wattle_meter.app


def main(rounds: int) -> None:
    """Reads `rounds` rounds (at least 1), and signs the last.

    Raises a MeterError that says what a person must mend, OSError.
    """
    asyncio.run(_check(Esp32Board(), rounds))


async def _check(board: Esp32Board, rounds: int) -> None:
    settings = config.load(board.folder)
    installation = Installation(settings, board.folder)
    port = board.serial_port(installation.line, settings.board)
    keys = identity.keys_of(board.store, board.random)
    stored = board.store.get(_TIME)
    stored_ms = int.from_bytes(stored, "big") if stored else 0
    wall = WallClock(board.uptime_ms(), stored_ms)
    metering = Metering(
        Bus(port, installation.line, board.clock),
        installation.devices,
        installation.slots,
        installation.lateness_ms,
        board.clock,
    )
    interval_ms = settings.interval_ms
    readings = []
    for _ in range(rounds):
        now_ms = wall.now_ms(board.uptime_ms())
        slot_ms = now_ms - now_ms % interval_ms + interval_ms
        await board.clock.sleep_ms(slot_ms - now_ms)
        readings = await metering.read_round(slot_ms, 0)
        rows = [[reading.device, reading.status, reading.values] for reading in readings]
        print(json.dumps({"readings": rows}))
    signer = SoftwareSigner(keys.signing)
    outbox = Outbox(board.outbox(), settings.outbox_bytes)
    eui64 = settings.eui64 or board.eui64()
    journal = Journal(eui64, settings.ledger_id, signer, board.store, outbox)
    state = wall.state(board.uptime_ms())
    seq = await journal.record(readings, state, board.clock, True)
    raw = outbox.get(seq)
    assert raw is not None
    print(json.dumps({"sample": binascii.hexlify(bytes(raw)).decode()}))
    # As a meter that ends: its next life goes on behind this sample, and not before this time.
    now_ms = wall.now_ms(board.uptime_ms())
    board.store.set(_TIME, now_ms.to_bytes(8, "big"))
    journal.stop()
    print(json.dumps({"clock": state, "stored_ms": stored_ms}))
