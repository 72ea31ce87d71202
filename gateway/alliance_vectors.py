"""The alliance in `protocol/vectors/ledger.json`: four members and an observer, SPEC 9 to 12, 16.

Eight full rounds of blocks, of which an engine that follows makes six commits. They enrol a meter
with the approval of a member of another role, carry evidence of all three forms, and end the
epoch by a `change` to five members; one block of the next epoch and a cosigned checkpoint follow.
`make_ledger_vectors.py` writes it.
"""

from collections.abc import Sequence
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from make_vectors import EUI64, TIME_MS, example_samples, private_key
from wattle_gateway.consensus.engine import Engine, Now, Recovered
from wattle_gateway.contracts.execute import Executed, execute
from wattle_gateway.ledger import (
    block,
    checkpoint,
    crypto,
    entry,
    evidence,
    genesis,
    merkle,
    peer_card,
    ready,
    signed_sample,
    transaction,
)
from wattle_gateway.ledger.block import Block, VerifiedBlock
from wattle_gateway.ledger.checkpoint import Checkpoint, Note
from wattle_gateway.ledger.commit import Commit, CommitHead, first_head
from wattle_gateway.ledger.epoch import Epoch, EpochChange, first_epoch, next_epoch
from wattle_gateway.ledger.genesis import Member
from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_gateway.ledger.transaction import Approve, Change, Enrol, Point
from wattle_wire import cose, sample, uplink

CREATED_MS = TIME_MS - 60_000
ROUND_MS = 150
UNTIL_MS = TIME_MS + 3_600_000
ROLES = {
    "grid": genesis.GRID_COMPANY,
    "retail": genesis.RETAILER,
    "aggregator": genesis.AGGREGATOR,
    "user": genesis.LARGE_USER,
    "regulator": genesis.OBSERVER,
    "newcomer": genesis.ENERGY_SERVICE_COMPANY,
}


def pair(name: str) -> ec.EllipticCurvePrivateKey:
    """The P-256 pair of an example key."""
    return ec.derive_private_key(int.from_bytes(private_key(name), "big"), ec.SECP256R1())


def checkpoint_pair(name: str) -> ed25519.Ed25519PrivateKey:
    """The Ed25519 pair of an example member."""
    return ed25519.Ed25519PrivateKey.from_private_bytes(private_key(f"{name} checkpoint"))


def member(name: str) -> Member:
    """An example member's row."""
    return Member(
        f"example {name}",
        ROLES[name],
        crypto.public_of(pair(f"{name} block")),
        crypto.public_of(pair(f"{name} link")),
        checkpoint_pair(name).public_key().public_bytes_raw(),
        f"stands for the certificate of {name}".encode(),
    )


def lone_member(name: str, role: int) -> tuple[Member]:
    """Of a ledger with one gateway, whose keys have no name before them."""
    block_key, link_key = (crypto.public_of(pair(key)) for key in ("block", "gateway link"))
    stands_for = b"stands for a certificate"
    return (Member(f"example {name}", role, block_key, link_key, bytes(range(32)), stands_for),)


def example_members(*rows: tuple[str, int, str]) -> tuple[Member, ...]:
    """Of a ledger of these names, roles and block keys; what stands for their Ed25519 keys belongs
    to nobody."""
    return tuple(
        Member(
            f"example {name}",
            role,
            crypto.public_of(pair(block_key)),
            crypto.public_of(pair(f"{name} link")),
            bytes(range(number, 32 + number)),
            f"stands for a certificate of {name}".encode(),
        )
        for number, (name, role, block_key) in enumerate(rows)
    )


def sign_as(name: str) -> crypto.Sign:
    """Signs with a member's block key."""
    return crypto.signer(pair(f"{name} block"))


def signed_by_meter(ledger_id: bytes, kind: str, payload: bytes) -> bytes:
    """A COSE_Sign1 by the example meter."""
    key = pair("meter")
    kid = cose.kid_of(crypto.public_of(key))
    digest = cose.digest(kind, ledger_id, kid, payload)
    return cose.sign1(kid, payload, crypto.signer(key)(digest))


class Alliance:
    """Members that make full rounds, and an observer that follows and executes."""

    def __init__(self) -> None:
        members = tuple(member(name) for name in ROLES if name != "newcomer")
        self.genesis = genesis.create("alliance.wattle", CREATED_MS, members, rules=1)
        self.epoch = first_epoch(self.genesis)
        by_kid = {member(name).kid: name for name in ROLES}
        self.names = [by_kid[voting.kid] for voting in self.epoch.members]
        self.heads: list[CommitHead] = [first_head(self.epoch)]
        self.state: dict[bytes, bytes] = {}
        self.commits: list[tuple[Commit, Executed]] = []
        self.blocks: list[VerifiedBlock] = []
        self._engine = Engine(self.epoch, None, sign_as("regulator"), Recovered(self.heads[0]))
        self._newest: list[Block] = []
        self._nonces = dict.fromkeys(ROLES, 0)

    @property
    def leaves(self) -> list[bytes]:
        """The log so far."""
        return [leaf for _, executed in self.commits for leaf in executed.leaves]

    def round(self, payloads: dict[int, Sequence[bytes]]) -> None:
        """One block of each author on all of the round below; what that commits is executed."""
        number = self._newest[0].round + 1 if self._newest else 1
        refs = [newest.ref for newest in self._newest] or [
            block.round_zero(self.epoch, author) for author in range(self.epoch.size)
        ]
        made = [
            block.build(
                self.epoch,
                author,
                sign_as(name),
                round_number=number,
                time_ms=TIME_MS + number * ROUND_MS + author,
                parents=[refs[author], *refs[:author], *refs[author + 1 :]],
                commit_vote=self.heads[-1].vote,
                entries=payloads.get(author, ()),
            )
            for author, name in enumerate(self.names)
        ]
        self._newest = [verified.block for verified in made]
        self.blocks += made
        now = Now(TIME_MS + number * ROUND_MS, number * ROUND_MS)
        for commit in self._engine.accept(made, now).commits:
            self._engine.executed(self._execute(commit), now)

    def _execute(self, commit: Commit) -> CommitHead:
        carried = {verified.block.ref: verified for verified in self.blocks}
        executed = execute(
            self.state,
            self.heads[-1],
            commit,
            [carried[header.ref] for header in commit.blocks],
            self.epoch,
            crypto.verify,
            lambda index: self.heads[index].digest,
        )
        for key, value in executed.changes:
            if value is None:
                self.state.pop(key)
            else:
                self.state[key] = value
        self.commits.append((commit, executed))
        self.heads.append(executed.head)
        return executed.head

    def transaction(self, name: str, kind: int, body: object) -> bytes:
        """The entry of a member's next transaction in lane 0."""
        nonce = self._nonces[name]
        self._nonces[name] += 1
        raw = transaction.build(
            self.epoch.ledger_id,
            member(name).kid,
            sign_as(name),
            lane=0,
            nonce=nonce,
            until_ms=UNTIL_MS,
            kind=kind,
            body=body,
        )
        return self.entry(entry.TRANSACTION, raw)

    def approval(self, name: str, waiting: bytes) -> bytes:
        """The entry by which a member approves the transaction in the entry `waiting`."""
        tx = transaction.parse(entry.decode(waiting).body, self.epoch.ledger_id)
        body = transaction.approve_body(Approve(tx.digest))
        return self.transaction(name, transaction.APPROVE, body)

    def entry(self, kind: int, body: bytes) -> bytes:
        """An entry."""
        return entry.encode(kind, body, self.epoch.constants.entry_bytes_max)

    def enrolment(self) -> bytes:
        """The entry by which author 0 enrols the example meter."""
        home = self.epoch.members[0].kid
        signing, link, tls = (
            crypto.public_of(pair(name)) for name in ("meter", "meter link", "meter tls")
        )
        proof = uplink.encode_proof(EUI64, signing, link, tls, 1, "file")
        message = signed_by_meter(self.epoch.ledger_id, "enrol", proof)
        point = Point(1, transaction.ELECTRICITY, 10_000, 2_000, (1, 1), (1, 1), 1, home)
        body = transaction.enrol_body(Enrol(message, "demo", home, (), 0, (point,)))
        return self.transaction(self.names[0], transaction.ENROL, body)

    def samples(self) -> tuple[SignedSample, SignedSample]:
        """The example meter's first sample, and another one with the same seq."""
        first = example_samples()[0]
        other = replace_reading(first)
        one, two = (
            signed_sample.parse(
                signed_by_meter(self.epoch.ledger_id, "sample", sample.encode(content)),
                self.epoch.ledger_id,
            )
            for content in (first, other)
        )
        return one, two

    def equivocation(self, author: int) -> evidence.TwoBlocks:
        """Round 1 of an author once more, half a second later."""
        first = self.blocks[author].block
        made = block.build(
            self.epoch,
            author,
            sign_as(self.names[author]),
            round_number=1,
            time_ms=first.time_ms + 500,
            parents=first.parents,
            commit_vote=first.commit_vote,
            entries=(),
        )
        return evidence.two_blocks(first, made.block)

    def note(self, size: int, root: bytes, authors: Sequence[int]) -> Note:
        """A checkpoint signed by these authors."""
        signed = Checkpoint(checkpoint.origin(self.epoch), size, root)
        lines = tuple(
            checkpoint.sign(
                signed,
                self.epoch.members[author].checkpoint_key,
                checkpoint_pair(self.names[author]).sign,
            )
            for author in authors
        )
        return Note(signed, lines)

    def false_checkpoint(self, author: int) -> evidence.TwoCheckpoints:
        """An author's checkpoint after commit 1 (1 leaf) with a root that the log never had, beside
        the true one after commit 2 (3 leaves)."""
        hashes = [merkle.leaf_hash(leaf) for leaf in self.leaves]
        proof = tuple(merkle.consistency_proof(hashes, 1, 3))
        false = self.note(1, merkle.leaf_hash(b"another log"), [author])
        true = self.note(3, merkle.root(hashes[:3]), [author])
        return evidence.two_checkpoints(false, true, merkle.root(hashes[:1]), proof)


def replace_reading(first: sample.Sample) -> sample.Sample:
    """A sample with another register."""
    reading = first.readings[0]
    values = {**reading.values, "ei": 1_234_000}
    return sample.Sample(
        first.eui64,
        first.seq,
        first.boot,
        first.prev,
        first.clock,
        [sample.Reading(reading.device, reading.time_ms, reading.status, values)],
    )


def vectors() -> dict[str, object]:
    """Everything under `alliance`."""
    alliance = Alliance()
    enrol = alliance.enrolment()
    alliance.round({0: [enrol]})
    alliance.round({1: [alliance.approval(alliance.names[1], enrol)]})
    one, two = alliance.samples()
    fork = evidence.two_samples(one, two)
    alliance.round(
        {
            0: [alliance.entry(entry.SAMPLE, one.raw)],
            2: [
                alliance.entry(entry.EVIDENCE, fork.encode()),
                alliance.entry(entry.EVIDENCE, alliance.equivocation(3).encode()),
            ],
        }
    )
    joiner = member("newcomer")
    word = ready.build(
        alliance.epoch.ledger_id,
        sign_as("newcomer"),
        epoch=0,
        commit_index=1,
        commit_digest=alliance.heads[1].digest,
        member=joiner,
    )
    members = tuple(sorted((*alliance.epoch.everyone, joiner), key=lambda one: one.kid))
    following = EpochChange(members, 1, replace(alliance.epoch.constants, gc_depth=61))
    change = alliance.transaction(
        alliance.names[0],
        transaction.CHANGE,
        transaction.change_body(Change(0, following, (word,))),
    )
    alliance.round({0: [change]})
    false = alliance.entry(entry.EVIDENCE, alliance.false_checkpoint(3).encode())
    approvals = [alliance.approval(name, change) for name in alliance.names[2:]]
    alliance.round({2: [approvals[0], false], 3: [approvals[1]]})
    while alliance.commits[-1][1].ended is None:
        alliance.round({})
    return written(alliance, word, next_epoch(alliance.epoch, following, alliance.heads[-1]))


def written(alliance: Alliance, word: bytes, second: Epoch) -> dict[str, object]:
    """What is made, as JSON."""
    hashes = [merkle.leaf_hash(leaf) for leaf in alliance.leaves]
    cosigned = alliance.note(len(hashes), merkle.root(hashes), range(alliance.epoch.quorum))
    author = second.author_of(member("newcomer").kid)
    assert author is not None
    refs = [block.round_zero(second, number) for number in range(second.size)]
    first_block = block.build(
        second,
        author,
        sign_as("newcomer"),
        round_number=1,
        time_ms=second.created_ms,
        parents=[refs[author], *refs[:author], *refs[author + 1 :]],
        commit_vote=alliance.heads[-1].vote,
        entries=(),
    )
    card = peer_card.build(
        alliance.epoch.ledger_id,
        alliance.epoch.members[0].kid,
        sign_as(alliance.names[0]),
        version=TIME_MS,
        certificate=b"stands for a certificate",
        host="gateway.example",
        port=7443,
        broker_host="broker.example",
        broker_port=8883,
    )
    return {
        "genesis": alliance.genesis.raw.hex(),
        "ledger_id": alliance.genesis.ledger_id.hex(),
        "epoch_digest": alliance.epoch.digest.hex(),
        "blocks": [
            {"block": made.block.raw.hex(), "entries": [raw.hex() for raw in made.entries]}
            for made in alliance.blocks
        ],
        "commits": [
            {
                "blocks": [header.digest.hex() for header in commit.blocks],
                "leaves": [leaf.hex() for leaf in executed.leaves],
                "changes": [
                    [key.hex(), None if value is None else value.hex()]
                    for key, value in executed.changes
                ],
                "state_digest": executed.head.state_digest.hex(),
                "commit_digest": executed.head.digest.hex(),
                "cheats": [kid.hex() for kid in executed.cheats],
            }
            for commit, executed in alliance.commits
        ],
        "log_root": merkle.root(hashes).hex(),
        "checkpoint": cosigned.encode().decode(),
        "ready": word.hex(),
        "peer_card": card.hex(),
        "next_epoch": {
            "digest": second.digest.hex(),
            "created_ms": second.created_ms,
            "block": first_block.block.raw.hex(),
        },
    }
