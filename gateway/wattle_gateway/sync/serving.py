"""Answers to fetches and to requests for commits, filled up to ANSWER_BYTES (SPEC section 15)."""

from collections.abc import Iterable, Iterator, Sequence

from wattle_gateway.ledger.block import Block
from wattle_gateway.ledger.leaf import commit_digest
from wattle_gateway.sync.errors import PeerMessageError
from wattle_gateway.sync.framing import ANSWER_BYTES, LENGTH_BYTES, PARTS_MAX
from wattle_gateway.sync.intake import Intake
from wattle_gateway.sync.messages import (
    BLOCKS_MAX,
    HISTORY_COMMITS_MAX,
    HISTORY_TAIL_MAX,
    VOTES_MAX,
    Blocks,
    Commits,
    Fetch,
    History,
    HistoryCommit,
)
from wattle_gateway.sync.packed import PackedBlock
from wattle_gateway.sync.reader import BLOCK_ENTRIES_MAX
from wattle_gateway.sync.shelf import Served

# Where votes for the newest commits are looked for: a vote is some four commits old when the block
# that carries it is committed.
RECENT_COMMITS = 16
# Parts left for the head, for the block that an answer may be over full by, and in a history for
# leaves and votes.
_PARTS_FILLED_MAX = (
    PARTS_MAX - 1 - (1 + BLOCK_ENTRIES_MAX) - HISTORY_COMMITS_MAX - HISTORY_TAIL_MAX - VOTES_MAX
)


class _Filling:
    """How full an answer is: blocks, their bytes with lengths, and parts."""

    def __init__(self) -> None:
        self.blocks = 0
        self.size_bytes = 0
        self.parts = 0

    @property
    def full(self) -> bool:
        return (
            self.size_bytes >= ANSWER_BYTES
            or self.parts >= _PARTS_FILLED_MAX
            or self.blocks == BLOCKS_MAX
        )

    def add(self, block: PackedBlock) -> None:
        self.blocks += 1
        self.parts += 1 + len(block.entries)
        self.size_bytes += len(block.header) + sum(map(len, block.entries))
        self.size_bytes += LENGTH_BYTES * (1 + len(block.entries))


def answer_fetch(shelf: Served, request: Fetch) -> Blocks:
    """What is held of what a peer asks for; empty for an epoch that is not known here.

    Raises PeerMessageError if its rounds are not those of the epoch's authors.
    """
    epoch = shelf.epoch(request.epoch)
    if epoch is None:
        return Blocks(request.id, ())
    if len(request.rounds) not in (0, epoch.size):
        raise PeerMessageError(
            f"fetch with rounds of {len(request.rounds)} authors, expected {epoch.size}"
        )
    blocks: list[PackedBlock] = []
    filling = _Filling()
    for packed in _asked_and_lacking(shelf, request):
        blocks.append(packed)
        filling.add(packed)
        if filling.full:
            break
    return Blocks(request.id, tuple(blocks))


def filled(blocks: Iterable[PackedBlock]) -> bool:
    """Whether an answer to a fetch ended because it was full, so that there may be more."""
    filling = _Filling()
    for packed in blocks:
        filling.add(packed)
    return filling.full


def _asked_and_lacking(shelf: Served, request: Fetch) -> Iterator[PackedBlock]:
    given = set()
    for ref in sorted(set(request.refs)):
        packed = shelf.find(request.epoch, ref)
        if packed is not None:
            given.add(packed.header)
            yield packed
    if request.rounds:
        for packed in shelf.lacking(request.epoch, request.rounds):
            if packed.header not in given:
                yield packed


def answer_commits(shelf: Served, request: Commits, intake: Intake) -> History:
    """Commits of one epoch from the one asked for on, as far as votes on this shelf prove them.

    For commits that lie before those on this shelf it says where these begin. Otherwise empty
    when nothing is proved or when the first commit alone fills more than an answer: then
    its blocks are fetched one by one and decided by the rules.
    """
    if request.first < shelf.begins:
        return History(request.id, request.first, begins=shelf.begins)
    commits = list(_commits_from(shelf, request.first))
    if not commits:
        return History(request.id, request.first)
    first = shelf.commit(request.first)
    assert first is not None
    chosen = _Votes(shelf, intake, first.epoch).prove(request.first, len(commits))
    if chosen is None:
        return History(request.id, request.first)
    last_index, tail, votes = chosen
    return History(
        request.id,
        request.first,
        tuple(commits[: last_index - request.first + 1]),
        tail,
        votes,
    )


def _commits_from(shelf: Served, first_index: int) -> Iterator[HistoryCommit]:
    """Whole commits of one epoch, as many as one answer holds."""
    filling = _Filling()
    epoch: int | None = None
    for index in range(first_index, shelf.reach(first_index)):
        stored = shelf.commit(index)
        if stored is None or (epoch is not None and stored.epoch != epoch):
            return
        epoch = stored.epoch
        blocks = []
        for packed in shelf.blocks_of_commit(index):
            if filling.full:
                return
            filling.add(packed)
            blocks.append(packed)
        yield HistoryCommit(stored.leaf, tuple(blocks))


class _Votes:
    """The commit votes on the shelf for commits of an epoch."""

    def __init__(self, shelf: Served, intake: Intake, epoch: int) -> None:
        self._shelf = shelf
        self._intake = intake
        self._epoch = epoch
        self._quorum = 0
        self._size = 0
        known = shelf.epoch(epoch)
        if known is not None:
            self._quorum, self._size = known.quorum, known.size

    def prove(
        self, first_index: int, count: int
    ) -> tuple[int, tuple[bytes, ...], tuple[bytes, ...]] | None:
        """Index of the last commit that q votes prove, the leaves after it up to the highest
        vote, and the votes; None if no commit from `first_index` on is proved."""
        last_index = first_index + count - 1
        votes = self._from(last_index)
        if len(votes) < self._quorum:
            newest = self._newest(first_index)
            if len(newest) < self._quorum:
                return None
            indices = sorted((vote.commit_vote.index for vote in newest), reverse=True)
            last_index = min(last_index, indices[self._quorum - 1])
            votes = [vote for vote in newest if vote.commit_vote.index >= last_index]
        votes.sort(key=lambda vote: (vote.commit_vote.index, vote.author))
        votes = votes[: self._quorum]
        top = votes[-1].commit_vote.index
        if top - last_index > HISTORY_TAIL_MAX:
            return None
        return last_index, self._leaves(last_index + 1, top), tuple(vote.raw for vote in votes)

    def _from(self, index: int) -> list[Block]:
        """By author the first vote at or above a commit, out of the commits that follow it."""
        found: dict[int, Block] = {}
        for later in range(index + 1, index + 1 + HISTORY_TAIL_MAX):
            stored = self._shelf.commit(later)
            if stored is None or stored.epoch != self._epoch or len(found) >= self._quorum:
                break
            for header in self._headers(self._shelf.headers_of_commit(later)):
                if header.commit_vote.index >= index and self._true(header):
                    found.setdefault(header.author, header)
        return list(found.values())

    def _newest(self, index: int) -> list[Block]:
        """By author the highest vote at or above a commit among the newest blocks: those of the
        last commits, and the newest that is held."""
        found: dict[int, Block] = {}
        head_index = self._shelf.head.index
        for later in range(max(index, head_index - RECENT_COMMITS) + 1, head_index + 1):
            for header in self._headers(self._shelf.headers_of_commit(later)):
                self._note(found, header, index)
        for author in range(self._size):
            newest = self._shelf.newest_of(self._epoch, author)
            if newest is not None:
                self._note(found, newest, index)
        return list(found.values())

    def _note(self, found: dict[int, Block], header: Block, index: int) -> None:
        known = found.get(header.author)
        vote_index = header.commit_vote.index
        if header.epoch != self._epoch or vote_index < index:
            return
        if (known is None or known.commit_vote.index < vote_index) and self._true(header):
            found[header.author] = header

    def _true(self, header: Block) -> bool:
        """Whether a vote is for a commit of the own chain."""
        stored = self._shelf.commit(header.commit_vote.index)
        return (
            stored is not None
            and stored.epoch == self._epoch
            and commit_digest(stored.leaf) == header.commit_vote.digest
        )

    def _leaves(self, first_index: int, last_index: int) -> tuple[bytes, ...]:
        stored = (self._shelf.commit(index) for index in range(first_index, last_index + 1))
        return tuple(commit.leaf for commit in stored if commit is not None)

    def _headers(self, raws: Sequence[bytes]) -> Iterable[Block]:
        return (self._intake.header(raw) for raw in raws)
