"""Untrusted bytes of a peer to a message (SPEC section 15), or PeerMessageError and nothing else.

Strict: every number, length and count is as SPEC says, and no part is left over. What is
inside headers, entries, cards and leaves is judged by whoever uses them.
"""

from collections.abc import Callable, Iterator

from wattle_wire import cbor, cose, structure
from wattle_wire.errors import WireError

from wattle_gateway.ledger.block import DIGEST_BYTES, HEADER_BYTES_MAX, ROUND_MAX, ref_of
from wattle_gateway.ledger.genesis import CONSTANT_BOUNDS, LEDGER_ID_BYTES, MEMBERS_MAX
from wattle_gateway.ledger.peer_card import CARD_BYTES_MAX
from wattle_gateway.ledger.ready import READY_BYTES_MAX
from wattle_gateway.sync import messages as m
from wattle_gateway.sync.errors import PeerMessageError
from wattle_gateway.sync.framing import split
from wattle_gateway.sync.packed import PackedBlock

ENTRY_BYTES_MAX = CONSTANT_BOUNDS["entry_bytes_max"][1]
BLOCK_ENTRIES_MAX = CONSTANT_BOUNDS["block_entries_max"][1]
# Seven numbers and four digests are below 200 bytes.
LEAF_BYTES_MAX = 256


def parse(raw: bytes) -> m.Message:
    """The message in `raw`; PeerMessageError if it is none."""
    kind, parts = split(raw)
    read = _READERS.get(kind)
    if read is None:
        raise PeerMessageError(f"message kind {kind}, expected {m.HELLO} to {max(_READERS)}")
    rest = _Parts(parts)
    try:
        message = read(cbor.decode(rest.take(cbor.INPUT_BYTES_MAX, "head")), rest)
    except WireError as error:
        raise PeerMessageError(f"{m.KIND_NAMES[kind]}: {error}") from error
    rest.end(m.KIND_NAMES[kind])
    return message


class _Parts:
    """The parts of a message, taken one by one."""

    def __init__(self, parts: list[bytes]) -> None:
        self._parts = iter(parts)
        self._left = len(parts)

    @property
    def left(self) -> int:
        return self._left

    def take(self, bytes_max: int, what: str) -> bytes:
        part = next(self._parts, None)
        if part is None:
            raise PeerMessageError(f"the message ends before {what}")
        if len(part) > bytes_max:
            raise PeerMessageError(f"{what} of {len(part)} bytes, expected at most {bytes_max}")
        self._left -= 1
        return part

    def all(self, bytes_max: int, what: str) -> Iterator[bytes]:
        while self._left:
            yield self.take(bytes_max, what)

    def block(self, entries: int) -> PackedBlock:
        header = self.take(HEADER_BYTES_MAX, "header")
        if entries > self._left:
            raise PeerMessageError(f"the message ends within the {entries} entries of a block")
        return PackedBlock(
            header, tuple(self.take(ENTRY_BYTES_MAX, "entry") for _ in range(entries))
        )

    def end(self, name: str) -> None:
        if self._left:
            raise PeerMessageError(f"{name}: {self._left} parts more than expected")


def _hello(head: object, parts: _Parts) -> m.Hello:
    row = structure.array(head, 7, "head")
    if structure.uint(row[0], "version") != m.VERSION:
        raise PeerMessageError(f"hello of version {row[0]}, expected {m.VERSION}")
    token = None if row[6] == b"" else structure.octets(row[6], m.TOKEN_BYTES, "token")
    return m.Hello(
        structure.octets(row[1], LEDGER_ID_BYTES, "ledger id"),
        structure.octets(row[2], cose.KID_BYTES, "kid"),
        structure.uint(row[3], "epoch"),
        structure.uint(row[4], "commit index"),
        structure.octets(row[5], DIGEST_BYTES, "commit digest"),
        token,
    )


def _own_block(head: object, parts: _Parts) -> m.OwnBlock:
    structure.array(head, 0, "head")
    if parts.left - 1 > BLOCK_ENTRIES_MAX:
        raise PeerMessageError(f"block of {parts.left - 1} entries, at most {BLOCK_ENTRIES_MAX}")
    return m.OwnBlock(parts.block(max(0, parts.left - 1)))


def _holdings(head: object, parts: _Parts) -> m.Holdings:
    row = structure.array(head, 3, "head")
    return m.Holdings(
        structure.uint(row[0], "epoch"), _rounds(row[1]), structure.uint(row[2], "commit index")
    )


def _fetch(head: object, parts: _Parts) -> m.Fetch:
    row = structure.array(head, 4, "head")
    return m.Fetch(
        structure.uint(row[0], "id"),
        structure.uint(row[1], "epoch"),
        tuple(ref_of(item) for item in structure.items(row[2], m.FETCH_REFS_MAX, "references")),
        _rounds(row[3]),
    )


def _blocks(head: object, parts: _Parts) -> m.Blocks:
    row = structure.array(head, 2, "head")
    counts = _counts(row[1])
    return m.Blocks(structure.uint(row[0], "id"), tuple(parts.block(entries) for entries in counts))


def _subscribe(head: object, parts: _Parts) -> m.Subscribe:
    row = structure.array(head, 2, "head")
    return m.Subscribe(structure.uint(row[0], "epoch"), structure.uint(row[1], "round", ROUND_MAX))


def _commits(head: object, parts: _Parts) -> m.Commits:
    row = structure.array(head, 2, "head")
    return m.Commits(structure.uint(row[0], "id"), _index(row[1]))


def _history(head: object, parts: _Parts) -> m.History:
    begins = None
    if isinstance(head, list) and len(head) == 6:
        *head, begins = head
    row = structure.array(head, 5, "head")
    if begins is not None:
        return _later_history(row, begins)
    commits = tuple(
        m.HistoryCommit(
            parts.take(LEAF_BYTES_MAX, "leaf"),
            tuple(parts.block(entries) for entries in _counts(item)),
        )
        for item in structure.items(row[2], m.HISTORY_COMMITS_MAX, "commits")
    )
    tail = structure.uint(row[3], "tail", m.HISTORY_TAIL_MAX)
    votes = structure.uint(row[4], "votes", m.VOTES_MAX)
    return m.History(
        structure.uint(row[0], "id"),
        _index(row[1]),
        commits,
        tuple(parts.take(LEAF_BYTES_MAX, "leaf") for _ in range(tail)),
        tuple(parts.take(HEADER_BYTES_MAX, "vote") for _ in range(votes)),
    )


def _later_history(row: list[object], begins: object) -> m.History:
    """The sender has nothing of what was asked for: its history begins with commit `begins`."""
    first, found = _index(row[1]), _index(begins)
    if row[2:] != [[], 0, 0] or found <= first:
        raise PeerMessageError(f"history from commit {first} on, of one that begins with {found}")
    return m.History(structure.uint(row[0], "id"), first, begins=found)


def _ask_last(head: object, parts: _Parts) -> m.AskLast:
    row = structure.array(head, 2, "head")
    return m.AskLast(
        structure.octets(row[0], m.NONCE_BYTES, "nonce"), structure.uint(row[1], "epoch")
    )


def _last(head: object, parts: _Parts) -> m.Last:
    row = structure.array(head, 3, "head")
    round_number = structure.uint(row[2], "round", ROUND_MAX)
    return m.Last(
        structure.octets(row[0], m.NONCE_BYTES, "nonce"),
        structure.uint(row[1], "epoch"),
        round_number,
        parts.take(HEADER_BYTES_MAX, "header") if round_number else None,
    )


def _evidence(head: object, parts: _Parts) -> m.Evidence:
    structure.array(head, 0, "head")
    return m.Evidence(parts.take(ENTRY_BYTES_MAX, "evidence"))


def _checkpoint(head: object, parts: _Parts) -> m.Checkpoint:
    row = structure.array(head, 4, "head")
    return m.Checkpoint(
        _index(row[0]),
        structure.uint(row[1], "size"),
        structure.octets(row[2], DIGEST_BYTES, "root"),
        structure.octets(row[3], m.SIGNATURE_BYTES, "signature"),
    )


def _cards(head: object, parts: _Parts) -> m.Cards:
    structure.array(head, 0, "head")
    if parts.left > m.CARDS_MAX:
        raise PeerMessageError(f"{parts.left} cards, expected at most {m.CARDS_MAX}")
    return m.Cards(tuple(parts.all(CARD_BYTES_MAX, "card")))


def _join(head: object, parts: _Parts) -> m.Join:
    structure.array(head, 0, "head")
    return m.Join(parts.take(READY_BYTES_MAX, "ready"), parts.take(CARD_BYTES_MAX, "card"))


def _bye(head: object, parts: _Parts) -> m.Bye:
    row = structure.array(head, 2, "head")
    return m.Bye(structure.uint(row[0], "code"), structure.text(row[1], m.BYE_TEXT_MAX, "text"))


def _carry(head: object, parts: _Parts) -> m.Carry:
    structure.array(head, 0, "head")
    return m.Carry(parts.take(ENTRY_BYTES_MAX, "transaction"))


def _false_checkpoint(head: object, parts: _Parts) -> m.FalseCheckpoint:
    row = structure.array(head, 5, "head")
    return m.FalseCheckpoint(
        structure.uint(row[0], "epoch"),
        structure.octets(row[1], cose.KID_BYTES, "kid"),
        structure.uint(row[2], "size"),
        structure.octets(row[3], DIGEST_BYTES, "root"),
        structure.octets(row[4], m.SIGNATURE_BYTES, "signature"),
    )


def _rounds(value: object) -> tuple[int, ...]:
    rounds = structure.items(value, MEMBERS_MAX, "rounds")
    return tuple(structure.uint(item, "round", ROUND_MAX) for item in rounds)


def _counts(value: object) -> tuple[int, ...]:
    blocks = structure.items(value, m.BLOCKS_MAX, "blocks")
    return tuple(structure.uint(item, "entry count", BLOCK_ENTRIES_MAX) for item in blocks)


def _index(value: object) -> int:
    index = structure.uint(value, "commit index")
    if index == 0:
        raise PeerMessageError("commit index 0, expected at least 1")
    return index


_READERS: dict[int, Callable[[object, _Parts], m.Message]] = {
    m.HELLO: _hello,
    m.BLOCK: _own_block,
    m.HOLDINGS: _holdings,
    m.FETCH: _fetch,
    m.BLOCKS: _blocks,
    m.SUBSCRIBE: _subscribe,
    m.COMMITS: _commits,
    m.HISTORY: _history,
    m.ASK_LAST: _ask_last,
    m.LAST: _last,
    m.EVIDENCE: _evidence,
    m.CHECKPOINT: _checkpoint,
    m.CARDS: _cards,
    m.JOIN: _join,
    m.BYE: _bye,
    m.CARRY: _carry,
    m.FALSE_CHECKPOINT: _false_checkpoint,
}
