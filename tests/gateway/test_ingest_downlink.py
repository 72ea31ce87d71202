"""Acks and commands: what a meter is told, when, and with which counter."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from wattle_gateway.contracts.chain import AckView
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.ingest import acks as ack_module
from wattle_gateway.ingest.acks import AckSender
from wattle_gateway.ingest.commands import COUNTER, RESERVED, CommandSender
from wattle_gateway.ingest.links import LinkKeys
from wattle_gateway.ledger import crypto
from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.pki import keys
from wattle_testkit.alliance import Board, epoch_of, private_key
from wattle_wire import cose, downlink, topics
from wattle_wire.downlink import Ack

EPOCH = epoch_of()
BOARD = Board("meter", EPOCH)
HEAD = CommitHead(7, 1, b"\x07" * 32, bytes(32))
GATEWAY_LINK = private_key("gateway link")
METER = Meter(
    kid=BOARD.kid,
    eui64=BOARD.eui64,
    signing_key=BOARD.signing_key,
    link_key=crypto.public_of(private_key("meter link")),
    tls_key=crypto.public_of(private_key("meter tls")),
    first_seq=1,
    protection="file",
    site="home",
    home=bytes(8),
    further=(),
    carry=0,
    points=(BOARD.point(1),),
    revoked=None,
)


class Wire:
    """Keeps what was published; `up` False: the broker is away."""

    def __init__(self) -> None:
        self.up = True
        self.sent: list[tuple[str, bytes]] = []
        self.arrived = asyncio.Event()

    def publish(self, topic: str, payload: bytes) -> bool:
        if self.up:
            self.sent.append((topic, payload))
            self.arrived.set()
        return self.up

    def opened(self, kind: str) -> list[bytes]:
        """The payloads, as the meter opens them with its own link key."""
        secret = keys.shared_x(private_key("meter link"), crypto.public_of(GATEWAY_LINK))
        kid = cose.kid_of(crypto.public_of(GATEWAY_LINK))
        key = cose.link_key(secret, EPOCH.ledger_id, BOARD.kid, kid)
        return [cose.open_mac0(kind, EPOCH.ledger_id, raw, key) for _, raw in self.sent]

    def acks(self) -> list[Ack]:
        return [downlink.decode_ack(payload) for payload in self.opened("ack")]


async def with_sender(
    monkeypatch: pytest.MonkeyPatch,
    story: Callable[[AckSender, Wire], Awaitable[None]],
    every_s: float = 0.0,
) -> None:
    """Run a story against a sender that is running."""
    monkeypatch.setattr(ack_module, "ACK_EVERY_S", every_s)
    wire = Wire()
    sender = AckSender(EPOCH.ledger_id, LinkKeys(EPOCH.ledger_id, GATEWAY_LINK), wire.publish)
    sender.set_meters({METER.kid: METER})
    task = asyncio.create_task(sender.run())
    try:
        await asyncio.wait_for(story(sender, wire), 10)
    finally:
        task.cancel()


async def turns() -> None:
    """Let the sender do what it can do now."""
    for _ in range(5):
        await asyncio.sleep(0)


def test_an_ack_says_where_the_meter_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(sender: AckSender, wire: Wire) -> None:
        sender.moved(HEAD, {METER.kid: AckView(3, 5, ((6, 7),))})
        await wire.arrived.wait()
        assert wire.sent[0][0] == topics.topic("home", BOARD.kid.hex(), topics.ACK)
        (ack,) = wire.acks()
        assert (ack.final, ack.durable, ack.missing) == (3, 5, [[6, 7]])
        assert (ack.commit_index, ack.commit_digest) == (7, HEAD.digest)

    asyncio.run(with_sender(monkeypatch, story))


def test_only_what_is_news_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(sender: AckSender, wire: Wire) -> None:
        for durable in (5, 5, 6, 6):
            sender.moved(HEAD, {METER.kid: AckView(3, durable, ())})
            await turns()
        assert [ack.durable for ack in wire.acks()] == [5, 6]
        sender.remind(METER.kid)
        await turns()
        assert [ack.durable for ack in wire.acks()] == [5, 6, 6]

    asyncio.run(with_sender(monkeypatch, story))


def test_a_burst_is_told_once_and_its_end_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(sender: AckSender, wire: Wire) -> None:
        for durable in range(1, 100):
            sender.moved(HEAD, {METER.kid: AckView(0, durable, ())})
            await turns()
        assert [ack.durable for ack in wire.acks()] == [1]
        wire.arrived.clear()
        await wire.arrived.wait()
        assert [ack.durable for ack in wire.acks()] == [1, 99]

    asyncio.run(with_sender(monkeypatch, story, every_s=0.05))


def test_while_the_broker_is_away_nothing_counts_as_told(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(sender: AckSender, wire: Wire) -> None:
        wire.up = False
        sender.moved(HEAD, {METER.kid: AckView(3, 5, ())})
        sender.refused(METER.kid, 8, downlink.BUSY)
        await turns()
        wire.up = True
        sender.remind_all()
        await wire.arrived.wait()
        (ack,) = wire.acks()
        assert (ack.durable, ack.refused) == (5, [[8, downlink.BUSY]])

    asyncio.run(with_sender(monkeypatch, story))


def test_refusals_are_hinted_once_rising_and_at_most_eight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def story(sender: AckSender, wire: Wire) -> None:
        sender.moved(HEAD, {METER.kid: AckView(3, 5, ())})
        await turns()
        for seq in range(20, 8, -1):
            sender.refused(METER.kid, seq, downlink.BAD_SIGNATURE)
        await turns()
        sender.remind(METER.kid)
        await turns()
        first, second, third = wire.acks()
        assert first.refused == []
        assert second.refused == [[seq, downlink.BAD_SIGNATURE] for seq in range(13, 21)]
        assert third.refused == []

    asyncio.run(with_sender(monkeypatch, story))


class Disk:
    """Counts writes and keeps the reserved counter."""

    def __init__(self) -> None:
        self.writes = 0
        self.reserved = 0

    async def reserve(self, write: Any) -> None:
        self.writes += 1
        rows: list[Any] = []

        class Recorder:
            def executemany(self, _statement: str, values: list[Any]) -> None:
                rows.extend(values)

        write(Recorder())
        ((name, self.reserved),) = rows
        assert name == COUNTER


def commander(disk: Disk, wire: Wire, clock: list[int], last: int = 0) -> CommandSender:
    return CommandSender(
        EPOCH.ledger_id,
        LinkKeys(EPOCH.ledger_id, GATEWAY_LINK),
        last,
        lambda: clock[0],
        wire.publish,
        disk.reserve,
    )


def test_the_time_is_given_with_the_nonce_and_a_rising_counter() -> None:
    async def story() -> None:
        disk, wire, clock = Disk(), Wire(), [1_700_000_000_000]
        sender = commander(disk, wire, clock)
        for turn in range(3):
            assert await sender.give_time(METER, bytes([turn]) * 16, 10_000 * turn)
        commands = [downlink.decode_command(payload) for payload in wire.opened("cmd")]
        assert [body for _, _, body in commands] == [
            [bytes([turn]) * 16, clock[0]] for turn in range(3)
        ]
        counters = [counter for counter, _, _ in commands]
        assert counters == [clock[0], clock[0] + 1, clock[0] + 2]
        assert disk.writes == 1

    asyncio.run(story())


def test_asking_too_often_is_not_answered() -> None:
    async def story() -> None:
        disk, wire = Disk(), Wire()
        sender = commander(disk, wire, [1_700_000_000_000])
        assert await sender.give_time(METER, bytes(16), 5_000)
        assert not await sender.give_time(METER, bytes(16), 5_500)
        assert await sender.give_time(METER, bytes(16), 6_000)

    asyncio.run(story())


def test_after_a_crash_no_counter_comes_twice_even_if_the_clock_went_back() -> None:
    async def story() -> None:
        disk, wire, clock = Disk(), Wire(), [1_700_000_000_000]
        sender = commander(disk, wire, clock)
        for turn in range(5):
            await sender.give_time(METER, bytes(16), 10_000 * turn)
        clock[0] -= 3_600_000
        again = commander(disk, wire, clock, last=disk.reserved)
        await again.give_time(METER, bytes(16), 0)
        counters = [downlink.decode_command(payload)[0] for payload in wire.opened("cmd")]
        assert counters == sorted(set(counters))

    asyncio.run(story())


def test_a_counter_beyond_the_reserve_is_reserved_first() -> None:
    async def story() -> None:
        disk, wire, clock = Disk(), Wire(), [1_700_000_000_000]
        sender = commander(disk, wire, clock)
        await sender.give_time(METER, bytes(16), 0)
        clock[0] += RESERVED
        await sender.give_time(METER, bytes(16), 10_000)
        assert disk.writes == 2
        assert disk.reserved > clock[0]

    asyncio.run(story())
