"""A webhook that is well, slow to come, wrong, or a thief: what it gets and what it does not."""

import asyncio
import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from wattle_gateway.alarms import webhook
from wattle_gateway.alarms.webhook import DROPPED, FAILED, SENT, WAITING_MAX, Webhook, open_webhook
from wattle_gateway.errors import ConfigError
from wattle_gateway.home.paths import GatewayHome
from wattle_testkit.gateway_process import command

DEADLINE_S = 30.0


class Receiver:
    """An HTTP server on this machine that answers with `codes`, the last one for ever."""

    def __init__(self, *codes: int, tls: ssl.SSLContext | None = None) -> None:
        self.got: list[tuple[str, dict[str, str], bytes]] = []
        self._codes = list(codes)
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                headers = {name.lower(): value for name, value in self.headers.items()}
                receiver.got.append((self.path, headers, self.rfile.read(length)))
                code = receiver._codes.pop(0) if len(receiver._codes) > 1 else receiver._codes[0]
                self.send_response(code)
                if code in (301, 307):
                    self.send_header("Location", receiver.url + "/elsewhere")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def do_GET(self) -> None:
                receiver.got.append((self.path, {}, b""))

            def log_message(self, *_: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
            self.url = self.url.replace("http:", "https:")
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver(204)
    yield made
    made.close()


def deliver(hook: Webhook, *bodies: bytes) -> None:
    """Send these, and wait until each is sent or given up."""

    async def story() -> None:
        for body in bodies:
            hook.tell(body)
        task = asyncio.create_task(hook.run())
        try:
            async with asyncio.timeout(DEADLINE_S):
                while sum(hook.counts.values()) < len(bodies):
                    await asyncio.sleep(0.005)
        finally:
            task.cancel()
            await asyncio.wait([task])

    asyncio.run(story())


def test_a_body_goes_out_as_json_with_its_secret(receiver: Receiver, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s3cret\n")
    hook = open_webhook(f"{receiver.url}/hook?of=7", tmp_path / "secret")
    deliver(hook, b'{"alarm": 1}', b'{"alarm": 2}')
    assert [(path, json.loads(body)["alarm"]) for path, _, body in receiver.got] == [
        ("/hook?of=7", 1),
        ("/hook?of=7", 2),
    ]
    headers = receiver.got[0][1]
    assert headers["content-type"] == "application/json"
    assert headers["authorization"] == "Bearer s3cret"
    assert hook.counts == {SENT: 2, FAILED: 0, DROPPED: 0}


def test_without_a_secret_none_is_sent(receiver: Receiver) -> None:
    deliver(open_webhook(receiver.url, None), b"{}")
    assert "authorization" not in receiver.got[0][1]


def test_what_fails_is_tried_again_in_order() -> None:
    receiver = Receiver(503, 500, 200)
    try:
        hook = Webhook(lambda body: webhook.post(receiver.url, "", body), "here", (0.0, 0.0, 0.0))
        deliver(hook, b"1", b"2")
    finally:
        receiver.close()
    assert [body for _, _, body in receiver.got] == [b"1", b"1", b"1", b"2"]
    assert hook.counts[SENT] == 2


def test_it_is_given_up_after_the_last_try(caplog: pytest.LogCaptureFixture) -> None:
    receiver = Receiver(404)
    try:
        url = f"{receiver.url}/token-in-the-path"
        hook = Webhook(lambda body: webhook.post(url, "s3cret", body), "here", (0.0, 0.0))
        deliver(hook, b"1")
    finally:
        receiver.close()
    assert len(receiver.got) == 3
    assert hook.counts == {SENT: 0, FAILED: 1, DROPPED: 0}
    (record,) = [one for one in caplog.records if one.levelname == "ERROR"]
    assert record.getMessage() == "the webhook takes no alarm"
    said = str(vars(record)["fields"])
    assert "it answered 404" in said
    assert "s3cret" not in said
    assert "token" not in said


def test_whoever_shows_no_trusted_certificate_gets_nothing(tmp_path: Path) -> None:
    gateway = GatewayHome(tmp_path / "gateway")
    assert command("init", gateway.folder).returncode == 0
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(gateway.certificate("broker"), gateway.key("broker"))
    receiver = Receiver(204, tls=tls)
    try:
        with pytest.raises(OSError, match="certificate verify failed"):
            webhook.post(receiver.url, "s3cret", b"{}")
    finally:
        receiver.close()
    assert receiver.got == []


def test_nobody_at_the_address_is_an_error_like_any(receiver: Receiver) -> None:
    receiver.close()
    with pytest.raises(OSError, match="refused"):
        webhook.post(receiver.url, "", b"{}")


@pytest.mark.parametrize("code", [301, 307])
def test_a_redirection_is_not_followed(code: int) -> None:
    receiver = Receiver(code)
    try:
        with pytest.raises(OSError, match=f"it answered {code}"):
            webhook.post(receiver.url, "s3cret", b"{}")
    finally:
        receiver.close()
    assert [path for path, _, _ in receiver.got] == ["/"]


def test_of_too_many_the_oldest_are_dropped(receiver: Receiver) -> None:
    hook = open_webhook(receiver.url, None)
    bodies = [str(number).encode() for number in range(WAITING_MAX + 3)]
    deliver(hook, *bodies)
    assert [body for _, _, body in receiver.got] == bodies[3:]
    assert hook.counts == {SENT: WAITING_MAX, FAILED: 0, DROPPED: 3}


@pytest.mark.parametrize("content", [b"", b"\n", b"two words", b"a\nb", b"\xff\xfe", b"x" * 5000])
def test_a_secret_that_cannot_be_sent_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "secret").write_bytes(content)
    with pytest.raises(ConfigError, match="secret"):
        open_webhook("https://alarms.example/", tmp_path / "secret")


def test_a_secret_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the webhook's secret"):
        open_webhook("https://alarms.example/", tmp_path / "none")
