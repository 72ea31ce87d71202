"""The frozen example ledger, recomputed from SPEC.md with cbor2, hashlib and ecdsa alone.

Nothing of ours is used but the script that made it, so a misreading of SPEC that our encoder and
decoder share shows here.
"""

import hashlib
import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import cbor2
import pytest
from wattle_testkit.spec_reader import epoch_digest, opened, sha256, tree_root

ROOT = Path(__file__).parents[2]
VECTORS = ROOT / "protocol" / "vectors"
LEDGER: dict[str, Any] = json.loads((VECTORS / "ledger.json").read_text())
GENESIS = cbor2.loads(bytes.fromhex(LEDGER["genesis"]))
LEDGER_ID = hashlib.sha256(bytes.fromhex(LEDGER["genesis"])).digest()[:16]
ZERO = bytes(32)


def _member_key() -> bytes:
    return bytes(GENESIS[5][0][2])


def _leaves() -> list[bytes]:
    return [bytes.fromhex(leaf) for commit in LEDGER["commits"] for leaf in commit["leaves"]]


def test_the_committed_vectors_are_what_the_script_makes(monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in (VECTORS, ROOT / "gateway"):
        monkeypatch.syspath_prepend(str(folder))
    for module in ("make_vectors", "alliance_vectors", "account_vectors"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    script_file = ROOT / "gateway" / "make_ledger_vectors.py"
    spec = importlib.util.spec_from_file_location("make_ledger_vectors", script_file)
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    assert script.vectors() == LEDGER


def test_genesis_and_epoch_have_the_digests_of_the_specification() -> None:
    assert GENESIS[0] == "wattle/1/genesis"
    assert LEDGER_ID.hex() == LEDGER["ledger_id"]
    _, _, _, rules, constants, members = GENESIS
    digest = epoch_digest(LEDGER_ID, 0, ZERO, [members, rules, constants])
    assert digest.hex() == LEDGER["epoch_digest"]


def test_every_block_verifies_and_stands_on_the_one_before() -> None:
    parent = [0, 0, bytes.fromhex(LEDGER["epoch_digest"])]
    commits = {0: bytes.fromhex(LEDGER["epoch_digest"])}
    commits.update(
        (n, bytes.fromhex(row["commit_digest"])) for n, row in enumerate(LEDGER["commits"], 1)
    )
    time_ms = GENESIS[2]
    for number, row in enumerate(LEDGER["blocks"], 1):
        content, digest = opened("block", LEDGER_ID, bytes.fromhex(row["block"]), _member_key())
        epoch, author, round_number, stamped_ms, parents, vote, payload = content
        assert (epoch, author, round_number) == (0, 0, number)
        assert parents == [parent]
        assert stamped_ms >= time_ms
        assert vote[1] == commits[vote[0]]
        entries = [bytes.fromhex(entry) for entry in row["entries"]]
        summary = [len(entries), sum(map(len, entries)), tree_root(entries)]
        assert payload == (summary if entries else None)
        parent, time_ms = [round_number, 0, digest], stamped_ms


def test_commits_take_the_blocks_in_order_two_rounds_later() -> None:
    previous = bytes.fromhex(LEDGER["epoch_digest"])
    assert len(LEDGER["commits"]) == len(LEDGER["blocks"]) - 2
    for index, row in enumerate(LEDGER["commits"], 1):
        block = LEDGER["blocks"][index - 1]
        content, digest = opened("block", LEDGER_ID, bytes.fromhex(block["block"]), _member_key())
        *entries, commit = [cbor2.loads(bytes.fromhex(leaf)) for leaf in row["leaves"]]
        assert [leaf[4].hex() for leaf in entries] == block["entries"]
        assert all(leaf[2:4] == [0, index] for leaf in entries)
        state_digest = bytes.fromhex(row["state_digest"])
        assert commit == [0, 0, index, content[3], [index, 0, digest], previous, state_digest]
        previous = sha256(bytes.fromhex(row["leaves"][-1]))
        assert previous.hex() == row["commit_digest"]


def test_state_digests_follow_from_the_changes() -> None:
    digest = ZERO
    for row in LEDGER["commits"]:
        keys = [bytes.fromhex(key) for key, _ in row["changes"]]
        assert keys == sorted(set(keys))
        changes = [
            cbor2.dumps([bytes.fromhex(key), None if value is None else bytes.fromhex(value)])
            for key, value in row["changes"]
        ]
        digest = sha256(cbor2.dumps([digest, tree_root(changes)]))
        assert digest.hex() == row["state_digest"]


def test_the_log_root_is_that_of_all_leaves() -> None:
    assert tree_root(_leaves()).hex() == LEDGER["log_root"]


def test_the_state_says_what_section_12_says() -> None:
    state: dict[bytes, Any] = {}
    for row in LEDGER["commits"]:
        for key, value in row["changes"]:
            state[bytes.fromhex(key)] = cbor2.loads(bytes.fromhex(value))
    tables = {tuple(cbor2.loads(key)): value for key, value in state.items()}
    member = sha256(_member_key())[:8]
    entries = [cbor2.loads(leaf) for leaf in _leaves() if len(cbor2.loads(leaf)) == 5]
    enrol, first, second, revoke = entries
    signing_key = _meter_key(enrol[4])
    kid = sha256(signing_key)[:8]
    _, first_digest = opened("sample", LEDGER_ID, cbor2.loads(first[4])[1], signing_key)
    content, second_digest = opened("sample", LEDGER_ID, cbor2.loads(second[4])[1], signing_key)
    assert next(record for record in content if record[0] == "0/prev")[8] == first_digest
    assert (enrol[1], first[1], second[1], revoke[1]) == (0, 16, 64, 8)
    assert tables["nonce", member, 0] == 2
    assert tables["chain", kid] == [2, [[1, None, 2, second_digest]], []]
    assert tables["register", kid, 1][0] == [1_700_000_001_000, 1_234_573]
    assert tables["meter", kid][1] == signing_key
    assert tables["eui64", bytes.fromhex("021122fffe334455")] == kid


def _meter_key(entry: bytes) -> bytes:
    """The signing key in an enrol transaction's proof, which it verifies."""
    kind, transaction = cbor2.loads(entry)
    assert kind == 2
    content, _ = opened("tx", LEDGER_ID, transaction, _member_key())
    proof = content[4][0]
    signing_key = bytes(cbor2.loads(cbor2.loads(proof).value[2])[1])
    opened("enrol", LEDGER_ID, proof, signing_key)
    return signing_key
