"""One engine with everything that a driver does for it, on paper: a dict for the store, a hash
for execution, a clock that the test sets."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from wattle_gateway.consensus.engine import Engine, Now, Output, Recovered, window_first
from wattle_gateway.ledger.block import Block, BlockRef, VerifiedBlock
from wattle_gateway.ledger.commit import Commit, CommitHead
from wattle_gateway.ledger.epoch import Epoch

from wattle_testkit.alliance import CREATED_MS
from wattle_testkit.dag_builder import Committee, entry_of


def paper_head(head: CommitHead, commit: Commit) -> CommitHead:
    """What the execution of a commit leaves behind: digests over all that it is made of."""
    assert commit.index == head.index + 1
    parts = [head.digest, commit.index.to_bytes(8, "big"), commit.time_ms.to_bytes(8, "big")]
    parts += [block.digest for block in commit.blocks]
    digest = sha256(b"".join(parts)).digest()
    return CommitHead(commit.index, commit.time_ms, digest, sha256(digest).digest())


@dataclass
class PaperStore:
    """What survives a crash; `first_index` that of the epoch's first commit."""

    head: CommitHead
    first_index: int = 1
    commits: list[Commit] = field(default_factory=list)
    heads: dict[int, CommitHead] = field(default_factory=dict)
    blocks: dict[BlockRef, VerifiedBlock] = field(default_factory=dict)
    own_floor: int = 0
    cheaters: set[int] = field(default_factory=set)

    def recovered(self, epoch: Epoch) -> Recovered:
        """All of it, as an engine starts from it."""
        taken = {block.ref for commit in self.commits for block in commit.blocks}
        window = window_first(self.first_index, self.head.index, epoch)
        return Recovered(
            head=self.head,
            first_index=self.first_index,
            leader=self.commits[-1].leader if self.commits else None,
            committed=tuple(made.block for ref, made in self.blocks.items() if ref in taken),
            uncommitted=tuple(made for ref, made in self.blocks.items() if ref not in taken),
            window=tuple(commit.blocks for commit in self.commits if commit.index >= window),
            cheaters=frozenset(self.cheaters),
            own_floor=self.own_floor,
        )


def first_store(epoch: Epoch) -> PaperStore:
    """The store at the beginning of an epoch that no commit precedes."""
    return PaperStore(CommitHead(0, epoch.created_ms, epoch.digest, bytes(32)))


class PaperMember:
    """A member of a committee, or with author None an observer.

    Whatever the engine says is carried out at once, in the order of its duties; blocks to send
    are kept in `sent`, in the order of the outputs.
    """

    def __init__(
        self,
        committee: Committee,
        author: int | None,
        *,
        silent: bool = False,
        store: PaperStore | None = None,
        steady_ms: int = 0,
    ) -> None:
        self.committee = committee
        self.author = author
        self.store = store or first_store(committee.epoch)
        self.sent: list[VerifiedBlock] = []
        self.returned: list[bytes] = []
        self.cheats: list[tuple[Block, Block]] = []
        self.steady_ms = steady_ms
        self.skew_ms = 0
        self.next_tick_ms = steady_ms
        self.executes = True
        self._waiting: list[Commit] = []
        recovered = self.store.recovered(committee.epoch)
        sign = committee.parties[author or 0].sign
        self.engine = Engine(committee.epoch, author, sign, recovered, silent=silent)

    @property
    def now(self) -> Now:
        """The member's two clocks."""
        return Now(CREATED_MS + self.steady_ms + self.skew_ms, self.steady_ms)

    @property
    def commits(self) -> list[Commit]:
        """All commits of the epoch, executed ones."""
        return self.store.commits

    def tick(self, steady_ms: int | None = None) -> None:
        """Time has come to `steady_ms`, or goes on to the next tick that the engine wants."""
        self.steady_ms = self.next_tick_ms if steady_ms is None else steady_ms
        self._take(self.engine.tick(self.now))

    def accept(self, blocks: Iterable[VerifiedBlock], voucher: bytes | None = None) -> None:
        """Blocks come from others; `voucher` if from one that has ended the epoch."""
        self._take(self.engine.accept(tuple(blocks), self.now, voucher=voucher))

    def propose(self, words: str) -> None:
        """Entries come, as words of a drawing (`x y!`)."""
        for word in words.split():
            entry = entry_of(word)
            self._take(self.engine.propose([entry], self.now, urgent=word.endswith("!")))

    def adopt(self, commit: Commit, blocks: Sequence[VerifiedBlock]) -> None:
        """A proved commit comes."""
        self._take(self.engine.adopt(commit.leader, blocks, self.now))

    def resume(self, above_round: int) -> None:
        """The silence ends."""
        self._take(self.engine.resume(above_round, self.now))

    def execute(self) -> None:
        """Execute what was kept back while `executes` was False."""
        self.executes = True
        self._execute()

    def feed(self, blocks: Sequence[VerifiedBlock], step: int = 1) -> list[VerifiedBlock]:
        """Accept blocks in lots of `step`, then what the engine asks for and what it left, as
        long as that leads further.

        Gives the blocks above the floor that it does not want: further twins that none names.
        """
        here = {made.block.ref: made for made in blocks}
        left = list(here.values())
        for start in range(0, len(blocks), step):
            self.accept(blocks[start : start + step])
        while True:
            self.fetch(here)
            lacking = [
                made
                for made in left
                if made.block.ref not in self.store.blocks and made.block.round > self.engine.floor
            ]
            if len(lacking) == len(left) or not lacking:
                return lacking
            left = lacking
            for start in range(0, len(left), step):
                self.accept(left[start : start + step])

    def fetch(self, here: Mapping[BlockRef, VerifiedBlock]) -> None:
        """Give the engine what it asks for, as far as it is `here`, until it asks no more."""
        before: list[BlockRef] = []
        while wanted := sorted(self.engine.missing().keys() & here.keys()):
            assert wanted != before, "the engine asks for blocks that it does not take"
            before = wanted
            self.accept([here[ref] for ref in wanted])

    def _take(self, output: Output) -> None:
        """The driver's duties, in their order."""
        for made in output.to_persist:
            assert made.block.ref not in self.store.blocks, "persisted twice"
            self.store.blocks[made.block.ref] = made
            if made.block.author == self.author:
                self.store.own_floor = max(self.store.own_floor, made.block.round)
        for one, _ in output.cheats:
            self.store.cheaters.add(one.author)
        self.cheats += output.cheats
        self.returned += output.returned
        assert all(made.block.ref in self.store.blocks for made in output.to_send)
        self.sent += output.to_send
        self.next_tick_ms = output.next_tick_ms
        self._waiting += output.commits
        if self.executes:
            self._execute()

    def _execute(self) -> None:
        while self._waiting and self.executes:
            commit = self._waiting.pop(0)
            self.store.head = paper_head(self.store.head, commit)
            self.store.heads[commit.index] = self.store.head
            self.store.commits.append(commit)
            self._take(self.engine.executed(self.store.head, self.now))
