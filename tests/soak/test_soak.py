"""A meter in the field, short: no rule is broken, and every planted fault breaks the one it should.

`make soak HOURS=24 SEED=k` is the long run of the same.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import cbor2
import pytest
from wattle_hil import parts
from wattle_testkit.soak import machine, plan
from wattle_testkit.soak.evidence import Evidence
from wattle_testkit.soak.judge import RULES, judge
from wattle_testkit.soak.machine import Machine
from wattle_testkit.soak.record import Record
from wattle_testkit.soak.run import REAL, Options, Outcome, follow

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("soak")]

WHOLE_MS, BEGINNING_MS = 375_000, 62_000
# Mutant of tests/soak/programs/soak_mutants.py: how much of the showcase it needs, the rule broken.
MUTANTS = {
    "outbox_drops_one": (WHOLE_MS, "losses_are_declared"),
    "outbox_forgets_what_it_cannot_write": (WHOLE_MS, "losses_are_declared"),
    "seq_is_used_twice": (BEGINNING_MS, "seqs_rise"),
    "seqs_are_not_reserved": (WHOLE_MS, "the_program_runs"),
    "gaps_are_kept_secret": (WHOLE_MS, "losses_are_declared"),
    "chain_skips_a_link": (BEGINNING_MS, "chain_holds"),
    "samples_are_altered": (BEGINNING_MS, "arrivals_are_what_was_signed"),
    "old_values_get_new_times": (BEGINNING_MS, "values_are_of_their_read"),
    "readings_bear_another_slots_time": (BEGINNING_MS, "values_are_of_their_read"),
    "a_failed_reading_is_left_out": (BEGINNING_MS, "failures_have_a_cause"),
    "grid_leaves_out_a_slot": (BEGINNING_MS, "grid_is_kept"),
    "clock_boasts": (BEGINNING_MS, "clock_states_are_honest"),
    "clock_is_never_set": (WHOLE_MS, "clock_states_are_honest"),
    "heap_leaks": (WHOLE_MS, "heap_does_not_grow"),
    "seen_runs_ahead": (BEGINNING_MS, "seen_was_shown"),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    try:
        return machine.build(tmp_path_factory.mktemp("soak"))
    except parts.PartMissingError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def sound(built: Machine, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    flash = tmp_path_factory.mktemp("sound") / "flash"
    return follow(plan.showcase(WHOLE_MS), Options(1, 6), built, flash)


def test_the_showcase_breaks_no_rule(sound: Outcome) -> None:
    assert sound.findings == {}
    # Else a rule could hold because nothing happened.
    assert [life.end for life in sound.evidence.record.lives] == [
        "cut",
        "cut",
        "stop",
        "cut",
        "over",
    ]
    assert sound.evidence.lost
    assert len(sound.evidence.signed) > 200


@pytest.mark.parametrize("seed", [1, 2])
def test_random_faults_break_no_rule(built: Machine, tmp_path: Path, seed: int) -> None:
    drawn = plan.of_seed(seed, 20 * plan.MINUTE)
    outcome = follow(drawn, Options(seed, 20), built, tmp_path / "flash")
    print(outcome.line())
    assert outcome.findings == {}
    assert len(outcome.evidence.record.lives) > 1


def test_real_signatures_break_no_rule_either(built: Machine, tmp_path: Path) -> None:
    drawn = plan.showcase(BEGINNING_MS)
    outcome = follow(drawn, Options(1, 1, REAL), built, tmp_path / "flash")
    outcome.findings.pop("all_is_final", None)  # it ends too soon after a cut
    outcome.findings.pop("clock_states_are_honest", None)
    assert outcome.findings == {}
    assert len(outcome.evidence.delivered) > 40


@pytest.mark.parametrize("mutant", MUTANTS)
def test_a_planted_fault_is_found(built: Machine, tmp_path: Path, mutant: str) -> None:
    end_ms, rule = MUTANTS[mutant]
    drawn = plan.showcase(end_ms)
    outcome = follow(drawn, Options(1, 6, mutant=mutant), built, tmp_path / "flash")
    assert rule in outcome.findings, outcome.findings


def late_dog(record: Record) -> None:
    status = record.statuses[100]
    record.statuses[100] = replace(status, counters=status.counters | {"fed_ms": 0})


def shown_gap(record: Record) -> None:
    signed = record.signed
    record.signed = [row for row in signed if not 20_000 < row[0] < 46_000]


def stands_still(record: Record) -> None:
    record.final -= 40


def fails(record: Record) -> None:
    record.log.append((10_000, 0, "sampling failed: MemoryError: no room"))


def late_declaration(record: Record) -> None:
    """The sample that was declared lost comes an hour later, after all."""
    found = Evidence(record)
    seq = min(one.sample.seq for one in found.lost)
    (payload,) = (one.payload for one in found.signed if one.sample.seq == seq)
    raw = cbor2.dumps(
        cbor2.CBORTag(18, [b"\xa2\x01\x26\x04\x48" + found.kid, {}, payload, bytes(64)])
    )
    record.delivered = [*record.delivered, (3_600_000, 0, raw)]


RECORDS: dict[str, Callable[[Record], None]] = {
    "watchdog_is_fed": late_dog,
    "no_reading_is_left_out": shown_gap,
    "all_is_final": stands_still,
    "no_task_fails": fails,
    "gaps_are_well_formed": late_declaration,
}


@pytest.mark.parametrize("rule", RECORDS)
def test_what_no_mutant_shows_is_found_in_a_record(sound: Outcome, rule: str) -> None:
    record = replace(sound.evidence.record)
    record.log, record.statuses = list(record.log), list(record.statuses)
    RECORDS[rule](record)
    assert rule in judge(Evidence(record))


def test_every_rule_is_seen_to_fail() -> None:
    broken = {rule for _, rule in MUTANTS.values()} | set(RECORDS)
    assert broken == RULES.keys() | {"the_program_runs"}
