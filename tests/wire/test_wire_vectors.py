"""The frozen vectors and the worked example of SPEC.md, checked with public libraries."""

import hashlib
import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import cbor2
import ecdsa
import pytest
from cryptography.hazmat.primitives import hashes, hmac
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cwt import COSE, COSEKey
from wattle_wire import bundle, cose, downlink, sample_reader, topics, uplink

PROTOCOL = Path(__file__).parents[2] / "protocol"
WIRE: dict[str, Any] = json.loads((PROTOCOL / "vectors" / "wire.json").read_text())
LEDGER_ID = bytes.fromhex(WIRE["ledger_id"])
METER_PUBLIC = bytes.fromhex(WIRE["meter_public"])


def _make_vectors() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "make_vectors", PROTOCOL / "vectors" / "make_vectors.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _signature_structure(kind: str, message: bytes) -> tuple[bytes, bytes]:
    """Sig_structure and signature of a COSE_Sign1, rebuilt with cbor2 from RFC 9052 section 4.4."""
    protected, unprotected, payload, signature = cbor2.loads(message).value
    assert unprotected == {}
    aad = cbor2.dumps([f"wattle/1/{kind}", LEDGER_ID])
    return cbor2.dumps(["Signature1", protected, aad, payload]), signature


def _signed_vectors() -> list[tuple[str, bytes]]:
    samples = [("sample", bytes.fromhex(row["message"])) for row in WIRE["samples"]]
    return [*samples, ("enrol", bytes.fromhex(WIRE["enrolment_proof"]["message"]))]


def test_the_committed_vectors_are_what_the_script_makes() -> None:
    script = _make_vectors()
    made = script.vectors()
    assert made == WIRE
    assert script.worked_example(made) in (PROTOCOL / "SPEC.md").read_text()


def test_states_are_what_the_specification_says() -> None:
    states = {name: bytes.fromhex(text) for name, text in WIRE["state"].items()}
    connection, nonce = bytes(range(8)), bytes(range(16))
    assert cbor2.loads(states["offline"]) == [0, connection]
    assert cbor2.loads(states["online"]) == [1, connection, None]
    online, found, asked, health, _ = uplink.decode_state(states["health"])
    assert (online, found, asked) == (True, connection, nonce)
    assert health is not None
    row = cbor2.loads(states["health"])[3]
    assert row[0] == [health.uptime_s, health.heap_free]
    assert row[1] == [health.reset_cause, *health.resets]
    assert row[2] == health.rssi_dbm == -67
    assert row[6] == [health.connections, health.resent]
    assert row[7] == [[number, *counts] for number, counts in health.devices.items()]


@pytest.mark.parametrize(("kind", "message"), _signed_vectors())
def test_signatures_verify_with_the_ecdsa_package(kind: str, message: bytes) -> None:
    structure, signature = _signature_structure(kind, message)
    key = ecdsa.VerifyingKey.from_string(METER_PUBLIC, ecdsa.NIST256p)
    assert key.verify(signature, structure, hashlib.sha256)
    assert cose.parse_sign1(kind, LEDGER_ID, message).digest == hashlib.sha256(structure).digest()


@pytest.mark.parametrize(("kind", "message"), _signed_vectors())
def test_signatures_are_the_deterministic_ones(kind: str, message: bytes) -> None:
    structure, signature = _signature_structure(kind, message)
    key = ecdsa.SigningKey.from_string(bytes.fromhex(WIRE["meter_private"]), ecdsa.NIST256p)
    expected = key.sign_deterministic(
        structure, hashlib.sha256, sigencode=ecdsa.util.sigencode_string_canonize
    )
    assert signature == expected


@pytest.mark.parametrize("row", WIRE["samples"])
def test_samples_are_read_by_a_public_cose_library(row: dict[str, str]) -> None:
    # RFC 9052 section 7.1, RFC 9053 section 7.1.1: EC2, ES256, P-256
    key = COSEKey.new(
        {
            1: 2,
            2: bytes.fromhex(WIRE["meter_id"]),
            3: -7,
            -1: 1,
            -2: METER_PUBLIC[1:33],
            -3: METER_PUBLIC[33:],
        }
    )
    aad = cbor2.dumps(["wattle/1/sample", LEDGER_ID])
    payload = COSE.new().decode(bytes.fromhex(row["message"]), key, external_aad=aad)
    assert payload == bytes.fromhex(row["payload"])


def test_each_sample_names_the_digest_of_the_one_before() -> None:
    first, second, restarted = (
        sample_reader.decode(bytes.fromhex(row["payload"])) for row in WIRE["samples"]
    )
    assert first.prev is None
    assert second.prev == bytes.fromhex(WIRE["samples"][0]["digest"])
    assert restarted.prev is None
    assert restarted.gaps == [(3, 1024, 1)]


def test_samples_read_as_plain_senml() -> None:
    pack = cbor2.loads(bytes.fromhex(WIRE["samples"][0]["payload"]))
    assert pack[0][-1] == 26
    named = {pack[0][-2] + record[0]: record for record in pack}
    power = named["urn:dev:mac:021122fffe334455:1/p"]
    assert (power[1], str(power[2])) == ("W", "2304.5")
    assert str(named["urn:dev:mac:021122fffe334455:1/ei"][-3]) == "1700000000.000"


def test_the_link_key_is_what_the_cryptography_package_derives() -> None:
    meter = ec.derive_private_key(int(WIRE["meter_link_private"], 16), ec.SECP256R1())
    gateway = ec.derive_private_key(int(WIRE["gateway_link_private"], 16), ec.SECP256R1())
    numbers = gateway.public_key().public_numbers()
    gateway_public = b"\x04" + numbers.x.to_bytes(32, "big") + numbers.y.to_bytes(32, "big")
    info = cbor2.dumps(
        [
            "wattle/1/link",
            LEDGER_ID,
            bytes.fromhex(WIRE["meter_id"]),
            hashlib.sha256(gateway_public).digest()[:8],
        ]
    )
    shared = meter.exchange(ec.ECDH(), gateway.public_key())
    key = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=info).derive(shared)
    assert key.hex() == WIRE["link_key"]


@pytest.mark.parametrize(("name", "kind"), [("ack", "ack"), ("time_command", "cmd")])
def test_macs_verify_with_the_cryptography_package(name: str, kind: str) -> None:
    message = bytes.fromhex(WIRE[name]["message"])
    protected, _, payload, tag = cbor2.loads(message).value
    aad = cbor2.dumps([f"wattle/1/{kind}", LEDGER_ID])
    check = hmac.HMAC(bytes.fromhex(WIRE["link_key"]), hashes.SHA256())
    check.update(cbor2.dumps(["MAC0", protected, aad, payload]))
    check.verify(tag)
    assert payload == bytes.fromhex(WIRE[name]["payload"])
    assert cose.open_mac0(kind, LEDGER_ID, message, bytes.fromhex(WIRE["link_key"])) == payload


def test_messages_read_back() -> None:
    ack = downlink.decode_ack(bytes.fromhex(WIRE["ack"]["payload"]))
    assert (ack.final, ack.durable, ack.missing, ack.refused) == (2, 5, [[6, 6]], [[7, 1]])
    _, kind, body = downlink.decode_command(bytes.fromhex(WIRE["time_command"]["payload"]))
    assert (kind, body[1]) == (downlink.TIME, 1_700_000_000_000)
    proof = uplink.decode_proof(bytes.fromhex(WIRE["enrolment_proof"]["payload"]))
    assert proof[1] == METER_PUBLIC
    assert topics.meter_id(cose.kid_of(proof[1])) == WIRE["meter_id"]


def test_an_update_agrees_with_other_implementations() -> None:
    """The signatures by ecdsa over cbor2's encoding; the chain of chunks by hashlib alone."""
    row = WIRE["update"]
    publics = {hashlib.sha256(key).digest()[:8]: key for key in map(bytes.fromhex, row["members"])}
    parts = cbor2.loads(bytes.fromhex(row["message"]))
    assert len(parts) == 2
    for part in parts:
        protected, _, payload, signature = part.value
        assert payload == bytes.fromhex(row["payload"])
        aad = cbor2.dumps(["wattle/1/update", LEDGER_ID])
        structure = cbor2.dumps(["Signature1", protected, aad, payload])
        public = publics.pop(cbor2.loads(protected)[4])
        key = ecdsa.VerifyingKey.from_string(public, ecdsa.NIST256p)
        assert key.verify(signature, structure, hashlib.sha256)
    version, _, board, expected, files = cbor2.loads(bytes.fromhex(row["payload"]))
    stream = b""
    for chunk in map(bytes.fromhex, row["chunks"]):
        assert hashlib.sha256(chunk).digest() == expected
        offset, expected, data = cbor2.loads(chunk)
        assert offset == len(stream)
        stream += data
    assert (version, board, expected) == (1_700_000_000_000, "linux", b"")
    for _, size, digest in files:
        assert hashlib.sha256(stream[:size]).digest() == digest
        stream = stream[size:]
    assert bundle.decode(bytes.fromhex(row["bundle"])).message() == bytes.fromhex(row["message"])
    news = uplink.decode_state(bytes.fromhex(row["state"]))[4]
    assert news == (version, 0, 1024)


def test_the_worked_example_of_the_specification_verifies() -> None:
    section = (PROTOCOL / "SPEC.md").read_text().split("## 14.")[1]
    public, payload, message = (
        bytes.fromhex(block.replace("\n", ""))
        for block in re.findall(r"```\n([0-9a-f\n]+)```", section)
    )
    structure, signature = _signature_structure("sample", message)
    key = ecdsa.VerifyingKey.from_string(public, ecdsa.NIST256p)
    assert key.verify(signature, structure, hashlib.sha256)
    assert cbor2.loads(message).value[2] == payload
    assert hashlib.sha256(structure).hexdigest() in section
    assert hashlib.sha256(public).hexdigest()[:16] in section
