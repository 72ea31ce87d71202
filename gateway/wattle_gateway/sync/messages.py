"""What members' gateways say to each other: the messages of SPEC section 15 and their bytes.

Reading untrusted bytes is `wattle_gateway.sync.reader`'s business.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from wattle_wire import cbor

from wattle_gateway.ledger.block import BlockRef
from wattle_gateway.ledger.genesis import MEMBERS_MAX
from wattle_gateway.sync.framing import join
from wattle_gateway.sync.packed import PackedBlock

HELLO = 1
BLOCK = 2
HOLDINGS = 3
FETCH = 4
BLOCKS = 5
SUBSCRIBE = 6
COMMITS = 7
HISTORY = 8
ASK_LAST = 9
LAST = 10
EVIDENCE = 11
CHECKPOINT = 12
CARDS = 13
JOIN = 14
BYE = 15
CARRY = 16
FALSE_CHECKPOINT = 17
KIND_NAMES = {
    HELLO: "hello",
    BLOCK: "block",
    HOLDINGS: "holdings",
    FETCH: "fetch",
    BLOCKS: "blocks",
    SUBSCRIBE: "subscribe",
    COMMITS: "commits",
    HISTORY: "history",
    ASK_LAST: "ask_last",
    LAST: "last",
    EVIDENCE: "evidence",
    CHECKPOINT: "checkpoint",
    CARDS: "cards",
    JOIN: "join",
    BYE: "bye",
    CARRY: "carry",
    FALSE_CHECKPOINT: "false_checkpoint",
}

VERSION = 1
TOKEN_BYTES = 32
NONCE_BYTES = 8
SIGNATURE_BYTES = 64
# Sui asks for as many: a round of the largest alliance in one request.
FETCH_REFS_MAX = 32
# What one CBOR array holds; the bytes of an answer are full long before.
BLOCKS_MAX = 4096
# Enough for an hour at two seconds a round; the list of their blocks fits one head.
HISTORY_COMMITS_MAX = 1024
# Leaves between the last commit with blocks and the votes for it: a quorum votes within a few
# rounds, unless many commits were decided in one go after a long cut.
HISTORY_TAIL_MAX = 256
VOTES_MAX = MEMBERS_MAX
CARDS_MAX = MEMBERS_MAX
BYE_TEXT_MAX = 200


@dataclass(frozen=True)
class Hello:
    """Who speaks, on which ledger and how far along. `token` 32 bytes of a guest, else None."""

    ledger_id: bytes
    kid: bytes
    epoch: int
    index: int
    digest: bytes
    token: bytes | None = None

    def encode(self) -> bytes:
        """The message's bytes."""
        token = self.token or b""
        head = [VERSION, self.ledger_id, self.kid, self.epoch, self.index, self.digest, token]
        return _message(HELLO, head)


@dataclass(frozen=True)
class OwnBlock:
    """A block by its sender."""

    block: PackedBlock

    def encode(self) -> bytes:
        """The message's bytes."""
        return _message(BLOCK, [], self.block.header, *self.block.entries)


@dataclass(frozen=True)
class Holdings:
    """Hints: by author the highest round held without a gap, and the newest commit."""

    epoch: int
    rounds: tuple[int, ...]
    index: int

    def encode(self) -> bytes:
        """The message's bytes."""
        return _message(HOLDINGS, [self.epoch, list(self.rounds), self.index])


@dataclass(frozen=True)
class Fetch:
    """Asks for blocks by name (at most FETCH_REFS_MAX) and, if `rounds` is not empty, for what
    is above these rounds."""

    id: int
    epoch: int
    refs: tuple[BlockRef, ...]
    rounds: tuple[int, ...]

    def encode(self) -> bytes:
        """The message's bytes."""
        refs = [[ref.round, ref.author, ref.digest] for ref in self.refs]
        return _message(FETCH, [self.id, self.epoch, refs, list(self.rounds)])


@dataclass(frozen=True)
class Blocks:
    """The answer to a fetch."""

    id: int
    blocks: tuple[PackedBlock, ...]

    def encode(self) -> bytes:
        """The message's bytes."""
        counts = [len(block.entries) for block in self.blocks]
        return _message(BLOCKS, [self.id, counts], *_parts_of(self.blocks))


@dataclass(frozen=True)
class Subscribe:
    """Asks for the receiver's own blocks above a round, and each new one."""

    epoch: int
    round: int

    def encode(self) -> bytes:
        """The message's bytes."""
        return _message(SUBSCRIBE, [self.epoch, self.round])


@dataclass(frozen=True)
class Commits:
    """Asks for commits from `first` on."""

    id: int
    first: int

    def encode(self) -> bytes:
        """The message's bytes."""
        return _message(COMMITS, [self.id, self.first])


@dataclass(frozen=True)
class HistoryCommit:
    """A commit in a history: the bytes of its leaf, its blocks in the order of execution."""

    leaf: bytes
    blocks: tuple[PackedBlock, ...]


@dataclass(frozen=True)
class History:
    """Commits from `first` on; `tail` the leaves of those after them; `votes` headers of blocks
    whose commit votes prove them. Without any of these, `begins`, if it is not None: the first
    commit that the sender can give at all, above `first`."""

    id: int
    first: int
    commits: tuple[HistoryCommit, ...] = ()
    tail: tuple[bytes, ...] = ()
    votes: tuple[bytes, ...] = ()
    begins: int | None = None

    def encode(self) -> bytes:
        """The message's bytes."""
        counts = [[len(block.entries) for block in commit.blocks] for commit in self.commits]
        commits = (chain((commit.leaf,), _parts_of(commit.blocks)) for commit in self.commits)
        begins = [] if self.begins is None else [self.begins]
        return _message(
            HISTORY,
            [self.id, self.first, counts, len(self.tail), len(self.votes), *begins],
            *chain.from_iterable(commits),
            *self.tail,
            *self.votes,
        )


@dataclass(frozen=True)
class AskLast:
    """What is my newest block that you know of this epoch?"""

    nonce: bytes
    epoch: int

    def encode(self) -> bytes:
        """The message's bytes."""
        return _message(ASK_LAST, [self.nonce, self.epoch])


@dataclass(frozen=True)
class Last:
    """The answer: `epoch` the one the answerer is in, `round` and `header` of the asker's newest
    block in the epoch it asked for, 0 and None if none is known."""

    nonce: bytes
    epoch: int
    round: int
    header: bytes | None

    def encode(self) -> bytes:
        """The message's bytes."""
        parts = () if self.header is None else (self.header,)
        return _message(LAST, [self.nonce, self.epoch, self.round], *parts)


@dataclass(frozen=True)
class Evidence:
    """An evidence entry."""

    entry: bytes

    def encode(self) -> bytes:
        """The message's bytes."""
        return _message(EVIDENCE, [], self.entry)


@dataclass(frozen=True)
class Checkpoint:
    """The sender's signature under the log's root after a commit."""

    commit_index: int
    size: int
    root: bytes
    signature: bytes

    def encode(self) -> bytes:
        """The message's bytes."""
        return _message(CHECKPOINT, [self.commit_index, self.size, self.root, self.signature])


@dataclass(frozen=True)
class Cards:
    """Peer cards."""

    cards: tuple[bytes, ...]

    def encode(self) -> bytes:
        """The message's bytes."""
        return _message(CARDS, [], *self.cards)


@dataclass(frozen=True)
class Join:
    """A candidate's `ready` and peer card."""

    ready: bytes
    card: bytes

    def encode(self) -> bytes:
        """The message's bytes."""
        return _message(JOIN, [], self.ready, self.card)


@dataclass(frozen=True)
class Bye:
    """Why the link ends."""

    code: int
    text: str

    def encode(self) -> bytes:
        """The message's bytes."""
        return _message(BYE, [self.code, self.text[:BYE_TEXT_MAX] or "-"])


@dataclass(frozen=True)
class Carry:
    """A transaction (COSE_Sign1) of the sender, which has no vote and so no blocks of its own."""

    transaction: bytes

    def encode(self) -> bytes:
        """The message's bytes."""
        return _message(CARRY, [], self.transaction)


@dataclass(frozen=True)
class FalseCheckpoint:
    """What voting member `kid` of an epoch signed, and is not of the sender's log."""

    epoch: int
    kid: bytes
    size: int
    root: bytes
    signature: bytes

    def encode(self) -> bytes:
        """The message's bytes."""
        head = [self.epoch, self.kid, self.size, self.root, self.signature]
        return _message(FALSE_CHECKPOINT, head)


Message = (
    Hello
    | OwnBlock
    | Holdings
    | Fetch
    | Blocks
    | Subscribe
    | Commits
    | History
    | AskLast
    | Last
    | Evidence
    | Checkpoint
    | Cards
    | Join
    | Bye
    | Carry
    | FalseCheckpoint
)


def _message(kind: int, head: list[object], *parts: bytes) -> bytes:
    return join(kind, (cbor.encode(head), *parts))


def _parts_of(blocks: Sequence[PackedBlock]) -> Iterator[bytes]:
    for block in blocks:
        yield block.header
        yield from block.entries
