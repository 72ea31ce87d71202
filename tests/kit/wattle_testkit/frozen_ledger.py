"""A ledger of `protocol/vectors/ledger.json` as anybody reads it who has SPEC.md alone."""

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import cbor2

from wattle_testkit.spec_reader import epoch_digest, opened, sha256, tree_root

VECTORS = Path(__file__).parents[3] / "protocol/vectors/ledger.json"
State = dict[tuple[Any, ...], Any]


class Sent(NamedTuple):
    """A transaction on the ledger: number of its commit (from 0), its verdict, who signed it."""

    commit: int
    verdict: int
    kid: bytes
    kind: int
    body: Any
    digest: bytes


@dataclass(frozen=True)
class FrozenLedger:
    """The ledger under a name, as parsed from JSON."""

    content: dict[str, Any]

    @classmethod
    def named(cls, name: str) -> "FrozenLedger":
        """That of a key of the file."""
        return cls(json.loads(VECTORS.read_text(encoding="utf-8"))[name])

    @cached_property
    def genesis(self) -> list[Any]:
        """`["wattle/1/genesis", name, created_ms, rules, constants, members]`."""
        found: list[Any] = cbor2.loads(bytes.fromhex(self.content["genesis"]))
        return found

    @property
    def ledger_id(self) -> bytes:
        """First 16 bytes of the hash of the genesis."""
        return sha256(bytes.fromhex(self.content["genesis"]))[:16]

    @property
    def commits(self) -> list[dict[str, Any]]:
        """As they stand in the file."""
        found: list[dict[str, Any]] = self.content["commits"]
        return found

    def leaves(self, number: int) -> list[Any]:
        """The leaves of a commit, the commit's own last."""
        return [cbor2.loads(bytes.fromhex(raw)) for raw in self.commits[number]["leaves"]]

    def time_ms(self, number: int) -> int:
        """The time of a commit."""
        return int(self.leaves(number)[-1][3])

    @cached_property
    def states(self) -> list[State]:
        """The state after each commit, decoded."""
        state: State = {}
        found = []
        for commit in self.commits:
            for row, value in commit["changes"]:
                place = tuple(cbor2.loads(bytes.fromhex(row)))
                if value is None:
                    del state[place]
                else:
                    state[place] = cbor2.loads(bytes.fromhex(value))
            found.append(dict(state))
        return found

    @cached_property
    def transactions(self) -> list[Sent]:
        """All that are on the ledger, their signatures verified under the key of a member, or of a
        user as its word says."""
        keys = {sha256(member[2])[:8]: member[2] for member in self.genesis[5]}
        for state in self.states:
            keys |= {place[1]: row[0] for place, row in state.items() if place[0] == "party"}
        found = []
        for number in range(len(self.commits)):
            for leaf in self.leaves(number):
                if leaf[0] == 2:
                    message = cbor2.loads(leaf[4])[1]
                    kid = cbor2.loads(cbor2.loads(message).value[0])[4]
                    payload, digest = opened("tx", self.ledger_id, message, keys[kid])
                    found.append(Sent(number, leaf[1], kid, payload[3], payload[4], digest))
        return found

    def sent(self, kind: int) -> list[Sent]:
        """The transactions of a kind."""
        return [one for one in self.transactions if one.kind == kind]

    def check_epoch_digest(self) -> None:
        """Epoch 0 is that of the genesis (SPEC section 9)."""
        _, _, _, rules, constants, members = self.genesis
        found = epoch_digest(self.ledger_id, 0, bytes(32), [members, rules, constants])
        assert found.hex() == self.content["epoch_digest"]

    def check_state_digests(self, state_root_every: int) -> None:
        """Each commit's state digest is that of its changes (SPEC section 11)."""
        digest = bytes(32)
        state: dict[bytes, bytes] = {}
        for index, commit in enumerate(self.commits, 1):
            changes = [
                (bytes.fromhex(row), None if value is None else bytes.fromhex(value))
                for row, value in commit["changes"]
            ]
            for row, value in changes:
                if value is None:
                    del state[row]
                else:
                    state[row] = value
            parts = [digest, tree_root([cbor2.dumps(change) for change in changes])]
            if index % state_root_every == 0:
                parts.append(tree_root([cbor2.dumps([row, state[row]]) for row in sorted(state)]))
            digest = sha256(cbor2.dumps(parts))
            assert digest.hex() == commit["state_digest"], index
