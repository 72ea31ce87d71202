"""The MQTT client on real MicroPython over real TLS, against a broker that this test plays."""

import os
import queue
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from wattle_gateway.pki import authority, keys
from wattle_hil import parts

ROOT = Path(__file__).parents[2]
PROGRAM = Path(__file__).parent / "programs" / "publish.py"
SERVER_NAME = "broker.test"
_WAIT_S = 20.0
CONNECT, PUBLISH, SUBSCRIBE = 0x10, 0x32, 0x82
DUP = 0x08
CONNACK = b"\x20\x02\x00\x00"


@dataclass(frozen=True)
class Packet:
    """What one TLS record held, which must be one MQTT packet."""

    first: int
    body: bytes

    @property
    def packet_id(self) -> bytes:
        """Of a PUBLISH to the topic `up`."""
        return self.body[4:6]

    @property
    def text(self) -> bytes:
        """Payload of a PUBLISH to the topic `up`, without its padding."""
        return self.body[6:].rstrip(b"\0")


class Connection:
    """One accepted connection."""

    def __init__(self, tls: ssl.SSLSocket) -> None:
        self.tls = tls
        tls.settimeout(_WAIT_S)

    def packet(self) -> Packet:
        """The next record: OpenSSL gives one at a time."""
        data = self.tls.recv(65536)
        assert data, "closed by the client"
        length = shift = 0
        at = 1
        while True:
            length |= (data[at] & 0x7F) << shift
            shift += 7
            at += 1
            if data[at - 1] < 0x80:
                break
        assert len(data) == at + length, "not one packet in one record"
        return Packet(data[0], data[at:])

    def accept(self) -> Packet:
        """Plays the opening; gives the CONNECT."""
        connect = self.packet()
        assert connect.first == CONNECT
        self.tls.send(CONNACK)
        return connect

    def grant(self, subscribe: Packet) -> None:
        assert subscribe.first == SUBSCRIBE
        self.tls.send(b"\x90\x03" + subscribe.body[:2] + b"\x01")

    def acknowledge(self, publish: Packet) -> None:
        self.tls.send(b"\x40\x02" + publish.packet_id)


class Broker:
    """A TLS listener with a certificate for `broker.test`; it demands one of the client."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._listener = socket.socket()
        # Small, so that a broker that reads nothing is noticed soon by who writes to it.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._listener.bind(("127.0.0.1", 0))
        self._listener.listen()
        self._listener.settimeout(_WAIT_S)
        self.port: int = self._listener.getsockname()[1]
        self._accepted: list[socket.socket] = []

    def accept(self) -> Connection:
        """The next connection, its handshake done. Raises OSError when that fails."""
        raw, _ = self._listener.accept()
        self._accepted.append(raw)
        raw.settimeout(_WAIT_S)
        tls = self._context.wrap_socket(raw, server_side=True)
        self._accepted.append(tls)
        return Connection(tls)

    def close(self) -> None:
        for part in (*self._accepted, self._listener):
            part.close()


class Client:
    """The program on MicroPython, and the lines it prints."""

    def __init__(self, bits: int, folder: Path, arguments: list[str]) -> None:
        try:
            interpreter = parts.micropython(bits)
        except parts.PartMissingError as error:
            if bits == 32:
                pytest.skip(str(error))
            raise
        self._process = subprocess.Popen(
            [interpreter, "-X", "heapsize=20M", PROGRAM, folder, *arguments],
            env=os.environ | {"MICROPYPATH": f"{ROOT}/protocol:{ROOT}/firmware:.frozen"},
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        self._thread = threading.Thread(target=self._collect, daemon=True)
        self._thread.start()

    def line(self) -> str:
        """The next line it prints."""
        return self._lines.get(timeout=_WAIT_S)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._thread.join(_WAIT_S)

    def _collect(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line.rstrip("\n"))
        self._process.stdout.close()


class Site:
    """Certificates in a folder, one broker, and the clients started."""

    def __init__(self, folder: Path, bits: int) -> None:
        self._folder = folder
        self._bits = bits
        self._clients: list[Client] = []
        self.authority = authority.SiteAuthority.create(keys.new_p256(), "site")
        (folder / "ca.der").write_bytes(authority.der(self.authority.certificate))
        meter = keys.new_p256()
        certificate = self.authority.issue_client(meter.public_key(), "meter")
        (folder / "meter.der").write_bytes(authority.der(certificate))
        form = (serialization.Encoding.DER, serialization.PrivateFormat.TraditionalOpenSSL)
        (folder / "meter.key.der").write_bytes(
            meter.private_bytes(*form, serialization.NoEncryption())
        )
        self.broker = Broker(self._context(self.authority))

    def client(self, *arguments: int, server_name: str = SERVER_NAME) -> Client:
        """Starts a client of the broker."""
        words = [str(self.broker.port), server_name, *(str(number) for number in arguments)]
        self._clients.append(Client(self._bits, self._folder, words))
        return self._clients[-1]

    def replace_broker(self, by: authority.SiteAuthority) -> None:
        """Puts a broker of another authority in the place of the first."""
        self.broker.close()
        self.broker = Broker(self._context(by))

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.broker.close()

    def _context(self, by: authority.SiteAuthority) -> ssl.SSLContext:
        key = keys.new_p256()
        keys.save_private(self._folder / f"{id(key)}.key", key)
        certificate = self._folder / f"{id(key)}.pem"
        certificate.write_bytes(authority.pem(by.issue_server(key.public_key(), [SERVER_NAME])))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, self._folder / f"{id(key)}.key")
        context.load_verify_locations(cadata=authority.pem(self.authority.certificate).decode())
        context.verify_mode = ssl.CERT_REQUIRED
        return context


@pytest.fixture(params=[64, 32], ids=["micropython64", "micropython32"])
def site(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Site]:
    """A broker that has met nobody yet."""
    site = Site(tmp_path, request.param)
    yield site
    site.close()


def test_each_packet_is_one_record(site: Site) -> None:
    client = site.client(3)
    connection = site.broker.accept()
    assert connection.tls.getpeercert()
    connect = connection.accept()
    # 3.1: clean session, will retained at QoS 1, keep-alive, client id, will topic, will message
    assert connect.body == (
        b"\0\4MQTT\4\x2e" + (30).to_bytes(2, "big") + b"\0\5meter" + b"\0\4will" + b"\0\4gone"
    )
    subscribe = connection.packet()
    assert subscribe.body[2:] == b"\0\4down\1"
    connection.grant(subscribe)
    assert client.line() == "opened"
    for number in range(3):
        publish = connection.packet()
        assert (publish.first, publish.text) == (PUBLISH, b"%d" % number)
        connection.acknowledge(publish)
    assert client.line() == "published 3"
    connection.tls.send(b"\x32\x0a\0\4down\0\7hi")
    assert client.line() == "received down hi"
    assert connection.tls.recv(100) == b"\x40\x02\0\7"


def test_messages_without_puback_are_sent_again(site: Site) -> None:
    client = site.client(3)
    connection = site.broker.accept()
    connection.accept()
    connection.grant(connection.packet())
    first = [connection.packet() for _ in range(3)]
    connection.acknowledge(first[1])
    assert [client.line(), client.line()] == ["opened", "published 3"]
    connection.tls.close()
    assert client.line().startswith("closed OSError")
    connection = site.broker.accept()
    connection.accept()
    connection.grant(connection.packet())
    again = [connection.packet() for _ in range(2)]
    for before, after in zip([first[0], first[2]], again, strict=True):
        assert after == Packet(before.first | DUP, before.body)


def test_broker_with_another_name_is_refused(site: Site) -> None:
    client = site.client(1, server_name="other.test")
    with pytest.raises(OSError, match=r"alert|EOF|reset"):
        site.broker.accept().packet()
    assert "does not match" in client.line()


def test_broker_of_another_authority_is_refused(site: Site) -> None:
    site.replace_broker(authority.SiteAuthority.create(keys.new_p256(), "site"))
    client = site.client(1)
    with pytest.raises(OSError, match=r"alert|EOF|reset"):
        site.broker.accept().packet()
    assert client.line().startswith("closed ")


def test_broker_that_reads_no_more_is_left(site: Site) -> None:
    client = site.client(600, 15000, 500)
    connection = site.broker.accept()
    connection.accept()
    connection.grant(connection.packet())
    assert client.line() == "opened"
    # MicroPython does not wake who waits to write when the stream is closed: the publisher must
    # not be the one who does.
    assert sorted([client.line(), client.line()]) == [
        "closed a write did not end for 500 ms",
        "published 600",
    ]
    connection = site.broker.accept()
    connection.accept()
    connection.grant(connection.packet())
    assert connection.packet().first == PUBLISH | DUP
