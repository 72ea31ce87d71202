"""audit --compare and repair, as an operator meets them."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from wattle_testkit.alliance_processes import AllianceProcesses
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.waiting import until

DEADLINE_S = 60.0


def alter(gateway: GatewayProcess, statement: str) -> None:
    """Change rows of a stopped gateway's ledger behind its back."""
    with closing(sqlite3.connect(gateway.home.database)) as database:
        assert database.execute(statement).rowcount > 0
        database.commit()


@pytest.fixture(scope="module")
def alliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AllianceProcesses]:
    """Four members, some commits each; stopped."""
    made = AllianceProcesses(tmp_path_factory.mktemp("alliance"))
    try:
        made.start()
        made[0].enrol(made.board("meter"))
        made.await_same_head(1)
        for gateway in made:
            assert gateway.stop() == 0
        yield made
    finally:
        made.kill()


def test_members_have_the_same_ledger(alliance: AllianceProcesses) -> None:
    first, second, *_ = alliance
    done = command("audit", first.folder, "--compare", second.folder)
    assert done.returncode == 0, done.stdout
    assert "has the same" in done.stdout
    report = json.loads(
        command("audit", first.folder, "--compare", second.folder, "--format", "json").stdout
    )
    assert report["ok"]
    assert report["comparison"]["difference"] is None


def test_the_first_difference_is_named(alliance: AllianceProcesses, tmp_path: Path) -> None:
    first, *_ = alliance
    copy = GatewayProcess(tmp_path / "copy", port=first.port)
    shutil.copytree(first.folder, copy.folder)
    alter(copy, "UPDATE leaves SET verdict = 99")
    done = command("audit", first.folder, "--compare", copy.folder)
    assert done.returncode == 1
    assert f"DIFFERENCE    from {copy.folder}: table leaves, commit " in done.stdout
    other = GatewayProcess(tmp_path / "other")
    done = command("audit", first.folder, "--compare", other.folder)
    assert done.returncode == 1
    assert "they are of two ledgers" in done.stdout


def test_with_no_gateways_folder_it_cannot_run(alliance: AllianceProcesses, tmp_path: Path) -> None:
    done = command("audit", alliance[0].folder, "--compare", tmp_path)
    assert done.returncode == 2
    assert "is not a gateway's folder" in done.stderr


def test_a_sound_ledger_is_left_alone(alliance: AllianceProcesses) -> None:
    before = alliance[1].home.database.read_bytes()
    done = command("repair", alliance[1].folder)
    assert (done.returncode, done.stdout) == (0, "nothing is wrong with it\n")
    assert alliance[1].home.database.read_bytes() == before


def test_a_damaged_one_is_mended_and_filled_by_the_others(alliance: AllianceProcesses) -> None:
    *others, broken = alliance
    alter(broken, "UPDATE entries SET body = zeroblob(length(body))")
    done = command("audit", broken.folder)
    assert done.returncode == 1
    assert "DIFFERENCE" in done.stdout
    row = json.loads(command("repair", broken.folder, "--format", "json").stdout)
    assert row["repaired"]
    assert row["difference"]
    assert row["left_out"] > 0
    assert Path(row["damaged_file"]).is_file()
    alliance.start()
    assert command("repair", broken.folder).returncode == 6, "not beside a running gateway"
    alliance.await_same_head(1)
    until(lambda: broken.ask("live")["live"]["consensus"]["signing"], DEADLINE_S, "it signs again")
    for gateway in alliance:
        gateway.stop()
    done = command("audit", broken.folder, "--compare", others[0].folder)
    assert done.returncode == 0, done.stdout
    assert "has the same" in done.stdout


def test_alone_nobody_has_what_is_lost(tmp_path: Path) -> None:
    alone = GatewayProcess(tmp_path / "alone")
    alone.start()
    alone.enrol(alone.board("meter"))
    alone.stop()
    alter(alone, "DELETE FROM entries")
    done = command("repair", alone.folder)
    assert done.returncode == 9
    assert "nobody else has them" in done.stderr
    assert done.stderr.count("\n") == 1
