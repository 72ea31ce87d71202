"""P-256 against Project Wycheproof, on CPython and on the device's interpreters."""

import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from wattle_hil import parts
from wattle_testkit import device_cases
from wattle_wire import curve_p256, p256
from wattle_wire.errors import SignatureError

WYCHEPROOF = (
    Path(__file__).resolve().parents[3]
    / "shared"
    / "data"
    / "vectors"
    / "ecdsa_secp256r1_sha256_test.json"
)
N = curve_p256.N

# What a row asks of `verify`.
ACCEPT = "accept"
REFUSE = "refuse"
ACCEPT_TWIN = "accept-twin"  # a right signature with the higher s: refused, n - s is accepted


class Row(NamedTuple):
    name: str
    public: bytes
    digest: bytes
    signature: bytes
    expectation: str


def fixed_length(der: bytes) -> bytes | None:
    """r || s of a DER signature; None where DER, or 32 bytes each, cannot hold it."""
    try:
        r, s = decode_dss_signature(der)
    except ValueError:
        return None
    if not (0 <= r < 1 << 256 and 0 <= s < 1 << 256):
        return None
    return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def twin(signature: bytes) -> bytes:
    """(r, n - s) of (r, s), for 0 < s < n."""
    return signature[:32] + (N - int.from_bytes(signature[32:], "big")).to_bytes(32, "big")


def is_high(signature: bytes) -> bool:
    return N // 2 < int.from_bytes(signature[32:], "big") < N


def wycheproof_rows() -> list[Row]:
    """All cases that our 64-byte form can express; the others must be invalid ones."""
    if not WYCHEPROOF.exists():
        pytest.skip(f"no Wycheproof vectors at ../shared/data/vectors/{WYCHEPROOF.name}")
    rows = []
    for group in json.loads(WYCHEPROOF.read_text(encoding="utf-8"))["testGroups"]:
        public = bytes.fromhex(group["publicKey"]["uncompressed"])
        for case in group["tests"]:
            signature = fixed_length(bytes.fromhex(case["sig"]))
            if signature is None:
                assert case["result"] == "invalid", case
                continue
            expectation = REFUSE
            if case["result"] == "valid":
                expectation = ACCEPT_TWIN if is_high(signature) else ACCEPT
            name = f"{case['tcId']} {case['comment']}"
            digest = hashlib.sha256(bytes.fromhex(case["msg"])).digest()
            rows.append(Row(name, public, digest, signature, expectation))
    return rows


def test_wycheproof_keeps_its_meaning_in_64_bytes() -> None:
    """174 of the 484 are valid; the rows lost to the form (see `wycheproof_rows`) are not."""
    counts = Counter(row.expectation for row in wycheproof_rows())
    assert counts[ACCEPT] + counts[ACCEPT_TWIN] == 174
    assert min(counts[ACCEPT], counts[ACCEPT_TWIN], counts[REFUSE]) > 50


def test_wycheproof_on_this_interpreter() -> None:
    for row in wycheproof_rows():
        if row.expectation == ACCEPT:
            p256.verify(row.public, row.digest, row.signature)
            continue
        with pytest.raises(SignatureError) as refused:
            p256.verify(row.public, row.digest, row.signature)
        if row.expectation == ACCEPT_TWIN:
            assert "the higher s" in str(refused.value), row.name
            p256.verify(row.public, row.digest, twin(row.signature))
        elif is_high(row.signature):
            # what the rule about s has hidden until here
            with pytest.raises(SignatureError):
                p256.verify(row.public, row.digest, twin(row.signature))


# The rows are read one by one: all of them together do not fit the heap of a board.
DEVICE_CASES = """
from binascii import unhexlify
from wattle_wire import p256
from wattle_wire.errors import SignatureError

HEAP = "110k"

def test_rows():
    done = 0
    with open({path!r}) as rows:
        for row in rows:
            public, digest, signature, accept = row.split()
            try:
                p256.verify(unhexlify(public), unhexlify(digest), unhexlify(signature))
                accepted = "1"
            except SignatureError:
                accepted = "0"
            assert accepted == accept, row
            done += 1
    assert done == {count}, done
"""


@pytest.mark.parametrize("bits", [64, 32])
def test_wycheproof_on_micropython(bits: int, tmp_path: Path) -> None:
    lines = []
    for row in wycheproof_rows():
        signatures = [(row.signature, row.expectation == ACCEPT)]
        if is_high(row.signature):
            signatures.append((twin(row.signature), row.expectation == ACCEPT_TWIN))
        lines += [
            f"{row.public.hex()} {row.digest.hex()} {signature.hex()} {accept:d}\n"
            for signature, accept in signatures
        ]
    table = tmp_path / "rows.txt"
    table.write_text("".join(lines), encoding="ascii")
    cases = tmp_path / "cases_wycheproof.py"
    cases.write_text(DEVICE_CASES.format(path=str(table), count=len(lines)), encoding="ascii")
    try:
        results = device_cases.run(cases, bits)
    except parts.PartMissingError as error:
        if bits == 32:
            pytest.skip(str(error))
        raise
    assert results["test_rows"].passed, results["test_rows"].output
