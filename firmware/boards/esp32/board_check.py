"""What a technician has a provisioned ESP32 try at its prompt, the meter stopped.

Brought along like commissioning.py. Prints a line of JSON for each thing that was tried:
{"readings": [[d, status, {quantity: integer or letter}], ..]} for each round,
{"sample": hex} the last round as a real sample, which stays in the outbox and goes to the gateway,
{"gateway": host, "error": text or null} for each gateway, and {"clock": state, "stored_ms": time}.
"""

import asyncio
import binascii
import json

from esp32_board import Esp32Board
from wattle_meter import config, identity, mqtt
from wattle_meter.bus import Bus
from wattle_meter.clock import WallClock
from wattle_meter.config import Config
from wattle_meter.errors import MeterError
from wattle_meter.installation import Installation
from wattle_meter.journal import Journal
from wattle_meter.keys import Keys
from wattle_meter.metering import Metering
from wattle_meter.outbox import Outbox
from wattle_meter.signer import SoftwareSigner
from wattle_wire import topics

_TIME = "time"  # that of wattle_meter.app
_CONNECT_MS = 30000  # wireless network, name, TLS and the broker's answer
_KEEPALIVE_S = 60
_READ_BYTES = 256


def main(rounds: int) -> None:
    """Reads `rounds` rounds (at least 1), signs the last, calls on each gateway.

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
    await _call(board, settings, keys, topics.meter_id(signer.kid))


async def _call(board: Esp32Board, settings: Config, keys: Keys, meter_id: str) -> None:
    for gateway in settings.gateways:
        error = None
        try:
            await asyncio.wait_for_ms(_reach(board, gateway, keys, meter_id), _CONNECT_MS)
        except asyncio.TimeoutError:
            error = "no answer within %d s" % (_CONNECT_MS // 1000)
        except (MeterError, OSError, ValueError) as failed:
            error = "%s: %s" % (type(failed).__name__, failed)
        print(json.dumps({"gateway": gateway.host, "error": error}))


async def _reach(  # type: ignore[no-untyped-def]
    board: Esp32Board, gateway, keys: Keys, meter_id: str
) -> None:
    """Returns when the broker has let the meter in. Raises MqttError, OSError, ValueError."""
    stream = await board.connect(gateway, keys.tls.der())
    try:
        await stream.write(mqtt.connect(meter_id, _KEEPALIVE_S))
        packets = mqtt.PacketReader()
        while True:
            packet = packets.next()
            if packet is not None:
                mqtt.parse_connack(packet[1], packet[2])
                return
            data = await stream.read(_READ_BYTES)
            if not data:
                raise OSError("closed by the broker: it does not know this meter")
            packets.feed(data)
    finally:
        await stream.close()
