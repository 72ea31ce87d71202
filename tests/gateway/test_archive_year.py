"""The year of one meter at 1 Hz, in the small: lived, left and taken up, archived, audited."""

from pathlib import Path

import pytest
from wattle_gateway.audit.ledger_audit import audit_ledger
from wattle_testkit import archive_year
from wattle_testkit.alliance import genesis_of
from wattle_testkit.archive_year import Plan
from wattle_testkit.meter_year import FIRST_DAY_MS, Cadence, MeterAt1Hz, read_at
from wattle_wire import sample, sample_reader

CADENCE = Cadence(readings_a_sample=10, samples_a_block=8, samples_a_day=40)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pytest.importorskip("pyarrow", reason="the extra `archive` is not installed")
    return tmp_path


def test_a_short_year_is_lived_archived_audited_and_proved(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive_year.run(MeterAt1Hz(folder, CADENCE), Plan(days=3, kept=1))
    told = capsys.readouterr().out
    assert "120 samples of 10 readings" in told
    assert "extrapolated from 3 days" in told
    assert "every byte accounted for" in told
    assert "sample at leaf" in told


def test_a_life_that_was_left_in_the_middle_of_a_day_goes_on(folder: Path) -> None:
    first = MeterAt1Hz(folder, CADENCE)
    first.live_day(0)
    begin_ms = FIRST_DAY_MS + 86_400_000
    made = [first._make(begin_ms + at * CADENCE.sample_ms) for at in range(8)]
    first._take_in(made)
    first.driver.close()

    again = MeterAt1Hz(folder, CADENCE)
    assert again.samples_made == 48
    archive_year.run(again, Plan(days=3, kept=1), verifies=False)
    assert again.samples_made == 120


def test_an_audit_knows_how_many_blocks_there_are_with_those_that_left(folder: Path) -> None:
    ledger = MeterAt1Hz(folder, CADENCE)
    for day in range(2):
        ledger.live_day(day)
    ledger.archive(1)
    said: list[tuple[int, int]] = []
    with archive_year.whole_ledger(ledger) as reader:
        founded = genesis_of(constants=ledger.epoch.constants)
        report = audit_ledger(reader, founded, lambda done, blocks: said.append((done, blocks)))
    assert report.ok
    assert said == [(done, len(said)) for done in range(1, len(said) + 1)]


def test_the_meter_writes_what_the_encoder_writes(folder: Path) -> None:
    signed = MeterAt1Hz(folder, CADENCE).first_sample()
    payload = sample.encode(signed.sample)
    assert payload in signed.raw
    second = FIRST_DAY_MS // 1000
    assert sample_reader.decode(payload).readings == [read_at(second + at) for at in range(10)]
