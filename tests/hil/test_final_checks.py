"""What gateways answer becomes checks; what they do not answer is no pass."""

import json
from pathlib import Path

import pytest
from wattle_hil.errors import ProcessError
from wattle_hil.runs.final_checks import (
    check_all_complete,
    check_audit,
    check_audits,
    check_complete,
    check_energy,
    check_same_ledger,
    export,
)
from wattle_hil.runs.folder import RunFolder
from wattle_hil.runs.gateway_control import GatewayControl
from wattle_testkit.ledger_export import Export


def gateway(folder: Path, script: str) -> GatewayControl:
    """A gateway command that is a shell script; $1 is the command, its folder follows."""
    program = folder / "gateway.sh"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o755)
    (folder / "gateway").mkdir(exist_ok=True)
    return GatewayControl((str(program),), folder / "gateway")


def test_the_folder_stands_behind_the_command_and_its_own_command(tmp_path: Path) -> None:
    control = gateway(tmp_path, 'echo "$@"')
    place = str(tmp_path / "gateway")
    assert control.call("status", "--format", "json").split()[:2] == ["status", place]
    assert control.call("meters", "list", "-x").split() == ["meters", "list", place, "-x"]


@pytest.mark.parametrize(
    ("script", "passed", "detail"),
    [
        ("echo every byte is accounted for", True, "every byte is accounted for"),
        ("echo leaf 12 differs; exit 1", False, "leaf 12 differs"),
        ("echo no such ledger >&2; exit 2", None, "no such ledger"),
        ("echo Traceback >&2; exit 1", None, "Traceback"),
    ],
)
def test_an_audit_passes_fails_or_was_not_made(
    tmp_path: Path, script: str, passed: bool | None, detail: str
) -> None:
    check = check_audit(gateway(tmp_path, script))
    assert (check.passed, check.detail) == (passed, detail)


@pytest.mark.parametrize(
    ("pool", "waiting", "final", "passed"),
    [(0, 0, 9, True), (1, 0, 9, False), (0, 2, 9, False), (0, 0, 8, False)],
)
def test_everything_is_final_or_what_is_not_is_named(
    tmp_path: Path, pool: int, waiting: int, final: int, passed: bool
) -> None:
    meter = {"meter": "ab12", "final": final, "last_seq": 9, "waiting": waiting}
    status = json.dumps({"commit": 3, "pool": pool, "meters": [meter]})
    check = check_complete(gateway(tmp_path, f"echo '{status}'"))
    assert check.passed is passed
    assert ("ab12: final" in check.detail) is (bool(waiting) or final != 9)


def alliance(folder: Path, *scripts: str) -> dict[str, GatewayControl]:
    """Gateways as `gateway` makes them, by name."""
    made = {}
    for number, script in enumerate(scripts, 1):
        (folder / str(number)).mkdir()
        made[f"bench-{number}"] = gateway(folder / str(number), script)
    return made


@pytest.mark.parametrize(
    ("second", "passed"), [("echo sound", True), ("echo bad; exit 1", False), ("exit 2", None)]
)
def test_every_audit_of_an_alliance_counts(
    tmp_path: Path, second: str, passed: bool | None
) -> None:
    check = check_audits(alliance(tmp_path, "echo sound", second))
    assert check.passed is passed
    assert ("bench-2" in check.detail) is not (passed is True)


def test_ledgers_are_one_only_if_commit_root_and_state_are(tmp_path: Path) -> None:
    head = {"commit": 3, "commit_digest": "aa", "root": "bb", "state_digest": "cc"}
    said = f"echo '{json.dumps(head)}'"
    for name in ("same", "seen"):
        (tmp_path / name).mkdir()
    assert check_same_ledger(alliance(tmp_path / "same", said, said)).passed
    check = check_same_ledger(alliance(tmp_path / "seen", said, said), [2])
    assert check.passed is False
    assert check.detail.endswith("commit 2 was shown with different digests")
    for part in head:
        other = f"echo '{json.dumps(head | {part: 'dd'})}'"
        (tmp_path / part).mkdir()
        check = check_same_ledger(alliance(tmp_path / part, said, said, other))
        assert check.passed is False
        assert check.detail.startswith("2 different ledgers")


def test_what_meters_were_promised_must_be_final_on_every_gateway(tmp_path: Path) -> None:
    def says(final: int) -> str:
        meter = {"meter": "ab12", "final": final, "last_seq": final, "waiting": 0}
        return f"echo '{json.dumps({'commit': 3, 'pool': 0, 'meters': [meter]})}'"

    controls = alliance(tmp_path, says(9), says(8))
    assert check_all_complete(controls).passed
    assert check_all_complete(controls, {"ab12": 8}).passed
    check = check_all_complete(controls, {"ab12": 9})
    assert check.passed is False
    assert "bench-2: 1 meters, 3 commits, pool 0\nab12: final 8" in check.detail


def test_a_gateway_that_says_nothing_useful_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ProcessError, match="status is not JSON"):
        gateway(tmp_path, "echo hello").status()
    with pytest.raises(ProcessError, match="ended with exit code 9: disk full"):
        export(gateway(tmp_path, "echo disk full >&2; exit 9"), RunFolder(tmp_path))
    assert gateway(tmp_path, "true").live() == {}


def test_the_energy_check_runs_as_a_program(tmp_path: Path) -> None:
    made = Export(tmp_path, [3_600] * 10)
    made.sign_all()
    made.write()
    folder = RunFolder(tmp_path)
    check = check_energy(folder)
    assert check.passed
    assert check.detail.startswith("1 points, 1 with their whole curve: 15 samples")
    made.rows.pop(4)
    made.write()
    assert check_energy(folder).passed is False
    folder.meters.unlink()
    assert check_energy(folder).passed is None
