"""Backups of gateways that run, as processes: what is in them is of one moment, and goes on."""

import json
import shutil
import sqlite3
import threading
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from wattle_gateway.store import connection, database_copy, schema
from wattle_testkit.alliance_commands import approve, await_asking, said, show
from wattle_testkit.alliance_processes import AllianceProcesses
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.waiting import until

LEDGER_ID = bytes(32)
COPIES = 5
DEADLINE_S = 60.0


def test_a_copy_is_of_one_moment_while_somebody_writes(tmp_path: Path) -> None:
    """Every write puts a row into two tables; no copy has one without the other."""
    path = tmp_path / "ledger.db"
    connection.create_ledger(path, LEDGER_ID)
    ended = threading.Event()
    written = threading.Event()

    def write() -> None:
        number = 0
        with closing(connection.open_writer(path, schema.LEDGER, LEDGER_ID)) as writer:
            writer.execute("PRAGMA synchronous = OFF")
            while not ended.is_set():
                number += 1
                with connection.transaction(writer):
                    row = (number, bytes(2000))
                    writer.execute("INSERT INTO tiles VALUES (?, ?)", row)
                    writer.execute("INSERT INTO checkpoints VALUES (?, ?)", row)
                written.set()

    thread = threading.Thread(target=write)
    thread.start()
    counts = []
    try:
        for number in range(COPIES):
            written.clear()
            assert written.wait(20)
            copy = tmp_path / f"copy{number}.db"
            database_copy.copy(path, schema.LEDGER, LEDGER_ID, copy)
            with closing(connection.open_reader(copy, schema.LEDGER, LEDGER_ID)) as reader:
                (tiles,) = reader.execute("SELECT max(tile) FROM tiles").fetchone()
                (notes,) = reader.execute("SELECT max(commit_index) FROM checkpoints").fetchone()
            assert tiles == notes
            counts.append(tiles)
    finally:
        ended.set()
        thread.join()
    assert counts == sorted(set(counts))


@pytest.mark.slow
def test_one_alone_goes_on_from_its_backup(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path / "gateway")
    file, back = tmp_path / "backup.tar", tmp_path / "back"
    gateway.start()
    try:
        gateway.enrol(gateway.board("before"))
        done = command("backup", gateway.folder, "--output", file, "--format", "json")
        assert done.returncode == 0, done.stderr
        made = json.loads(done.stdout)
        gateway.enrol(gateway.board("after"))
        assert gateway.status()["commit"] > made["commit"]
    finally:
        gateway.kill()
    assert command("restore", file, back).returncode == 14
    assert command("restore", file, back, "--alone").returncode == 0
    restored = GatewayProcess(back, port=gateway.port)
    with closing(sqlite3.connect(restored.home.database)) as reader:
        assert reader.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    stood = restored.status()
    assert (stood["commit"], stood["commit_digest"]) == (made["commit"], made["commit_digest"])
    assert len(stood["meters"]) == 1
    restored.start()
    try:
        restored.enrol(restored.board("again"))
        assert len(restored.status()["meters"]) == 2
        assert command("audit", back).returncode == 0
    finally:
        restored.kill()


def consensus(gateway: GatewayProcess) -> dict[str, Any]:
    """Where a running gateway's engine stands."""
    found: dict[str, Any] = gateway.status()["live"]["consensus"]
    return found


def waiting_change(gateway: GatewayProcess) -> str:
    """The digest of the one change that waits, once the gateway has it."""
    until(lambda: len(show(gateway)["changes"]) == 1, DEADLINE_S, "one change waits")
    digest: str = show(gateway)["changes"][0]["digest"]
    return digest


def approve_the_change(*gateways: GatewayProcess) -> None:
    """The one change that waits, by all of these."""
    for gateway in gateways:
        approve(gateway, waiting_change(gateway))


@pytest.mark.slow
def test_one_of_four_comes_back_and_signs_after_the_members_have_changed(tmp_path: Path) -> None:
    alliance = AllianceProcesses(tmp_path / "alliance")
    first, old, third, fourth = alliance
    alliance.start()
    try:
        first.enrol(alliance.board("before"))
        file = tmp_path / "backup.tar"
        assert command("backup", old.folder, "--output", file).returncode == 0
        old.enrol(alliance.board("since"))
        assert consensus(old)["own_round"] > 0
        old.kill()
        shutil.rmtree(old.folder)
        assert command("restore", file, old.folder).returncode == 0
        old.start()
        alliance.await_linked(alliance.gateways)
        first.enrol(alliance.board("after"))
        alliance.await_same_head(first.status()["commit"])
        assert len(old.status()["meters"]) == 3
        assert not consensus(old)["signing"]
        assert "signs nothing" in " ".join(command("status", old.folder).stdout.split())
        assert command("audit", old.folder, "--compare", first.folder).returncode == 0
        # What the README says ends it: suspended, and taken back.
        said("alliance", "leave", first.folder, "--member", "gateway-2")
        approve_the_change(third, fourth)
        await_asking(first, ["gateway-2"])
        approve(first, "gateway-2")
        approve_the_change(third, fourth)
        until(lambda: consensus(old)["signing"], DEADLINE_S, f"it signs again; {old.log}")
        old.enrol(alliance.board("again"))
        assert not any(consensus(gateway)["twins"] for gateway in alliance)
    finally:
        alliance.kill()
