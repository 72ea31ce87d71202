"""A ledger with metered points and their owners, as files that commands read: for vouchers.

One voting member, a retailer that hosts users; the clock is in the test's hand, so samples of
months are one commit. What commands read is a copy of the ledger, as an auditor has it.
"""

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from wattle_gateway.contracts import classes
from wattle_gateway.ledger import entry, genesis, transaction
from wattle_gateway.ledger.account_bodies import Assign, Register
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.transaction import Approve, Point, Revoke
from wattle_wire.sample import Reading

from wattle_testkit.account_ledger import Signer, User
from wattle_testkit.alliance import Board, Party, digest_of, epoch_of, genesis_of, sample_entry
from wattle_testkit.driven_alliance import DrivenAlliance

RETAIL = Party("retail", genesis.RETAILER)
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
_STEP_MS = 2_000
_READINGS_A_SAMPLE = 10
_ALONE = Constants(enrol_approvals=1)


class BilledLedger:
    """The ledger of RETAIL alone in `folder`, grown by what tests do with it."""

    def __init__(self, folder: Path, rules: int = genesis.RULES) -> None:
        self.folder = folder
        self.epoch = epoch_of(RETAIL, constants=_ALONE, rules=rules)
        folder.mkdir()
        self._alliance = DrivenAlliance(folder, RETAIL, epoch=self.epoch)
        self._nonces: dict[bytes, int] = {}
        self._seqs: dict[bytes, int] = {}
        self._homes = 0

    @property
    def now_ms(self) -> int:
        """Unix ms."""
        return self._alliance.unix_ms

    def close(self) -> None:
        """Close the database."""
        self._alliance.close()

    def pass_to(self, time_ms: int) -> None:
        """Let time pass up to a moment, in one step."""
        self._alliance.unix_ms = max(self._alliance.unix_ms, time_ms)
        self._alliance.steady_ms += DAY_MS
        self._alliance.run(_STEP_MS)

    def send(self, who: Signer, kind: int, body: object) -> bytes:
        """Have somebody's transaction accepted; gives its digest."""
        encoded = self._signed(who, kind, body)
        verdict = self._verdict(encoded)
        assert verdict == classes.ACCEPTED, classes.REFUSAL_NAMES[verdict]
        return digest_of(self.epoch, encoded)

    def attempt(self, who: Signer, kind: int, body: object) -> int:
        """The verdict on somebody's transaction."""
        return self._verdict(self._signed(who, kind, body))

    def _signed(self, who: Signer, kind: int, body: object) -> bytes:
        nonce = self._nonces.get(who.kid, 0)
        self._nonces[who.kid] = nonce + 1
        raw = transaction.build(
            self.epoch.ledger_id,
            who.kid,
            who.sign,
            lane=0,
            nonce=nonce,
            until_ms=self.now_ms * 2,
            kind=kind,
            body=body,
        )
        return entry.encode(entry.TRANSACTION, raw, 60_000)

    def _verdict(self, encoded: bytes) -> int:
        self._commit(encoded)
        (verdict,) = (
            self._alliance["retail"]
            .connection.execute("SELECT verdict FROM leaves ORDER BY leaf DESC LIMIT 1")
            .fetchone()
        )
        return int(verdict)

    def host(self, name: str) -> User:
        """A user whom RETAIL hosts."""
        user = User(name)
        self.send(RETAIL, transaction.REGISTER, Register(user.word(self.epoch, RETAIL)).row())
        return user

    def board(self, name: str) -> Board:
        """A meter that is not enrolled."""
        return Board(name, self.epoch)

    def point(self, owner: Signer, device: int = 1, **fields: object) -> Point:
        """A point of 100 kW without transformers; `fields` say what is otherwise."""
        known: dict[str, object] = {
            "commodity": transaction.ELECTRICITY,
            "rating_w": 100_000,
            "capacity_w": 0,
            "ct": (1, 1),
            "vt": (1, 1),
            "orient": 1,
        }
        return Point(device=device, owner=owner.kid, **(known | fields))  # type: ignore[arg-type]

    def enrol(self, board: Board, *points: Point) -> None:
        """Enrol a meter."""
        enrol = board.enrol(*points, home=RETAIL.kid)
        self.send(RETAIL, transaction.ENROL, transaction.enrol_body(enrol))

    def assign(self, board: Board, device: int, by: Signer, to: Signer, from_ms: int) -> None:
        """A point gets another owner, who agrees."""
        body = Assign(board.kid, device, from_ms, to.kid).row()
        waiting = self.send(by, transaction.ASSIGN, body)
        self.send(to, transaction.APPROVE, transaction.approve_body(Approve(waiting)))

    def revoke(self, board: Board) -> None:
        """A meter is taken off, with all that it sent."""
        last = self._seqs[board.kid]
        body = transaction.revoke_body(Revoke(board.kid, last))
        self.send(RETAIL, transaction.REVOKE, body)

    def measure(self, board: Board, readings: Sequence[Reading], *, clock: str = "S") -> None:
        """The readings in samples of ten, committed after the last of them."""
        self.pass_to(readings[-1].time_ms + 1_000)
        bodies = []
        for first in range(0, len(readings), _READINGS_A_SAMPLE):
            seq = self._seqs.get(board.kid, 0) + 1
            self._seqs[board.kid] = seq
            part = list(readings[first : first + _READINGS_A_SAMPLE])
            bodies.append(sample_entry(board.sample(seq, part, clock=clock)))
        self._commit(*bodies)

    def copy(self) -> Path:
        """A folder with genesis and ledger as they are now, as commands want one."""
        self._homes += 1
        home = self.folder / f"copy-{self._homes}"
        home.mkdir()
        first = genesis_of(RETAIL, constants=_ALONE, rules=self.epoch.rules)
        (home / "genesis.cbor").write_bytes(first.raw)
        with closing(sqlite3.connect(home / "ledger.db")) as target:
            self._alliance["retail"].connection.backup(target)
        return home

    def _commit(self, *bodies: bytes) -> None:
        self._alliance.add("retail", *bodies)
        self._alliance.run(2 * _STEP_MS)
