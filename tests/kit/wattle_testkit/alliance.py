"""Members, meters and what they sign, with keys drawn from their names: same name, same bytes."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import (
    checkpoint,
    crypto,
    entry,
    genesis,
    ready,
    signed_sample,
    transaction,
)
from wattle_gateway.ledger.block import Block, CommitVote
from wattle_gateway.ledger.checkpoint import Checkpoint, Note
from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.ledger.epoch import Epoch, EpochChange, first_epoch
from wattle_gateway.ledger.evidence import Evidence
from wattle_gateway.ledger.genesis import Constants, Genesis, Member
from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_gateway.ledger.transaction import Approve, Change, Enrol, Point
from wattle_wire import cose, sample, uplink
from wattle_wire.sample import Reading, Sample

CREATED_MS = 1_700_000_000_000


def private_key(name: str) -> ec.EllipticCurvePrivateKey:
    """A P-256 key that depends on nothing but the name."""
    secret = int.from_bytes(sha256(name.encode()).digest(), "big") >> 1
    return ec.derive_private_key(secret, ec.SECP256R1())


@dataclass(frozen=True)
class Party:
    """A member with its block key."""

    name: str
    role: int = genesis.GRID_COMPANY

    @cached_property
    def sign(self) -> crypto.Sign:
        """Signs digests with the block key."""
        return crypto.signer(private_key(f"{self.name} block"))

    @cached_property
    def checkpoint_key(self) -> ed25519.Ed25519PrivateKey:
        """The Ed25519 key for checkpoints."""
        secret = sha256(f"{self.name} checkpoint".encode()).digest()
        return ed25519.Ed25519PrivateKey.from_private_bytes(secret)

    @cached_property
    def member(self) -> Member:
        """The member's row in a genesis."""
        return Member(
            self.name,
            self.role,
            crypto.public_of(private_key(f"{self.name} block")),
            crypto.public_of(private_key(f"{self.name} link")),
            self.checkpoint_key.public_key().public_bytes_raw(),
            f"certificate of {self.name}".encode(),
        )

    @property
    def kid(self) -> bytes:
        """kid of the block key."""
        return self.member.kid


GRID = Party("grid")


def genesis_of(
    *parties: Party, constants: Constants | None = None, rules: int = genesis.RULES
) -> Genesis:
    """A genesis of these parties, of GRID alone if none is named."""
    members = tuple(party.member for party in parties or (GRID,))
    return genesis.create("test.wattle", CREATED_MS, members, constants, rules)


def epoch_of(
    *parties: Party, constants: Constants | None = None, rules: int = genesis.RULES
) -> Epoch:
    """Epoch 0 of `genesis_of`."""
    return first_epoch(genesis_of(*parties, constants=constants, rules=rules))


def reading(time_ms: int, device: int = 1, status: str = "G", **values: int | str) -> Reading:
    """A reading; an import counter of 0 if no value is named and it is good."""
    if status == "G" and not values:
        values = {"ei": 0}
    return Reading(device, time_ms, status, values)


@dataclass(frozen=True)
class Board:
    """A meter with its three keys, on the ledger of an epoch."""

    name: str
    epoch: Epoch
    first_seq: int = 1

    @cached_property
    def sign(self) -> crypto.Sign:
        """Signs digests with the meter's signing key."""
        return crypto.signer(private_key(f"{self.name} signing"))

    @cached_property
    def signing_key(self) -> bytes:
        """The meter's public signing key."""
        return crypto.public_of(private_key(f"{self.name} signing"))

    @property
    def kid(self) -> bytes:
        """kid of the signing key."""
        return cose.kid_of(self.signing_key)

    @property
    def eui64(self) -> bytes:
        """An EUI-64 of the meter's own."""
        return b"\x02" + sha256(self.name.encode()).digest()[:7]

    def signed(self, kind: str, payload: bytes) -> bytes:
        """A COSE_Sign1 of the meter."""
        digest = cose.digest(kind, self.epoch.ledger_id, self.kid, payload)
        return bytes(cose.sign1(self.kid, payload, self.sign(digest)))

    def sample(
        self,
        seq: int,
        readings: list[Reading] | None = None,
        *,
        prev: bytes | None = None,
        clock: str = "S",
        gaps: list[tuple[int, int, int]] | None = None,
        eui64: bytes | None = None,
        command: tuple[bytes, int] | None = None,
    ) -> SignedSample:
        """A signed sample, by default one good reading at the creation of the ledger."""
        content = Sample(
            eui64 or self.eui64,
            seq,
            1,
            prev,
            clock,
            readings or [reading(CREATED_MS)],
            gaps=gaps,
            command=command,
        )
        return signed_sample.parse(
            self.signed("sample", sample.encode(content)), self.epoch.ledger_id
        )

    def proof(self) -> bytes:
        """The proof of possession."""
        return self.signed(
            "enrol",
            uplink.encode_proof(
                self.eui64,
                self.signing_key,
                crypto.public_of(private_key(f"{self.name} link")),
                crypto.public_of(private_key(f"{self.name} tls")),
                self.first_seq,
                "file",
            ),
        )

    def enrol(self, *points: Point, home: bytes | None = None) -> Enrol:
        """The enrolment of the meter, by default with one 10 kW point."""
        return Enrol(
            self.proof(),
            "site-1",
            home or self.epoch.members[0].kid,
            (),
            0,
            points or (self.point(1),),
        )

    def point(self, device: int, rating_w: int = 10_000) -> Point:
        """A point that the first member owns."""
        owner = self.epoch.members[0].kid
        return Point(device, transaction.ELECTRICITY, rating_w, 0, (1, 1), (1, 1), 1, owner)


def sample_entry(signed: SignedSample) -> bytes:
    """The entry of a sample."""
    return entry.encode(entry.SAMPLE, signed.raw, 60_000)


def transaction_entry(
    epoch: Epoch,
    party: Party,
    kind: int,
    body: object,
    *,
    nonce: int = 0,
    lane: int = 0,
    until_ms: int = CREATED_MS * 2,
) -> bytes:
    """The entry of a transaction signed by a party."""
    raw = transaction.build(
        epoch.ledger_id,
        party.kid,
        party.sign,
        lane=lane,
        nonce=nonce,
        until_ms=until_ms,
        kind=kind,
        body=body,
    )
    return entry.encode(entry.TRANSACTION, raw, 60_000)


def enrol_entry(board: Board, party: Party = GRID, *, nonce: int = 0) -> bytes:
    """The entry that enrols a board at its home."""
    return transaction_entry(
        board.epoch,
        party,
        transaction.ENROL,
        transaction.enrol_body(board.enrol()),
        nonce=nonce,
    )


def following(*parties: Party, constants: Constants | None = None) -> EpochChange:
    """What an epoch of these parties is made of."""
    members = tuple(sorted((party.member for party in parties), key=lambda member: member.kid))
    known = genesis.constants_under(constants or Constants(), genesis.RULES)
    return EpochChange(members, genesis.RULES, known)


def ready_of(epoch: Epoch, party: Party, head: CommitHead, member: Member | None = None) -> bytes:
    """The `ready` of a party that has executed `head`, by default for its usual row."""
    return ready.build(
        epoch.ledger_id,
        party.sign,
        epoch=epoch.number,
        commit_index=head.index,
        commit_digest=head.digest,
        member=member or party.member,
    )


def change_entry(
    epoch: Epoch,
    party: Party,
    change: EpochChange,
    signed: Sequence[bytes] = (),
    *,
    nonce: int = 0,
) -> bytes:
    """The entry by which a party proposes the next epoch."""
    body = transaction.change_body(Change(epoch.number, change, tuple(signed)))
    return transaction_entry(epoch, party, transaction.CHANGE, body, nonce=nonce)


def approve_entry(epoch: Epoch, party: Party, waiting: bytes, *, nonce: int = 0) -> bytes:
    """The entry by which a party approves the transaction in the entry `waiting`."""
    body = transaction.approve_body(Approve(digest_of(epoch, waiting)))
    return transaction_entry(epoch, party, transaction.APPROVE, body, nonce=nonce)


def digest_of(epoch: Epoch, raw: bytes) -> bytes:
    """The digest of the transaction in an entry."""
    return transaction.parse(entry.decode(raw).body, epoch.ledger_id).digest


def evidence_entry(shown: Evidence) -> bytes:
    """The entry of evidence."""
    return entry.encode(entry.EVIDENCE, shown.encode(), 60_000)


def two_blocks_of(epoch: Epoch, party: Party, *, round_number: int = 1) -> tuple[Block, Block]:
    """Two blocks of a voting party for one round, that differ in their time."""
    author = epoch.author_of(party.kid)
    assert author is not None
    one, other = (
        block_format.build(
            epoch,
            author,
            party.sign,
            round_number=round_number,
            time_ms=time_ms,
            parents=[block_format.round_zero(epoch, author)],
            commit_vote=CommitVote(0, epoch.digest),
            entries=(),
        ).block
        for time_ms in (CREATED_MS, CREATED_MS + 1)
    )
    return one, other


def note_of(epoch: Epoch, size: int, root: bytes, *parties: Party) -> Note:
    """A checkpoint of the epoch's log with the signature lines of these parties."""
    signed = Checkpoint(checkpoint.origin(epoch), size, root)
    return Note(
        signed,
        tuple(
            checkpoint.sign(signed, party.member.checkpoint_key, party.checkpoint_key.sign)
            for party in parties
        ),
    )
