"""Rows that were altered in a stopped gateway's database: named, put right, the heads are equal."""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from wattle_testkit.alliance import reading
from wattle_testkit.alliance_processes import AllianceProcesses
from wattle_testkit.alliance_story import audited, newest_round, rounds_move, visitor
from wattle_testkit.gateway_process import GatewayProcess, command

pytestmark = pytest.mark.slow

BEGIN_MS = 1_800_000_000_000


@pytest.fixture
def alliance(tmp_path: Path) -> Iterator[AllianceProcesses]:
    made = AllianceProcesses(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.kill()


def fill(alliance: AllianceProcesses) -> None:
    """A few commits with transactions and samples; then everything is stopped."""
    home = alliance[0]
    board = alliance.board("meter")
    home.enrol(board)
    with visitor(board, home, home) as meter:
        samples = [board.sample(1, [reading(BEGIN_MS)])]
        for seq in (2, 3, 4):
            at_ms = BEGIN_MS + 1000 * seq
            samples.append(board.sample(seq, [reading(at_ms, ei=seq)], prev=samples[-1].digest))
        meter.send(*samples)
        meter.await_final(4)
    alliance.await_same_head(2)
    for gateway in alliance:
        assert gateway.stop() == 0


def alter(gateway: GatewayProcess) -> None:
    """What somebody with the disk could do: another bit in the newest entry, which is a sample."""
    newest = "SELECT id, body FROM entries ORDER BY id DESC LIMIT 1"
    with closing(sqlite3.connect(gateway.home.database)) as writer, writer:
        entry, body = writer.execute(newest).fetchone()
        flipped = body[:-1] + bytes([body[-1] ^ 1])
        writer.execute("UPDATE entries SET body = ? WHERE id = ?", (flipped, entry))


def test_altered_rows_are_named_and_fetched_again_from_the_others(
    alliance: AllianceProcesses,
) -> None:
    fill(alliance)
    sound, damaged, *_ = alliance
    expected = audited(sound)
    alter(damaged)
    done = command("audit", damaged.folder, "--compare", sound.folder, "--format", "json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    (named,) = found["differences"]
    assert named["what"] == "the entries do not have the root that the header says"
    assert named["block"]
    assert found["comparison"]["difference"]["table"] == "leaves"
    done = command("repair", damaged.folder, "--format", "json")
    assert done.returncode == 0, done.stderr
    repaired = json.loads(done.stdout)
    assert repaired["repaired"]
    assert repaired["left_out"]
    before = newest_round(damaged, sound)
    for gateway in alliance:
        gateway.begin()
    for gateway in alliance:
        gateway.await_up()
    alliance.await_same_head(2)
    damaged.enrol(alliance.board("after the repair"))
    rounds_move(damaged, sound, before)
    alliance.await_same_head(3)
    for gateway in alliance:
        assert gateway.stop() == 0
    assert len({audited(gateway) for gateway in alliance} - {expected}) == 1
    done = command("audit", damaged.folder, "--compare", sound.folder)
    assert done.returncode == 0, done.stdout
