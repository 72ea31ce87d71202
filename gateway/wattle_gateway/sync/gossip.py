"""What is told to all peers beside blocks: evidence, peer cards, own checkpoints, false ones of
others, and what a member without a vote wants to have carried."""

from collections.abc import Iterable
from dataclasses import dataclass

from wattle_gateway.ledger import checkpoint as checkpoints
from wattle_gateway.ledger import entry, evidence, peer_card, ready, transaction
from wattle_gateway.ledger.errors import FormatError
from wattle_gateway.ledger.evidence import TwoBlocks, TwoCheckpoints
from wattle_gateway.ledger.peer_card import PeerCard
from wattle_gateway.sync.intake import Intake
from wattle_gateway.sync.messages import (
    CARDS,
    CARDS_MAX,
    CARRY,
    CHECKPOINT,
    EVIDENCE,
    FALSE_CHECKPOINT,
    Cards,
    Carry,
    Checkpoint,
    Evidence,
    FalseCheckpoint,
    Join,
)
from wattle_gateway.sync.parcels import (
    CheckpointShare,
    JoinRequest,
    Parcel,
    Received,
    SignedCheckpoint,
)
from wattle_gateway.sync.peer import Links, Peer

# Cards change once in months; who makes more is not passed on faster than this.
CARD_AGAIN_MS = 10000
# What a transaction to be carried costs of a peer's budget: a signature is checked, and the pool
# is looked through.
CARRY_COST_BYTES = 64 << 10
# What somebody else's checkpoint costs: a signature is checked, and a root made of tiles.
FALSE_CHECKPOINT_COST_BYTES = 64 << 10


@dataclass(frozen=True)
class _KnownCard:
    card: PeerCard
    since_ms: int

    def gives_way_to(self, card: PeerCard, steady_ms: int) -> bool:
        return card.version > self.card.version and steady_ms >= self.since_ms + CARD_AGAIN_MS


class Gossip:
    """Remembers what has been told, so that each thing goes round once."""

    def __init__(self, links: Links, intake: Intake) -> None:
        self._links = links
        self._intake = intake
        self._evidence: set[tuple[bool, bytes]] = set()
        self._cards: dict[bytes, _KnownCard] = {}
        self._checkpoint: bytes | None = None
        # By the kid of who signed it, the newest that was told: a committee's at most.
        self._false: dict[bytes, SignedCheckpoint] = {}

    def new_epoch(self) -> None:
        """Evidence is of one epoch; a cheat of the next is news. Cards of former members go."""
        self._evidence.clear()
        everyone = {member.kid for member in self._links.epoch.everyone}
        self._cards = {kid: card for kid, card in self._cards.items() if kid in everyone}
        # Evidence has to be of a key of the epoch that it is executed in.
        self._false = {
            kid: signed for kid, signed in self._false.items() if self._key_of(kid) == signed.key
        }

    def greeting(self, peer: Peer) -> list[Parcel]:
        """What a peer is told when it comes: all cards, the newest own checkpoint, and false
        ones of others."""
        parcels = []
        if self._cards:
            cards = tuple(self._cards[kid].card.raw for kid in sorted(self._cards))[:CARDS_MAX]
            parcels.append(Parcel(peer.kid, Cards(cards).encode(), CARDS))
        if peer.guest:
            return parcels
        if self._checkpoint is not None:
            parcels.append(Parcel(peer.kid, self._checkpoint, CHECKPOINT))
        for kid in sorted(self._false.keys() - {peer.kid}):
            raw = self._message(self._false[kid])
            parcels.append(Parcel(peer.kid, raw, FALSE_CHECKPOINT))
        return parcels

    def evidence(self, raw: bytes, sender: bytes | None) -> Received:
        """Evidence against a voting member of the epoch in force: passed on once, if new.

        Raises LedgerError for evidence that shows nothing or is of another kind; says nothing
        about other epochs, in which the sender may be.
        """
        content = entry.decode(raw)
        if content.kind != entry.EVIDENCE:
            raise FormatError(f"evidence: an entry of kind {content.kind}")
        shown = evidence.decode(content.body, self._links.epoch.ledger_id)
        if isinstance(shown, TwoBlocks):
            author, accused = self._two_blocks(shown), True
        elif isinstance(shown, TwoCheckpoints):
            author, accused = self._two_checkpoints(shown), False
        else:
            raise FormatError("evidence: samples are shown by an entry of a block, not by gossip")
        if author is None:
            return Received()
        mark = (accused, self._links.epoch.members[author].kid)
        if mark in self._evidence:
            return Received()
        self._evidence.add(mark)
        if not accused:
            self._false.pop(mark[1], None)
        parcels = self._to_members(Evidence(raw).encode(), EVIDENCE, sender)
        return Received(parcels, evidence=(raw,), accused=(author,) if accused else ())

    def cards(self, raws: Iterable[bytes], sender: bytes | None, steady_ms: int) -> Received:
        """Cards of members: the new ones are kept and passed on.

        Raises LedgerError for a card that its member did not sign.
        """
        fresh = []
        for raw in raws:
            card = peer_card.parse(raw, self._links.epoch.ledger_id)
            member = self._links.epoch.party_of(card.kid)
            known = self._cards.get(card.kid)
            if member is None or (known is not None and not known.gives_way_to(card, steady_ms)):
                continue
            self._intake.verify(member.block_key, card.digest, card.signature)
            self._cards[card.kid] = _KnownCard(card, steady_ms)
            fresh.append(raw)
        if not fresh:
            return Received()
        message = Cards(tuple(fresh)).encode()
        kids = [peer.kid for peer in self._links if peer.kid != sender]
        return Received([Parcel(kid, message, CARDS) for kid in kids], cards=tuple(fresh))

    def share(self, own: CheckpointShare) -> list[Parcel]:
        """Tell all members the newest own checkpoint."""
        message = Checkpoint(own.commit_index, own.size, own.root, own.signature)
        self._checkpoint = message.encode()
        return self._to_members(self._checkpoint, CHECKPOINT, None)

    def tell_false(self, signed: SignedCheckpoint) -> list[Parcel]:
        """Tell all members but its signer a checkpoint that is not of our log, unless evidence
        against the signer has gone round or it has no vote under this key any more."""
        if (False, signed.kid) in self._evidence or self._key_of(signed.kid) != signed.key:
            return []
        self._false[signed.kid] = signed
        return self._to_members(self._message(signed), FALSE_CHECKPOINT, signed.kid)

    def contested(self, peer: Peer, message: FalseCheckpoint, steady_ms: int) -> Received:
        """A voting member's checkpoint that `peer` says is of another log; LedgerError unless
        that member signed it. In another epoch it may have another key: nothing is said then."""
        epoch = self._links.epoch
        if message.epoch != epoch.number or not peer.budget.allows(steady_ms):
            return Received()
        peer.budget.spend(FALSE_CHECKPOINT_COST_BYTES)
        key = self._key_of(message.kid)
        if key is None:
            raise FormatError(f"checkpoint of {message.kid.hex()}, which has no vote")
        text = checkpoints.Checkpoint(checkpoints.origin(epoch), message.size, message.root)
        line = checkpoints.SignatureLine(checkpoints.key_id(text.origin, key), message.signature)
        checkpoints.verify_line(text, line, key)
        signed = SignedCheckpoint(
            message.kid, key, message.size, message.root, message.signature, peer.kid
        )
        return Received(contested=(signed,))

    def join(self, message: Join, source: bytes) -> JoinRequest:
        """A candidate's papers; LedgerError unless both are signed by the block key they name."""
        ledger_id = self._links.epoch.ledger_id
        wish = ready.parse(message.ready, ledger_id)
        card = peer_card.parse(message.card, ledger_id)
        if card.kid != wish.kid:
            raise FormatError(f"join: card of {card.kid.hex()} beside a ready of {wish.kid.hex()}")
        self._intake.verify(wish.member.block_key, wish.digest, wish.signature)
        self._intake.verify(wish.member.block_key, card.digest, card.signature)
        return JoinRequest(wish.kid, message.ready, message.card, source)

    def hand_on(self, raw: bytes) -> list[Parcel]:
        """Have a transaction (COSE_Sign1) of this member carried: by every voting member that is
        linked, since any one of them may be away or keep it to itself. Empty: nobody is."""
        message = Carry(raw).encode()
        return [Parcel(peer.kid, message, CARRY) for _, peer in self._links.voting()]

    def carry(self, peer: Peer, message: Carry, steady_ms: int) -> Received:
        """A transaction of a member that has no vote, its own; LedgerError unless it signed it.

        Who has a vote has blocks for it. Here or there another epoch may be in force.
        """
        epoch = self._links.epoch
        member = epoch.party_of(peer.kid)
        if member is None or member.votes or self._links.author is None:
            return Received()
        if not peer.budget.allows(steady_ms):
            return Received()
        peer.budget.spend(CARRY_COST_BYTES)
        tx = transaction.parse(message.transaction, epoch.ledger_id)
        if tx.kid != peer.kid:
            raise FormatError(f"carry: {peer.kid.hex()} sent a transaction of {tx.kid.hex()}")
        self._intake.verify(member.block_key, tx.digest, tx.signature)
        bytes_max = epoch.constants.entry_bytes_max
        return Received(carried=(entry.encode(entry.TRANSACTION, message.transaction, bytes_max),))

    def _key_of(self, kid: bytes) -> bytes | None:
        """The checkpoint key of a voting member of the epoch in force, None for anybody else."""
        author = self._links.epoch.author_of(kid)
        return None if author is None else self._links.epoch.members[author].checkpoint_key

    def _message(self, signed: SignedCheckpoint) -> bytes:
        return FalseCheckpoint(
            self._links.epoch.number, signed.kid, signed.size, signed.root, signed.signature
        ).encode()

    def _to_members(self, raw: bytes, kind: int, sender: bytes | None) -> list[Parcel]:
        kids = [peer.kid for peer in self._links.members() if peer.kid != sender]
        return [Parcel(kid, raw, kind) for kid in kids]

    def _two_blocks(self, shown: TwoBlocks) -> int | None:
        """The author who signed both, None if they are of another epoch."""
        if shown.low.epoch != self._links.epoch.number:
            return None
        self._intake.verify_header(shown.low)
        self._intake.verify_header(shown.high)
        return shown.low.author

    def _two_checkpoints(self, shown: TwoCheckpoints) -> int | None:
        """The author who signed both, None if the key is of no voting member of this epoch."""
        epoch, line = self._links.epoch, shown.first.lines[0]
        origin = shown.first.checkpoint.origin
        for author, member in enumerate(epoch.members):
            if checkpoints.key_id(origin, member.checkpoint_key) == line.key_id:
                for note in (shown.first, shown.second):
                    checkpoints.verify_line(note.checkpoint, note.lines[0], member.checkpoint_key)
                return author
        return None
