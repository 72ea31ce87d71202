"""The hand that carries out orders: what it sends, what it tries again, what it waits for."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from typing import cast

import pytest
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.ingest.commands import CommandSender
from wattle_gateway.orders import actor as actor_module
from wattle_gateway.orders.actor import OrderActor
from wattle_gateway.orders.book import OrderBook, PointOrder
from wattle_testkit.alliance import Board, epoch_of

BOARD = Board("meter", epoch_of())
METER = Meter(
    kid=BOARD.kid,
    eui64=BOARD.eui64,
    signing_key=BOARD.signing_key,
    link_key=bytes(65),
    tls_key=bytes(65),
    first_seq=1,
    protection="file",
    site="home",
    home=bytes(8),
    further=(),
    carry=0,
    points=(BOARD.point(1),),
    revoked=None,
)
LINK = b"link---1"
ORDER = PointOrder(b"e" * 32, b"1" * 32, METER.kid, 1, 500, from_ms=1_000, until_ms=9_000)


@dataclass
class Sender:
    """Stands in for the sender of commands: keeps what it is given while the broker is `up`."""

    up: bool = True
    tries: int = 0
    sent: list[tuple[object, ...]] = field(default_factory=list)
    came: asyncio.Event = field(default_factory=asyncio.Event)

    async def setpoint(
        self, meter: Meter, digest: bytes, device: int, watts: int, until_ms: int
    ) -> bool:
        return self._take((device, watts, until_ms))

    async def release(self, meter: Meter, digest: bytes, device: int) -> bool:
        return self._take((device,))

    def _take(self, command: tuple[object, ...]) -> bool:
        self.tries += 1
        if self.up:
            self.sent.append(command)
        self.came.set()
        return self.up

    async def next(self) -> None:
        await asyncio.wait_for(self.came.wait(), 10)
        self.came.clear()


@dataclass
class Clock:
    now_ms: int = 5_000

    def __call__(self) -> int:
        return self.now_ms


Story = Callable[[OrderActor, Sender, Clock], Awaitable[None]]


def play(story: Story, meters: dict[bytes, Meter] | None = None) -> None:
    """A story with a running actor whose clock runs a thousand times as fast as life."""

    async def run() -> None:
        sender, clock = Sender(), Clock()
        known = {METER.kid: METER} if meters is None else meters
        commands = cast(CommandSender, sender)
        actor = OrderActor(OrderBook(), commands, lambda: known, clock, speed=1_000)
        actor.connection(METER.kid, LINK)
        task = asyncio.create_task(actor.run())
        try:
            await story(actor, sender, clock)
        finally:
            task.cancel()

    asyncio.run(run())


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def test_an_order_is_sent_and_released_when_its_time_is_over() -> None:
    async def story(actor: OrderActor, sender: Sender, clock: Clock) -> None:
        actor.take([ORDER], (), 0)
        await sender.next()
        assert sender.sent == [(1, 500, 9_000)]
        clock.now_ms = 9_000  # the actor wakes by itself, four virtual seconds later
        await sender.next()
        assert sender.sent == [(1, 500, 9_000), (1,)]

    play(story)


def test_the_ledger_s_time_counts_where_the_own_clock_is_behind() -> None:
    async def story(actor: OrderActor, sender: Sender, clock: Clock) -> None:
        clock.now_ms = 0
        actor.take([ORDER], (), 999)
        await turns()
        assert sender.sent == []
        actor.take([ORDER], (), 1_000)
        await sender.next()
        assert sender.sent == [(1, 500, 9_000)]

    play(story)


def test_what_the_broker_does_not_take_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story(actor: OrderActor, sender: Sender, clock: Clock) -> None:
        sender.up = False
        actor.take([ORDER], (), 0)
        await sender.next()
        await sender.next()
        assert (sender.sent, sender.tries >= 2) == ([], True)
        sender.up = True
        await sender.next()
        assert sender.sent == [(1, 500, 9_000)]

    monkeypatch.setattr(actor_module, "AGAIN_AFTER_S", 0.001)
    play(story)


def test_a_refused_emergency_is_released_at_once() -> None:
    async def story(actor: OrderActor, sender: Sender, clock: Clock) -> None:
        actor.take([replace(ORDER, committed=False)], (), 0)
        await sender.next()
        actor.take([], (ORDER.digest,), 0)
        await sender.next()
        assert sender.sent == [(1, 500, 9_000), (1,)]

    play(story)


def test_a_meter_that_is_not_in_the_registry_is_not_told() -> None:
    async def story(actor: OrderActor, sender: Sender, clock: Clock) -> None:
        actor.take([ORDER], (), 0)
        await turns()
        assert sender.tries == 0

    play(story, {})


def test_a_sample_after_a_restart_brings_the_order_again() -> None:
    async def story(actor: OrderActor, sender: Sender, clock: Clock) -> None:
        actor.heard(METER.kid, 4, None)
        actor.take([ORDER], (), 0)
        await sender.next()
        actor.heard(METER.kid, 4, (ORDER.digest, 500))
        actor.heard(METER.kid, 5, None)
        await sender.next()
        assert len(sender.sent) == 2

    play(story)
