"""TLS 1.3 on every link, but for meters, whose mbedTLS may be built without it."""

import os
import socket
import ssl
from pathlib import Path

import pytest
from wattle_gateway.home import create
from wattle_gateway.home.draft import NewGateway
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ingest import mqtt_link
from wattle_gateway.ingest.mqtt_link import TlsFiles
from wattle_gateway.ledger.genesis import GRID_COMPANY
from wattle_gateway.peers import tls
from wattle_gateway.peers.tls import PeerFiles
from wattle_gateway.pki import authority
from wattle_testkit.gateway_process import GatewayProcess


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> GatewayHome:
    """A gateway's folder."""
    chosen = NewGateway(
        name="ann",
        site="home",
        role=GRID_COMPANY,
        hosts=["127.0.0.1"],
        listen="127.0.0.1",
        port=8883,
    )
    return create.create(tmp_path_factory.mktemp("tls") / "gw", chosen, 1_700_000_000_000)


def handshake(client: ssl.SSLContext, server: ssl.SSLContext) -> str:
    """The version that both agree on. Raises ssl.SSLError."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = (
        client.wrap_bio(to_client, to_server, server_hostname="127.0.0.1"),
        server.wrap_bio(to_server, to_client, server_side=True),
    )
    left = set(ends)
    while left:
        for end in tuple(left):
            try:
                end.do_handshake()
                left.discard(end)
            except ssl.SSLWantReadError:
                continue
    version = ends[0].version()
    assert version is not None
    return version


def peer_contexts(home: GatewayHome) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    own = PeerFiles(home.certificate("peer"), home.key("peer"))
    shown = authority.der(authority.load_certificate(home.certificate("peer")))
    return tls.client_context(own, shown), tls.server_context(own, [shown])


def broker_context(home: GatewayHome) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(home.certificate("broker"), home.key("broker"))
    return made


def link_context(home: GatewayHome) -> ssl.SSLContext:
    names = ("authority", "gateway")
    return mqtt_link._tls(TlsFiles(*map(home.certificate, names), home.key("gateway")))


def test_peers_speak_1_3(home: GatewayHome) -> None:
    client, server = peer_contexts(home)
    assert handshake(client, server) == "TLSv1.3"


@pytest.mark.parametrize("older", [0, 1])
def test_a_peer_that_can_only_1_2_is_refused(home: GatewayHome, older: int) -> None:
    contexts = peer_contexts(home)
    contexts[older].minimum_version = ssl.TLSVersion.TLSv1_2
    contexts[older].maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        handshake(*contexts)


def test_the_gateway_speaks_1_3_with_its_broker(home: GatewayHome) -> None:
    assert handshake(link_context(home), broker_context(home)) == "TLSv1.3"


def test_a_broker_that_can_only_1_2_is_refused(home: GatewayHome) -> None:
    broker = broker_context(home)
    broker.maximum_version = ssl.TLSVersion.TLSv1_2
    with pytest.raises(ssl.SSLError):
        handshake(link_context(home), broker)


def listening_ports(pid: int) -> set[int]:
    """The TCP ports of 127.0.0.1 that a process listens on."""
    sockets = {os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()}
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {
        int(row[1].split(":")[1], 16)
        for row in rows
        if row[3] == "0A" and f"socket:[{row[9]}]" in sockets
    }


def version_at(port: int, home: GatewayHome, newest: ssl.TLSVersion) -> str | None:
    """What a listener agrees on with the gateway's own certificate; None if it refuses."""
    context = link_context(home)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.maximum_version = newest
    try:
        with (
            socket.create_connection(("127.0.0.1", port), 5) as raw,
            context.wrap_socket(raw, server_hostname="127.0.0.1") as end,
        ):
            return end.version()
    except ssl.SSLError:
        return None


def test_only_the_meters_listener_takes_1_2(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path / "gw")
    gateway.start()
    try:
        broker = int((gateway.home.broker / "nats.pid").read_text())
        (inner,) = listening_ports(broker) - {gateway.port}
        newest = (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)
        meters = [version_at(gateway.port, gateway.home, one) for one in newest]
        others = [version_at(inner, gateway.home, one) for one in newest]
    finally:
        gateway.kill()
    assert meters == ["TLSv1.2", "TLSv1.3"]
    assert others == [None, "TLSv1.3"]
