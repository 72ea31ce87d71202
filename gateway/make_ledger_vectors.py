"""Make `protocol/vectors/ledger.json`: small ledgers, every byte of them, for SPEC 9 to 12.

One member, one meter: commits that enrol the meter and carry two samples and a transaction that
is refused. Beside them, in `alliance_vectors.py`, an alliance of four, in `account_vectors.py` a
ledger with accounts, in `market_vectors.py` one of rules 3, in `event_vectors.py` one with an
event, in `settlement_vectors.py` one that pays for one, in `move_vectors.py` one whose meter gets
other gateways. Deterministic, like
`protocol/vectors/make_vectors.py`, whose keys and samples they use; `make vectors` runs both. They
stand in this room because only the gateway makes a ledger.
"""

import json
import pathlib
from collections.abc import Callable
from typing import Protocol

import account_vectors
import alliance_vectors
import event_vectors
import market_vectors
import move_vectors
import settlement_vectors
from make_vectors import TIME_MS, example_samples, private_key, signed
from wattle_gateway.consensus.engine import Engine, Now, Output, Recovered
from wattle_gateway.contracts.execute import execute
from wattle_gateway.contracts.snapshot import Snapshot
from wattle_gateway.contracts.state import Change, changes_root
from wattle_gateway.ledger import crypto, entry, genesis, merkle, transaction
from wattle_gateway.ledger.commit import CommitHead, first_head
from wattle_gateway.ledger.epoch import Epoch, first_epoch
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.transaction import Enrol, Point, Revoke
from wattle_wire import cose, p256, sample, uplink

VECTORS = pathlib.Path(__file__).parents[1] / "protocol" / "vectors"
EUI64 = bytes.fromhex("021122fffe334455")


def example_genesis() -> genesis.Genesis:
    """A ledger of one member."""
    members = alliance_vectors.lone_member("grid company", genesis.GRID_COMPANY)
    return genesis.create("example.wattle", TIME_MS - 60_000, members, rules=1)


def sign_as(name: str) -> crypto.Sign:
    """A signer with an example key."""

    def sign(digest: bytes) -> bytes:
        return p256.sign(private_key(name), digest)

    return sign


def enrolment(epoch: Epoch) -> list[object]:
    """Body of the transaction that enrols the example meter with two points."""
    member = epoch.members[0]
    meter = private_key("meter")
    proof = uplink.encode_proof(
        EUI64,
        p256.public_from_private(meter),
        p256.public_from_private(private_key("meter link")),
        p256.public_from_private(private_key("meter tls")),
        1,
        "file",
    )
    points = tuple(
        Point(device, transaction.ELECTRICITY, 10_000, 2_000, (1, 1), (1, 1), 1, member.kid)
        for device in (1, 2)
    )
    message = signed("enrol", epoch.ledger_id, meter, proof)
    return transaction.enrol_body(Enrol(message, "demo", member.kid, (), 0, points))


def transaction_entry(epoch: Epoch, nonce: int, kind: int, body: object) -> bytes:
    """The entry of a transaction of the member in lane 0."""
    raw = transaction.build(
        epoch.ledger_id,
        epoch.members[0].kid,
        sign_as("block"),
        lane=0,
        nonce=nonce,
        until_ms=TIME_MS + 3_600_000,
        kind=kind,
        body=body,
    )
    return entry.encode(entry.TRANSACTION, raw, epoch.constants.entry_bytes_max)


def sample_entries(epoch: Epoch) -> list[bytes]:
    """The entries of the first two example samples, signed for this ledger."""
    meter = private_key("meter")
    kid = cose.kid_of(p256.public_from_private(meter))
    entries = []
    previous = None
    for item in example_samples()[:2]:
        item.prev = previous
        payload = sample.encode(item)
        previous = cose.digest("sample", epoch.ledger_id, kid, payload)
        raw = signed("sample", epoch.ledger_id, meter, payload)
        entries.append(entry.encode(entry.SAMPLE, raw, epoch.constants.entry_bytes_max))
    return entries


class Run:
    """The engine of the one member, driven as the gateway drives it, with all it made kept."""

    def __init__(self, epoch: Epoch) -> None:
        self._epoch = epoch
        self._head: CommitHead = first_head(epoch)
        self._before = self._head.state_digest
        self._changes: tuple[Change, ...] = ()
        self._state: dict[bytes, bytes] = {}
        self._engine = Engine(epoch, 0, sign_as("block"), Recovered(self._head))
        self._blocks: dict[object, object] = {}
        self.blocks: list[dict[str, object]] = []
        self.commits: list[dict[str, object]] = []
        self.leaves: list[bytes] = []

    def snapshot(self) -> Snapshot:
        """Of the newest commit, whose index is a multiple of `state_root_every`; not signed."""
        assert self._head.index % self._epoch.constants.state_root_every == 0
        return Snapshot(
            self._epoch.ledger_id,
            self.leaves[-1],
            len(self.leaves) - 1,
            self._before,
            changes_root(self._changes),
            b"",
            (),
            self._state,
        )

    def propose(self, entries: list[bytes], unix_ms: int) -> None:
        """Put entries into a block at a time, and go on until they are committed."""
        now = Now(unix_ms, unix_ms - TIME_MS + 60_000)
        output = self._engine.propose(entries, now, urgent=True)
        while output.to_persist or output.commits:
            output = self._follow(output, now)

    def _follow(self, output: Output, now: Now) -> Output:
        for made in output.to_persist:
            self._blocks[made.block.ref] = made
            self.blocks.append(
                {"block": made.block.raw.hex(), "entries": [e.hex() for e in made.entries]}
            )
        for commit in output.commits:
            blocks = [self._blocks[block.ref] for block in commit.blocks]
            done = execute(
                self._state,
                self._head,
                commit,
                blocks,  # type: ignore[arg-type]
                self._epoch,
                crypto.verify,
                {0: self._epoch.digest}.get,
            )
            for key, value in done.changes:
                if value is None:
                    self._state.pop(key, None)
                else:
                    self._state[key] = value
            self._before, self._changes = self._head.state_digest, done.changes
            self._head = done.head
            self.leaves += done.leaves
            self.commits.append(
                {
                    "leaves": [leaf.hex() for leaf in done.leaves],
                    "changes": [
                        [key.hex(), None if value is None else value.hex()]
                        for key, value in done.changes
                    ],
                    "state_digest": done.head.state_digest.hex(),
                    "commit_digest": done.head.digest.hex(),
                }
            )
            output = self._engine.executed(done.head, now)
        return output if output.to_persist or output.commits else self._engine.tick(now)


def accounts() -> dict[str, object]:
    """Everything under `accounts`."""
    made = account_vectors.example_genesis()
    epoch = first_epoch(made)
    run = Run(epoch)
    for number, entries in enumerate(account_vectors.Accounts(epoch).commits()):
        run.propose(entries, TIME_MS + number * 2_000)
    return {**written(made, epoch, run), "snapshot": run.snapshot().encode().hex()}


def market() -> dict[str, object]:
    """Everything under `market`."""
    new = Market()
    return {
        **driven(market_vectors.example_genesis(), market_vectors.Metered),
        "new_ledger": {"market": new.raw.hex(), "digest": new.digest.hex()},
    }


class Story(Protocol):
    """What parties and meters of a ledger send."""

    def timed(self) -> list[tuple[int, list[bytes]]]:
        """(Unix ms, the entries of a block)."""


def driven(made: genesis.Genesis, tell: Callable[[Epoch], Story]) -> dict[str, object]:
    """A ledger from its genesis to the end of what is told of it."""
    epoch = first_epoch(made)
    run = Run(epoch)
    for unix_ms, entries in tell(epoch).timed():
        run.propose(entries, unix_ms)
    return written(made, epoch, run)


def written(made: genesis.Genesis, epoch: Epoch, run: Run) -> dict[str, object]:
    """What a run leaves behind, as JSON."""
    return {
        "genesis": made.raw.hex(),
        "ledger_id": made.ledger_id.hex(),
        "epoch_digest": epoch.digest.hex(),
        "blocks": run.blocks,
        "commits": run.commits,
        "log_root": merkle.root([merkle.leaf_hash(leaf) for leaf in run.leaves]).hex(),
    }


def vectors() -> dict[str, object]:
    """Everything in `ledger.json`."""
    made = example_genesis()
    epoch = first_epoch(made)
    run = Run(epoch)
    run.propose([transaction_entry(epoch, 0, transaction.ENROL, enrolment(epoch))], TIME_MS)
    run.propose(sample_entries(epoch), TIME_MS + 2_000)
    unknown = transaction.revoke_body(Revoke(bytes(8), 5))
    run.propose([transaction_entry(epoch, 1, transaction.REVOKE, unknown)], TIME_MS + 4_000)
    return {
        **written(made, epoch, run),
        "alliance": alliance_vectors.vectors(),
        "accounts": accounts(),
        "market": market(),
        "event": driven(event_vectors.example_genesis(), event_vectors.Called),
        "settlement": driven(settlement_vectors.example_genesis(), settlement_vectors.Settled),
        "move": driven(move_vectors.example_genesis(), move_vectors.Moved),
    }


def main() -> None:
    """Write `ledger.json`."""
    (VECTORS / "ledger.json").write_text(json.dumps(vectors(), indent=1) + "\n")


if __name__ == "__main__":
    main()
