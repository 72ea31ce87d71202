"""Gateways in memory on one network: fixed delays, and whatever a test does to messages."""

import heapq
import itertools
from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256
from typing import Any

from wattle_gateway.ledger.epoch import Epoch, EpochChange
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.sync.parcels import Parcel
from wattle_gateway.sync.reader import parse

from wattle_testkit.alliance import Party, epoch_of
from wattle_testkit.memory_gateway import MemoryGateway, MemoryShelf

DELAY_MS = 10
# A scenario that does not come to its end is ended: an hour of quiet is some ten thousand events.
EVENTS_MAX = 100_000

Alter = Callable[[Parcel], Sequence[Parcel]]
"""What becomes of a message that a gateway sends: itself, nothing, or something else."""


class MemoryAlliance:
    """Parties by name. Links come up at once between all that `link` names."""

    def __init__(self, *names: str, **constants: Any) -> None:
        self.parties = {name: Party(name) for name in names}
        self.genesis = epoch_of(*self.parties.values(), constants=Constants(**constants))
        self.gateways: dict[str, MemoryGateway] = {}
        self.changes: dict[bytes, EpochChange] = {}
        self.steady_ms = 0
        self.alter: dict[str, Alter] = {}
        self.sent: list[tuple[str, Parcel]] = []
        self._starts = itertools.count()
        self._links: set[frozenset[str]] = set()
        self._mail: list[tuple[int, int, str, str, bytes]] = []
        self._order = itertools.count()
        for name in names:
            self.start(name)

    def __getitem__(self, name: str) -> MemoryGateway:
        return self.gateways[name]

    @property
    def heads(self) -> list[int]:
        """Commit indices of all that run, by name."""
        return [self.gateways[name].shelf.head.index for name in sorted(self.gateways)]

    def epoch_of(self, name: str) -> Epoch:
        """The epoch that a gateway is in."""
        return self[name].shelf.newest

    def add_party(self, name: str) -> Party:
        """Somebody who is no member yet."""
        self.parties[name] = Party(name)
        return self.parties[name]

    def start(
        self,
        name: str,
        shelf: MemoryShelf | None = None,
        *,
        wiped: bool = False,
        silent_through: int | None = None,
    ) -> MemoryGateway:
        """Start a gateway, from nothing or from what a disk holds; it has no links yet."""
        party = self.parties[name]
        self.gateways[name] = MemoryGateway(
            party,
            shelf or MemoryShelf(party.kid, self.genesis),
            self.changes,
            seed=sha256(f"{name} {next(self._starts)}".encode()).digest(),
            wiped=wiped,
            silent_through=silent_through,
        )
        return self.gateways[name]

    def crash(self, name: str) -> MemoryShelf:
        """Stop a gateway; gives what its disk holds."""
        for other in sorted(self.gateways):
            self.unlink(name, other)
        return self.gateways.pop(name).shelf

    def link(self, *names: str) -> None:
        """Bring up every link between these (all that run if none is named)."""
        for one, other in itertools.combinations(sorted(names or self.gateways), 2):
            if frozenset((one, other)) in self._links:
                continue
            self._links.add(frozenset((one, other)))
            for near, far in ((one, other), (other, one)):
                kid = self.parties[far].kid
                self._send(near, self[near].connected(kid, self.steady_ms))

    def link_guest(self, guest: str, host: str) -> None:
        """A gateway that is no member comes to one with a token."""
        self._links.add(frozenset((guest, host)))
        kids = self.parties[guest].kid, self.parties[host].kid
        self._send(host, self[host].connected(kids[0], self.steady_ms, guest=True))
        self._send(guest, self[guest].connected(kids[1], self.steady_ms))

    def unlink(self, one: str, other: str) -> None:
        """Take a link down; what is under way on it is lost."""
        if frozenset((one, other)) not in self._links:
            return
        self._links.remove(frozenset((one, other)))
        self[one].sync.disconnected(self.parties[other].kid)
        self[other].sync.disconnected(self.parties[one].kid)

    def part(self, *groups: str) -> None:
        """Take down all links between groups, each a string of names like "ab"."""
        for one, other in itertools.combinations(groups, 2):
            for pair in itertools.product(one, other):
                self.unlink(*pair)

    def propose(self, name: str, *entries: bytes) -> None:
        """Entries for a gateway's blocks."""
        self._send(name, self[name].propose(entries, self.steady_ms))

    def run_until(self, done: Callable[[], bool], within_ms: int) -> None:
        """Let time pass until something is so; AssertionError if it is not in time."""
        end_ms = self.steady_ms + within_ms
        events = 0
        while not done():
            due_ms = self._due_ms()
            assert due_ms <= end_ms, f"not so within {within_ms} ms: heads {self.heads}"
            assert events < EVENTS_MAX, f"{events} events, {len(self._mail)} messages under way"
            events += 1
            self._pass_to(max(due_ms, self.steady_ms))

    def run(self, duration_ms: int) -> None:
        """Let time pass."""
        end_ms = self.steady_ms + duration_ms
        events = 0
        while (due_ms := self._due_ms()) <= end_ms:
            assert events < EVENTS_MAX, f"{events} events, {len(self._mail)} messages under way"
            events += 1
            self._pass_to(max(due_ms, self.steady_ms))
        self.steady_ms = end_ms

    def inject(self, sender: str, receiver: str, raw: bytes) -> None:
        """A message that a gateway would not send."""
        self._post(sender, receiver, raw)

    def messages(self, sender: str, kind: type) -> list[object]:
        """What a gateway has sent of a kind, as messages."""
        parsed = (parse(parcel.raw) for name, parcel in self.sent if name == sender)
        return [message for message in parsed if isinstance(message, kind)]

    def name_of(self, kid: bytes) -> str:
        """Whose kid it is."""
        return next(name for name, party in self.parties.items() if party.kid == kid)

    def _due_ms(self) -> int:
        ticks = [gateway.next_tick_ms for gateway in self.gateways.values()]
        return min([*ticks, *(mail[0] for mail in self._mail[:1])])

    def _pass_to(self, steady_ms: int) -> None:
        self.steady_ms = steady_ms
        if self._mail and self._mail[0][0] <= steady_ms:
            _at_ms, _order, sender, receiver, raw = heapq.heappop(self._mail)
            if frozenset((sender, receiver)) in self._links:
                kid = self.parties[sender].kid
                self._send(receiver, self[receiver].receive(kid, raw, steady_ms))
            return
        for name in sorted(self.gateways):
            if self[name].next_tick_ms <= steady_ms:
                self._send(name, self[name].tick(steady_ms))

    def _send(self, sender: str, parcels: Iterable[Parcel]) -> None:
        alter = self.alter.get(sender)
        for made in parcels:
            for parcel in [made] if alter is None else alter(made):
                self.sent.append((sender, parcel))
                self._post(sender, self.name_of(parcel.to), parcel.raw)

    def _post(self, sender: str, receiver: str, raw: bytes) -> None:
        at_ms = self.steady_ms + DELAY_MS
        heapq.heappush(self._mail, (at_ms, next(self._order), sender, receiver, raw))
