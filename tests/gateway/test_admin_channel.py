"""The way to a running gateway: answers, errors by class, sockets at long paths."""

import asyncio
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from wattle_gateway.admin.channel import AdminServer, Answer, ask
from wattle_gateway.errors import (
    DeadlineError,
    GatewayError,
    NotRunningError,
    RefusedError,
    UsageError,
)
from wattle_gateway.ledger.errors import FormatError
from wattle_testkit.waiting import until


async def _echo(request: Answer) -> Answer:
    return {"echo": request["text"]}


def _raising(error: Exception) -> Callable[[Answer], Any]:
    async def handler(_request: Answer) -> Answer:
        raise error

    return handler


async def _never(_request: Answer) -> Answer:
    await asyncio.Event().wait()
    return {}


HANDLERS = {
    "echo": _echo,
    "refuse": _raising(RefusedError("the ledger refused it: expired")),
    "break": _raising(FormatError("deep inside")),
    "never": _never,
}


@contextmanager
def serving(path: Path) -> Iterator[None]:
    """An AdminServer at `path` in a thread of its own."""
    loop = asyncio.new_event_loop()
    server = AdminServer(path, HANDLERS)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.start(), loop).result(10)
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(_end(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _end(server: AdminServer) -> None:
    await server.stop()
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


@pytest.fixture
def path(tmp_path: Path) -> Iterator[Path]:
    with serving(tmp_path / "admin.sock"):
        yield tmp_path / "admin.sock"


def test_an_answer_comes_back(path: Path) -> None:
    assert ask(path, "echo", 5, text="x" * 100_000) == {"ok": True, "echo": "x" * 100_000}


def test_an_error_comes_back_as_its_class(path: Path) -> None:
    with pytest.raises(RefusedError, match="the ledger refused it: expired"):
        ask(path, "refuse", 5)


def test_an_error_of_another_package_comes_back_as_the_root(path: Path) -> None:
    with pytest.raises(GatewayError, match="deep inside"):
        ask(path, "break", 5)


def test_an_unknown_command(path: Path) -> None:
    with pytest.raises(UsageError, match="not a command"):
        ask(path, "dance", 5)


@pytest.mark.parametrize("line", [b"\n", b"[]\n", b"{}\n", b"\xff\n", b"[" * 10_000 + b"\n"])
def test_nonsense_is_answered_and_harmless(path: Path, line: bytes) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        connection.connect(str(path))
        connection.sendall(line)
        assert b"not a command" in connection.recv(1 << 16)
    assert ask(path, "echo", 5, text="")["ok"]


def test_a_gateway_that_does_not_answer(path: Path) -> None:
    with pytest.raises(DeadlineError, match="did not answer within 0 s"):
        ask(path, "never", 0.2)


def test_nobody_else_may_open_it(path: Path) -> None:
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_gateway(tmp_path: Path) -> None:
    with pytest.raises(NotRunningError, match="start it with `wattle-gateway run`"):
        ask(tmp_path / "admin.sock", "echo", 5)


def test_a_socket_left_behind_by_a_killed_gateway(tmp_path: Path) -> None:
    path = tmp_path / "admin.sock"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    with pytest.raises(NotRunningError):
        ask(path, "echo", 5)
    with serving(path):
        assert ask(path, "echo", 5, text="again")["echo"] == "again"
    until(lambda: not path.exists(), 5, "the socket is gone")


def test_a_path_longer_than_a_socket_address(tmp_path: Path) -> None:
    folder = tmp_path / ("d" * 100)
    folder.mkdir()
    with serving(folder / "admin.sock"):
        assert ask(folder / "admin.sock", "echo", 5, text="far")["echo"] == "far"
