"""The frozen ledger with accounts, recomputed from SPEC.md with cbor2, hashlib and ecdsa alone."""

from typing import Any

import cbor2
import pytest
from wattle_testkit.frozen_ledger import FrozenLedger
from wattle_testkit.spec_reader import opened, sha256, tree_root

LEDGER = FrozenLedger.named("accounts")
MEMBER_KEY = bytes(LEDGER.genesis[5][0][2])
BALANCE_SHORT = 26
UNTIL_MS = 1_700_003_600_000


def kid(key: bytes) -> bytes:
    return sha256(key)[:8]


def leaves() -> list[list[Any]]:
    """The decoded leaves of entries, in order."""
    return [leaf for number in range(len(LEDGER.commits)) for leaf in LEDGER.leaves(number)[:-1]]


@pytest.fixture(scope="module")
def user_keys() -> dict[bytes, bytes]:
    """kid -> key of the users, from the words that registered them, which verify."""
    found = {}
    for _, verdict, _, _, entry in leaves()[:2]:
        (lane, nonce, _, kind, body), _ = opened(
            "tx", LEDGER.ledger_id, cbor2.loads(entry)[1], MEMBER_KEY
        )
        assert (verdict, lane, kind) == (0, 0, 5)
        word = cbor2.loads(cbor2.loads(body[0]).value[2])
        version, key, name, host = word
        assert opened("party", LEDGER.ledger_id, body[0], key)[0] == word
        assert (version, host) == (1_700_000_000_000, kid(MEMBER_KEY))
        assert name == ("house 7", "house 9")[nonce]
        found[kid(key)] = key
    return found


def transactions(user_keys: dict[bytes, bytes]) -> list[tuple[bytes, int, int, Any, bytes]]:
    """(kid, verdict, kind, body, digest) of every transaction; each verifies under its party's
    key and has the next nonce."""
    keys = {**user_keys, kid(MEMBER_KEY): MEMBER_KEY}
    nonces = dict.fromkeys(keys, 0)
    found = []
    for _, verdict, _, _, entry in leaves():
        message = cbor2.loads(entry)[1]
        party = cbor2.loads(cbor2.loads(message).value[0])[4]
        (lane, nonce, _, kind, body), digest = opened("tx", LEDGER.ledger_id, message, keys[party])
        assert (lane, nonce) == (0, nonces[party])
        nonces[party] += 1
        found.append((party, verdict, kind, body, digest))
    return found


def test_the_epoch_is_one_of_rules_2() -> None:
    assert LEDGER.genesis[3] == 2
    LEDGER.check_epoch_digest()


def test_every_kind_is_there_and_one_transfer_is_refused(user_keys: dict[bytes, bytes]) -> None:
    sent = transactions(user_keys)
    assert {kind for _, _, kind, _, _ in sent} == {1, 4, 5, 6, 7, 8, 9, 10, 11, 12}
    refused = [(kind, verdict) for _, verdict, kind, _, _ in sent if verdict]
    assert refused == [(9, BALANCE_SHORT)]


def test_balances_are_the_sums_of_what_was_sent(user_keys: dict[bytes, bytes]) -> None:
    balances: dict[bytes, int] = {}
    locks: dict[bytes, tuple[bytes, int]] = {}
    for party, verdict, kind, body, digest in transactions(user_keys):
        if verdict:
            continue
        if kind == 6:
            balances[party] = 0
        elif kind == 7:
            balances[body[2]] = balances.get(body[2], 0) + body[3]
        elif kind == 8:
            balances[party] -= body[1]
        elif kind == 9:
            balances[party] -= body[2]
            balances[body[1]] += body[2]
        elif kind == 10:
            balances[party] -= body[1]
            locks[digest] = (party, body[1])
        elif kind == 11:
            owner, amount = locks.pop(body[0])
            balances[party] += body[1]
            balances[owner] += amount - body[1]
    final = LEDGER.states[-1]
    assert {place[1]: row for place, row in final.items() if place[0] == "account"} == {
        party: [amount, 0, 0] for party, amount in balances.items()
    }
    decimals, issuer, issued, redeemed = final["asset", "CNY"]
    assert (decimals, issuer, issued - redeemed) == (2, kid(MEMBER_KEY), sum(balances.values()))


def test_the_lock_stands_between_its_two_transactions(user_keys: dict[bytes, bytes]) -> None:
    (made,) = [row for row in transactions(user_keys) if row[2] == 10]
    party, _, _, (asset, amount, holder, until_ms), digest = made
    rows = [state.get(("lock", digest)) for state in LEDGER.states]
    assert [party, asset, amount, holder, until_ms] in rows
    assert rows[0] is None
    assert rows[-1] is None


def test_the_point_waits_for_its_new_owner(user_keys: dict[bytes, bytes]) -> None:
    (sent,) = [row for row in transactions(user_keys) if row[2] == 12]
    party, _, _, body, digest = sent
    meter, device, from_ms, owner = body
    waited = [state["waiting", digest] for state in LEDGER.states if ("waiting", digest) in state]
    assert waited
    assert waited[0] == [UNTIL_MS, party, 12, body]
    final = LEDGER.states[-1]
    assert ("waiting", digest) not in final
    assert final["owners", meter, device] == [[from_ms, owner]]
    assert final["meter", meter][10][0][7] == party


def test_state_digests_hold_the_whole_state_every_second_commit() -> None:
    LEDGER.check_state_digests(2)


def test_the_snapshot_is_the_state_that_the_last_commit_signs() -> None:
    raw, parts = bytes.fromhex(LEDGER.content["snapshot"]), []
    while raw:
        length = int.from_bytes(raw[:4], "big")
        parts.append(raw[4 : 4 + length])
        raw = raw[4 + length :]
    magic, ledger_id, leaf, at, before, changes_root, note, proof = cbor2.loads(parts[0])
    assert (magic, ledger_id, note, proof) == ("wattle/1/snapshot", LEDGER.ledger_id, b"", [])
    every = [leaf for commit in LEDGER.commits for leaf in commit["leaves"]]
    assert (at, leaf.hex()) == (len(every) - 1, every[-1])
    assert before.hex() == LEDGER.commits[-2]["state_digest"]
    keys = [cbor2.loads(part)[0] for part in parts[1:]]
    assert keys == sorted(set(keys))
    digest = sha256(cbor2.dumps([before, changes_root, tree_root(parts[1:])]))
    assert digest == cbor2.loads(leaf)[6]
    rows = {
        tuple(cbor2.loads(row)): cbor2.loads(value) for row, value in map(cbor2.loads, parts[1:])
    }
    assert rows == LEDGER.states[-1]
