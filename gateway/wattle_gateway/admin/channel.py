"""The way to a running gateway: a Unix socket in its folder, one JSON object a line each way.

Whoever may open the socket (mode 0600) may do what the folder's owner may.

    request  {"command": NAME, ...}
    answer   {"ok": true, ...} or {"ok": false, "error": CLASS, "message": TEXT}
"""

import asyncio
import contextlib
import json
import os
import socket
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from wattle_gateway import errors
from wattle_gateway.errors import DeadlineError, GatewayError, NotRunningError
from wattle_gateway.runtime.logs import Log

# A proof is below 1 KiB, a status of ten thousand meters some MB; a line beyond is no message.
LINE_BYTES_MAX = 16 << 20
CALLERS_MAX = 16
# sockaddr_un has 108 bytes; a longer path is reached through an open folder.
_PATH_BYTES_MAX = 107

Answer = dict[str, Any]
Handler = Callable[[Answer], Awaitable[Answer]]

_log = Log("admin")


class AdminServer:
    """Answers commands with `handlers` by name."""

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = handlers
        self._server: asyncio.Server | None = None
        self._callers = asyncio.Semaphore(CALLERS_MAX)

    async def start(self) -> None:
        """Listen; a socket that a killed gateway left behind is replaced."""
        self._path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        with _address(self._path) as address:
            before = os.umask(0o177)
            try:
                listener.bind(address)
            finally:
                os.umask(before)
        self._server = await asyncio.start_unix_server(
            self._serve, sock=listener, limit=LINE_BYTES_MAX
        )

    async def stop(self) -> None:
        """Listen no more."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with self._callers:
                line = await reader.readline()
                answer = await self._answer(line)
                writer.write(json.dumps(answer).encode() + b"\n")
                await writer.drain()
        except (OSError, ValueError) as error:
            _log.warning("a caller of the admin socket went wrong", error=error)
        finally:
            writer.close()

    async def _answer(self, line: bytes) -> Answer:
        try:
            request = json.loads(line)
            handler = self._handlers[request["command"]]
        except (ValueError, TypeError, KeyError, RecursionError):
            return _failure(errors.UsageError("not a command of this gateway"))
        try:
            return {"ok": True, **await handler(request)}
        except GatewayError as error:
            return _failure(error)


def ask(path: Path, command: str, deadline_s: float, **fields: Any) -> Answer:
    """Send a command to the gateway that listens at `path`.

    Raises NotRunningError if none does, DeadlineError if it does not answer in time, and the
    error of errors.py that the gateway met.
    """
    request = json.dumps({"command": command, **fields}).encode() + b"\n"
    try:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(deadline_s)
            with _address(path) as address:
                connection.connect(address)
            connection.sendall(request)
            line = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    except TimeoutError as error:
        raise DeadlineError(f"the gateway did not answer within {deadline_s:.0f} s") from error
    except OSError as error:
        raise NotRunningError(
            f"no gateway is running on {path.parent}; start it with `wattle-gateway run`"
        ) from error
    try:
        answer: Answer = json.loads(line)
    except ValueError as error:
        raise NotRunningError("the gateway ended while it was answering") from error
    if not answer["ok"]:
        raise _error_class(answer["error"])(answer["message"])
    return answer


def _failure(error: GatewayError) -> Answer:
    name = type(error).__name__
    known = name if hasattr(errors, name) else GatewayError.__name__
    return {"ok": False, "error": known, "message": str(error)}


def _error_class(name: str) -> type[GatewayError]:
    found = getattr(errors, name, GatewayError)
    return found if isinstance(found, type) and issubclass(found, GatewayError) else GatewayError


@contextlib.contextmanager
def _address(path: Path) -> Any:
    """A name for a socket path of any length."""
    if len(os.fsencode(path)) <= _PATH_BYTES_MAX:
        yield str(path)
        return
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)
