"""The ledger with a `move` in `protocol/vectors/ledger.json`: kind 24 of SPEC 10 to 12.

A grid company alone, with an observer that follows. A meter is enrolled with the observer as its
further gateway and loses it by a `move`; moves that change nothing, name an observer as home, or
come from it are refused. `make_ledger_vectors.py` drives it and writes it.
"""

from alliance_vectors import example_members, pair, signed_by_meter
from make_vectors import EUI64, TIME_MS
from wattle_gateway.ledger import crypto, entry, genesis, transaction
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.move_body import Move
from wattle_gateway.ledger.transaction import Enrol, Point
from wattle_wire import cose, uplink

HOME, WATCHER = "block", "watcher"


def example_genesis() -> genesis.Genesis:
    """A ledger of a grid company and an observer under rules 3."""
    members = example_members(
        ("grid company", genesis.GRID_COMPANY, HOME), ("regulator", genesis.OBSERVER, WATCHER)
    )
    constants = Constants(state_root_every=2)
    return genesis.create("move.wattle", TIME_MS - 60_000, members, constants, rules=3)


class Moved:
    """What the two send, each with the time of its commit."""

    def __init__(self, epoch: Epoch) -> None:
        self._epoch = epoch
        self._kids = {name: cose.kid_of(crypto.public_of(pair(name))) for name in (HOME, WATCHER)}
        self._nonces = dict.fromkeys(self._kids, 0)

    def timed(self) -> list[tuple[int, list[bytes]]]:
        """(Unix ms, the entries of a block); what a party signs has its nonce in this order."""
        home, watcher = self._kids[HOME], self._kids[WATCHER]
        keys = [crypto.public_of(pair(name)) for name in ("meter", "meter link", "meter tls")]
        meter = cose.kid_of(keys[0])
        proof = uplink.encode_proof(EUI64, keys[0], keys[1], keys[2], 1, "file")
        message = signed_by_meter(self._epoch.ledger_id, "enrol", proof)
        point = Point(1, transaction.ELECTRICITY, 10_000, 0, (1, 1), (1, 1), 1, home)
        body = transaction.enrol_body(Enrol(message, "demo", home, (watcher,), 0, (point,)))
        alone = Move(meter, home, ())
        return [
            (TIME_MS, [self._built(HOME, transaction.ENROL, body)]),
            (TIME_MS + 2_000, [self._move(HOME, alone)]),
            (
                TIME_MS + 4_000,
                [
                    self._move(HOME, alone),
                    self._move(HOME, Move(meter, watcher, ())),
                    self._move(HOME, Move(meter, home, (meter,))),
                    self._move(HOME, Move(watcher, home, ())),
                    self._move(WATCHER, Move(meter, home, (watcher,))),
                ],
            ),
        ]

    def _move(self, who: str, body: Move) -> bytes:
        return self._built(who, transaction.MOVE, body.row())

    def _built(self, who: str, kind: int, body: list[object]) -> bytes:
        nonce = self._nonces[who]
        self._nonces[who] = nonce + 1
        raw = transaction.build(
            self._epoch.ledger_id,
            self._kids[who],
            crypto.signer(pair(who)),
            lane=0,
            nonce=nonce,
            until_ms=TIME_MS + 3_600_000,
            kind=kind,
            body=body,
        )
        return entry.encode(entry.TRANSACTION, raw, self._epoch.constants.entry_bytes_max)
