"""Registers at boundaries, and the energy between them: by rule, and against a running total."""

import csv
import io
import json
import random
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from wattle_testkit.alliance import CREATED_MS, Board, reading
from wattle_testkit.billed_ledger import DAY_MS, HOUR_MS, RETAIL, BilledLedger
from wattle_testkit.gateway_process import command
from wattle_testkit.voucher_twin import RunningTotal
from wattle_wire.sample import Reading

QUARTER_MS = HOUR_MS // 4
BEGIN_MS = (CREATED_MS // DAY_MS + 1) * DAY_MS
TWO_PERIODS = """
zone = "Europe/Berlin"
asset = "EUR"
decimals = 2
[periods.day]
import = "0.3"
export = "0.1"
[periods.night]
import = "0.2"
[[when]]
from = "06:00"
to = "22:00"
period = "day"
[[when]]
period = "night"
"""


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[BilledLedger]:
    made = BilledLedger(tmp_path / "ledger")
    yield made
    made.close()


def at(quarter: float) -> int:
    """A moment, in quarters of an hour from the beginning."""
    return BEGIN_MS + int(quarter * QUARTER_MS)


def curve(*quarters: int, base_wh: int = 1_000) -> list[Reading]:
    """Readings of 1 kW import and 0.4 kW export: 250 Wh and 100 Wh a quarter."""
    return [
        reading(at(quarter), ei=base_wh + 250 * quarter, ee=100 * quarter) for quarter in quarters
    ]


def metered(ledger: BilledLedger, readings: list[Reading], **point: Any) -> Board:
    board = ledger.board("meter")
    ledger.enrol(board, ledger.point(RETAIL, **point))
    ledger.measure(board, readings)
    return board


def voucher(
    ledger: BilledLedger, board: Board, begin_ms: int, end_ms: int, *words: str | Path
) -> dict[str, Any]:
    """The only section of a voucher."""
    span = ("--from", str(begin_ms // 1000), "--to", str(end_ms // 1000))
    home = ledger.copy()
    done = command("voucher", home, f"{board.kid.hex()}/1", *span, *words, "--format", "json")
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    (home / "voucher.json").write_text(done.stdout)
    checked = command("voucher", home, "--verify", home / "voucher.json")
    assert checked.returncode == 0, checked.stdout + checked.stderr
    (section,) = found["sections"]
    add_up(section)
    return {**section, "provisional": found["provisional"]}


def add_up(section: dict[str, Any]) -> None:
    """Stretches, lines, counters and the section's total are the same energy."""
    for name in ("import_mwh", "export_mwh"):
        sums = [
            sum(row[name] or 0 for row in section[part])
            for part in ("stretches", "lines", "counters")
        ]
        assert sums == [section["total"][name] or 0] * 3
        for part in section["counters"]:
            if part[name] is not None:
                assert part[name] == part["closing"][name] - part["opening"][name]


def test_readings_at_the_boundaries_are_the_registers(ledger: BilledLedger) -> None:
    board = metered(ledger, curve(*range(-4, 101)))
    found = voucher(ledger, board, at(0), at(96))
    opening, closing = found["registers"]
    assert (opening["how"], closing["how"]) == ("read", "read")
    assert (opening["import_mwh"], closing["import_mwh"]) == (1_000_000, 25_000_000)
    assert [row["distance_ms"] for row in opening["readings"]] == [0]
    assert opening["import_off_mwh"] == closing["export_off_mwh"] == 0
    assert found["total"] == {"import_mwh": 24_000_000, "export_mwh": 9_600_000}
    assert (found["period_ms"], found["provisional"]) == (QUARTER_MS, False)
    assert found["gaps"] == found["unmeasured"] == []
    assert [row["how"] for row in found["stretches"]] == ["measured"]


def test_within_one_period_the_nearest_reading_counts_and_its_distance_is_told(
    ledger: BilledLedger,
) -> None:
    board = metered(ledger, curve(*range(12)))
    opening, closing = voucher(ledger, board, at(1.4), at(9.5))["registers"]
    assert (opening["import_mwh"], closing["import_mwh"]) == (1_250_000, 3_250_000)
    # Of two equally near ones the earlier; the true register lies between both.
    distances = [row["readings"][0]["distance_ms"] for row in (opening, closing)]
    assert distances == [-int(0.4 * QUARTER_MS), -QUARTER_MS // 2]
    assert (opening["import_off_mwh"], closing["export_off_mwh"]) == (250_000, 100_000)


def test_farther_away_the_register_is_apportioned_and_marked(ledger: BilledLedger) -> None:
    board = metered(ledger, curve(*range(10), *range(20, 40)))
    found = voucher(ledger, board, at(2), at(16))
    closing = found["registers"][-1]
    assert closing["how"] == "apportioned"
    assert closing["import_mwh"] == 5_000_000
    # Between the readings at 9 and 20: so far off it can be.
    assert closing["import_off_mwh"] == 7 * 250_000
    assert [row["distance_ms"] for row in closing["readings"]] == [-7 * QUARTER_MS, 4 * QUARTER_MS]
    assert [row["how"] for row in found["stretches"]] == ["apportioned"]
    assert found["lines"][0]["apportioned_import_mwh"] == found["total"]["import_mwh"] == 3_500_000
    assert found["gaps"] == [{"from_ms": at(9), "to_ms": at(20), "statuses": ""}]


def test_vouchers_one_after_the_other_leave_nothing_out(ledger: BilledLedger) -> None:
    board = metered(ledger, curve(*range(10), *range(20, 40)))
    parts = [voucher(ledger, board, at(low), at(low + 7)) for low in range(2, 37, 7)]
    whole = voucher(ledger, board, at(2), at(37))
    for name in ("import_mwh", "export_mwh"):
        assert sum(part["total"][name] for part in parts) == whole["total"][name]


def test_a_meter_that_reads_less_often_from_a_boundary_on(ledger: BilledLedger) -> None:
    """Both vouchers have the same register there, however often the meter reads in their span."""
    board = metered(ledger, curve(*range(119), *range(122, 1_200, 4)))
    before = voucher(ledger, board, at(0), at(120))
    after = voucher(ledger, board, at(120), at(1_000))
    assert before["registers"][-1] == after["registers"][0]
    # Half an hour from the nearest reading: within an hour, but not within what it was there.
    assert after["registers"][0]["how"] == "apportioned"
    assert after["registers"][0]["period_ms"] == before["period_ms"] == QUARTER_MS
    assert after["period_ms"] == HOUR_MS
    whole = voucher(ledger, board, at(0), at(1_000))
    parts = before["total"]["import_mwh"] + after["total"]["import_mwh"]
    assert parts == whole["total"]["import_mwh"]


def test_before_the_first_reading_and_after_the_last_nothing_is_billed(
    ledger: BilledLedger, tmp_path: Path
) -> None:
    tariff = tmp_path / "tariff"
    tariff.write_text(TWO_PERIODS)
    board = metered(ledger, curve(*range(40, 60)))
    found = voucher(ledger, board, at(0), at(192), "--tariff", tariff)
    assert (found["registers"][0]["how"], found["registers"][-1]["how"]) == ("first", "last")
    assert found["total"]["import_mwh"] == 19 * 250_000
    assert found["unmeasured"] == [
        {"from_ms": at(0), "to_ms": at(40), "why": "first"},
        {"from_ms": at(59), "to_ms": at(192), "why": "last"},
    ]
    kinds = [(row["period"], row["how"], row["import_mwh"]) for row in found["stretches"]]
    assert kinds == [
        ("night", "unmeasured", None),
        ("day", "partial", 19 * 250_000),
        ("night", "unmeasured", None),
        ("day", "unmeasured", None),
        ("night", "unmeasured", None),
    ]
    assert found["provisional"]
    night = found["lines"][1]
    assert (night["import_mwh"], night["import_amount"]) == (None, None)


def test_a_point_without_readings_has_no_energy(ledger: BilledLedger) -> None:
    board = metered(ledger, [reading(at(0), device=1, status="T")])
    found = voucher(ledger, board, at(-10), at(10))
    assert [row["how"] for row in found["registers"]] == ["missing", "missing"]
    assert found["total"] == {"import_mwh": None, "export_mwh": None}
    assert found["unmeasured"] == [{"from_ms": at(-10), "to_ms": at(10), "why": "missing"}]
    assert found["counters"] == []


def test_each_counter_of_an_exchanged_device_is_billed(ledger: BilledLedger) -> None:
    old, new = curve(*range(8)), curve(*range(10, 20), base_wh=-2_400)
    new[0] = Reading(1, new[0].time_ms, "X", {"ei": 100, "ee": 7})
    board = metered(ledger, [*old, *new])
    found = voucher(ledger, board, at(2), at(15))
    assert [part["import_mwh"] for part in found["counters"]] == [1_250_000, 1_250_000]
    assert [part["counter"] for part in found["counters"]] == [0, 1]
    # New device: export went on at 100 a quarter in `curve`, from 7 in the marked reading.
    assert found["counters"][1]["export_mwh"] == 1_500_000 - 7_000
    assert found["unmeasured"] == [{"from_ms": at(7), "to_ms": at(10), "why": "exchanged"}]
    assert [row["how"] for row in found["stretches"]] == ["partial"]
    # One period and a tenth from the old counter's last reading: between both.
    inside = voucher(ledger, board, at(8.1), at(15))
    assert inside["registers"][0]["how"] == "exchanged"
    assert inside["total"]["import_mwh"] == 1_250_000


def test_a_boundary_between_two_counters_and_far_from_both(ledger: BilledLedger) -> None:
    new = [reading(at(30 + n), ei=250 * n) for n in range(5)]
    new[0] = Reading(1, at(30), "O", {"ei": 0})
    board = metered(ledger, [reading(at(n), ei=9_000 + 250 * n) for n in range(10)] + new)
    before = voucher(ledger, board, at(0), at(20))
    after = voucher(ledger, board, at(20), at(34))
    assert before["registers"][-1]["how"] == after["registers"][0]["how"] == "exchanged"
    assert before["registers"][-1]["import_off_mwh"] is None
    assert (before["total"]["import_mwh"], after["total"]["import_mwh"]) == (2_250_000, 1_000_000)
    assert before["total"]["export_mwh"] is None


def test_readings_that_failed_make_a_gap_and_are_no_registers(ledger: BilledLedger) -> None:
    readings = curve(*range(20))
    readings[8:11] = [
        Reading(1, at(8), "T", {}),
        Reading(1, at(9), "E", {"ei": "E", "ee": 900}),
        Reading(1, at(10), "S", {"ei": 3_500, "ee": 1_000}),
    ]
    board = metered(ledger, readings)
    found = voucher(ledger, board, at(0), at(9))
    assert found["gaps"] == [{"from_ms": at(7), "to_ms": at(10), "statuses": "ET"}]
    # Two periods from the reading before, one from the next, which is a substitute.
    assert found["registers"][-1]["readings"][0]["distance_ms"] == QUARTER_MS
    assert found["substituted_readings"] == 0
    assert [row["how"] for row in found["stretches"]] == ["substituted"]
    whole = voucher(ledger, board, at(0), at(12))
    assert (whole["substituted_readings"], whole["stretches"][0]["how"]) == (1, "measured")


def test_what_is_not_usable(ledger: BilledLedger) -> None:
    """A clock that was never set, a counter that falls: such samples say nothing."""
    board = metered(ledger, curve(*range(10)))
    ledger.measure(board, curve(*range(10, 20), base_wh=500_000), clock="U")
    ledger.measure(board, [reading(at(21), ei=5, ee=5)])
    ledger.measure(board, curve(*range(22, 30)))
    found = voucher(ledger, board, at(2), at(15))
    assert found["registers"][-1]["how"] == "apportioned"
    assert found["total"]["import_mwh"] == 13 * 250_000
    assert found["gaps"] == [{"from_ms": at(9), "to_ms": at(22), "statuses": ""}]


def test_transformers_and_devices_that_are_turned(ledger: BilledLedger) -> None:
    board = metered(ledger, curve(*range(20)), ct=(100, 3), vt=(2, 1), orient=-1)
    found = voucher(ledger, board, at(1), at(2))
    # 250 Wh and 100 Wh at 200 / 3, each register rounded first; import is what it calls export.
    assert found["registers"][0]["import_mwh"] == 100 * 1000 * 200 // 3
    assert found["total"]["import_mwh"] == 200_000 * 200 // 3 - 100_000 * 200 // 3
    assert found["total"]["export_mwh"] == 1_500_000 * 200 // 3 - 1_250_000 * 200 // 3
    assert found["ratio"] == {"ct": [100, 3], "vt": [2, 1], "orient": -1}


def test_neighbours_of_a_boundary_may_be_days_away(ledger: BilledLedger) -> None:
    board = metered(ledger, curve(*range(4)))
    ledger.measure(board, curve(*range(1_000, 1_004)))
    found = voucher(ledger, board, at(400), at(600))
    assert [row["how"] for row in found["registers"]] == ["apportioned", "apportioned"]
    assert found["total"]["import_mwh"] == 200 * 250_000
    assert found["period_ms"] is None  # no two readings within a day of the span


def random_readings(dice: random.Random) -> list[Reading]:
    """Four days with holes, failures, other counters and, now and then, an odd spacing."""
    found = []
    imported, exported, quarter = dice.randrange(9_000), 0, 0
    while quarter < 4 * 96:
        status = "G"
        if dice.random() < 0.02:
            quarter += dice.randrange(1, 40)
        if dice.random() < 0.01:
            imported, exported, status = dice.randrange(50), 0, dice.choice("XO")
        imported += dice.randrange(500)
        exported += dice.randrange(100)
        values: dict[str, int | str] = {"ei": imported, "ee": exported}
        if dice.random() < 0.03 and status == "G":
            values, status = {"ei": "F", "ee": exported}, "F"
        shift_ms = dice.randrange(60_000) if dice.random() < 0.1 else 0
        found.append(Reading(1, at(quarter) + shift_ms, status, values))
        quarter += 1
    return found


@pytest.mark.parametrize("seed", range(6))
def test_against_a_running_total(ledger: BilledLedger, tmp_path: Path, seed: int) -> None:
    dice = random.Random(seed)
    (tmp_path / "tariff").write_text(TWO_PERIODS)
    board = metered(ledger, random_readings(dice), ct=(40, 3))
    done = command("samples", ledger.copy(), "--format", "csv").stdout
    rows = list(csv.DictReader(io.StringIO(done)))
    totals = {
        "import_mwh": RunningTotal(rows, 1, "ei_wh", Fraction(40, 3)),
        "export_mwh": RunningTotal(rows, 1, "ee_wh", Fraction(40, 3)),
    }
    for _ in range(3):
        low, middle, high = sorted(dice.sample(range(-1_000, 4_500), 3))
        begin_ms, end_ms = at(low / 10), at(high / 10)
        halves = [
            voucher(ledger, board, *half)["total"]
            for half in ((begin_ms, at(middle / 10)), (at(middle / 10), end_ms))
        ]
        found = voucher(ledger, board, begin_ms, end_ms, "--tariff", tmp_path / "tariff")
        for stretch, ends in zip(found["stretches"], pairwise(found["registers"]), strict=True):
            for name, running in totals.items():
                opening, closing = (running.at(one["at_ms"], one["period_ms"] or 0) for one in ends)
                assert (stretch[name] or 0) == closing - opening
                assert stretch[name] is not None or stretch["how"] == "unmeasured"
        for name in totals:
            assert sum(half[name] or 0 for half in halves) == (found["total"][name] or 0)
