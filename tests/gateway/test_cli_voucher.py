"""`wattle-gateway voucher`: owners, meters that came and went, proofs for strangers, and lies."""

import base64
import copy
import csv
import io
import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from wattle_gateway.ledger import leaf as leaf_format
from wattle_gateway.ledger import signed_sample, transaction
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.leaf import EntryLeaf
from wattle_testkit.alliance import CREATED_MS, Board, epoch_of, reading
from wattle_testkit.billed_ledger import DAY_MS, HOUR_MS, RETAIL, BilledLedger
from wattle_testkit.gateway_process import command

BEGIN_MS = (CREATED_MS // DAY_MS + 1) * DAY_MS
HANDOVER_MS = BEGIN_MS + 30 * HOUR_MS
TARIFF = """
zone = "Europe/Berlin"
asset = "CNY"
decimals = 2
[periods.day]
import = "0.3215"
export = "0.08"
[periods.night]
import = "0.2150"
[[when]]
days = "business"
from = "06:00"
to = "22:00"
period = "day"
[[when]]
period = "night"
"""


class Story:
    """Two users, one board with two points that is replaced by another, and a handover."""

    def __init__(self, folder: Path) -> None:
        self.ledger = BilledLedger(folder / "ledger")
        self.first, self.second = self.ledger.host("house 7"), self.ledger.host("house 8")
        self.old, self.new = self.ledger.board("old"), self.ledger.board("new")
        ledger = self.ledger
        ledger.enrol(
            self.old,
            ledger.point(self.first, ct=(100, 5)),
            ledger.point(self.second, 2, commodity=transaction.HEAT),
        )
        ledger.assign(self.old, 1, self.first, self.second, HANDOVER_MS)
        ledger.measure(self.old, self._readings(0, 193))
        ledger.revoke(self.old)
        ledger.enrol(self.new, ledger.point(self.first))
        ledger.measure(self.new, self._readings(194, 200))
        ledger.pass_to(BEGIN_MS + 4 * DAY_MS)
        ledger.host("house 9")  # a commit of another minute, which is signed
        self.home = ledger.copy()
        self.tariff = folder / "tariff.toml"
        self.tariff.write_text(TARIFF)
        self.file = folder / "voucher.json"
        self.document = json.loads(
            self.ask("house 7", "--tariff", self.tariff, "--format", "json").stdout
        )

    @staticmethod
    def _readings(begin: int, end: int) -> list[Any]:
        return [
            reading(BEGIN_MS + quarter * HOUR_MS // 4, device, ei=7 * device * quarter, ee=quarter)
            for quarter in range(begin, end)
            for device in (1, 2)
        ]

    def ask(self, *words: str | Path) -> Any:
        """A voucher of the two days, of whom the words begin with."""
        span = ("--from", "2023-11-15T00:00Z", "--to", "2023-11-17T00:00Z")
        return command("voucher", self.home, *words[:1], *span, *words[1:])

    def point(self, board: Board, device: int = 1) -> str:
        """METER/D."""
        return f"{board.kid.hex()}/{device}"

    def verify(self, document: object, *words: str) -> Any:
        """`voucher --verify` of a document."""
        self.file.write_text(json.dumps(document))
        return command("voucher", self.home, "--verify", self.file, *words)


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Story]:
    made = Story(tmp_path_factory.mktemp("story"))
    yield made
    made.ledger.close()


def leaf_of(raw: bytes) -> transaction.Transaction:
    """The transaction in a leaf."""
    leaf = leaf_format.decode(raw)
    assert isinstance(leaf, EntryLeaf)
    body = leaf_format.entry.decode(leaf.entry).body
    return transaction.parse(
        body, epoch_of(RETAIL, constants=Constants(enrol_approvals=1)).ledger_id
    )


def test_a_point_that_changed_hands_is_cut_at_the_change(story: Story) -> None:
    found = json.loads(story.ask(story.point(story.old), "--format", "json").stdout)
    one, other = found["sections"]
    assert (one["owner_name"], other["owner_name"]) == ("house 7", "house 8")
    assert (one["end_ms"], other["begin_ms"]) == (HANDOVER_MS, HANDOVER_MS)
    assert one["registers"][-1] == other["registers"][0]
    assert one["handover_indexes"] == []  # the enrolment names it
    leaves = {row["ledger_index"]: bytes.fromhex(row["leaf"]) for row in found["proofs"]["leaves"]}
    assign, approve = (leaf_of(leaves[index]) for index in other["handover_indexes"])
    assert (assign.kind, assign.kid) == (transaction.ASSIGN, story.first.kid)
    assert (approve.kind, approve.kid) == (transaction.APPROVE, story.second.kid)
    assert approve.body == [assign.digest]
    # 7 Wh a quarter at 100 / 5.
    assert one["total"]["import_mwh"] == 120 * 7 * 20_000
    assert other["total"]["import_mwh"] == 72 * 7 * 20_000
    assert found["total"]["energy"]["electricity"]["import_mwh"] == 192 * 7 * 20_000


def test_a_party_is_billed_for_what_was_its_own(story: Story) -> None:
    found = json.loads(story.ask("house 8", "--format", "json").stdout)
    told = [(row["point"], row["commodity"], row["begin_ms"]) for row in found["sections"]]
    assert sorted(told) == [
        (story.point(story.old), "electricity", HANDOVER_MS),
        (story.point(story.old, 2), "heat", BEGIN_MS),
    ]  # fmt: skip
    assert set(found["total"]["energy"]) == {"electricity", "heat"}
    kids = {row["owner"] for row in found["sections"]}
    assert kids == {story.second.kid.hex()}
    by_kid = json.loads(story.ask(story.second.kid.hex(), "--format", "json").stdout)
    assert by_kid == found


def test_a_revoked_meter_and_the_one_after_it(story: Story) -> None:
    old, new = (row["meter"] for row in story.document["sections"])
    if old["signing_key"] != story.old.signing_key.hex():
        old, new = new, old
    assert old["revoked"]["last_seq"] == 39
    assert new["revoked"] is None
    assert old["enrolled_index"] < new["enrolled_index"]
    span = ("--from", "2023-11-15T00:00Z", "--to", "2023-11-18T00:00Z")
    text = command("voucher", story.home, "house 7", *span).stdout
    assert "revoked" in text
    assert "UNMEASURED    2023-11-17T00:30:00+00:00" not in text
    assert "before the first reading" in text


def test_prices_are_of_the_tariffs_commodity_and_lines_round_once(story: Story) -> None:
    found = json.loads(story.ask("house 8", "--tariff", story.tariff, "--format", "json").stdout)
    heat = next(row for row in found["sections"] if row["commodity"] == "heat")
    assert [(line["period"], line["import_amount"]) for line in heat["lines"]] == [("", None)]
    power = next(row for row in found["sections"] if row["commodity"] == "electricity")
    # From 07:00 on in Berlin on a Thursday: 15 hours of day, 3 of night, four quarters an hour.
    day, night = power["lines"]
    assert (day["import_mwh"], night["import_mwh"]) == (60 * 140_000, 12 * 140_000)
    assert (day["import_amount"], night["import_amount"]) == (270, 36)  # of 270.06 and 36.12
    assert (day["export_amount"], night["export_amount"]) == (9, None)  # of 9.6
    total = found["total"]
    assert (total["import_amount"], total["export_amount"], total["net_amount"]) == (306, 9, 297)


def test_csv_has_a_row_for_each_line_and_each_stretch(story: Story) -> None:
    words = ("--tariff", story.tariff, "--format")
    lines = list(csv.DictReader(io.StringIO(story.ask("house 7", *words, "csv").stdout)))
    rows = list(csv.DictReader(io.StringIO(story.ask("house 7", *words, "csv-stretches").stdout)))
    point = story.point(story.old)
    for period in ("day", "night"):
        (line,) = [row for row in lines if row["period"] == period and row["point"] == point]
        parts = [row for row in rows if row["period"] == period and row["point"] == point]
        assert sum(float(row["import_kwh"]) for row in parts) == pytest.approx(
            float(line["import_kwh"])
        )
    first = next(row for row in rows if row["point"] == point)
    assert first["begin"] == "2023-11-15T01:00:00+01:00"
    assert (first["opening_read"], first["opening_how"]) == (first["begin"], "read")
    assert int(first["closing_entries"]) > int(first["opening_entries"])


def test_people_see_what_is_billed_and_why(story: Story) -> None:
    text = story.ask("house 7", "--tariff", story.tariff).stdout
    for expected in (
        "voucher       2023-11-15T01:00:00+01:00 to 2023-11-17T01:00:00+01:00",
        "owner         house 7",
        "transformers  current 100/5, voltage 1/1, enrolled by entry",
        "total         electricity: import 16.800 kWh, export 2.400 kWh",
        "amount        import",
    ):
        assert expected in text
    digest = story.verify(story.document).stdout.split()[1]
    assert f"digest        {digest}" in text


def test_it_is_verified_even_when_the_ledger_has_grown(story: Story) -> None:
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


def test_whatever_is_changed_is_found(story: Story) -> None:
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


def test_another_tariff_is_told_by_the_file_that_should_have_been_used(story: Story) -> None:
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


def test_the_first_difference_is_named(story: Story) -> None:
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
    story: Story, where: tuple[str | int, ...], value: object, said: str
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


def test_a_stranger_needs_nothing_but_the_document_and_the_members_keys(story: Story) -> None:
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
    ("words", "said"),
    [
        (["0011223344556677/1"], "is not enrolled"),
        (["POINT9"], "has the devices 1, 2"),
        (["nobody"], "no party 'nobody'"),
        (["retail"], "no point was its own"),
        (["0123456789abcdef"], "no point was its own"),
        ([], "a point or a party is missing"),
        (["POINT1", "--to", "2023-11-15T00:00Z"], "is not before"),
        (["POINT1", "--to", "2044-11-15"], "at most ten years"),
        (["POINT1", "--to", "15.11.2044"], "no time that has one meaning"),
        (["POINT1", "--timezone", "Mars/Base"], "time zone 'Mars/Base'"),
        (["POINT1", "--to", "2024-03-31 02:30", "--timezone", "Europe/Berlin"], "does not exist"),
        (["POINT1", "--to", "2024-10-27 02:30", "--timezone", "Europe/Berlin"], "happened twice"),
        (["POINT1", "--tariff", "/nowhere/t.toml"], "cannot be read"),
    ],
)
def test_what_cannot_be_answered_is_said(story: Story, words: list[str], said: str) -> None:
    points = {"POINT1": story.point(story.old), "POINT9": story.point(story.old, 9)}
    done = story.ask(*(points.get(word, word) for word in words))
    assert done.returncode == 2
    assert said in done.stderr


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
def test_files_that_are_no_vouchers(story: Story, content: bytes, said: str) -> None:
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
    story: Story, where: tuple[str, ...], value: object, said: str
) -> None:
    changed = copy.deepcopy(story.document)
    inner = changed
    for key in where[:-1]:
        inner = inner[key]
    inner[where[-1]] = value
    done = story.verify(changed)
    assert done.returncode == 2
    assert said in done.stderr
