"""The server of metrics: what it answers, and what a caller cannot make it do."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus

import pytest
from wattle_gateway.errors import ConfigError
from wattle_gateway.metrics import http_server
from wattle_gateway.metrics.http_server import HttpServer, Response

DEADLINE_S = 10.0
LOOPBACK = "127.0.0.1"


async def words(accept: str) -> Response:
    return Response(HTTPStatus.OK, "text/plain", f"accept={accept}".encode())


async def broken_disk(_accept: str) -> Response:
    raise OSError("no such device")


def run(story: Callable[[int], Awaitable[None]]) -> None:
    """Run a story against the port of a server."""

    async def all_of_it() -> None:
        server = HttpServer({"/words": words, "/disk": broken_disk})
        await server.start(LOOPBACK, 0)
        try:
            async with asyncio.timeout(DEADLINE_S):
                await story(server.port)
        finally:
            await server.stop()

    asyncio.run(all_of_it())


async def exchange(port: int, request: bytes) -> bytes:
    """Everything that comes back until the server closes."""
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    writer.write(request)
    try:
        return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


GOOD = b"GET /words HTTP/1.1\r\nHost: x\r\nAccept: a/b\r\n\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "begins", "ends"),
    [
        (GOOD, b"HTTP/1.1 200 OK\r\n", b"accept=a/b"),
        (b"GET /words?x=1 HTTP/1.0\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"\r\n\r\naccept="),
        (b"HEAD /words HTTP/1.1\r\n\r\n", b"HTTP/1.1 200 OK\r\n", b"close\r\n\r\n"),
        (b"POST /words HTTP/1.1\r\n\r\n", b"HTTP/1.1 405 ", b"only GET and HEAD\n"),
        (b"GET /other HTTP/1.1\r\n\r\n", b"HTTP/1.1 404 ", b"there are /disk /words\n"),
        (b"GET /words\r\n\r\n", b"HTTP/1.1 400 ", b"not a request of HTTP/1.1\n"),
        (b"\xff\xfe\x00\r\n\r\n", b"HTTP/1.1 400 ", b"not a request of HTTP/1.1\n"),
        (b"GET /words SSH-2.0\r\n\r\n", b"HTTP/1.1 400 ", b"not a request of HTTP/1.1\n"),
        (b"GET /disk HTTP/1.1\r\n\r\n", b"HTTP/1.1 503 ", b"no such device\n"),
    ],
)
def test_answers(request_bytes: bytes, begins: bytes, ends: bytes) -> None:
    async def story(port: int) -> None:
        answer = await exchange(port, request_bytes)
        assert answer.startswith(begins), answer
        assert answer.endswith(ends), answer

    run(story)


def test_a_request_without_end_is_cut_off() -> None:
    async def story(port: int) -> None:
        answer = await exchange(port, b"GET /words HTTP/1.1\r\nx: " + b"y" * 20_000)
        # The rest of what it sent may reset the connection before it reads the answer.
        assert answer == b"" or answer.startswith(b"HTTP/1.1 431 ")
        assert await exchange(port, GOOD)

    run(story)


def test_a_silent_caller_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "CLIENT_DEADLINE_S", 0.05)

    async def story(port: int) -> None:
        assert await exchange(port, b"GET /words") == b""

    run(story)


def test_too_many_callers_are_refused_and_the_next_served() -> None:
    async def story(port: int) -> None:
        idle = [
            await asyncio.open_connection(LOOPBACK, port)
            for _ in range(http_server.CONNECTIONS_MAX)
        ]
        assert await exchange(port, GOOD) == b""
        idle[0][1].write(GOOD)
        assert (await idle[0][0].read()).startswith(b"HTTP/1.1 200 ")
        assert (await exchange(port, GOOD)).startswith(b"HTTP/1.1 200 ")
        for _, writer in idle:
            writer.close()

    run(story)


def test_an_address_that_is_taken_names_the_setting() -> None:
    async def story(port: int) -> None:
        with pytest.raises(ConfigError, match=rf"{LOOPBACK}:{port} \(config.toml \[metrics\]\)"):
            await HttpServer({}).start(LOOPBACK, port)

    run(story)
