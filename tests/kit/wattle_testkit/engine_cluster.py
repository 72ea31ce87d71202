"""A cluster of real engines in memory: links with a delay, cuts, crashes, one clock.

What synchronisation does in earnest is done here in the plainest way: a new link brings the
other's own blocks, and what an engine misses is fetched from whoever holds it.
"""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger.block import BlockRef, VerifiedBlock
from wattle_gateway.ledger.commit import Commit
from wattle_gateway.ledger.epoch import EpochChange, next_epoch

from wattle_testkit.dag_builder import Committee, committee_of, entry_of, word_of
from wattle_testkit.dag_text import author_of, letter_of
from wattle_testkit.paper_member import PaperMember, PaperStore, first_store

DELAY_MS = 50
OBSERVER = "O"
# The entry whose commit ends an epoch: the next one has the same members.
END = entry_of("epoch!")


@dataclass
class Station:
    """One member's place: what it has on disk, by epoch, and its engine while it runs."""

    letter: str
    committee: Committee
    stores: dict[int, PaperStore]
    member: PaperMember | None = None
    delay_ms: int = DELAY_MS
    holds: bool = False
    splits: tuple[str, str] | None = None
    splits_on: bool = False
    whispers_to: str | None = None
    told: int = 0
    kept: list[VerifiedBlock] = field(default_factory=list)
    # Words that were proposed and are in no commit yet; a driver has them on disk too.
    pending: list[str] = field(default_factory=list)

    @property
    def store(self) -> PaperStore:
        """What it has of its epoch."""
        return self.stores[self.committee.epoch.number]

    @property
    def author(self) -> int | None:
        """Author index, None for the observer."""
        return None if self.letter == OBSERVER else author_of(self.letter)


class EngineCluster:
    """`log` gets (time, letter, text) of each block made, each commit and so on; whoever reads it
    empties it."""

    def __init__(self, members: int, constants: dict[str, int]) -> None:
        self.committee = committee_of(members, **constants)
        self.now_ms = 0
        self.log: list[tuple[int, str, str]] = []
        self.stations: dict[str, Station] = {}
        for letter in [*self.committee.letters, OBSERVER]:
            stores = {0: first_store(self.committee.epoch)}
            self.stations[letter] = Station(letter, self.committee, stores)
        self._apart: tuple[str, ...] = ()
        self._events: list[tuple[int, int, Callable[[], None]]] = []
        self._count = 0
        self._names: dict[BlockRef, str] = {}

    def start(self, letter: str, silent: bool = False) -> None:
        """Start a member, or start it again with what its store has."""
        station = self.stations[letter]
        assert station.member is None, f"{letter} runs"
        station.member = PaperMember(
            station.committee,
            station.author,
            silent=silent,
            store=station.store,
            steady_ms=self.now_ms,
        )
        self._step(station, lambda member: member.tick(self.now_ms))
        in_blocks = {
            word_of(entry) for made in station.store.blocks.values() for entry in made.entries
        }
        self._propose(station, [word for word in station.pending if word not in in_blocks])
        for other in self.stations.values():
            if other is not station and other.member is not None:
                self._subscribe(station, other)
                self._subscribe(other, station)

    def crash(self, letter: str, wipe: bool = False) -> None:
        """Take a member's engine away, and its disk if it is wiped."""
        station = self.stations[letter]
        station.member = None
        if wipe:
            station.committee = self.committee
            station.stores = {0: first_store(self.committee.epoch)}
            station.pending = []
            station.told = 0

    def propose(self, letter: str, words: str) -> None:
        """Entries come to a member."""
        self.stations[letter].pending += words.split()
        self._propose(self._running(letter), words.split())

    def resume(self, letter: str, above_round: int) -> None:
        """A member's silence ends."""
        self._step(self._running(letter), lambda member: member.resume(above_round))

    def cut(self, *sides: str) -> None:
        """Only members of one side hear each other."""
        self._apart = sides

    def heal(self) -> None:
        """All hear each other again, and are told what they missed."""
        before, self._apart = self._apart, ()
        sides = {letter: side for side in before for letter in side}
        for one in self.stations.values():
            for other in self.stations.values():
                if sides.get(one.letter) != sides.get(other.letter):
                    self._subscribe(one, other)

    def hold(self, letter: str) -> None:
        """A member's own blocks are kept back."""
        self.stations[letter].holds = True

    def release(self, letter: str) -> None:
        """What was kept back goes out."""
        station = self.stations[letter]
        station.holds = False
        kept, station.kept = station.kept, []
        for made in kept:
            self._broadcast(station, made)

    def split(self, letter: str, one: str, other: str, on: bool = False) -> None:
        """A member's next block goes to some, and a twin of it to others; `on`: each from now."""
        self.stations[letter].splits = (one, other)
        self.stations[letter].splits_on = on

    def whisper(self, letter: str, to: str) -> None:
        """What a member sends, answers included, goes to some only."""
        self.stations[letter].whispers_to = to

    def slow(self, letter: str, delay_ms: int) -> None:
        """What a member sends takes longer."""
        self.stations[letter].delay_ms = delay_ms

    def run(self, duration_ms: int) -> None:
        """Let time pass."""
        until_ms = self.now_ms + duration_ms
        while (due_ms := self._next_ms()) <= until_ms:
            self.now_ms = max(self.now_ms, due_ms)
            if self._events and self._events[0][0] <= self.now_ms:
                heapq.heappop(self._events)[2]()
                continue
            for station in self.stations.values():
                member = station.member
                if member is not None and member.next_tick_ms <= self.now_ms:
                    self._step(station, lambda member: member.tick(self.now_ms))
                    break
        self.now_ms = until_ms

    def name(self, ref: BlockRef) -> str:
        """A block as drawings name it; twins in the order in which they were made."""
        if ref.round == 0:
            return f"{letter_of(ref.author)}0"
        return self._names[ref]

    def describe(self, made: VerifiedBlock) -> str:
        """A block with what it carries."""
        words = " ".join(word_of(entry) for entry in made.entries)
        return self.name(made.block.ref) + (f"[{words}]" if words else "")

    def _propose(self, station: Station, words: list[str]) -> None:
        if words and station.member is not None:
            self._step(station, lambda member: member.propose(" ".join(words)))

    def _running(self, letter: str) -> Station:
        station = self.stations[letter]
        assert station.member is not None, f"{letter} does not run"
        return station

    def _next_ms(self) -> int:
        times = [
            station.member.next_tick_ms
            for station in self.stations.values()
            if station.member is not None
        ]
        if self._events:
            times.append(self._events[0][0])
        return min(times, default=1 << 62)  # nobody runs: time passes all the same

    def _at(self, time_ms: int, action: Callable[[], None]) -> None:
        self._count += 1
        heapq.heappush(self._events, (time_ms, self._count, action))

    def _hears(self, receiver: Station, sender: Station) -> bool:
        if receiver.member is None or sender.member is None:
            return False
        if sender.whispers_to is not None and receiver.letter not in sender.whispers_to:
            return False
        return all((receiver.letter in side) == (sender.letter in side) for side in self._apart)

    def _step(self, station: Station, action: Callable[[PaperMember], None]) -> None:
        """One input of a member, and all that follows from it at once."""
        member = station.member
        assert member is not None
        member.steady_ms = self.now_ms
        action(member)
        sent, member.sent = member.sent, []
        for made in sent:
            self._made(station, made)
        for one, other in member.cheats:
            pair = f"{self.name(one.ref)} and {self.name(other.ref)}"
            self._say(station.letter, f"see that {pair} are twins")
        member.cheats.clear()
        returned, member.returned = list(map(word_of, member.returned)), []
        if returned:
            self._say(station.letter, f"get back {' '.join(returned)}")
            self._propose(station, returned)
        ended = self._tell_commits(station)
        if ended is not None:
            self._enter_next(station, ended)
        else:
            self._fetch(station)

    def _made(self, station: Station, made: VerifiedBlock) -> None:
        self._register(made)
        named = " ".join(self.name(ref) for ref in made.block.parents)
        self._say(station.letter, f"make {self.describe(made)} on {named}")
        if station.splits is not None:
            one, other = station.splits
            if not station.splits_on:
                station.splits = None
            twin = self._twin_of(station, made)
            self._say(station.letter, f"make {self.describe(twin)} for {other}")
            self._broadcast(station, made, one)
            self._broadcast(station, twin, other)
        elif station.holds:
            station.kept.append(made)
        else:
            self._broadcast(station, made)

    def _register(self, made: VerifiedBlock) -> None:
        block = made.block
        name = f"{letter_of(block.author)}{block.round}"
        if block.epoch:
            name = f"{block.epoch}:{name}"
        while name in self._names.values():
            name += "'"
        self._names[block.ref] = name

    def _twin_of(self, station: Station, made: VerifiedBlock) -> VerifiedBlock:
        block = made.block
        twin = block_format.build(
            station.committee.epoch,
            block.author,
            station.committee.parties[block.author].sign,
            round_number=block.round,
            time_ms=block.time_ms + 1,
            parents=block.parents,
            commit_vote=block.commit_vote,
            entries=made.entries,
        )
        self._register(twin)
        return twin

    def _broadcast(self, sender: Station, made: VerifiedBlock, to: str | None = None) -> None:
        for receiver in self.stations.values():
            if receiver is not sender and (to is None or receiver.letter in to):
                self._send(sender, receiver, [made], sender.delay_ms)

    def _send(
        self, sender: Station, receiver: Station, blocks: Iterable[VerifiedBlock], delay_ms: int
    ) -> None:
        """Over a link that stands now and still stands when the blocks arrive."""
        lot = tuple(blocks)
        if not lot or not self._hears(receiver, sender):
            return

        def arrive() -> None:
            if self._hears(receiver, sender):
                self._step(receiver, lambda member: member.accept(lot))

        self._at(self.now_ms + delay_ms, arrive)

    def _subscribe(self, receiver: Station, sender: Station) -> None:
        """The sender's own blocks that the receiver does not hold."""
        if sender.author is None or receiver.member is None or sender.holds:
            return
        store = sender.stores.get(receiver.committee.epoch.number)
        above = receiver.member.engine.holdings()[sender.author]
        own = [
            made
            for ref, made in sorted(store.blocks.items() if store else ())
            if ref.author == sender.author and ref.round > above
        ]
        self._send(sender, receiver, own, sender.delay_ms)

    def _fetch(self, station: Station) -> None:
        """Ask for what is missing, whoever names it first, then anybody."""
        assert station.member is not None
        epoch = station.committee.epoch.number
        for ref, holders in sorted(station.member.engine.missing().items()):
            letters = [letter_of(author) for author in sorted(holders)]
            for letter in [*letters, *self.stations]:
                holder = self.stations[letter]
                store = holder.stores.get(epoch)
                found = store.blocks.get(ref) if store else None
                if found is not None and self._hears(station, holder):
                    self._send(holder, station, [found], 2 * DELAY_MS)
                    break

    def _tell_commits(self, station: Station) -> Commit | None:
        """Log new commits; the one that ends the epoch, if it is among them."""
        while station.told < len(station.store.commits):
            commit = station.store.commits[station.told]
            station.told += 1
            blocks = [station.store.blocks[block.ref] for block in commit.blocks]
            took = " ".join(map(self.describe, blocks))
            offset_ms = commit.time_ms - self.committee.epoch.created_ms
            name = self.name(commit.leader)
            self._say(station.letter, f"commit {commit.index} {name} at {offset_ms}: {took}")
            entries = [entry for made in blocks for entry in made.entries]
            words = set(map(word_of, entries))
            station.pending = [word for word in station.pending if word not in words]
            if END in entries:
                return commit
        return None

    def _enter_next(self, station: Station, last: Commit) -> None:
        """Rule 29: later blocks and commits are void, own payload in them is proposed again."""
        head, epoch = station.store.heads[last.index], station.committee.epoch
        change = EpochChange(epoch.everyone, epoch.rules, epoch.constants)
        station.committee = Committee(next_epoch(epoch, change, head), station.committee.parties)
        station.stores[epoch.number + 1] = PaperStore(head, first_index=head.index + 1)
        station.told = 0
        station.member = None
        self._say(station.letter, f"enter epoch {epoch.number + 1} after commit {head.index}")
        self.start(station.letter)

    def _say(self, who: str, text: str) -> None:
        self.log.append((self.now_ms, who, text))
