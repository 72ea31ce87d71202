"""What whoever started the gateway as a service is told: ready, alive, stopping, and how it is.

The protocol of systemd's sd_notify(3), which other managers speak, too: datagrams of `NAME=value`
lines to the Unix socket that the variable NOTIFY_SOCKET names. Sixty lines instead of a library:
those of PyPI either need systemd's headers or have had no release for years.
"""

import asyncio
import contextlib
import os
import socket
from collections.abc import Awaitable, Callable, MutableMapping

from wattle_gateway.errors import ConfigError
from wattle_gateway.metrics import readiness
from wattle_gateway.metrics.reading import Reading
from wattle_gateway.runtime.logs import Log

# Without a watchdog, how often the manager is told how the gateway is.
TELL_EVERY_S = 30.0
# Of a watchdog's time: two reports may be lost or late.
REPORTS_A_WATCHDOG = 3
# What `systemctl status` shows on one line.
_STATUS_CHARS_MAX = 200
_VARIABLES = ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID")

_log = Log("service")


class ServiceManager:
    """Tells the manager behind `address` ("" for none: then nothing happens); `watchdog_s` after
    which silence means to it that the gateway hangs, None if it does not watch."""

    def __init__(self, address: str, watchdog_s: float | None) -> None:
        self._address = address
        self.watchdog_s = watchdog_s
        self._failed = False

    @property
    def listens(self) -> bool:
        """Whether there is anybody to tell."""
        return bool(self._address)

    def ready(self) -> None:
        """Everything is served now."""
        self._send("READY=1", "STATUS=running")

    def stopping(self) -> None:
        """The end has begun; the watchdog waits for it no more."""
        self._send("STOPPING=1", "STATUS=stopping")

    async def report(
        self, alive: Callable[[], Awaitable[bool]], read: Callable[[], Awaitable[Reading]]
    ) -> None:
        """Until cancelled: say that the gateway lives while `alive` says so, and how it is by a
        reading. That the event loop runs is shown by the report itself."""
        pause_s = TELL_EVERY_S
        if self.watchdog_s is not None:
            pause_s = min(pause_s, self.watchdog_s / REPORTS_A_WATCHDOG)
        while self.listens:
            if await alive():
                self._send("WATCHDOG=1", f"STATUS={await _words(read)}")
            else:
                self._send("STATUS=the ledger's thread does not answer")
            await asyncio.sleep(pause_s)

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        # A leading @ stands for the NUL of Linux' abstract names (sd_notify(3)).
        address = "\0" + self._address[1:] if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
                sender.setblocking(False)  # a manager that hangs must not hang us
                sender.connect(address)
                sender.send("\n".join(lines).encode())
            self._failed = False
        except OSError as error:
            if not self._failed:
                _log.warning("the service manager does not hear us", error=error)
            self._failed = True


def from_environment(environment: MutableMapping[str, str], pid: int) -> ServiceManager:
    """The manager that the environment of process `pid` names.

    Its variables are taken out: brokers and workers are not to speak for us. ConfigError for a
    socket or a watchdog time that sd_notify(3) does not have.
    """
    address, usec, watched = (environment.pop(name, "") for name in _VARIABLES)
    if address and address[0] not in "/@":
        raise ConfigError(f"NOTIFY_SOCKET is {address!r}, expected a path or an abstract name")
    if not usec or (watched and watched != str(pid)):
        return ServiceManager(address, None)
    watchdog_us = 0
    with contextlib.suppress(ValueError):
        watchdog_us = int(usec)
    if watchdog_us <= 0:
        raise ConfigError(f"WATCHDOG_USEC is {usec!r}, expected microseconds above 0")
    return ServiceManager(address, watchdog_us / 1_000_000)


def of_this_process() -> ServiceManager:
    """As `from_environment`, of this very process."""
    return from_environment(os.environ, os.getpid())


async def _words(read: Callable[[], Awaitable[Reading]]) -> str:
    """How the gateway is, on one line."""
    try:
        found = await read()
    except OSError as error:
        return f"the disk does not answer: {error.strerror}"
    commit = "?" if found.ledger is None else str(found.ledger.consensus.commit)
    words = f"commit {commit}, {len(found.live.online)} of {found.meters} meters connected"
    reasons = "; ".join(f"{name}: {why}" for name, why in readiness.not_ready(found).items())
    text = f"{words}; not ready: {reasons}" if reasons else words
    return "".join(char if char.isprintable() else " " for char in text)[:_STATUS_CHARS_MAX]
