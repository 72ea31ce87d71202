"""Runs on MicroPython: an MQTT client over TLS that tells what happens to it, line by line.

    publish.py FOLDER HOST PORT SERVER_NAME COUNT [BYTES ANSWER_MS [QUIET_MS]]
FOLDER holds ca.der, meter.der and meter.key.der. COUNT messages "0", "1", .. of at least BYTES
bytes are published. With ANSWER_MS, that time-out is shortened and the window has no bounds; with
QUIET_MS, a ping is sent and a PUBACK is missed after that.
"""

import asyncio
import os
import sys

from wattle_meter import mqtt_client, tls_stream
from wattle_meter.board import Random
from wattle_meter.mqtt_client import Client, Handler, Hello, NotConnectedError
from wattle_meter.ticks import TickClock


class HostRandom(Random):
    def bytes(self, count):
        return os.urandom(count)


class Owner(Handler):
    def __init__(self, folder, host, port, server_name):
        self._address = (host, port, server_name)
        parts = [read(folder + "/" + name) for name in ("ca.der", "meter.der", "meter.key.der")]
        self._context = tls_stream.context(*parts)
        self.changed = asyncio.Event()

    async def dial(self):
        host, port, server_name = self._address
        return await tls_stream.dial(host, port, self._context, server_name)

    def hello(self):
        return Hello("meter", ("will", b"gone", True), ["down"])

    def opened(self):
        print("opened")
        self.changed.set()

    def received(self, topic, payload):
        print("received", topic, payload.decode())

    def closed(self, reason):
        print("closed", " ".join(reason.split()))


def read(path):
    with open(path, "rb") as file:
        return file.read()


async def main(folder, host, port, server_name, count, size=0, answer_ms=0, quiet_ms=0):
    if quiet_ms:
        mqtt_client.PING_AFTER_MS = mqtt_client.PUBACK_MS = quiet_ms
        mqtt_client.WATCH_MS = 100
    if answer_ms:
        mqtt_client.ANSWER_MS = answer_ms
        mqtt_client.WINDOW_MESSAGES = mqtt_client.WINDOW_BYTES = 1 << 30
    owner = Owner(folder, host, port, server_name)
    client = Client(owner, TickClock(), HostRandom())
    running = asyncio.create_task(client.run())
    sent = 0
    while sent < count:
        try:
            text = b"%d" % sent
            await client.publish("up", text + bytes(max(0, size - len(text))))
            sent += 1
        except NotConnectedError:
            owner.changed.clear()
            await owner.changed.wait()
    print("published", sent)
    await running


_words = sys.argv[1:]
asyncio.run(main(_words[0], _words[1], int(_words[2]), _words[3], *[int(a) for a in _words[4:]]))
