"""Alarms of a real gateway on its own broker, for who may read them, and at a webhook."""

import http.server
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from paho.mqtt.enums import CallbackAPIVersion
from wattle_gateway.ingest import broker_socket
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.waiting import until
from wattle_testkit.watched_gateway import configure

DEADLINE_S = 20.0


class ControlRoom:
    """A client of the broker with a key of its own."""

    def __init__(self, folder: Path, name: str) -> None:
        self.got: list[tuple[str, bool, dict[str, Any]]] = []
        self.granted: list[bool] = []
        self.request = folder / f"{name}.csr"
        self.certificate = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        key = ec.generate_private_key(ec.SECP256R1())
        self._key.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        request = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, SHA256())
        self.request.write_bytes(request.public_bytes(Encoding.PEM))

    def connect(self, gateway: GatewayProcess, *filters: str) -> mqtt.Client:
        """Connect with the certificate, and subscribe."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2, "", protocol=mqtt.MQTTv311)
        context = broker_socket.trusting(gateway.home.certificate("authority"))
        context.load_cert_chain(self.certificate, self._key)
        client.tls_set_context(context)

        def connected(client: Any, _data: Any, _flags: Any, code: Any, _props: Any) -> None:
            if not code.is_failure:
                client.subscribe([(name, 1) for name in filters])

        def answered(_client: Any, _data: Any, _mid: Any, codes: Any, _props: Any) -> None:
            self.granted += [not code.is_failure for code in codes]

        def heard(_client: Any, _data: Any, message: Any) -> None:
            self.got.append((message.topic, bool(message.retain), json.loads(message.payload)))

        client.on_connect, client.on_subscribe, client.on_message = connected, answered, heard
        client.connect("127.0.0.1", gateway.port, keepalive=30)
        client.loop_start()
        return client


class Hook(http.server.BaseHTTPRequestHandler):
    """Keeps every body that it is sent, and the token that comes along."""

    got: list[tuple[str, dict[str, Any]]]

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.got.append((self.headers["Authorization"], body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def hook() -> Iterator[tuple[str, list[tuple[str, dict[str, Any]]]]]:
    got: list[tuple[str, dict[str, Any]]] = []
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), type("OneHook", (Hook,), {"got": got})
    )
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}/alarms", got
    server.shutdown()
    server.server_close()


def test_a_control_room_reads_alarms_and_nothing_else_and_a_webhook_gets_them(
    tmp_path: Path, hook: tuple[str, list[tuple[str, dict[str, Any]]]]
) -> None:
    url, sent = hook
    gateway = GatewayProcess(tmp_path / "gateway")
    (gateway.folder / "hook-secret").write_text("s3cret\n")
    configure(gateway, "resources", memory_mib=1)
    configure(gateway, "alarms", webhook=url, webhook_secret_file="hook-secret")
    room = ControlRoom(tmp_path, "control-room")
    topic = f"wattle/1/home/{gateway.member.kid.hex()}/alarm"
    gateway.start()
    try:
        done = command(
            "alarms", gateway.folder, "--reader", room.request, "--output", room.certificate
        )
        assert done.returncode == 0, done.stderr
        client = room.connect(gateway, "wattle/1/+/+/alarm", "wattle/1/+/+/sample")
        until(lambda: room.got, DEADLINE_S, "the alarm")
        client.disconnect()
        client.loop_stop()
        assert room.granted == [True, False]
        room.got.clear()
        client = room.connect(gateway, "wattle/1/+/+/alarm")
        try:
            until(lambda: room.got, DEADLINE_S, "the alarm is kept for who comes later")
            name, retained, found = room.got[0]
            assert (name, retained) == (topic, True)
            assert [alarm["alarm"] for alarm in found["active"]] == ["memory"]
            assert found["active"][0]["severity"] == "critical"
            assert (found["event"], found["gateway"]) == ("raised", gateway.member.kid.hex())
            client.publish(topic, b'{"active": []}', qos=0, retain=True)
            client.subscribe(topic, 1)
            until(lambda: len(room.got) > 1, DEADLINE_S, "the alarm, asked for again")
            assert all(said["active"] == found["active"] for _, _, said in room.got)
        finally:
            client.disconnect()
            client.loop_stop()
        until(lambda: len(sent) >= 2, DEADLINE_S, "the webhook is told")
        assert {token for token, _ in sent} == {"Bearer s3cret"}
        assert [body["event"] for _, body in sent[:2]] == ["started", "raised"]
        assert sent[1][1]["alarm"] == found["active"][0]
        assert "s3cret" not in gateway.log.read_text()
        again = ControlRoom(tmp_path, "control-room-2")
        again.certificate.write_bytes(room.certificate.read_bytes())
        late = command("alarms", gateway.folder, "--reader", again.request)
        assert late.returncode == 2
        assert "--reader and --output belong together" in late.stderr
    finally:
        gateway.kill()


def test_a_name_that_is_none_makes_no_reader(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path / "gateway")
    room = ControlRoom(tmp_path, "..")
    gateway.start()
    try:
        done = command(
            "alarms", gateway.folder, "--reader", room.request, "--output", room.certificate
        )
        assert done.returncode == 2
        assert "the request's name" in done.stderr
        room.request.write_text("no request")
        done = command(
            "alarms", gateway.folder, "--reader", room.request, "--output", room.certificate
        )
        assert "not a request (PKCS #10, PEM)" in done.stderr
        assert not room.certificate.exists()
        assert not gateway.home.alarm_readers.exists()
    finally:
        gateway.kill()
