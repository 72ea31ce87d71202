"""Getting blocks that are named but not held, and what a peer is ahead by.

A parent that is not held is asked for at once: of the peer that sent the block naming it, then
of the authors known to hold it (whoever names a block holds it), then of anybody; each holder
once in a cycle, lowest rounds first. Random choice instead left whole networks stuck for
minutes (IOTA issues 4517, 5148). A request may say what is held, so that the answer brings
what else is lacking; one such request is out at a time, or every peer would send the same.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from heapq import nsmallest

from wattle_gateway.ledger.block import Block, BlockRef
from wattle_gateway.sync.messages import FETCH, FETCH_REFS_MAX, Blocks, Fetch, Holdings
from wattle_gateway.sync.parcels import Parcel
from wattle_gateway.sync.peer import Links, Peer, Request
from wattle_gateway.sync.serving import filled
from wattle_gateway.sync.shelf import Shelf

# Sui's figures: an answer is waited for two seconds, five requests are out to a peer.
FETCH_TIMEOUT_MS = 2000
FETCHES_PER_PEER_MAX = 5
# When all who could hold a block have been asked in vain, the next cycle begins this much later.
FETCH_AGAIN_MS = 2000
# References worked on at a time: what all peers of the largest alliance may have in flight.
WANTED_MAX = 2048
# Answers that came too late are still of use, but only so many are waited for.
LATE_MAX = 16


@dataclass
class _Wanted:
    """One reference: who was asked in this cycle, whose answer is out, when it may be asked."""

    tried: set[bytes] = field(default_factory=set)
    asked: bytes | None = None
    hint: bytes | None = None
    not_before_ms: int | None = None


class Fetcher:
    """Requests in flight for the epoch in force."""

    def __init__(self, links: Links, shelf: Shelf) -> None:
        self._links = links
        self._shelf = shelf
        self._wanted: dict[BlockRef, _Wanted] = {}
        self._besides: dict[BlockRef, bytes] = {}
        self._pull: tuple[bytes, int] | None = None
        self._next_tick_ms: int | None = None

    @property
    def next_tick_ms(self) -> int | None:
        """When a request runs out of time or a reference may be asked for again."""
        return self._next_tick_ms

    def new_epoch(self) -> None:
        """Forget everything: what the old epoch lacked is void, and its answers are not waited
        for."""
        self._wanted.clear()
        self._besides.clear()
        self._pull = None
        for peer in self._links:
            peer.fetches.clear()
            peer.late.clear()
            peer.dry = False

    def want(self, ref: BlockRef, holder: bytes) -> None:
        """A block to fetch although no block names it: the own newest one that a peer knows."""
        self._besides[ref] = holder

    def named_by(self, block: Block, sender: bytes) -> None:
        """`sender` gave a block, so it holds the parents."""
        for ref in block.parents:
            if not self._shelf.has(ref):
                if len(self._wanted) >= WANTED_MAX:
                    return
                self._wanted.setdefault(ref, _Wanted()).hint = sender

    def answered(self, peer: Peer, message: Blocks) -> Request | None:
        """The request that an answer belongs to, taken from those in flight; None if there is
        none: it came twice or far too late."""
        request = peer.fetches.pop(message.id, None)
        if request is None:
            return peer.late.pop(message.id, None)
        self._release(peer, request)
        if request.rounds and not filled(message.blocks):
            peer.dry = True
        return request

    def somebody_new(self) -> None:
        """A link came up: what all others were asked for in vain is asked for again."""
        for wanted in self._wanted.values():
            wanted.not_before_ms = None

    def gone(self, peer: Peer) -> None:
        """A link is gone, its requests with it."""
        for request in peer.fetches.values():
            self._release(peer, request)
        peer.fetches.clear()

    def plan(self, steady_ms: int, *, far_behind: bool) -> list[Parcel]:
        """The requests to make now. `far_behind`: commits come first; single blocks of rounds
        that are far off would be parked in vain."""
        self._expire(steady_ms)
        missing = self._missing()
        self._forget_but(missing)
        if far_behind:
            for wanted in self._wanted.values():
                wanted.not_before_ms = None
            self._note_deadlines()
            return []
        batches = self._assign(missing, steady_ms)
        puller = self._puller() if self._pull is None else None
        piggyback = puller is None and self._pull is None and len(missing) >= self._links.epoch.size
        parcels = []
        for kid, refs in batches.items():
            for start in range(0, len(refs), FETCH_REFS_MAX):
                chunk = tuple(refs[start : start + FETCH_REFS_MAX])
                parcels.append(self._ask(kid, chunk, steady_ms, pull=piggyback))
                piggyback = False
        if puller is not None and len(puller.fetches) < FETCHES_PER_PEER_MAX:
            parcels.append(self._ask(puller.kid, (), steady_ms, pull=True))
        self._note_deadlines()
        return parcels

    def _missing(self) -> Mapping[BlockRef, frozenset[int]]:
        missing = self._shelf.missing()
        if not self._besides:
            return missing
        self._besides = {ref: kid for ref, kid in self._besides.items() if not self._shelf.has(ref)}
        extra: dict[BlockRef, frozenset[int]] = {ref: frozenset() for ref in self._besides}
        for ref, kid in self._besides.items():
            self._wanted.setdefault(ref, _Wanted()).hint = kid
        return {**extra, **missing}

    def _forget_but(self, missing: Mapping[BlockRef, frozenset[int]]) -> None:
        for ref in [ref for ref in self._wanted if ref not in missing]:
            del self._wanted[ref]

    def _assign(
        self, missing: Mapping[BlockRef, frozenset[int]], steady_ms: int
    ) -> dict[bytes, list[BlockRef]]:
        """Whom to ask for what, by rising reference."""
        batches: dict[bytes, list[BlockRef]] = {}
        worked_on = missing if len(missing) <= WANTED_MAX else nsmallest(WANTED_MAX, missing)
        may_ask = [ref for ref in worked_on if self._may_ask(ref, steady_ms)]
        if not may_ask:
            return batches
        members = {peer.kid for peer in self._links.members()}
        room = self._room()
        for ref in sorted(may_ask) if room else may_ask:
            wanted = self._wanted.setdefault(ref, _Wanted())
            wanted.not_before_ms = None
            holder = self._holder(ref, missing[ref], wanted, room)
            if holder is not None:
                wanted.asked = holder
                batches.setdefault(holder, []).append(ref)
                room[holder] -= 1
                if not room[holder]:
                    del room[holder]
            elif wanted.tried >= members:
                wanted.tried.clear()
                wanted.not_before_ms = steady_ms + FETCH_AGAIN_MS
        return batches

    def _room(self) -> dict[bytes, int]:
        """How many references each member can be asked for; those that are busy are left out."""
        requests = {
            peer.kid: FETCHES_PER_PEER_MAX - len(peer.fetches) for peer in self._links.members()
        }
        return {kid: count * FETCH_REFS_MAX for kid, count in requests.items() if count > 0}

    def _may_ask(self, ref: BlockRef, steady_ms: int) -> bool:
        """Whether nobody is being asked for it and it is time to ask: of what a flood makes up
        most is not, so that only a few have to be put in order."""
        wanted = self._wanted.get(ref)
        if wanted is None:
            return True
        early = wanted.not_before_ms is not None and steady_ms < wanted.not_before_ms
        return wanted.asked is None and not early

    def _holder(
        self,
        ref: BlockRef,
        authors: Iterable[int],
        wanted: _Wanted,
        room: Mapping[bytes, int],
    ) -> bytes | None:
        """The first with `room`, by rising doubt that it holds the block, that has not been asked
        in this cycle."""
        if not room:
            return None
        members = self._links.epoch.members
        first = [] if wanted.hint is None else [wanted.hint]
        known = [members[author].kid for author in (*sorted(authors), ref.author)]
        for kid in (*first, *known, *room):
            if kid in room and kid not in wanted.tried:
                return kid
        return None

    def _puller(self) -> Peer | None:
        """A peer that says it holds more, and did not give all it had when it was asked last."""
        number = self._links.epoch.number
        for peer in self._links.members():
            claim = peer.claim
            if peer.dry or claim is None or claim.epoch < number:
                continue
            if claim.epoch == number and not self._lacks(claim):
                peer.dry = True  # what is held never shrinks: it has nothing until its next claim
            elif len(peer.fetches) < FETCHES_PER_PEER_MAX:
                return peer
        return None

    def _lacks(self, claim: Holdings) -> bool:
        return any(map(int.__gt__, claim.rounds, self._shelf.holdings()))

    def _ask(self, kid: bytes, refs: tuple[BlockRef, ...], steady_ms: int, *, pull: bool) -> Parcel:
        peer = self._links.get(kid)
        assert peer is not None
        number = self._links.epoch.number
        rounds = self._rounds(peer) if pull else ()
        request = Request(self._links.new_id(), number, refs, rounds, steady_ms + FETCH_TIMEOUT_MS)
        peer.fetches[request.id] = request
        if pull:
            self._pull = (kid, request.id)
        return Parcel(kid, Fetch(request.id, number, refs, rounds).encode(), FETCH)

    def _rounds(self, peer: Peer) -> tuple[int, ...]:
        """What to say is held. A peer that has ended this epoch decided with blocks that nobody
        names any more, maybe others of the same author and round than are held here."""
        if peer.claim is not None and peer.claim.epoch > self._links.epoch.number:
            return self._shelf.holdings_at_close()
        return self._shelf.holdings()

    def _expire(self, steady_ms: int) -> None:
        for peer in self._links:
            late = [
                request for request in peer.fetches.values() if request.deadline_ms <= steady_ms
            ]
            for request in late:
                del peer.fetches[request.id]
                self._release(peer, request)
                peer.dry = peer.dry or bool(request.rounds)
                peer.late[request.id] = request
                if len(peer.late) > LATE_MAX:
                    del peer.late[next(iter(peer.late))]

    def _release(self, peer: Peer, request: Request) -> None:
        if self._pull == (peer.kid, request.id):
            self._pull = None
        for ref in request.refs:
            wanted = self._wanted.get(ref)
            if wanted is not None and wanted.asked == peer.kid:
                wanted.asked = None
                wanted.tried.add(peer.kid)

    def _note_deadlines(self) -> None:
        times = [request.deadline_ms for peer in self._links for request in peer.fetches.values()]
        times += [
            wanted.not_before_ms
            for wanted in self._wanted.values()
            if wanted.asked is None and wanted.not_before_ms is not None
        ]
        self._next_tick_ms = min(times, default=None)
