"""What a service manager hears of a gateway: over a real socket, from a real process."""

import asyncio
import os
import re
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from wattle_gateway.app import service_manager
from wattle_gateway.app.service_manager import ServiceManager
from wattle_gateway.errors import ConfigError
from wattle_gateway.metrics.reading import Reading
from wattle_testkit.gateway_process import GatewayProcess
from wattle_testkit.gateway_reading import READING

DEADLINE_S = 60.0


class Manager:
    """The manager's side of the socket: one datagram a message."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self._socket.settimeout(DEADLINE_S)

    def hear(self) -> dict[str, str]:
        """The next message, by name; TimeoutError if none comes."""
        lines = self._socket.recv(4096).decode().split("\n")
        return dict(line.split("=", 1) for line in lines)

    def heard(self) -> list[dict[str, str]]:
        """All messages that wait."""
        self._socket.setblocking(False)
        found = []
        try:
            while True:
                found.append(self.hear())
        except BlockingIOError:
            self._socket.settimeout(DEADLINE_S)
            return found

    def close(self) -> None:
        self._socket.close()


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    opened = Manager(str(tmp_path / "notify"))
    yield opened
    opened.close()


def test_a_gateway_says_when_it_is_ready_lives_and_stops(
    tmp_path: Path, manager: Manager, monkeypatch: pytest.MonkeyPatch
) -> None:
    gateway = GatewayProcess(tmp_path / "home")
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
    monkeypatch.setenv("WATCHDOG_USEC", "600000")
    try:
        gateway.begin()
        assert manager.hear() == {"READY": "1", "STATUS": "running"}
        beats = [manager.hear() for _ in range(3)]
        assert [beat["WATCHDOG"] for beat in beats] == ["1", "1", "1"]
        assert re.match(r"commit \d+, 0 of 0 meters connected", beats[-1]["STATUS"])
        gateway.await_up()
        # The broker was started with the gateway's environment: it must not speak for it.
        broker = int((gateway.home.broker / "nats.pid").read_text())
        assert b"NOTIFY_SOCKET" not in Path(f"/proc/{broker}/environ").read_bytes()
        assert gateway.stop() == 0
    finally:
        gateway.kill()
    assert manager.heard()[-1] == {"STOPPING": "1", "STATUS": "stopping"}


async def _reports(manager: Manager, told: ServiceManager, alive: bool, count: int) -> list[str]:
    async def answers() -> bool:
        return alive

    async def read() -> Reading:
        return replace(READING, ledger=None)

    task = asyncio.create_task(told.report(answers, read))
    try:
        return [repr(await asyncio.to_thread(manager.hear)) for _ in range(count)]
    finally:
        task.cancel()


def test_a_ledger_that_hangs_feeds_no_watchdog(tmp_path: Path, manager: Manager) -> None:
    told = ServiceManager(str(tmp_path / "notify"), 0.03)
    said = asyncio.run(_reports(manager, told, alive=False, count=3))
    assert said == ["{'STATUS': \"the ledger's thread does not answer\"}"] * 3


def test_a_report_says_why_it_is_not_ready(tmp_path: Path, manager: Manager) -> None:
    told = ServiceManager(str(tmp_path / "notify"), 0.03)
    (said,) = asyncio.run(_reports(manager, told, alive=True, count=1))
    assert "commit ?, 1 of 3 meters connected; not ready: ledger: the ledger's thread" in said
    assert "'WATCHDOG': '1'" in said


def test_an_abstract_address_is_reached() -> None:
    name = f"wattle-test-{os.getpid()}"
    manager = Manager(f"\0{name}")
    ServiceManager(f"@{name}", None).ready()
    assert manager.hear()["READY"] == "1"
    manager.close()


def test_a_manager_that_is_gone_disturbs_nobody(tmp_path: Path) -> None:
    told = ServiceManager(str(tmp_path / "nobody"), None)
    told.ready()
    told.stopping()


def test_the_environment_names_the_manager_and_is_cleaned() -> None:
    environment = {
        "NOTIFY_SOCKET": "/run/systemd/notify",
        "WATCHDOG_USEC": "30000000",
        "WATCHDOG_PID": "7",
        "HOME": "/",
    }
    told = service_manager.from_environment(environment, 7)
    assert told.listens
    assert told.watchdog_s == 30
    assert environment == {"HOME": "/"}


@pytest.mark.parametrize(
    ("environment", "watchdog_s"),
    [
        ({}, None),
        ({"NOTIFY_SOCKET": "@x"}, None),
        # Of another process: we inherited it.
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "5000000", "WATCHDOG_PID": "8"}, None),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "5000000"}, 5.0),
    ],
)
def test_a_watchdog_is_only_ours_if_it_says_so(
    environment: dict[str, str], watchdog_s: float | None
) -> None:
    listens = bool(environment)
    told = service_manager.from_environment(environment, 7)
    assert (told.listens, told.watchdog_s) == (listens, watchdog_s)


@pytest.mark.parametrize(
    ("environment", "says"),
    [
        ({"NOTIFY_SOCKET": "run/notify"}, "NOTIFY_SOCKET is 'run/notify'"),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "soon"}, "WATCHDOG_USEC is 'soon'"),
        ({"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": "0"}, "WATCHDOG_USEC is '0'"),
    ],
)
def test_what_no_manager_says_is_refused(environment: dict[str, str], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        service_manager.from_environment(environment, 7)
