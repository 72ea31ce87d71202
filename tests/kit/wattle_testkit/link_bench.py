"""A link whose broker is in memory; on CPython and MicroPython alike.

`case` makes a test of a coroutine that gets a Bench which is connected and has said hello.
"""

import asyncio

from wattle_meter import config
from wattle_meter.board import Board, Random
from wattle_meter.clock import WallClock
from wattle_meter.control import Control
from wattle_meter.fields import Fields
from wattle_meter.journal import Journal
from wattle_meter.keys import Keys, Pair
from wattle_meter.link import Link
from wattle_meter.mqtt import PUBLISH, PacketReader, parse_publish, puback
from wattle_meter.outbox import Outbox
from wattle_meter.signer import SoftwareSigner
from wattle_meter.updating import Updater
from wattle_meter.version import Versions
from wattle_wire import cbor, cose, downlink, p256, topics, uplink
from wattle_wire.downlink import Ack
from wattle_wire.sample import Reading

from wattle_testkit.client_bench import publish
from wattle_testkit.meter_fakes import FakeStore, FakeStream, LoopClock, MemoryFiles, settle

LEDGER = bytes(range(16))
T = 1700000000000
KEYS = Keys(Pair(bytes(31) + b"\x05"), Pair(bytes(31) + b"\x06"), Pair(bytes(31) + b"\x07"))
METER = topics.meter_id(KEYS.kid())
GATEWAYS = [Pair(bytes(31) + b"\x0a"), Pair(bytes(31) + b"\x0b")]
BIRTH = {
    "boot": 1,
    "clk": "U",
    "devices": [],
    "eui64": bytes(8),
    "fw": "0",
    "interval_ms": 1000,
    "platform": "test",
    "protect": "file",
    "seq": 1,
    "site": "here",
    "time_ms": T,
    "version": 0,
}
HEALTH = [
    [12, 20480],
    [0, 1, 0, 0, 0, 0, 0, 0],
    None,
    [0, 0, 0, 0],
    [9, 0, 0, 0, 0, 0, 0, 0],
    [9, 0, 0, 0, 0],
    [1, 0],
    [],
]


class CountingRandom(Random):
    """Other bytes at each call."""

    def __init__(self):
        self.calls = 0

    def bytes(self, count):
        self.calls += 1
        return bytes((self.calls,)) * count


class FakeBoard(Board):
    """A board whose connections end at a broker in memory."""

    def __init__(self):
        self.clock = LoopClock()
        self.random = CountingRandom()
        self.store = FakeStore()
        self.dialled = []
        self.streams = []
        self.published = []  # (leaf, payload, retain) of all connections
        self.logged = []
        self.proved = []

    def uptime_ms(self):
        return self.clock.now_ms

    def time_proved(self, unix_ms):
        self.proved.append(unix_ms)

    def log(self, level, text):
        self.logged.append(text)

    async def connect(self, gateway, tls_key):
        assert tls_key == KEYS.tls.der()
        self.dialled.append(gateway.host)
        self.streams.append(FakeStream(self.answer))
        return self.streams[-1]

    def answer(self, stream, data):
        reader = PacketReader(100000)
        reader.feed(data)
        kind, flags, body = reader.next()
        if kind == 1:
            stream.feed(b"\x20\x02\x00\x00")
        elif kind == 8:
            stream.feed(b"\x90\x04" + body[:2] + b"\x01\x01")
        elif kind == PUBLISH:
            message = parse_publish(flags, body)
            site, meter, leaf = topics.parse(message.topic)
            assert (site, meter) == ("here", METER)
            self.published.append((leaf, message.payload, message.retain))
            stream.feed(puback(message.packet_id))


class HeardControl(Control):
    """No loads; `heard_count` says how often a gateway was heard."""

    def __init__(self, board, wall):
        super().__init__(board, wall, None, [], 60000)
        self.heard_count = 0

    def heard(self):
        self.heard_count += 1


class Bench:
    """A link with two gateways, its client and sender running."""

    def __init__(self, link_keys=None):
        self.board = FakeBoard()
        self.clock = self.board.clock
        rows = [
            {"host": "gw%d" % at, "port": 8883, "ca": "ca", "link_public": key.hex()}
            for at, key in enumerate(link_keys or [pair.public for pair in GATEWAYS])
        ]
        top = {
            "format": 1,
            "site": "here",
            "ledger_id": LEDGER.hex(),
            "interval_ms": 1000,
            "gateways": rows,
            "devices": [{"d": 1, "profile": "x", "unit": 1}],
        }
        settings = config.Config(Fields(top, "config.json:"))
        signer = SoftwareSigner(KEYS.signing)
        outbox = Outbox(MemoryFiles(), 65536)
        self.journal = Journal(bytes(8), LEDGER, signer, self.board.store, outbox)
        self.wall = WallClock(self.board.uptime_ms())
        self.jumps = []
        self.control = HeardControl(self.board, self.wall)
        self.link = Link(
            self.board,
            settings,
            KEYS,
            signer,
            self.journal,
            self.wall,
            self.control,
            lambda: BIRTH,
            lambda: HEALTH,
            self.jumps.append,
            Updater(self.board, LEDGER, {}, Versions(self.board.store)),
        )

    async def record(self):
        readings = [Reading(1, T, "G", {"ei": 5})]
        seq = await self.journal.record(readings, "U", Immediate(self.clock), True)
        self.link.wake()
        await settle()
        return seq

    def leaves(self):
        return [leaf for leaf, _, _ in self.board.published]

    def samples(self):
        """The seqs of samples as they were published."""
        result = []
        for leaf, raw, _ in self.board.published:
            if leaf == "sample":
                signed = cose.parse_sign1("sample", LEDGER, raw)
                result.append(cbor.decode(signed.payload)[0][2])
        return result

    def state(self):
        """(online, connection, nonce) as last published."""
        return uplink.decode_state(
            [row[1] for row in self.board.published if row[0] == "state"][-1]
        )[:3]

    async def deliver(self, leaf, raw):
        topic = topics.topic("here", METER, leaf)
        self.board.streams[-1].feed(bytes(publish(topic, raw)))
        await settle()

    async def say(self, leaf, payload, gateway=0):
        raw = sealed(leaf, payload, gateway)
        await self.deliver(leaf, raw)
        return raw

    async def ack(self, final, index=1, durable=None, gateway=0):
        answer = Ack(final, durable or final, [], [], index, bytes(32))
        return await self.say("ack", downlink.encode_ack(answer), gateway)


class Immediate:
    """The ticks of a clock without its waiting: a signature must not need time to pass."""

    def __init__(self, clock):
        self.ticks_ms = clock.ticks_ms

    async def sleep_ms(self, ms):
        await asyncio.sleep(0)


def sealed(leaf, payload, gateway):
    """A COSE_Mac0 by one of the gateways."""
    pair = GATEWAYS[gateway]
    kid = cose.kid_of(pair.public)
    secret = p256.ecdh(pair.private, KEYS.link.public)
    key = cose.link_key(secret, LEDGER, KEYS.kid(), kid)
    return cose.mac0(leaf, LEDGER, kid, payload, key)


def case(function):
    """Runs a coroutine over a bench that is connected and has said hello."""

    def test():
        async def main():
            bench = Bench()
            tasks = [
                asyncio.create_task(bench.link.client.run()),
                asyncio.create_task(bench.link.send()),
            ]
            for _ in range(20):  # the birth's signature yields through the clock
                await settle()
                await bench.clock.advance(0)
            try:
                await function(bench)
            finally:
                for task in tasks:
                    task.cancel()
                await settle()

        asyncio.run(main())

    return test
