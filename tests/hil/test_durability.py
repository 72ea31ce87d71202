"""A ledger that forgets what it had promised is found out."""

from pathlib import Path

import pytest
from wattle_hil.errors import RunError
from wattle_hil.runs.durability import Promises, broken_promises
from wattle_hil.runs.ledger_rows import LedgerRow, read_rows
from wattle_testkit.ledger_export import FIRST_SEQ, LEDGER_ID, Export


@pytest.fixture
def export(tmp_path: Path) -> Export:
    made = Export(tmp_path, [1_000] * 10)
    made.sign_all(restart_at=6)
    return made


def promised(export: Export, durable: int) -> Promises:
    export.write()
    promises = Promises()
    promises.note_committed(read_rows(export.folder / "samples.csv"))
    promises.note_durable(export.meter.kid.hex(), durable)
    promises.note_durable(export.meter.kid.hex(), durable - 1)
    return promises


def broken(export: Export, promises: Promises) -> list[str]:
    export.write()
    rows: list[LedgerRow] = list(read_rows(export.folder / "samples.csv"))
    return broken_promises(promises, rows, {export.meter.kid.hex(): FIRST_SEQ}, LEDGER_ID)


def test_what_is_there_is_kept_and_what_the_meter_declared_is_no_loss(export: Export) -> None:
    last_seq = int(export.rows[-1]["seq"])
    assert last_seq > 1_024
    assert broken(export, promised(export, durable=last_seq)) == []


def test_a_reading_that_was_in_the_ledger_and_is_gone_or_changed_is_named(export: Export) -> None:
    promises = promised(export, durable=0)
    gone = export.rows.pop(3)
    export.rows[4]["ei_wh"] = "7"
    lines = broken(export, promises)
    assert len(lines) == 2
    assert f"seq {gone['seq']}: was (5000, 0), is None" in lines[0]
    assert "is (7, 0)" in lines[1]


def test_a_durable_sample_that_never_came_is_named(export: Export) -> None:
    lost = export.rows.pop(3)
    promises = promised(export, durable=5)
    (line,) = broken(export, promises)
    assert f"durable seqs {lost['seq']} .. {lost['seq']}, 1 lost" in line


def test_a_gap_declared_only_later_does_not_excuse_what_was_durable(export: Export) -> None:
    # Seq 7 is inside the gap that seq 1024 declares: nobody may have called it durable before.
    (line,) = broken(export, promised(export, durable=7))
    assert "durable seqs 7 .. 7, 1 lost" in line


def test_bytes_that_are_no_sample_are_an_error(export: Export) -> None:
    promises = promised(export, durable=3)
    export.rows[0]["raw"] = "00"
    with pytest.raises(RunError, match="no sample"):
        broken(export, promises)
