"""A sealed gateway that archives, is backed up, restored, began with a snapshot, or gives one: its
answers are those of one that did none of it."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Literal

import pytest
from wattle_gateway.archive import mover
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.account_bodies import Issue, Register
from wattle_testkit import sealed_folder
from wattle_testkit.account_ledger import User
from wattle_testkit.gateway_process import command
from wattle_testkit.home_alliance import DAY_MS, ENERGY_WH, HomeAlliance

DAYS = 3
SAMPLES_A_DAY = 3
# Of the newest, so few that a short life has something to archive.
COMMITS_KEPT = 4
ORDERS: tuple[Literal["big", "little"], ...] = ("big", "little")
USER = User("Mrs Miller of the mill by the brook")


@pytest.fixture(scope="module")
def alliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[HomeAlliance]:
    """ann alone votes; the watcher began with a snapshot, the newcomer has the genesis only. Both
    with a ledger have archived all but the last day."""
    folder = tmp_path_factory.mktemp("sealed")
    assert command("keys", "make", folder / "key").returncode == 0
    source = f"file:{folder / 'key'}"
    made = HomeAlliance(folder, "ann", observers=("watcher", "newcomer"), storage_key=source)
    made.cut("watcher")
    made.cut("newcomer")
    body = Issue("CNY", 2, made.members["ann"].kid, 500).row()
    made.transact("ann", transaction.ISSUE, body)
    made.run(1000)
    word = USER.word(made.epoch, made.members["ann"].party)
    made.transact("ann", transaction.REGISTER, Register(word).row())
    made.run(1000)
    made.live("ann", 1, SAMPLES_A_DAY)
    begin(made, "watcher", snapshot_of(made, "ann"))
    made.heal()
    made.cut("newcomer")
    made.transact("ann", transaction.ISSUE, Issue("CNY", 2, made.members["ann"].kid, 25).row())
    made.run(1000)
    made.live("ann", DAYS - 1, SAMPLES_A_DAY)
    assert len({made[name].head for name in ("ann", "watcher")}) == 1
    patched = pytest.MonkeyPatch()
    patched.setattr(mover, "COMMITS_KEPT", COMMITS_KEPT)
    for name in ("ann", "watcher"):
        done = command("archive", "now", made.homes[name].folder, "--days", "1")
        assert done.returncode == 0, done.stderr
    yield made
    made.close()
    patched.undo()


def snapshot_of(alliance: HomeAlliance, name: str) -> Path:
    file = alliance.folder / f"{name}.snapshot"
    done = command("snapshot", "export", alliance.homes[name].folder, file)
    assert done.returncode == 0, done.stderr
    return file


def begin(alliance: HomeAlliance, name: str, file: Path) -> None:
    alliance.kill(name)
    done = command("snapshot", "begin", alliance.homes[name].folder, file)
    assert done.returncode == 0, (done.stdout, done.stderr)
    alliance.start(name)


def said(home: GatewayHome, *words: str) -> Any:
    group, *more = words
    return json.loads(printed(group, *more[:1], home.folder, *more[1:], "--format", "json"))


def printed(*words: str | Path) -> str:
    done = command(*words)
    assert done.returncode == 0, (words, done.stdout, done.stderr)
    return done.stdout


def answers(alliance: HomeAlliance, home: GatewayHome) -> dict[str, Any]:
    """What it says of the ledger to those who ask; nothing that is its own affair."""
    point = f"{alliance.board.kid.hex()}/1"
    # From the second day on, which the watcher has.
    times = [one.sample.readings[0].time_ms for one in alliance.samples]
    ends = (min(times) - min(times) % DAY_MS + DAY_MS, max(times) + 1000)
    period = ("--from", str(ends[0]), "--to", str(ends[1]))
    seconds = ("--from", str(ends[0] // 1000), "--to", str(ends[1] // 1000))
    audit = said(home, "audit")
    status = said(home, "status")
    found = {
        "samples": printed("samples", home.folder, *period, "--format", "csv"),
        "energy": printed("energy", home.folder, point, *period, "--format", "csv"),
        "voucher": printed("voucher", home.folder, point, *seconds, "--format", "json"),
        "statement": printed(
            "account",
            "statement",
            home.folder,
            "ann",
            "--asset",
            "CNY",
            *seconds,
            "--format",
            "json",
        ),
        "supervision": printed("supervise", "report", home.folder, *seconds, "--format", "json"),
        "meters": said(home, "meters", "list"),
        "parties": said(home, "party", "list"),
        "accounts": said(home, "account", "show"),
        "audit": [audit[key] for key in ("root", "state_digest")],
        "status": [status[key] for key in ("ledger_id", "leaves", "root")],
    }
    assert found["samples"].count("\n") > (DAYS - 1) * SAMPLES_A_DAY
    assert not [what for what, answer in found.items() if not answer]
    return found


def restored(alliance: HomeAlliance, name: str, folder: Path) -> GatewayHome:
    """Of a backup, in a folder beside the original."""
    file = folder / f"{name}.tar"
    done = command("backup", alliance.homes[name].folder, "--output", file)
    assert done.returncode == 0, done.stderr
    assert f"NOT IN IT     the archive in ../archive.{name}" in done.stdout
    copy = alliance.folder / f"{name}-again"
    done = command("restore", file, copy)
    assert done.returncode == 0, done.stderr
    return GatewayHome(copy)


@pytest.fixture(scope="module")
def said_by(alliance: HomeAlliance) -> dict[str, dict[str, Any]]:
    return {name: answers(alliance, alliance.homes[name]) for name in ("ann", "watcher")}


def test_both_say_the_same_of_what_both_have(
    alliance: HomeAlliance, said_by: dict[str, dict[str, Any]]
) -> None:
    # What came before the snapshot only one of them has: the enrolment that a voucher rests on,
    # the first samples of the meter.
    same = (
        "samples",
        "energy",
        "statement",
        "supervision",
        "parties",
        "accounts",
        "audit",
        "status",
    )
    for what in same:
        assert said_by["ann"][what] == said_by["watcher"][what], what
    folders = [alliance.homes[name].folder for name in ("ann", "watcher")]
    assert command("audit", folders[0], "--compare", folders[1]).returncode == 0
    for home in (alliance.homes[name] for name in ("ann", "watcher")):
        assert said(home, "archive", "status")["gone"]["samples"] >= SAMPLES_A_DAY


def test_restored_it_says_what_the_original_does(
    alliance: HomeAlliance, tmp_path: Path, said_by: dict[str, dict[str, Any]]
) -> None:
    home = restored(alliance, "watcher", tmp_path)
    assert answers(alliance, home) == said_by["watcher"]
    assert said(home, "archive", "verify")["ok"]
    doctor = command("doctor", home.folder).stdout
    assert "sealed; data key 2 has 0 % of its seals" in doctor
    assert "PROBLEM" not in doctor
    shutil.rmtree(home.folder)


def test_it_is_said_where_a_restored_one_looks_for_its_archive(
    alliance: HomeAlliance, tmp_path: Path
) -> None:
    file = tmp_path / "ann.tar"
    assert command("backup", alliance.homes["ann"].folder, "--output", file).returncode == 0
    done = command("restore", file, tmp_path / "elsewhere" / "ann", "--alone")
    assert f"old days are in {tmp_path / 'elsewhere' / 'archive.ann'}" in done.stdout
    said_by_doctor = command("doctor", tmp_path / "elsewhere" / "ann").stdout
    assert "PROBLEM   archive " in said_by_doctor
    assert "archive.ann: no such folder" in said_by_doctor
    done = command("samples", tmp_path / "elsewhere" / "ann")
    assert done.returncode == 18
    assert "archive.ann: no such folder" in done.stderr


def test_a_copied_disk_gives_nothing(alliance: HomeAlliance) -> None:
    """What lies in the folders and archives of all; the snapshots are not on that disk."""
    board = alliance.board
    secret = [one.raw for one in alliance.samples] + [board.signing_key, board.proof()]
    # The meter and its serial number, as bytes and as they are written.
    secret += [form for name in (board.kid, board.eui64) for form in (name, name.hex().encode())]
    registers = [ENERGY_WH + 7 * one.sample.seq for one in alliance.samples]
    assert registers[0].to_bytes(8, "big") in alliance.samples[0].raw
    # As samples have them (CBOR), as Parquet would, as a report prints them.
    secret += [value.to_bytes(8, order) for value in registers for order in ORDERS]
    secret += [str(value).encode() for value in registers]
    secret += [USER.name.encode(), USER.key]
    for path in (path for path in alliance.folder.iterdir() if path.is_dir()):
        assert sealed_folder.holding(path, *secret) == [], path


def test_a_snapshot_of_what_has_archived_begins_another(
    alliance: HomeAlliance, tmp_path: Path
) -> None:
    file = snapshot_of(alliance, "watcher")
    assert said(alliance.homes["ann"], "snapshot", "verify", str(file))["ok"]
    begin(alliance, "newcomer", file)
    alliance.heal()
    alliance.live("ann", 1, SAMPLES_A_DAY)
    assert len(alliance.heads()) == 1
    home = alliance.homes["newcomer"]
    assert said(home, "audit")["ok"]
    done = command("archive", "now", home.folder, "--days", "1")
    assert done.returncode == 0, done.stderr
    assert said(home, "audit")["ok"]
    rows = said(home, "samples")
    assert {row["seq"] for row in rows} <= {one.sample.seq for one in alliance.samples}
    assert rows[-1]["seq"] == len(alliance.samples)


def test_repaired_it_fetches_what_it_has_lost(alliance: HomeAlliance) -> None:
    """From the only member, who could not have been repaired so."""
    alliance.kill("watcher")
    home = alliance.homes["watcher"]
    with closing(sqlite3.connect(home.database)) as connection, connection:
        connection.execute("DELETE FROM entries WHERE id = (SELECT max(id) FROM entries)")
    assert command("audit", home.folder).returncode == 1
    done = command("repair", home.folder)
    assert done.returncode == 0, done.stderr
    assert said(home, "audit")["ok"]
    alliance.start("watcher")
    alliance.live("ann", 1, SAMPLES_A_DAY)
    assert len({alliance[name].head for name in ("ann", "watcher")}) == 1
    assert said(home, "audit")["ok"]
    assert said(home, "archive", "verify")["ok"]
    assert said(home, "samples")[-1]["seq"] == len(alliance.samples)
    # What was set aside is as sealed as what took its place.
    assert sealed_folder.holding(home.folder, *(one.raw for one in alliance.samples)) == []
