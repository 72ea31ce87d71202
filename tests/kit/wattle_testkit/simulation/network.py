"""The network between simulated gateways: links that come and go, messages that may not arrive.

A link has two ends and is up or down for both, but each direction can be cut alone. A message
that is lost is lost silently: worse than TCP, whose links break instead; the rules must bear it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from random import Random
from typing import Protocol

from wattle_testkit.simulation.timeline import Timeline

# From a start, a loss or a healing to the next connection.
RECONNECT_MS = (20, 1_500)


class Endpoint(Protocol):
    """A gateway's side of the network."""

    @property
    def address(self) -> str:
        """Its name in the network."""

    @property
    def kid(self) -> bytes:
        """The key that its links belong to."""

    @property
    def is_up(self) -> bool:
        """Whether its process runs."""

    def link_up(self, peer: bytes) -> None:
        """There is a link to the peer of this kid."""

    def link_down(self, peer: bytes) -> None:
        """The link to this peer is lost."""

    def arrived(self, peer: bytes, raw: bytes) -> None:
        """A message of this peer."""


@dataclass
class Weather:
    """What the network does to messages; `calm` ends its faults.

    `delay_ms` bounds of the one-way delay; of `tail_permille` messages up to `tail_ms` more.
    """

    delay_ms: tuple[int, int]
    tail_permille: int = 0
    tail_ms: int = 0
    loss_permille: int = 0
    duplicate_permille: int = 0
    reorders: bool = False
    link_timeout_ms: int = 5_000

    def calm(self) -> None:
        """From now on every message arrives, once and in time."""
        self.tail_permille = self.loss_permille = self.duplicate_permille = 0


class _Link:
    """`life` counts its connections: a message arrives in that of its sending or not at all."""

    def __init__(self) -> None:
        self.is_up = False
        self.life = 0
        self.planned = False


class Network:
    """All links of a world; endpoints are known by their addresses."""

    def __init__(self, timeline: Timeline, random: Random, weather: Weather) -> None:
        self.weather = weather
        self.slow: dict[str, int] = {}
        self.sent_bytes = 0
        self.in_flight: dict[tuple[str, str], int] = {}
        self._timeline = timeline
        self._random = random
        self._ends: dict[str, Endpoint] = {}
        self._links: dict[tuple[str, str], _Link] = {}
        self._pairs: dict[str, list[tuple[str, str]]] = {}
        self._routes: dict[tuple[str, bytes], list[tuple[Endpoint, _Link]]] = {}
        self._cut: set[tuple[str, str]] = set()
        self._arrival_ms: dict[tuple[str, str], int] = {}

    def attach(self, end: Endpoint, peers: Iterable[Endpoint]) -> None:
        """Add an endpoint that has links to these peers, attached before."""
        self._ends[end.address] = end
        for peer in peers:
            pair = _pair(end.address, peer.address)
            link = self._links[pair] = _Link()
            for one, other in ((end, peer), (peer, end)):
                self._pairs.setdefault(one.address, []).append(pair)
                self._routes.setdefault((one.address, other.kid), []).append((other, link))

    def detach(self, one: Endpoint, other: Endpoint) -> None:
        """Two endpoints have no link after all; before either has started."""
        pair = _pair(one.address, other.address)
        link = self._links.pop(pair, None)
        if link is None:
            return
        for end, peer in ((one, other), (other, one)):
            self._pairs[end.address].remove(pair)
            self._routes[end.address, peer.kid].remove((peer, link))

    def started(self, address: str) -> None:
        """A process came up: it dials and is dialled."""
        for pair in self._pairs.get(address, ()):
            self._plan(pair)

    def stopped(self, address: str) -> None:
        """A process ended: its links break."""
        for pair in self._pairs.get(address, ()):
            self._break(pair)

    def flap(self, address: str) -> None:
        """All links of an endpoint break and come back."""
        self.stopped(address)
        self.started(address)

    def hang_up(self, address: str, peer: bytes) -> None:
        """An endpoint ends its link to a peer, and dials again after a while."""
        for other, _ in self._routes.get((address, peer), ()):
            pair = _pair(address, other.address)
            self._break(pair)
            self._plan(pair)

    def cut(self, ways: Iterable[tuple[str, str]]) -> None:
        """Nothing gets through on these ways (from, to) until `heal`."""
        self._cut.update(ways)
        for way in sorted(self._cut):
            self._timeline.after(self.weather.link_timeout_ms, partial(self._notice, way))

    def heal(self) -> None:
        """Every way is open again."""
        self._cut.clear()
        for pair in sorted(self._links):
            self._plan(pair)

    def send(self, end: Endpoint, peer: bytes, raw: bytes) -> None:
        """Send a message to the peer of this kid, if there is a link."""
        for to, link in self._routes.get((end.address, peer), ()):
            if link.is_up:
                self._carry(end, to, link, raw)

    def _carry(self, end: Endpoint, to: Endpoint, link: _Link, raw: bytes) -> None:
        way = (end.address, to.address)
        self.sent_bytes += len(raw)
        if way in self._cut or self._happens(self.weather.loss_permille):
            return
        copies = 2 if self._happens(self.weather.duplicate_permille) else 1
        for _ in range(copies):
            at_ms = self._timeline.now_ms + self._delay_ms(way)
            if not self.weather.reorders:
                at_ms = max(at_ms, self._arrival_ms.get(way, 0))
                self._arrival_ms[way] = at_ms
            self.in_flight[way] = self.in_flight.get(way, 0) + 1
            self._timeline.at(at_ms, partial(self._arrive, end, to, link, link.life, raw))

    def _arrive(self, end: Endpoint, to: Endpoint, link: _Link, life: int, raw: bytes) -> None:
        self.in_flight[end.address, to.address] -= 1
        if link.is_up and link.life == life:
            to.arrived(end.kid, raw)

    def _delay_ms(self, way: tuple[str, str]) -> int:
        delay_ms = self._random.randint(*self.weather.delay_ms)
        if self._happens(self.weather.tail_permille):
            delay_ms += self._random.randint(0, self.weather.tail_ms)
        return delay_ms + self.slow.get(way[0], 0) + self.slow.get(way[1], 0)

    def _happens(self, permille: int) -> bool:
        return permille > 0 and self._random.randrange(1_000) < permille

    def _plan(self, pair: tuple[str, str]) -> None:
        link = self._links[pair]
        if not link.is_up and not link.planned:
            link.planned = True
            self._timeline.after(self._random.randint(*RECONNECT_MS), lambda: self._connect(pair))

    def _connect(self, pair: tuple[str, str]) -> None:
        link = self._links[pair]
        link.planned = False
        low, high = (self._ends[address] for address in pair)
        blocked = pair in self._cut or pair[::-1] in self._cut
        if link.is_up or blocked or not (low.is_up and high.is_up):
            return  # tried again when the missing one starts or the way is open
        link.is_up = True
        link.life += 1
        low.link_up(high.kid)
        if link.is_up:  # the first one may have lost its power over it
            high.link_up(low.kid)

    def _break(self, pair: tuple[str, str]) -> None:
        link = self._links[pair]
        if not link.is_up:
            return
        link.is_up = False
        low, high = (self._ends[address] for address in pair)
        low.link_down(high.kid)
        high.link_down(low.kid)

    def _notice(self, way: tuple[str, str]) -> None:
        pair = _pair(*way)
        if way in self._cut and pair in self._links:
            self._break(pair)


def _pair(one: str, other: str) -> tuple[str, str]:
    return (one, other) if one < other else (other, one)
