"""`wattle-gateway voucher`: owners, meters that came and went, proofs for strangers, and lies."""

import csv
import io
import json
from collections.abc import Iterator

import pytest
from wattle_gateway.ledger import leaf as leaf_format
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.leaf import EntryLeaf
from wattle_testkit.alliance import epoch_of
from wattle_testkit.billed_ledger import RETAIL
from wattle_testkit.billed_story import BEGIN_MS, HANDOVER_MS, BilledStory
from wattle_testkit.gateway_process import command


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BilledStory]:
    made = BilledStory(tmp_path_factory.mktemp("story"))
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


def test_a_point_that_changed_hands_is_cut_at_the_change(story: BilledStory) -> None:
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


def test_a_party_is_billed_for_what_was_its_own(story: BilledStory) -> None:
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


def test_a_revoked_meter_and_the_one_after_it(story: BilledStory) -> None:
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


def test_prices_are_of_the_tariffs_commodity_and_lines_round_once(story: BilledStory) -> None:
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


def test_csv_has_a_row_for_each_line_and_each_stretch(story: BilledStory) -> None:
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


def test_people_see_what_is_billed_and_why(story: BilledStory) -> None:
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
        (["POINT1", "--to", "11/12/2044"], "no time that has one meaning"),
        (["POINT1", "--timezone", "Mars/Base"], "time zone 'Mars/Base'"),
        (["POINT1", "--to", "2024-03-31 02:30", "--timezone", "Europe/Berlin"], "does not exist"),
        (["POINT1", "--to", "2024-10-27 02:30", "--timezone", "Europe/Berlin"], "happened twice"),
        (["POINT1", "--tariff", "/nowhere/t.toml"], "cannot be read"),
    ],
)
def test_what_cannot_be_answered_is_said(story: BilledStory, words: list[str], said: str) -> None:
    points = {"POINT1": story.point(story.old), "POINT9": story.point(story.old, 9)}
    done = story.ask(*(points.get(word, word) for word in words))
    assert done.returncode == 2
    assert said in done.stderr
