"""A small HTTP/1.1 server for GET and HEAD: one request a connection, everything bounded.

Plain HTTP without a password (DECISIONS 40): it shows figures and changes nothing, and whoever
reaches the address may see them.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus

from wattle_gateway.errors import ConfigError
from wattle_gateway.runtime.logs import Log

# Prometheus' own requests have 300 bytes.
HEAD_BYTES_MAX = 8_192
# A probe, two scrapers and a person; whoever else holds connections open must not cost memory.
CONNECTIONS_MAX = 16
# To send a request, and to read an answer.
CLIENT_DEADLINE_S = 5.0

_METHODS = ("GET", "HEAD")
_log = Log("metrics")


@dataclass(frozen=True)
class Response:
    """An answer; `content_type` of the body."""

    status: HTTPStatus
    content_type: str
    body: bytes


# Takes the `Accept` header.
Answer = Callable[[str], Awaitable[Response]]


class HttpServer:
    """Serves a table of paths. `start`, then `stop`."""

    def __init__(self, answers: Mapping[str, Answer]) -> None:
        self._answers = answers
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def start(self, host: str, port: int) -> None:
        """Listen. Raises ConfigError if the address cannot be had."""
        try:
            self._server = await asyncio.start_server(
                self._accept, host, port, limit=HEAD_BYTES_MAX
            )
        except OSError as error:
            raise ConfigError(
                f"cannot listen on {host}:{port} (config.toml [metrics]): {error}"
            ) from error

    @property
    def port(self) -> int:
        """The TCP port that it listens on."""
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def stop(self) -> None:
        """Close the address and every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        task = asyncio.create_task(self._serve(reader, writer))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(CLIENT_DEADLINE_S):
                head = await _read_head(reader)
            method, response = await self._respond(head)
            writer.write(_encoded(response, with_body=method != "HEAD"))
            async with asyncio.timeout(CLIENT_DEADLINE_S):
                await writer.drain()
                writer.close()
                await writer.wait_closed()
        except (OSError, EOFError, TimeoutError):
            pass  # a client that went away or fell asleep; there is nobody to tell
        finally:
            writer.transport.abort()

    async def _respond(self, head: str | None) -> tuple[str, Response]:
        if head is None:
            return "", _words(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE, f"at most {HEAD_BYTES_MAX} bytes"
            )
        line, _, fields = head.partition("\r\n")
        words = line.split(" ")
        if len(words) != 3 or not words[2].startswith("HTTP/1."):
            return "", _words(HTTPStatus.BAD_REQUEST, "not a request of HTTP/1.1")
        method, path = words[0], words[1].partition("?")[0]
        if method not in _METHODS:
            return method, _words(HTTPStatus.METHOD_NOT_ALLOWED, "only GET and HEAD")
        answer = self._answers.get(path)
        if answer is None:
            known = " ".join(sorted(self._answers))
            return method, _words(HTTPStatus.NOT_FOUND, f"not here; there are {known}")
        try:
            return method, await answer(_field(fields, "accept"))
        except OSError as error:  # the disk of the gateway's folder does not answer
            return method, _words(HTTPStatus.SERVICE_UNAVAILABLE, str(error))


async def _read_head(reader: asyncio.StreamReader) -> str | None:
    """Request line and fields, None for too many bytes. EOFError if the client went away."""
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        return None
    return raw.decode("latin-1")


def _field(fields: str, name: str) -> str:
    """A header field's value (RFC 9110 section 5), of several the first; "" if it is absent."""
    for line in fields.split("\r\n"):
        key, _, value = line.partition(":")
        if key.lower() == name:
            return value.strip()
    return ""


def _words(status: HTTPStatus, text: str) -> Response:
    return Response(status, "text/plain; charset=utf-8", f"{text}\n".encode())


def _encoded(response: Response, *, with_body: bool) -> bytes:
    allow = "Allow: GET, HEAD\r\n" if response.status == HTTPStatus.METHOD_NOT_ALLOWED else ""
    head = (
        f"HTTP/1.1 {response.status.value} {response.status.phrase}\r\n"
        f"Content-Type: {response.content_type}\r\n"
        f"Content-Length: {len(response.body)}\r\n"
        f"{allow}Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode("ascii") + (response.body if with_body else b"")
