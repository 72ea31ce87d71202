"""The embedded broker: supervised, reloaded without dropping anybody, closed to strangers."""

import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from wattle_gateway.broker import nats_config
from wattle_gateway.broker.permissions import MeterAccess
from wattle_gateway.broker.program import find
from wattle_gateway.errors import BrokerError
from wattle_gateway.home.identity import load_identity
from wattle_gateway.pki import authority
from wattle_testkit.alliance import private_key
from wattle_testkit.gateway_process import GatewayProcess, command, free_port, program
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    made = GatewayProcess(tmp_path_factory.mktemp("embedded") / "gateway")
    made.start()
    yield made
    made.kill()


def broker_pid(gateway: GatewayProcess) -> int:
    return int((gateway.home.broker / "nats.pid").read_text())


def test_enrolling_and_revoking_drop_nobody_else(gateway: GatewayProcess) -> None:
    first, second = gateway.board("stays"), gateway.board("goes")
    gateway.enrol(first)
    gateway.enrol(second)
    with PaperMeter(first, gateway) as stays, PaperMeter(second, gateway) as goes:
        gateway.enrol(gateway.board("comes"))
        assert stays.online
        assert goes.online
        gateway.ask("revoke", meter=second.kid.hex(), last_seq=None)
        until(lambda: not goes.online, 10, "the revoked meter is out")
        assert not PaperMeter(second, gateway).attempt()
        assert stays.online
        stays.send(first.sample(1))
        stays.await_durable(1)
        assert not stays._dropped.is_set()


def test_a_killed_broker_comes_back_and_traffic_goes_on(gateway: GatewayProcess) -> None:
    board = gateway.board("patient")
    gateway.enrol(board)
    with PaperMeter(board, gateway) as meter:
        meter.send(board.sample(1))
        meter.await_durable(1)
        before = broker_pid(gateway)
        restarts = gateway.ask("live")["live"]["broker_restarts"]
        os.kill(before, signal.SIGKILL)
        until(lambda: not meter.online, 10, "the meter has noticed")
        until(lambda: broker_pid(gateway) != before, 10, "a new broker")
        until(lambda: gateway.ask("live")["live"]["link_up"], 20, "the gateway is back")
        until(lambda: meter.online, 20, "the meter is back")
        meter.send(board.sample(2))
        meter.await_durable(2)
        assert gateway.ask("live")["live"]["broker_restarts"] == restarts + 1


def test_who_is_turned_away_is_counted(gateway: GatewayProcess, tmp_path: Path) -> None:
    def refused() -> int:
        return int(gateway.ask("live")["live"]["broker_refused_connections"])

    before = refused()
    nobody = gateway.board("nobody")
    assert not PaperMeter(nobody, gateway, certificate=tmp_path / "none.pem").attempt()
    until(lambda: refused() > before, 10, "no certificate")
    before = refused()
    stranger = tmp_path / "stranger.pem"
    identity = load_identity(gateway.home)
    key = private_key("nobody tls").public_key()
    stranger.write_bytes(authority.pem(identity.site_authority.issue_client(key, nobody.kid.hex())))
    assert not PaperMeter(nobody, gateway, certificate=stranger).attempt()
    until(lambda: refused() > before, 10, "a certificate of ours, but not enrolled")


def test_the_brokers_own_protocol_is_closed_to_meters(
    gateway: GatewayProcess, tmp_path: Path
) -> None:
    board = gateway.board("curious")
    gateway.enrol(board)
    ports = _listening_ports(broker_pid(gateway)) - {gateway.port}
    assert len(ports) == 1
    (port,) = ports
    context = ssl.create_default_context(cafile=str(gateway.home.certificate("authority")))
    assert b"PONG" not in _said(port, context)
    key = tmp_path / "key.pem"
    key.write_bytes(
        private_key("curious tls").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    )
    context.load_cert_chain(gateway.home.meter_certificates / f"{board.kid.hex()}.pem", key)
    said = _said(port, context)
    assert b"-ERR" in said
    assert b"PONG" not in said


def _said(port: int, context: ssl.SSLContext) -> bytes:
    """What the broker says to somebody who logs in without a password."""
    said = b""
    try:
        with (
            socket.create_connection(("127.0.0.1", port), 5) as raw,
            context.wrap_socket(raw, server_hostname="127.0.0.1") as client,
        ):
            client.sendall(b'CONNECT {"verbose":true,"lang":"x","version":"1"}\r\nPING\r\n')
            while chunk := client.recv(10_000):
                said += chunk
    except OSError:
        pass  # it hung up
    return said


def _listening_ports(pid: int) -> set[int]:
    inodes = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        target = os.readlink(link)
        if target.startswith("socket:["):
            inodes.add(target[8:-1])
    rows = [
        line.split()
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
    ]
    listening = [row for row in rows if row[3] == "0A" and row[9] in inodes]
    assert all(row[1].split(":")[0] == "0100007F" for row in listening), "127.0.0.1 only"
    return {int(row[1].split(":")[1], 16) for row in listening}


def test_a_broker_of_an_earlier_life_is_ended(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path / "gateway")
    gateway.start()
    config = gateway.home.broker / "nats.conf"
    gateway.kill()
    # One that the kernel did not take along: started without the lifeline.
    stale = subprocess.Popen([find(""), "--config", config], stderr=subprocess.DEVNULL)
    (gateway.home.broker / "nats.pid").write_text(f"{stale.pid}\n")
    try:
        gateway.start()
        assert stale.wait(10) == -signal.SIGKILL
    finally:
        gateway.kill()
        stale.kill()
        stale.wait()


def test_a_foreign_process_under_the_old_number_is_left_alone(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path / "gateway")
    foreign = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    (gateway.home.broker / "nats.pid").write_text(f"{foreign.pid}\n")
    try:
        gateway.start()
        assert foreign.poll() is None
    finally:
        gateway.kill()
        foreign.communicate(b"\n")


def test_a_port_that_is_taken_is_a_clear_error(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        folder = tmp_path / "gateway"
        assert command("init", folder, "--port", str(port)).returncode == 0
        done = program("run", folder)
    assert done.returncode == 8
    assert "nats-server does not start" in done.stderr.splitlines()[-1]
    assert "address already in use" in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("says", "error"),
    [
        ("nats-server: v2.12.2", "expected nats-server 2.12.3 or newer"),
        ("something else", "expected nats-server 2.12.3 or newer"),
        (None, "cannot run"),
    ],
)
def test_a_program_that_will_not_do(tmp_path: Path, says: str | None, error: str) -> None:
    path = tmp_path / "nats-server"
    if says is not None:
        path.write_text(f"#!/bin/sh\necho '{says}'\n")
        path.chmod(0o755)
    with pytest.raises(BrokerError, match=error):
        find(str(path))


def test_the_installed_program_will_do() -> None:
    assert find("").name == "nats-server"


def test_a_path_with_quotes_stays_a_path(tmp_path: Path) -> None:
    folder = tmp_path / 'a "b" \\ $c'
    folder.mkdir()
    home = GatewayProcess(folder / "gateway").home
    files = nats_config.NatsFiles(
        home.certificate("broker"),
        home.key("broker"),
        home.certificate("authority"),
        home.broker / "store",
    )
    text = nats_config.render(
        "127.0.0.1",
        free_port(),
        files,
        "gateway-00",
        [MeterAccess("00" * 8, "home")],
    )
    (folder / "nats.conf").write_text(text)
    done = subprocess.run(
        [find(""), "-t", "-c", folder / "nats.conf"], capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr
