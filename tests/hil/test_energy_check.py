"""The energy check passes what is right and names what is wrong, whatever is wrong."""

import ast
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import ecdsa
import pytest
from wattle_hil.energy_check.__main__ import CANNOT_CHECK, FAILED, PASSED, main
from wattle_testkit.ledger_export import START_MS, Export, Meter

PACKAGE = Path(sys.modules[main.__module__].__file__ or "").parent
# Steps of kW within a second, and a stretch of export; not a whole number of Wh.
WATTS = [1_700] * 20 + [7_900] * 10 + [0] * 5 + [2_345] * 15
N = int(ecdsa.NIST256p.order)


@pytest.fixture
def export(tmp_path: Path) -> Export:
    made = Export(tmp_path, WATTS)
    made.sign_all()
    return made


def outcome(export: Export, capsys: pytest.CaptureFixture[str], **point: object) -> tuple[int, str]:
    code = main(export.write(**point))
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def test_a_sound_export_passes(export: Export, capsys: pytest.CaptureFixture[str]) -> None:
    code, printed = outcome(export, capsys)
    assert (code, printed.splitlines()[-1]) == (PASSED, "passed")
    exact_wh = sum(WATTS) / 3_600
    assert f"ei: ledger {int(exact_wh)} Wh, curve {exact_wh:.6f} Wh" in printed
    assert "55 signatures verified" in printed


def test_a_restart_that_the_meter_declared_passes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = Export(tmp_path, WATTS)
    export.sign_all(restart_at=20)
    code, printed = outcome(export, capsys)
    assert code == PASSED
    assert "1 restarts with 5 slots unread" in printed


def drop_one(export: Export) -> None:
    del export.rows[25]


def drop_the_last(export: Export) -> None:
    del export.rows[-1]


def drop_the_first(export: Export) -> None:
    del export.rows[0]


def shift_one_wh(export: Export) -> None:
    export.rows[25]["ei_wh"] = str(int(export.rows[25]["ei_wh"]) + 1)


def swap_two_values(export: Export) -> None:
    one, other = export.rows[22], export.rows[27]
    one["ei_wh"], other["ei_wh"] = other["ei_wh"], one["ei_wh"]


def swap_two_samples(export: Export) -> None:
    one, other = export.rows[22], export.rows[23]
    one["raw"], other["raw"] = other["raw"], one["raw"]


def swap_two_rows(export: Export) -> None:
    export.rows[22], export.rows[23] = export.rows[23], export.rows[22]


def double_one(export: Export) -> None:
    export.rows.insert(26, dict(export.rows[25]))


def double_one_under_the_next_seq(export: Export) -> None:
    export.rows.append(export.rows[-1] | {"seq": str(int(export.rows[-1]["seq"]) + 1)})


def move_one_in_time(export: Export) -> None:
    export.rows[25]["time_ms"] = str(int(export.rows[25]["time_ms"]) + 1_000)


def leave_out_a_value(export: Export) -> None:
    export.rows[25]["p_w"] = ""


def break_a_signature(export: Export) -> None:
    raw = bytearray.fromhex(export.rows[25]["raw"])
    raw[-1] ^= 1
    export.rows[25]["raw"] = raw.hex()


def mirror_a_signature(export: Export) -> None:
    """The other valid ECDSA signature of the same bytes: s = n - s."""
    raw = bytes.fromhex(export.rows[25]["raw"])
    s = N - int.from_bytes(raw[-32:], "big")
    export.rows[25]["raw"] = (raw[:-32] + s.to_bytes(32, "big")).hex()


def sign_by_another_meter(export: Export) -> None:
    other = Export(export.folder, export.watts, Meter("another"))
    other.sign_all()
    export.rows[25]["raw"] = other.rows[25]["raw"]


def change_signed_bytes_too(export: Export) -> None:
    """A gateway that rewrites row and bytes alike cannot rewrite the signature."""
    row = export.rows[25]
    old, new = int(row["ei_wh"]), int(row["ei_wh"]) + 1
    # CBOR unsigned integers of two bytes: 19 hh ll
    row["raw"] = row["raw"].replace(f"19{old:04x}", f"19{new:04x}")
    row["ei_wh"] = str(new)


def fork_one_seq(export: Export) -> None:
    other = Export(export.folder, [watts + 3_600 for watts in export.watts])
    other.sign_all()
    export.rows.insert(26, other.rows[25])


@pytest.mark.parametrize(
    ("break_it", "rule"),
    [
        (drop_one, "chain: "),
        (drop_the_last, "slots: "),
        (drop_the_first, "chain: "),
        (shift_one_wh, "row: "),
        (swap_two_values, "row: "),
        (swap_two_samples, "row: "),
        (swap_two_rows, "chain: "),
        (double_one, "row: "),
        (double_one_under_the_next_seq, "chain: "),
        (move_one_in_time, "row: "),
        (leave_out_a_value, "row: "),
        (break_a_signature, "signature: "),
        (mirror_a_signature, "signature: "),
        (sign_by_another_meter, "signature: "),
        (change_signed_bytes_too, "signature: "),
        (fork_one_seq, "chain: "),
    ],
)
def test_what_a_wrong_gateway_does_is_named(
    export: Export,
    capsys: pytest.CaptureFixture[str],
    break_it: Callable[[Export], None],
    rule: str,
) -> None:
    break_it(export)
    code, printed = outcome(export, capsys)
    assert code == FAILED
    assert any(line.startswith(rule) for line in printed.splitlines()), printed


def test_one_sample_in_a_thousand_is_missed_by_seq_and_by_slot(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = Export(tmp_path, [360] * 1_000)
    export.sign_all()
    del export.rows[700]
    code, printed = outcome(export, capsys)
    assert code == FAILED
    meter = export.meter.kid.hex()
    assert f"chain: {meter} seq 702: expected samples 701 to 701, found none" in printed
    assert f"slots: {meter}/1 seq 702" in printed


@pytest.mark.parametrize("shift_wh", [2, -2])
def test_a_meter_that_signs_another_energy_is_caught_in_the_middle(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], shift_wh: int
) -> None:
    class Shifted(Export):
        def counter_wh(self, at_ms: int) -> int:
            return super().counter_wh(at_ms) + (shift_wh if at_ms == START_MS + 40_000 else 0)

    export = Shifted(tmp_path, WATTS)
    export.sign_all()
    code, printed = outcome(export, capsys)
    assert code == FAILED
    assert f"energy: {export.meter.kid.hex()}/1 seq 43 at 2023-11-14T22:14:00.000Z" in printed


def test_one_wh_too_much_over_the_whole_curve_fails_the_integral(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Generous(Export):
        def counter_wh(self, at_ms: int) -> int:
            return super().counter_wh(at_ms) + (1 if at_ms > START_MS + 40_000 else 0)

    export = Generous(tmp_path, [720] * 50)
    export.sign_all()
    code, printed = outcome(export, capsys)
    assert code == FAILED
    assert "\nintegral: " in printed
    # Within the resolution at each single reading, so only the whole shows it.
    assert "\nenergy: " not in printed


def test_how_late_readings_were_taken_is_seen_and_limited(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class Late(Export):
        def counter_wh(self, at_ms: int) -> int:
            return super().counter_wh(at_ms + 1_000)

    export = Late(tmp_path, [7_200] * 50)
    export.sign_all()
    path = export.folder / "result.json"
    assert main([*export.write(lateness_ms=2_000), "--json", str(path)]) == PASSED
    # 2 Wh a second and a register of 1 Wh: the second shows to the half.
    assert 500 <= json.loads(path.read_text())["points"][0]["latest_ms"] <= 1_000
    code, printed = outcome(export, capsys, lateness_ms=100)
    assert code == FAILED
    assert "energy: " in printed


def test_the_curve_in_another_unit_fails(
    export: Export, capsys: pytest.CaptureFixture[str]
) -> None:
    code, printed = outcome(export, capsys, unit="kW")
    assert code == FAILED
    assert "integral: " in printed
    assert "energy: " in printed


def test_samples_for_another_ledger_fail(
    export: Export, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = export.write()
    points = json.loads((export.folder / "points.json").read_text())
    points["ledger_id"] = "00" * 16
    (export.folder / "points.json").write_text(json.dumps(points))
    assert main(arguments) == FAILED
    printed = capsys.readouterr().out
    assert printed.count("signature: ") == 6
    assert "signature: and 50 more" in printed


def test_a_gap_that_no_restart_explains_leaves_slots_open(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    export = Export(tmp_path, WATTS)
    export.sign_all(restart_at=20)
    code, printed = outcome(export, capsys, until_ms=START_MS + 10**6)
    assert code == FAILED
    assert "slots: " in printed


def test_the_result_is_written_as_json(export: Export, capsys: pytest.CaptureFixture[str]) -> None:
    drop_one(export)
    path = export.folder / "result.json"
    assert main([*export.write(), "--json", str(path)]) == FAILED
    result = json.loads(path.read_text())
    assert not result["passed"]
    assert result["counts"]["samples"] == 54
    assert result["points"][0]["counted_wh"] == {"ei": sum(WATTS) // 3_600, "ee": 0}


def test_a_partial_verification_says_so(export: Export, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*export.write(), "--every", "10"]) == PASSED
    assert "NOT EVERY SIGNATURE WAS VERIFIED" in capsys.readouterr().out


@pytest.mark.parametrize(
    "point",
    [{"curve": "absent.csv"}, {"unit": "MW"}, {"time": "nowhen"}, {"meter": "00" * 8}, {"more": 1}],
)
def test_input_that_allows_no_check_is_said_so(
    export: Export, capsys: pytest.CaptureFixture[str], point: dict[str, object]
) -> None:
    code, printed = outcome(export, capsys, **point)
    assert code == CANNOT_CHECK
    assert printed.startswith("cannot check: ")


def test_none_of_our_own_code_is_imported() -> None:
    allowed = sys.stdlib_module_names | {"cbor2", "ecdsa"}
    seen = set()
    for path in sorted(PACKAGE.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                seen |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                seen.add((node.module or "").partition(".")[0])
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 1, path
    assert {"cbor2", "ecdsa"} <= seen <= allowed


def test_the_folder_runs_by_itself_away_from_the_project(export: Export) -> None:
    (export.folder / "alone").mkdir()
    copied = export.folder / "alone" / "energy_check"
    copied.mkdir()
    for path in PACKAGE.glob("*.py"):
        (copied / path.name).write_bytes(path.read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "energy_check", *export.write()],
        cwd=copied.parent,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (PASSED, "passed"), done.stderr
