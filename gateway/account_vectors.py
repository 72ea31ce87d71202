"""The ledger with accounts in `protocol/vectors/ledger.json`: rules 2 of SPEC 9 to 12.

An aggregator alone, with two users whom it hosts: it brings them, issues money, they open
accounts, pay, lock and unlock; one transfer is refused; a point changes its owner.
`make_ledger_vectors.py` drives it and writes it.
"""

from alliance_vectors import lone_member, pair, signed_by_meter
from make_vectors import EUI64, TIME_MS
from wattle_gateway.ledger import crypto, entry, genesis, hosted_word, transaction
from wattle_gateway.ledger.account_bodies import (
    Assign,
    Issue,
    Lock,
    Open,
    Redeem,
    Register,
    Transfer,
    Unlock,
)
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.transaction import Approve, Enrol, Point
from wattle_wire import cose, uplink

UNTIL_MS = TIME_MS + 3_600_000
HOUSE, NEIGHBOUR = "house 7", "house 9"
Body = Assign | Issue | Lock | Open | Redeem | Register | Transfer | Unlock


def example_genesis() -> genesis.Genesis:
    """A ledger of an aggregator, whose state has a full root every second commit."""
    members = lone_member("aggregator", genesis.AGGREGATOR)
    constants = Constants(state_root_every=2)
    return genesis.create("accounts.wattle", TIME_MS - 60_000, members, constants, rules=2)


class Accounts:
    """What the three send, in order."""

    def __init__(self, epoch: Epoch) -> None:
        self._epoch = epoch
        users = {name: cose.kid_of(crypto.public_of(pair(name))) for name in (HOUSE, NEIGHBOUR)}
        self._kids = {"": epoch.members[0].kid, **users}
        self._nonces: dict[str, int] = {}

    def commits(self) -> list[list[bytes]]:
        """The entries of each block with a payload."""
        house, neighbour = self._kids[HOUSE], self._kids[NEIGHBOUR]
        brought = [self._register(HOUSE), self._register(NEIGHBOUR)]
        opened = [
            self._entry("", transaction.ISSUE, Issue("CNY", 2, self._kids[""], 10_000)),
            self._entry(HOUSE, transaction.OPEN, Open("CNY")),
            self._entry(NEIGHBOUR, transaction.OPEN, Open("CNY")),
        ]
        lock = Lock("CNY", 700, neighbour, UNTIL_MS)
        paid = [
            self._entry("", transaction.TRANSFER, Transfer("CNY", house, 2_500)),
            self._entry(HOUSE, transaction.LOCK, lock),
            self._entry(HOUSE, transaction.TRANSFER, Transfer("CNY", neighbour, 1_801)),
        ]
        ended = [
            self._entry(NEIGHBOUR, transaction.UNLOCK, Unlock(self._digest(paid[1]), 450)),
            self._entry(HOUSE, transaction.TRANSFER, Transfer("CNY", neighbour, 1_800)),
            self._entry("", transaction.REDEEM, Redeem("CNY", 500)),
        ]
        meter, enrol = self._enrol(house)
        assign = self._entry(HOUSE, transaction.ASSIGN, Assign(meter, 1, UNTIL_MS, neighbour))
        agreed = self._approve(NEIGHBOUR, assign)
        return [brought, opened, paid, ended, [enrol, assign], [agreed]]

    def _register(self, name: str) -> bytes:
        word = hosted_word.build(
            self._epoch.ledger_id,
            crypto.public_of(pair(name)),
            crypto.signer(pair(name)),
            version=TIME_MS,
            name=name,
            host=self._kids[""],
        )
        return self._entry("", transaction.REGISTER, Register(word))

    def _enrol(self, owner: bytes) -> tuple[bytes, bytes]:
        keys = [crypto.public_of(pair(name)) for name in ("meter", "meter link", "meter tls")]
        proof = uplink.encode_proof(EUI64, keys[0], keys[1], keys[2], 1, "file")
        message = signed_by_meter(self._epoch.ledger_id, "enrol", proof)
        point = Point(1, transaction.ELECTRICITY, 10_000, 2_000, (1, 1), (1, 1), 1, owner)
        body = transaction.enrol_body(Enrol(message, "demo", self._kids[""], (), 0, (point,)))
        return cose.kid_of(keys[0]), self._built("", transaction.ENROL, body)

    def _approve(self, name: str, waiting: bytes) -> bytes:
        body = transaction.approve_body(Approve(self._digest(waiting)))
        return self._built(name, transaction.APPROVE, body)

    def _entry(self, name: str, kind: int, body: Body) -> bytes:
        return self._built(name, kind, body.row())

    def _built(self, name: str, kind: int, body: list[object]) -> bytes:
        """The entry of somebody's next transaction; "" is the member."""
        nonce = self._nonces.get(name, 0)
        self._nonces[name] = nonce + 1
        raw = transaction.build(
            self._epoch.ledger_id,
            self._kids[name],
            crypto.signer(pair(name or "block")),
            lane=0,
            nonce=nonce,
            until_ms=UNTIL_MS,
            kind=kind,
            body=body,
        )
        return entry.encode(entry.TRANSACTION, raw, self._epoch.constants.entry_bytes_max)

    def _digest(self, raw: bytes) -> bytes:
        return transaction.parse(entry.decode(raw).body, self._epoch.ledger_id).digest
