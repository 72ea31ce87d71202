"""A committee of paper members: what one sends the others accept.

The network delays every block by DELAY_MS (and more, as a test says) and can be cut. What a
member misses it fetches from whoever holds it.
"""

import heapq
import itertools
from collections.abc import Iterable

from wattle_gateway.ledger.block import Block, BlockRef, VerifiedBlock
from wattle_gateway.ledger.commit import Commit

from wattle_testkit.dag_builder import committee_of, word_of
from wattle_testkit.paper_member import PaperMember, first_store

DELAY_MS = 20


class PaperCluster:
    """Members by author index, observers behind them. All have the same clocks."""

    def __init__(self, size: int, observers: int = 0, **constants: int) -> None:
        self.committee = committee_of(size, **constants)
        self.stores = [first_store(self.committee.epoch) for _ in range(size + observers)]
        self.steady_ms = 0
        self.extra_delays_ms: dict[int, int] = {}
        self._members: list[PaperMember | None] = [None] * (size + observers)
        self._cut: set[tuple[int, int]] = set()
        self._mail: list[tuple[int, int, int, VerifiedBlock]] = []
        self._order = itertools.count()
        self._asked: set[tuple[int, BlockRef]] = set()
        for at in range(size + observers):
            self.start(at)

    def __getitem__(self, at: int) -> PaperMember:
        member = self._members[at]
        assert member is not None, f"{at} is down"
        return member

    @property
    def up(self) -> list[int]:
        """Who runs."""
        return [at for at, member in enumerate(self._members) if member is not None]

    def start(self, at: int, *, silent: bool = False) -> PaperMember:
        """Start a member from its store."""
        author = at if at < self.committee.epoch.size else None
        self._members[at] = PaperMember(
            self.committee,
            author,
            silent=silent,
            store=self.stores[at],
            steady_ms=self.steady_ms,
        )
        return self[at]

    def crash(self, at: int) -> None:
        """A member is gone; its store stays."""
        self._members[at] = None

    def wipe(self, at: int) -> None:
        """A member is gone, and its store too."""
        self.crash(at)
        self.stores[at] = first_store(self.committee.epoch)

    def part(self, one: Iterable[int], other: Iterable[int]) -> None:
        """Nothing passes between two groups any more."""
        pairs = list(itertools.product(one, other))
        self._cut |= {*pairs, *((to, at) for at, to in pairs)}

    def mute(self, at: int) -> None:
        """Nothing that a member sends arrives any more; it still hears."""
        self._cut |= {(at, to) for to in range(len(self.stores)) if to != at}

    def heal(self) -> None:
        """Everything passes again, and everybody sends its newest block."""
        self._cut.clear()
        self._asked.clear()
        for at in self.up:
            own = self.own(at)
            if own:
                self._broadcast(at, [self.stores[at].blocks[own[-1].ref]])

    def propose(self, at: int, words: str) -> None:
        """Entries come to one member, as words of a drawing."""
        self[at].propose(words)
        self._after(at)

    def give(self, at: int, *blocks: VerifiedBlock) -> None:
        """Blocks come to one member."""
        self[at].accept(blocks)
        self._after(at)

    def resume(self, at: int, above_round: int) -> None:
        """A member's silence ends."""
        self[at].resume(above_round)
        self._after(at)

    def run(self, ms: int) -> None:
        """Let time pass: deliveries and ticks in their order."""
        end_ms = self.steady_ms + ms
        for at in self.up:
            self._tick(at)
        while True:
            tick_ms, at = min((self[at].next_tick_ms, at) for at in self.up)
            mail_ms = self._mail[0][0] if self._mail else end_ms + 1
            if min(tick_ms, mail_ms) > end_ms:
                break
            self._set_clock(max(min(tick_ms, mail_ms), self.steady_ms))
            if mail_ms <= tick_ms:
                _, _, to, made = heapq.heappop(self._mail)
                if self._members[to] is not None:
                    self.give(to, made)
            else:
                self._tick(at)
        self._set_clock(end_ms)

    def _tick(self, at: int) -> None:
        self[at].tick(self.steady_ms)
        self._after(at)

    def _set_clock(self, steady_ms: int) -> None:
        self.steady_ms = steady_ms
        for at in self.up:
            self[at].steady_ms = steady_ms

    def _after(self, at: int) -> None:
        member = self[at]
        sent, member.sent = member.sent, []
        self._broadcast(at, sent)
        for ref in sorted(member.engine.missing()):
            holders = [to for to in self.up if self._passes(to, at) and self._holds(to, ref)]
            if holders and (at, ref) not in self._asked:
                self._asked.add((at, ref))
                self._send(holders[0], at, self.stores[holders[0]].blocks[ref])

    def _broadcast(self, at: int, blocks: Iterable[VerifiedBlock]) -> None:
        for made in blocks:
            for to in self.up:
                if to != at and self._passes(at, to):
                    self._send(at, to, made)

    def _passes(self, at: int, to: int) -> bool:
        return (at, to) not in self._cut

    def _holds(self, at: int, ref: BlockRef) -> bool:
        return ref in self.stores[at].blocks

    def _send(self, at: int, to: int, made: VerifiedBlock) -> None:
        due_ms = self.steady_ms + DELAY_MS + self.extra_delays_ms.get(at, 0)
        heapq.heappush(self._mail, (due_ms, next(self._order), to, made))

    def own(self, at: int) -> list[Block]:
        """The stored blocks of a member's own, by rising round."""
        refs = sorted(ref for ref in self.stores[at].blocks if ref.author == at)
        return [self.stores[at].blocks[ref].block for ref in refs]

    def words(self, at: int) -> list[str]:
        """The committed entries of a member, in ledger order."""
        store = self.stores[at]
        return [
            word_of(entry)
            for commit in store.commits
            for block in commit.blocks
            for entry in store.blocks[block.ref].entries
        ]

    def agreed(self) -> list[Commit]:
        """The commits that all have who are up; fails if any two differ."""
        ledgers = [self.stores[at].commits for at in self.up]
        longest = max(ledgers, key=len)
        for at, ledger in zip(self.up, ledgers, strict=True):
            assert ledger == longest[: len(ledger)], f"the ledger of {at} differs"
        return longest[: min(map(len, ledgers))]
