"""What a soak is made of: what it draws, what it reads, and the order in which things happen."""

import json
from pathlib import Path

import pytest
from wattle_testkit.soak import line, plan, sample_view
from wattle_testkit.soak.agenda import Agenda

VECTORS = json.loads(
    (Path(__file__).parents[2] / "protocol" / "vectors" / "wire.json").read_text(encoding="utf-8")
)
LEDGER_ID = bytes.fromhex(VECTORS["ledger_id"])
DAY_MS = 24 * plan.HOUR


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_day_has_faults_of_every_kind_and_a_quiet_end(seed: int) -> None:
    drawn = plan.of_seed(seed, DAY_MS)
    names = {kind.name for kind in (*plan.STEADY, *plan.POWER)}
    assert {fault.kind for fault in drawn.faults} == names
    assert list(drawn.faults) == sorted(drawn.faults, key=lambda fault: fault.begin_ms)
    assert all(fault.begin_ms <= fault.end_ms <= drawn.quiet_ms for fault in drawn.faults)
    assert drawn.end_ms - drawn.quiet_ms == 20 * plan.MINUTE
    power = {kind.name for kind in plan.POWER}
    assert all(fault.end_ms < DAY_MS // 2 for fault in drawn.faults if fault.kind in power)


def test_a_seed_draws_the_same_plan_again_and_another_one_another() -> None:
    assert plan.of_seed(5, DAY_MS) == plan.of_seed(5, DAY_MS)
    assert plan.of_seed(5, DAY_MS) != plan.of_seed(6, DAY_MS)


def test_calls_come_in_the_order_of_their_times_and_of_one_time_as_they_were_made() -> None:
    agenda = Agenda()
    made: list[tuple[str, int]] = []
    for name, at_ms in (("late", 30), ("early", 10), ("second", 20), ("third", 20)):
        agenda.at(at_ms, lambda name=name: made.append((name, agenda.now_ms)))  # type: ignore[misc]
    assert agenda.next_ms(1_000) == 10
    agenda.run_to(20)
    assert made == [("early", 10), ("second", 20), ("third", 20)]
    agenda.at(5, lambda: made.append(("past", agenda.now_ms)))
    agenda.run_to(25)
    assert made[-1] == ("past", 20)
    assert (agenda.now_ms, agenda.next_ms(28)) == (25, 28)


@pytest.mark.parametrize("number", range(len(VECTORS["samples"])))
def test_samples_are_read_as_the_frozen_examples_have_them(number: int) -> None:
    vector = VECTORS["samples"][number]
    signed = sample_view.signed(bytes.fromhex(vector["message"]), "sample", LEDGER_ID)
    assert signed.payload.hex() == vector["payload"]
    assert signed.digest.hex() == vector["digest"]
    assert signed.kid.hex() == VECTORS["meter_id"]


def test_the_second_example_is_taken_apart() -> None:
    sample = sample_view.sample(bytes.fromhex(VECTORS["samples"][1]["payload"]))
    assert (sample.seq, sample.boot, sample.clock, sample.gaps) == (2, 1, "S", ())
    assert sample.prev == bytes.fromhex(VECTORS["samples"][0]["digest"])
    assert sample.seen == (7, bytes(range(16)))
    one, other = sample.readings
    assert one.values == {"ei": 1_234_573, "p": 23_052, "u": 2_303}
    assert (one.device, one.time_ms, one.status) == (1, 1_700_000_001_000, "G")
    assert (other.device, other.time_ms, other.status) == (2, 1_700_000_001_000, "T")
    assert other.values == {"ei": "T", "p": "T"}


def test_the_line_reckons_as_the_standard_does() -> None:
    # Application Protocol V1.1b3 has no example of a check sum; this one is of Serial Line V1.02,
    # 6.2.2: unit 2, function 7.
    assert line.crc16(b"\x02\x07") == b"\x41\x12"
    assert line.transfer_ms(8) == 9
    assert line.transfer_bytes(20) == 19
