"""Whom a provisioned ESP32 reaches, for a technician at its prompt, the meter stopped.

Brought along like commissioning.py. Prints a line of JSON for each gateway of its configuration:
{"gateway": host, "error": text, or null if its broker lets the meter in}, and then
{"signal_dbm": of the wireless network, or null if it was not joined}.
"""

import asyncio
import json

from esp32_board import Esp32Board
from wattle_meter import config, identity, mqtt
from wattle_meter.config import Config
from wattle_meter.errors import MeterError
from wattle_meter.keys import Keys
from wattle_meter.line import Line
from wattle_wire import topics

_CONNECT_MS = 30000  # wireless network, name, TLS and the broker's answer
_KEEPALIVE_S = 60
_READ_BYTES = 256
# The board takes its wireless network along with its line, of which nothing is asked here.
_LINE = (9600, "N", 1)


def main() -> None:
    """Calls on each gateway. Raises a MeterError that says what a person must mend, OSError."""
    board = Esp32Board()
    settings = config.load(board.folder)
    board.serial_port(Line(*_LINE), settings.board)
    keys = identity.keys_of(board.store, board.random)
    asyncio.run(_call(board, settings, keys, topics.meter_id(keys.kid())))


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
    print(json.dumps({"signal_dbm": board.rssi_dbm()}))


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
