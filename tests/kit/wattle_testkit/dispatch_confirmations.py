"""How soon the answers of ten thousand loads that are called at once are final; run as a program.

    python -m wattle_testkit.dispatch_confirmations [--loads N]

Four gateways as they are (drivers over databases, books of orders) in one thread, with a network in
memory and meters of paper, each with one load and a key of its own. Time is simulated, in slices;
a slice lasts as long as the busiest gateway computed in it (CPU time of this process), if that is
longer. So gateways on machines of their own are as quick as this says, on one like this.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from wattle_gateway.contracts import registry
from wattle_gateway.contracts.baseline import rule_form
from wattle_gateway.contracts.baseline.presets import PRESETS
from wattle_gateway.contracts.events import rows
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger import event_bodies, genesis, transaction
from wattle_gateway.ledger.account_bodies import Issue
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.event_bodies import Publish
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.offer_bodies import DOWN, OfferBody, OfferTerms
from wattle_gateway.orders.book import OrderBook
from wattle_gateway.runtime.progress import Progress

from wattle_testkit.alliance import (
    Board,
    Party,
    epoch_of,
    reading,
    sample_entry,
    transaction_entry,
)
from wattle_testkit.driven_alliance import DrivenAlliance

LOADS = 10_000
LIMIT_S = 10.0
SLICE_MS = 50
# Meters read once a second, each at its own moment: the answer is in the first reading after the
# load has moved.
SAMPLING_MS = 1_000
GIVE_UP_MS = 120_000
QUARTER_MS = 900_000
_CAPACITY_W = 1_000
_FEW = 500
_ROLES = (genesis.GRID_COMPANY, genesis.RETAILER, genesis.AGGREGATOR, genesis.LARGE_USER)
_TERMS = OfferTerms("north", 0, DOWN, _CAPACITY_W, "EUR", 1, 2_000, 7_200_000, 0, 1_000, 1, 0)


@dataclass(frozen=True)
class Confirmations:
    """Simulated seconds after the call: `told_s` when the last load was told, `final_s` when the
    last answer was final at all gateways. `busy_s` CPU seconds of the busiest gateway."""

    loads: int
    told_s: float
    final_s: float
    busy_s: float


class _MeteredAlliance(DrivenAlliance):
    """Counts the CPU seconds that each gateway computes."""

    def __init__(self, folder: Path, *parties: Party, epoch: Epoch) -> None:
        self.busy_s = {party.name: 0.0 for party in parties}
        super().__init__(folder, *parties, epoch=epoch)

    def add(self, name: str, *bodies: bytes) -> Progress:
        with self._metered(name):
            return super().add(name, *bodies)

    def tick(self, name: str) -> Progress:
        with self._metered(name):
            return super().tick(name)

    def hear(self, name: str, sender: bytes, raw: bytes) -> Progress:
        with self._metered(name):
            return super().hear(name, sender, raw)

    @contextmanager
    def _metered(self, name: str) -> Iterator[None]:
        began_s = time.process_time()
        yield
        self.busy_s[name] += time.process_time() - began_s


class _Hall:
    """The gateways and the meters, each meter at the gateway of its number."""

    def __init__(self, folder: Path, loads: int) -> None:
        names = ("grid", "retail", "aggregator", "factory")
        self.parties = [Party(name, role) for name, role in zip(names, _ROLES, strict=True)]
        constants = Constants(enrol_approvals=1)
        self.epoch: Epoch = epoch_of(*self.parties, constants=constants, rules=genesis.EVENT_RULES)
        self.alliance = _MeteredAlliance(folder, *self.parties, epoch=self.epoch)
        self.boards = [Board(f"load {number}", self.epoch) for number in range(loads)]
        self.books = {party.name: OrderBook() for party in self.parties}
        self._nonces: dict[str, int] = {}

    def place(self, number: int) -> str:
        """The gateway that a meter is at."""
        return self.parties[number % len(self.parties)].name

    def entry(self, party: Party, kind: int, body: object) -> bytes:
        nonce = self._nonces.get(party.name, 0)
        self._nonces[party.name] = nonce + 1
        return transaction_entry(self.epoch, party, kind, body, nonce=nonce)

    def settle(self, what: str) -> None:
        """Let time pass until nothing waits at any gateway."""
        for _ in range(1_000):
            self.alliance.run(1_000)
            states = [self.alliance[party.name].state for party in self.parties]
            if all(self._is_settled(state) for state in states):
                return
        raise AssertionError(f"{what}: not on the ledger")

    def _is_settled(self, state: Mapping[bytes, bytes]) -> bool:
        return all(
            registry.next_nonce(state, party.kid, 0) == self._nonces.get(party.name, 0)
            for party in self.parties
        )

    def found(self) -> None:
        """Money, meters and offers; the loads are the retailer's."""
        grid, owner = self.parties[:2]
        issue = Issue("EUR", 2, grid.kid, 10**15).row()
        self.alliance.add(grid.name, self.entry(grid, transaction.ISSUE, issue))
        for batch in _batches(self.boards):
            enrolments = []
            for board in batch:
                point = replace(board.point(1), capacity_w=_CAPACITY_W, owner=owner.kid)
                body = transaction.enrol_body(board.enrol(point, home=owner.kid))
                enrolments.append(self.entry(owner, transaction.ENROL, body))
            self.alliance.add(owner.name, *enrolments)
            self.settle("enrolments")
            offers = [OfferBody(board.kid, 1, _terms_at(board.kid)).row() for board in batch]
            entries = [self.entry(owner, transaction.OFFER, body) for body in offers]
            self.alliance.add(owner.name, *entries)
            self.settle("offers")
        for number, board in enumerate(self.boards):
            self.books[self.place(number)].online(board.kid, bytes(8))


def _batches(boards: Sequence[Board]) -> Iterator[Sequence[Board]]:
    for first in range(0, len(boards), _FEW):
        yield boards[first : first + _FEW]


def measure(folder: Path, loads: int) -> Confirmations:
    """Call `loads` loads at once, and let each answer."""
    hall = _Hall(folder, loads)
    hall.found()
    alliance, grid = hall.alliance, hall.parties[0]
    begin_ms = alliance.unix_ms // QUARTER_MS * QUARTER_MS
    body = _publish(begin_ms, loads)
    began_ms = alliance.unix_ms
    at_first_s = busy_s = dict(alliance.busy_s)
    alliance.add(grid.name, hall.entry(grid, transaction.PUBLISH, body.row()))
    numbers = {board.kid: number for number, board in enumerate(hall.boards)}
    seen = {party.name: len(alliance.members[party.name].heard) for party in hall.parties}
    answers: list[tuple[int, int, bytes]] = []
    told_ms = final_ms = began_ms
    told = 0
    while alliance.unix_ms - began_ms < GIVE_UP_MS:
        _slice(alliance, busy_s)
        busy_s = dict(alliance.busy_s)
        for name, book in hall.books.items():
            for progress in _news(alliance, name, seen):
                for order in progress.orders:
                    if hall.place(numbers[order.meter]) == name:
                        book.put(order)
            for command in book.due(alliance.unix_ms):
                number = numbers[command.order.meter]
                at_ms = alliance.unix_ms + SAMPLING_MS * (number * 997 % loads) // loads
                answers.append((at_ms, number, command.order.digest))
                told, told_ms = told + 1, alliance.unix_ms
        answers = _answer(hall, answers)
        if told == loads and not answers and _confirmed(alliance, hall) == loads:
            final_ms = alliance.unix_ms
            break
    else:
        raise AssertionError(f"{told} loads told, {_confirmed(alliance, hall)} answers final")
    alliance.close()
    busiest_s = max(alliance.busy_s[name] - at_first_s[name] for name in at_first_s)
    return Confirmations(
        loads, (told_ms - began_ms) / 1_000, (final_ms - began_ms) / 1_000, busiest_s
    )


def _slice(alliance: _MeteredAlliance, before: Mapping[str, float]) -> None:
    """A slice of time passes; what each gateway has computed since `before` counts."""
    alliance.run(SLICE_MS)
    spent_ms = int(1_000 * max(alliance.busy_s[name] - before[name] for name in before))
    if spent_ms > SLICE_MS:
        alliance.pass_ms(spent_ms - SLICE_MS)


def _news(alliance: _MeteredAlliance, name: str, seen: dict[str, int]) -> list[Progress]:
    heard = alliance.members[name].heard
    news, seen[name] = heard[seen[name] :], len(heard)
    return news


def _answer(hall: _Hall, answers: list[tuple[int, int, bytes]]) -> list[tuple[int, int, bytes]]:
    """The samples whose time has come go to their gateways; the others are given back."""
    now_ms = hall.alliance.unix_ms
    batches: dict[str, list[bytes]] = {}
    waiting = []
    for at_ms, number, digest in answers:
        if at_ms > now_ms:
            waiting.append((at_ms, number, digest))
            continue
        signed = hall.boards[number].sample(1, [reading(now_ms)], command=(digest, 0))
        batches.setdefault(hall.place(number), []).append(sample_entry(signed))
    for name, entries in sorted(batches.items()):
        hall.alliance.add(name, *entries)
    return waiting


def _terms_at(kid: bytes) -> OfferTerms:
    """The terms of a load: they hang on 256 feeders of one substation."""
    return replace(_TERMS, area=f"north/feeder-{kid[0]}")


def _confirmed(alliance: _MeteredAlliance, hall: _Hall) -> int:
    """The loads whose answer is in the state of every gateway."""
    counts = []
    for party in hall.parties:
        state = alliance[party.name].state
        events = rows.events(state)
        quotas = [quota for event in events for quota in rows.quotas(State(state), event)]
        counts.append(sum(quota.confirmed_ms is not None for quota in quotas))
    return min(counts)


def _publish(begin_ms: int, loads: int) -> Publish:
    return Publish(
        method=event_bodies.REALTIME,
        emergency=False,
        area="north",
        near="north/feeder-1",
        direction=DOWN,
        begin_ms=begin_ms,
        intervals=4,
        quantity_w=loads * _CAPACITY_W,
        notice_ms=0,
        select_ms=0,
        within_ms=5_000,
        availability_price=0,
        energy_price=100,
        penalty_price=0,
        rule=rule_form.encode(PRESETS["same-day-3-plus-2"].rule),
        asset="EUR",
    )


def line(found: Confirmations) -> str:
    """What was measured, for people."""
    kept = "kept" if found.final_s <= LIMIT_S else "NOT KEPT"
    return (
        f"{found.loads} simulated loads called at once, 4 gateways: the last was told after"
        f" {found.told_s:.1f} s, the last answer was final after {found.final_s:.1f} s"
        f" (limit {LIMIT_S:g} s: {kept}); the busiest gateway computed {found.busy_s:.1f} s"
    )


def main() -> int:
    """Prints one line; the exit code is 1 if the limit is not kept."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--loads", type=int, default=LOADS)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measure(Path(folder), options.loads)
    print(line(found))
    return 0 if found.final_s <= LIMIT_S else 1


if __name__ == "__main__":
    sys.exit(main())
