"""A broker that a test plays over real TLS, for the MQTT client on real MicroPython."""

import os
import queue
import socket
import ssl
import subprocess
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from wattle_gateway.pki import authority, keys
from wattle_hil import parts

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = ROOT / "tests" / "meter" / "programs" / "publish.py"
SERVER_NAME = "broker.test"
_WAIT_S = 20.0
CONNECT, PUBLISH, SUBSCRIBE = 0x10, 0x32, 0x82
DUP = 0x08


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
        """The next packet: a long one comes in several records, a record has bytes of one."""
        data = self._record()
        length = shift = 0
        at = 1
        while True:
            length |= (data[at] & 0x7F) << shift
            shift += 7
            at += 1
            if data[at - 1] < 0x80:
                break
        while len(data) < at + length:
            data += self._record()
        assert len(data) == at + length, "bytes of two packets in one record"
        return Packet(data[0], data[at:])

    def _record(self) -> bytes:
        """OpenSSL gives one at a time."""
        data = self.tls.recv(65536)
        assert data, "closed by the client"
        return data

    def accept(self, code: int = 0) -> Packet:
        """Answers the CONNECT, which it gives, with a CONNACK of `code`."""
        connect = self.packet()
        assert connect.first == CONNECT
        self.tls.send(bytes([0x20, 2, 0, code]))
        return connect

    def open(self) -> None:
        """Plays the opening up to the subscription."""
        self.accept()
        self.grant(self.packet())

    def grant(self, subscribe: Packet) -> None:
        assert subscribe.first == SUBSCRIBE
        self.tls.send(b"\x90\x03" + subscribe.body[:2] + b"\x01")

    def acknowledge(self, publish: Packet) -> None:
        self.tls.send(b"\x40\x02" + publish.packet_id)


class Broker:
    """A TLS listener with a certificate for `broker.test`; it demands one of the client."""

    def __init__(self, context: ssl.SSLContext, port: int = 0) -> None:
        self._context = context
        self._listener = socket.socket()
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Small, so that a broker that reads nothing is noticed soon by who writes to it.
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._listener.bind(("127.0.0.1", port))
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

    def client(
        self, *arguments: int, server_name: str = SERVER_NAME, host: str = "127.0.0.1"
    ) -> Client:
        """Starts a client of the broker; `arguments`: those of the program, from COUNT on."""
        words = [host, str(self.broker.port), server_name, *(str(word) for word in arguments)]
        self._clients.append(Client(self._bits, self._folder, words))
        return self._clients[-1]

    def replace_broker(
        self, by: authority.SiteAuthority, not_after: datetime | None = None, port: int = 0
    ) -> None:
        """Puts a broker of `by` in the place of the first; its certificate ends at `not_after`."""
        self.broker.close()
        self.broker = Broker(self._context(by, not_after), port)

    def close(self) -> None:
        for client in self._clients:
            client.close()
        self.broker.close()

    def _context(
        self, by: authority.SiteAuthority, not_after: datetime | None = None
    ) -> ssl.SSLContext:
        key = keys.new_p256()
        keys.save_private(self._folder / f"{id(key)}.key", key)
        certificate = self._folder / f"{id(key)}.pem"
        with pytest.MonkeyPatch.context() as patch:
            if not_after is not None:
                patch.setattr(authority, "NOT_AFTER", not_after)
            issued = by.issue_server(key.public_key(), [SERVER_NAME])
        certificate.write_bytes(authority.pem(issued))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, self._folder / f"{id(key)}.key")
        context.load_verify_locations(cadata=authority.pem(self.authority.certificate).decode())
        context.verify_mode = ssl.CERT_REQUIRED
        return context
