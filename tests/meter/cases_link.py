"""The link against a broker in memory: what is said in which order, and who is believed."""

import asyncio

from wattle_meter import config, gateway_choice
from wattle_meter.board import Board, Random
from wattle_meter.clock import WallClock
from wattle_meter.control import Control
from wattle_meter.fields import FieldError, Fields
from wattle_meter.journal import Journal
from wattle_meter.keys import Keys, Pair
from wattle_meter.link import Link
from wattle_meter.mqtt import PUBLISH, PacketReader, parse_publish, puback, publish
from wattle_meter.outbox import Outbox
from wattle_meter.signer import SoftwareSigner
from wattle_testkit.meter_fakes import FakeStore, FakeStream, LoopClock, MemoryFiles, settle
from wattle_wire import cbor, cose, downlink, p256, topics, uplink
from wattle_wire.downlink import Ack
from wattle_wire.sample import Reading

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

    def uptime_ms(self):
        return self.clock.now_ms

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
            self.jumps.append,
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


async def greeting(bench):
    assert bench.leaves() == ["birth", "state"]
    _, raw, retained = bench.board.published[0]
    signed = cose.parse_sign1("birth", LEDGER, raw)
    p256.verify(KEYS.signing.public, signed.digest, signed.signature)
    assert uplink.decode_birth(signed.payload) == BIRTH
    assert retained
    online, connection, nonce = bench.state()
    assert online
    assert len(nonce) == 16
    assert bench.board.published[1][2]
    will = uplink.encode_state(connection, False)
    connect = bench.board.streams[0].written[0]
    assert will in connect
    assert topics.topic("here", METER, "state").encode() in connect


test_a_connection_begins_with_birth_and_state = case(greeting)


def test_a_gateway_whose_key_is_no_point_is_named():
    try:
        Bench([bytes((4,)) + bytes(63) + b"\x01"])
    except FieldError as error:
        assert "link_public of gw0" in str(error)
        return
    raise AssertionError("accepted")


async def live_samples(bench):
    assert await bench.record() == 1
    assert await bench.record() == 2
    assert bench.samples() == [1, 2]
    assert bench.journal.samples_wait()
    await bench.ack(2)
    assert not bench.journal.samples_wait()
    assert bench.link.is_up()
    await bench.record()
    assert bench.samples() == [1, 2, 3]
    assert bench.link.counts["acks"] == 1


test_samples_go_out_as_they_are_made = case(live_samples)


async def forgeries(bench):
    await bench.record()
    good = sealed("ack", downlink.encode_ack(Ack(1, 1, [], [], 5, bytes(32))), 0)
    await bench.deliver("ack", good[:-1] + bytes((good[-1] ^ 1,)))
    await bench.deliver("cmd", good)
    assert bench.link.counts["forged"] == 2
    await bench.deliver("ack", good[:-1])
    await bench.deliver("ack", b"")
    await bench.deliver("ack", b"\x00" * 2000)
    await bench.say("ack", cbor.encode([1, 2]))
    assert bench.link.counts["malformed"] == 4
    await bench.ack(1, gateway=1)
    assert bench.link.counts["foreign"] == 1
    assert bench.journal.chain.final == 0
    await bench.deliver("ack", good)
    assert bench.journal.chain.final == 1
    await bench.ack(0, index=6)
    await bench.ack(1, index=4)
    assert bench.link.counts["stale"] == 2
    assert bench.link.counts["acks"] == 1


test_only_the_gateways_own_acks_that_go_forward_count = case(forgeries)


async def time_question(bench):
    nonce = bench.state()[2]
    await bench.say("cmd", downlink.encode_command(1, downlink.TIME, [bytes(16), T]))
    assert bench.wall.state(bench.clock.now_ms) == "U"
    bench.clock.now_ms += 200
    raw = await bench.say("cmd", downlink.encode_command(2, downlink.TIME, [nonce, T]))
    assert bench.wall.state(bench.clock.now_ms) == "S"
    assert bench.wall.now_ms(bench.clock.now_ms) == T + 100
    assert len(bench.jumps) == 1
    await bench.deliver("cmd", raw)
    assert bench.link.counts["times"] == 1
    assert bench.link.counts["stale"] == 2


test_the_time_is_taken_from_an_answer_to_our_own_question = case(time_question)


async def another_question(bench):
    first = bench.state()[2]
    bench.clock.now_ms += 19999
    await bench.record()
    assert bench.state()[2] == first
    bench.clock.now_ms += 1
    await bench.record()
    assert bench.state()[2] != first
    assert bench.leaves().count("state") == 2


test_an_unanswered_question_is_asked_again = case(another_question)


async def resend(bench):
    await bench.record()
    await bench.record()
    await bench.ack(0, durable=2)
    await bench.say("cmd", downlink.encode_command(7, downlink.RESEND, [2, 2]))
    await bench.clock.advance(100)
    bench.link.wake()
    await settle()
    assert bench.samples() == [1, 2, 2]
    await bench.say("cmd", downlink.encode_command(8, downlink.SETPOINT, [bytes(32), 1, 5, T]))
    assert bench.link.counts["stale"] == 1
    assert "while the clock is U" in bench.board.logged[-1]
    assert bench.link.status()["commands"] == {"carried_out": 1, "replayed": 0, "refused": 1}


test_commands_are_carried_out_or_refused = case(resend)


async def silence(bench):
    await bench.record()
    ack = await bench.ack(0, durable=1)
    assert bench.control.heard_count == 1
    await bench.deliver("ack", ack)
    bench.board.streams[-1].finish()
    for _ in range(20):
        await bench.clock.advance(1000)
    await bench.deliver("ack", ack)
    assert bench.link.counts["acks"] == 3
    assert bench.control.heard_count == 1
    command = downlink.encode_command(7, downlink.RESEND, [1, 1])
    await bench.say("cmd", command)
    await bench.say("cmd", command)
    assert bench.control.heard_count == 2


test_repeating_what_a_gateway_once_said_does_not_pass_for_it = case(silence)


async def standstill(bench):
    await bench.record()
    assert bench.board.dialled == ["gw0"]
    bench.link.service()
    bench.clock.now_ms += gateway_choice.STANDSTILL_MS
    bench.link.service()
    await settle()
    assert bench.board.dialled == ["gw0", "gw1"]
    assert bench.link.client.connected
    await bench.ack(1, gateway=0)
    assert bench.link.counts["foreign"] == 1
    await bench.ack(1, gateway=1)
    assert bench.journal.chain.final == 1


test_where_final_stands_still_the_next_gateway_gets_its_turn = case(standstill)


async def reconnect(bench):
    await bench.record()
    await bench.ack(1)
    first = bench.state()[1]
    bench.board.streams[-1].finish()
    await settle()
    assert not bench.link.is_up()
    await bench.record()
    for _ in range(20):
        await bench.clock.advance(1000)
    assert bench.board.dialled == ["gw0", "gw0"]
    assert bench.leaves().count("birth") == 2
    assert bench.state()[1] != first
    bench.link.wake()
    await settle()
    assert bench.samples() == [1, 2]


test_after_a_lost_connection_it_begins_anew_and_sends_what_is_not_final = case(reconnect)
