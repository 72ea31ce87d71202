"""`voucher --verify`: lies are found, and a stranger can check what a document proves."""

import base64
import copy
import json
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from wattle_gateway.ledger import leaf as leaf_format
from wattle_gateway.ledger import signed_sample
from wattle_gateway.ledger.leaf import EntryLeaf
from wattle_testkit.alliance import reading
from wattle_testkit.billed_ledger import HOUR_MS, RETAIL
from wattle_testkit.billed_story import BEGIN_MS, TARIFF, BilledStory
from wattle_testkit.gateway_process import command


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BilledStory]:
    made = BilledStory(tmp_path_factory.mktemp("story"))
    yield made
    made.ledger.close()


def test_it_is_verified_with_its_proofs_or_without(story: BilledStory) -> None:
    assert story.document["proofs"]["checkpoint"]
    done = story.verify(story.document)
    assert done.returncode == 0
    count = len(story.document["proofs"]["leaves"])
    assert "it is what the ledger says" in done.stdout
    assert f"{count} of {count} entries are proved to a stranger" in done.stdout
    early = copy.deepcopy(story.document)
    del early["proofs"]
    assert json.loads(story.verify(early, "--format", "json").stdout) == {
        "ok": True,
        "proved": 0,
        "leaves": 0,
        "wrong": None,
    }


def test_what_comes_later_changes_no_voucher_but_the_next(story: BilledStory) -> None:
    late = reading(BEGIN_MS + 100 * HOUR_MS // 4, ei=700, ee=100)
    story.ledger.measure(story.new, [late])
    later = story.ledger.copy()
    story.file.write_text(json.dumps(story.document))
    assert command("voucher", later, "--verify", story.file).returncode == 0
    span = ("--from", "2023-11-15T00:00Z", "--to", "2023-11-17T00:00Z")
    words = ("--tariff", story.tariff, "--format", "json")
    found = json.loads(command("voucher", later, "house 7", *span, *words).stdout)
    assert found["as_of"]["size"] > story.document["as_of"]["size"]
    point = story.point(story.new)
    totals = [
        [row["total"]["import_mwh"] for row in one["sections"] if row["point"] == point]
        for one in (story.document, found)
    ]
    # First its point had no reading in the two days; now one, and the next is after them.
    assert totals == [[None], [(7 * 194 - 700) * 1_000 * 92 // 94]]
    story.file.write_text(json.dumps(found))
    behind = command("voucher", story.home, "--verify", story.file)
    assert behind.returncode == 2
    assert "no commit of this ledger ends with" in behind.stderr


def places(value: object, where: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every number and text in a JSON value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from places(inner, (*where, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from places(inner, (*where, at))
    elif value is not None:
        yield where


def lied(document: Any, where: tuple[str | int, ...]) -> Any:
    """A copy with another value at a place."""
    changed = copy.deepcopy(document)
    inner = changed
    for key in where[:-1]:
        inner = inner[key]
    value = inner[where[-1]]
    flipped = {"0": "1"}.get(value[-1:], "0") if isinstance(value, str) else ""
    inner[where[-1]] = value[:-1] + flipped if isinstance(value, str) else int(value) + 1
    return changed


def test_whatever_is_changed_is_found(story: BilledStory) -> None:
    """One lie at a time: every kind of field, of those that repeat the last."""
    kinds: dict[tuple[str, ...], list[tuple[str | int, ...]]] = {}
    for where in places(story.document):
        if where[-1] != "owner_name" and where[0] != "tariff":
            kinds.setdefault(
                tuple(str(key) for key in where if not isinstance(key, int)), []
            ).append(where)
    assert len(kinds) > 50
    for found in kinds.values():
        where = found[-1]
        done = story.verify(lied(story.document, where))
        assert done.returncode in (1, 2), (where, done.stdout)
        if where[0] not in ("format", "ledger", "question", "as_of"):
            assert done.stdout.startswith(f"DIFFERENCE    {where[0]}"), (where, done)


def test_another_tariff_is_told_by_the_file_that_should_have_been_used(story: BilledStory) -> None:
    """A tariff stands on no ledger: what a voucher says of it is recomputed, not believed."""
    document = copy.deepcopy(story.document)
    document["tariff"]["periods"]["day"]["import"] = "0.4215"
    assert ".lines[0].import_amount" in story.verify(document).stdout
    cheap = story.tariff.with_name("cheap.toml")
    cheap.write_text(TARIFF.replace("0.3215", "0.1215"))
    other = json.loads(story.ask("house 7", "--tariff", cheap, "--format", "json").stdout)
    assert story.verify(other).returncode == 0
    refused = story.verify(other, "--tariff", str(story.tariff))
    assert "tariff.periods.day.import: '0.1215' in the file" in refused.stdout
    assert story.verify(story.document, "--tariff", str(story.tariff)).returncode == 0


def test_the_first_difference_is_named(story: BilledStory) -> None:
    changed = copy.deepcopy(story.document)
    del changed["sections"][0]["gaps"]
    assert "sections[0].gaps: missing" in story.verify(changed).stdout
    changed["sections"][0]["registers"][1]["import_mwh"] += 1
    ours = story.document["sections"][0]["registers"][1]["import_mwh"]
    said = story.verify(changed).stdout
    expected = f"sections[0].registers[1].import_mwh: {ours + 1} in the file, {ours} by the ledger"
    assert expected in said
    assert json.loads(story.verify(changed, "--format", "json").stdout)["wrong"] == expected


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        (("checkpoint",), "\ud800", "proofs.checkpoint: note of"),
        (("checkpoint",), 3, "proofs.checkpoint: expected a note or null"),
        (("leaves",), {}, "proofs.leaves: expected a list"),
        (("leaves",), [], "proofs.leaves: 0 of them"),
        (("leaves", 0), 7, "proofs.leaves[0]: expected the leaf"),
        (("leaves", 1, "leaf"), "00", "proofs.leaves[1].leaf: other bytes than leaf"),
        (("leaves", 1, "path"), None, "proofs.leaves[1].path: expected a list of hashes"),
        (("leaves", 1, "path"), ["zz"], "proofs.leaves[1].path: expected a list of hashes"),
        (("leaves", 1, "path"), [], "proofs.leaves[1].path: inclusion proof of 0 hashes"),
    ],
)
def test_proofs_that_are_none(
    story: BilledStory, where: tuple[str | int, ...], value: object, said: str
) -> None:
    changed = copy.deepcopy(story.document)
    inner = changed["proofs"]
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    done = story.verify(changed)
    assert done.returncode == 1
    assert done.stdout.startswith(f"DIFFERENCE    {said}")


def node(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


def root_of(leaf: bytes, index: int, size: int, path: list[bytes]) -> bytes:
    """RFC 9162 section 2.1.3.2, written once more."""
    value, last = sha256(b"\x00" + leaf).digest(), size - 1
    for step in path:
        if index % 2 or index == last:
            value = node(step, value)
            while index % 2 == 0 and index:
                index, last = index // 2, last // 2
        else:
            value = node(value, step)
        index, last = index // 2, last // 2
    assert last == 0
    return value


def test_a_stranger_needs_nothing_but_the_document_and_the_members_keys(story: BilledStory) -> None:
    """From a register in the document down to the meter's signature, and up to the members'."""
    proofs = story.document["proofs"]
    note = proofs["checkpoint"]
    body, _, signatures = note.partition("\n\n")
    origin, size, root = body.split("\n")
    assert origin == f"{story.document['ledger']['name']}/{story.document['ledger']['id']}"
    raw = base64.b64decode(signatures.split()[2])
    key = Ed25519PublicKey.from_public_bytes(RETAIL.member.checkpoint_key)
    key.verify(raw[4:], (body + "\n").encode())
    leaves = {}
    for row in proofs["leaves"]:
        path = [bytes.fromhex(step) for step in row["path"]]
        leaf = bytes.fromhex(row["leaf"])
        found = root_of(leaf, row["ledger_index"], int(size), path)
        assert found == base64.b64decode(root)
        leaves[row["ledger_index"]] = leaf
    ledger_id = bytes.fromhex(story.document["ledger"]["id"])
    keys = {row["point"]: row["meter"]["signing_key"] for row in story.document["sections"]}
    for row in story.document["readings"]:
        leaf = leaf_format.decode(leaves[row["ledger_index"]])
        assert isinstance(leaf, EntryLeaf)
        entry = leaf_format.entry.decode(leaf.entry)
        signed = signed_sample.parse(entry.body, ledger_id)
        meter, _, device = row["point"].partition("/")
        assert (signed.kid.hex(), signed.digest.hex()) == (meter, row["digest"])
        public = bytes.fromhex(keys[row["point"]])
        assert sha256(public).hexdigest()[:16] == meter
        r, s = (int.from_bytes(half, "big") for half in (signed.raw[-64:-32], signed.raw[-32:]))
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public).verify(
            encode_dss_signature(r, s), signed.digest, ec.ECDSA(Prehashed(SHA256()))
        )
        (told,) = [
            one
            for one in signed.sample.readings
            if (one.device, one.time_ms) == (int(device), row["time_ms"])
        ]
        assert (told.values["ei"], told.values["ee"]) == (row["ei_wh"], row["ee_wh"])
    for section in story.document["sections"]:
        enrolled = leaves[section["meter"]["enrolled_index"]]
        assert bytes.fromhex(section["meter"]["signing_key"]) in enrolled


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\xff", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"9" * 5_000, "no JSON"),
        (b"[]", "expected a JSON object"),
        (b"{}", "is not of this ledger"),
        (b'{"ledger": {"id": "LEDGER"}}', "format None, expected"),
        (b'{"ledger": {"id": "LEDGER"}, "format": "wattle/1/voucher"}', "question: None"),
    ],
)
def test_files_that_are_no_vouchers(story: BilledStory, content: bytes, said: str) -> None:
    ledger_id = story.ledger.epoch.ledger_id.hex().encode()
    story.file.write_bytes(content.replace(b"LEDGER", ledger_id))
    done = command("voucher", story.home, "--verify", story.file)
    assert done.returncode == 2
    assert said in done.stderr


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        (("question", "point"), "x/1", "expected either a point or a party"),
        (("question", "party"), "xx", "expected 16 hex digits"),
        (("question", "party"), 7, "expected 16 hex digits"),
        (("question", "from_ms"), "1", "from_ms: '1', expected int"),
        (("question", "from_ms"), True, "from_ms: True, expected int"),
        (("question", "to_ms"), 0, "must lie after its beginning"),
        (("question", "period_ms"), 0, "expected a time in ms or null"),
        (("as_of", "size"), 10**20, "size: 100000000000000000000, expected 0 to"),
        (("question", "from_ms"), -1, "from_ms: -1, expected 0 to"),
        (("as_of", "size"), 10**6, "no commit of this ledger ends with 1000000 leaves"),
        (("tariff",), [], "tariff: expected a table or null"),
        (("tariff", "zone"), "Mars", "tariff: time zone 'Mars'"),
    ],
)
def test_questions_that_are_none(
    story: BilledStory, where: tuple[str, ...], value: object, said: str
) -> None:
    changed = copy.deepcopy(story.document)
    inner = changed
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    done = story.verify(changed)
    assert done.returncode == 2
    assert said in done.stderr
