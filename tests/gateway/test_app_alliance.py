"""Four real gateways: one ledger, any meter at any gateway, one dies and comes back."""

import socket
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from wattle_gateway.config import load
from wattle_testkit.alliance import Board, reading
from wattle_testkit.alliance_processes import AllianceProcesses
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until

BEGIN_MS = 1_800_000_000_000
DEADLINE_S = 30.0


@pytest.fixture
def alliance(tmp_path: Path) -> Iterator[AllianceProcesses]:
    made = AllianceProcesses(tmp_path)
    try:
        made.start()
        yield made
    finally:
        made.kill()


def visitor(board: Board, home: GatewayProcess, gateway: GatewayProcess) -> PaperMeter:
    """A meter, with the certificate that its home issued, at another gateway."""
    certificate = home.home.meter_certificates / f"{board.kid.hex()}.pem"
    return PaperMeter(board, gateway, certificate=certificate)


def seqs(gateway: GatewayProcess) -> list[str]:
    """The committed samples of a gateway's ledger, running or not."""
    done = command("samples", gateway.folder, "--format", "csv")
    assert done.returncode == 0, done.stderr
    return [",".join(row.split(",")[:3]) for row in done.stdout.splitlines()[1:]]


def newest_round_of(author: GatewayProcess, seen_by: GatewayProcess) -> int:
    """The highest round of a gateway's blocks in another's ledger."""
    index = author.epoch.author_of(author.member.kid)
    with closing(sqlite3.connect(f"file:{seen_by.home.database}?mode=ro", uri=True)) as reader:
        row = reader.execute("SELECT max(round) FROM blocks WHERE author = ?", (index,)).fetchone()
    return int(row[0] or 0)


def test_a_meter_is_served_by_all_and_survives_the_death_of_its_gateway(
    alliance: AllianceProcesses,
) -> None:
    home, second, *others = alliance
    board = alliance.board("wanderer")
    home.enrol(board)
    samples = [board.sample(1, [reading(BEGIN_MS)])]
    for seq in range(2, 7):
        samples.append(board.sample(seq, [reading(BEGIN_MS + 1000 * seq)], prev=samples[-1].digest))
    with PaperMeter(board, home) as meter:
        meter.send(*samples[:2])
        meter.await_final(2)
    # Another gateway knows the meter as soon as it has the commit that enrolled it.
    until(lambda: board.kid.hex() in admitted(second), DEADLINE_S, "the second admits it")
    home.kill()
    with visitor(board, home, second) as meter:
        meter.send(*samples[2:4])
        meter.await_final(4)
    alliance.await_same_head(1, [second, *others])
    dead_round = newest_round_of(home, second)
    home.start()
    with visitor(board, home, second) as meter:
        meter.send(*samples[4:])
        meter.await_final(6)
        until(lambda: newest_round_of(home, second) > dead_round, DEADLINE_S, "it takes part again")
    heads = alliance.await_same_head(1)
    assert heads
    expected = seqs(home)
    assert len(expected) == 6
    assert [seqs(gateway) for gateway in alliance] == [expected] * 4
    for gateway in alliance:
        gateway.stop()
        done = command("audit", gateway.folder)
        assert done.returncode == 0, done.stdout + done.stderr


def admitted(gateway: GatewayProcess) -> str:
    return (gateway.home.broker / "nats.conf").read_text()


def test_a_lost_ledger_is_fetched_again_and_signs_nothing(alliance: AllianceProcesses) -> None:
    lost, keeper, *_ = alliance
    board = alliance.board("meter")
    keeper.enrol(board)
    with PaperMeter(board, keeper) as meter:
        meter.send(board.sample(1, [reading(BEGIN_MS)]))
        meter.await_final(1)
        alliance.await_same_head(1)
        lost.kill()
        for path in lost.folder.glob("ledger.db*"):
            path.unlink()
        dead_round = newest_round_of(lost, keeper)
        lost.start()
        assert "THE LEDGER IS GONE" in lost.log.read_text()
        meter.send(board.sample(2, [reading(BEGIN_MS + 1000)]))
        meter.await_final(2)
    alliance.await_same_head(1)
    assert seqs(lost) == seqs(keeper)
    assert newest_round_of(lost, keeper) == dead_round
    assert newest_round_of(keeper, keeper) > dead_round


def test_alone_a_lost_ledger_is_a_clear_error(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path / "gateway")
    gateway.home.database.unlink()
    done = command_run(gateway)
    assert done == 4
    assert "restore a backup" in gateway.log.read_text()


def command_run(gateway: GatewayProcess) -> int:
    """Run a gateway that cannot start; gives its exit code."""
    gateway.begin()
    process = gateway._process
    assert process is not None
    return process.wait(DEADLINE_S)


def test_an_observer_follows_and_never_signs(tmp_path: Path) -> None:
    alliance = AllianceProcesses(tmp_path, voting=1, observers=1)
    founder, observer = alliance
    try:
        alliance.start()
        board = alliance.board("meter")
        founder.enrol(board)
        with PaperMeter(board, founder) as meter:
            meter.send(board.sample(1, [reading(BEGIN_MS)]))
            meter.await_final(1)
        alliance.await_same_head(2)
        assert seqs(observer) == seqs(founder)
        assert observer.epoch.author_of(observer.member.kid) is None
    finally:
        alliance.kill()


def test_a_port_for_peers_that_is_taken_is_a_clear_error(tmp_path: Path) -> None:
    alliance = AllianceProcesses(tmp_path, voting=2)
    first = alliance[0]
    port = load(first.home.config).peers.port
    with socket.create_server(("127.0.0.1", port)):
        assert command_run(first) == 11
    assert f"cannot listen for peers on 127.0.0.1:{port}" in first.log.read_text()


def test_a_gateway_alone_listens_nowhere_for_peers(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path / "gateway")
    gateway.start()
    try:
        assert gateway.ask("live")["live"]["peers"] == []
        assert "listening for peers" not in gateway.log.read_text()
    finally:
        gateway.kill()
