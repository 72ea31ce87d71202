"""The simulated network: what it may do to messages, and when links come and go."""

from random import Random

import pytest
from wattle_testkit.simulation.network import Network, Weather
from wattle_testkit.simulation.timeline import Timeline

CALM = Weather((10, 20), link_timeout_ms=1_000)


class Mailbox:
    """An endpoint that writes down what happens to it."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.kid = address.encode()
        self.is_up = True
        self.peers: list[bytes] = []
        self.got: list[bytes] = []

    def link_up(self, peer: bytes) -> None:
        self.peers.append(peer)

    def link_down(self, peer: bytes) -> None:
        self.peers.remove(peer)

    def arrived(self, peer: bytes, raw: bytes) -> None:
        self.got.append(raw)


class Bench:
    """Two endpoints and a network between them."""

    def __init__(self, weather: Weather) -> None:
        self.timeline = Timeline()
        self.network = Network(self.timeline, Random(1), weather)
        self.one, self.other = Mailbox("a"), Mailbox("b")
        self.network.attach(self.one, [])
        self.network.attach(self.other, [self.one])
        self.network.started("a")
        self.wait(5_000)

    def wait(self, ms: int) -> None:
        until_ms = self.timeline.now_ms + ms
        done: list[int] = []
        self.timeline.at(until_ms, lambda: done.append(1))
        while not done:
            self.timeline.step()

    def send(self, count: int = 1) -> None:
        for number in range(count):
            self.network.send(self.one, b"b", bytes([number]))


def test_a_message_arrives_once_in_its_time() -> None:
    bench = Bench(CALM)
    bench.send()
    bench.wait(9)
    assert bench.other.got == []
    bench.wait(12)
    assert bench.other.got == [b"\0"]


def test_messages_keep_their_order_unless_the_weather_says_otherwise() -> None:
    ordered, mixed = Bench(CALM), Bench(Weather((10, 500), reorders=True))
    for bench in (ordered, mixed):
        bench.send(50)
        bench.wait(1_000)
        assert len(bench.other.got) == 50
    assert ordered.other.got == sorted(ordered.other.got)
    assert mixed.other.got != sorted(mixed.other.got)


@pytest.mark.parametrize(
    ("weather", "low", "high"),
    [
        (Weather((1, 2), loss_permille=500), 60, 140),
        (Weather((1, 2), duplicate_permille=500), 260, 340),
    ],
)
def test_loss_and_duplicates(weather: Weather, low: int, high: int) -> None:
    bench = Bench(weather)
    bench.send(200)
    bench.wait(100)
    assert low < len(bench.other.got) < high
    weather.calm()
    bench.other.got.clear()
    bench.send(200)
    bench.wait(100)
    assert len(bench.other.got) == 200


def test_a_cut_way_loses_messages_and_then_the_link() -> None:
    bench = Bench(CALM)
    bench.network.cut([("a", "b")])
    bench.send()
    bench.network.send(bench.other, b"a", b"back")
    bench.wait(500)
    assert (bench.other.got, bench.one.got) == ([], [b"back"])
    bench.wait(600)
    assert bench.other.peers == []
    bench.network.heal()
    bench.wait(2_000)
    assert bench.other.peers == [b"a"]
    assert bench.one.peers == [b"b"]


def test_what_was_under_way_when_a_link_broke_never_arrives() -> None:
    bench = Bench(Weather((1_600, 1_700)))
    bench.send()
    bench.network.flap("a")
    bench.wait(10_000)
    assert bench.other.got == []
    assert bench.other.peers == [b"a"]


def test_nobody_connects_to_a_machine_that_is_down() -> None:
    bench = Bench(CALM)
    bench.other.is_up = False
    bench.network.stopped("b")
    bench.network.started("a")
    bench.wait(5_000)
    assert bench.one.peers == []


def test_detached_endpoints_have_no_link() -> None:
    timeline = Timeline()
    network = Network(timeline, Random(1), CALM)
    one, other = Mailbox("a"), Mailbox("b")
    network.attach(one, [])
    network.attach(other, [one])
    network.detach(other, one)
    network.started("a")
    network.send(one, b"b", b"x")
    assert one.peers == []
