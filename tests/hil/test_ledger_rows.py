"""The ledger's readings as views and reports take them: whole files, and files that grow."""

from pathlib import Path

import pytest
from wattle_hil.errors import RunError
from wattle_hil.runs.ledger_rows import read_first_seqs, read_rows
from wattle_hil.runs.ledger_tail import LedgerTail
from wattle_testkit.ledger_export import FIRST_SEQ, START_MS, Export


@pytest.fixture
def export(tmp_path: Path) -> Export:
    made = Export(tmp_path, [3_600] * 5)
    made.sign_all()
    return made


def test_a_row_has_numbers_and_what_could_not_be_read_is_none(export: Export) -> None:
    export.rows[1] |= {"st": "T", "ei_wh": "T", "ee_wh": "T", "p_w": "T", "classes": "late failed"}
    export.write()
    rows = list(read_rows(export.folder / "samples.csv"))
    assert len(rows) == len(export.rows)
    assert (rows[0].seq, rows[0].time_ms) == (FIRST_SEQ, START_MS - 2_000)
    assert (rows[0].import_wh, rows[0].export_wh, rows[0].power_dw) == (5_000, 0, 36_000)
    assert rows[0].raw == bytes.fromhex(export.rows[0]["raw"])
    assert (rows[1].import_wh, rows[1].export_wh, rows[1].power_dw) == (None, None, None)
    assert (rows[1].status, rows[1].classes) == ("T", ("late", "failed"))
    assert read_first_seqs(export.folder / "meters.csv") == {export.meter.kid.hex(): FIRST_SEQ}


def test_other_files_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.csv"
    other.write_text("meter,seq\na,1\n", encoding="utf-8")
    for path in (other, tmp_path / "absent.csv"):
        with pytest.raises(RunError, match="is not an export"):
            list(read_rows(path))
        with pytest.raises(RunError, match="is not a list"):
            read_first_seqs(path)


def test_a_growing_file_gives_each_row_once_whatever_the_pieces(export: Export) -> None:
    export.rows[2]["classes"] = "late"
    export.write()
    whole = (export.folder / "samples.csv").read_bytes()
    grown = export.folder / "grown.csv"
    tail = LedgerTail(grown)
    assert tail.read_new() == []
    taken = []
    for end in range(0, len(whole) + 97, 97):
        grown.write_bytes(whole[:end])
        taken += tail.read_new()
    assert taken == list(read_rows(export.folder / "samples.csv"))
    point = (export.meter.kid.hex(), 1)
    assert tail.samples == tail.points[point].readings == len(export.rows)
    assert tail.points[point].newest == taken[-1]
    assert tail.points[point].classes == {"late": 1}
    assert tail.commit == len(export.rows)


def test_all_points_must_have_come_so_far(export: Export) -> None:
    export.write()
    tail = LedgerTail(export.folder / "samples.csv")
    tail.read_new()
    here, last_ms = (export.meter.kid.hex(), 1), int(export.rows[-1]["time_ms"])
    assert tail.has_all([here], last_ms)
    assert not tail.has_all([here], last_ms + 1)
    assert not tail.has_all([here, (here[0], 2)], 0)
