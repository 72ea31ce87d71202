"""A gateway that cannot start, or go on, because its disk is full: it waits for room, and says so
wherever a running one is asked.

Not even its databases can be read then: of one that was closed in order SQLite has to make the
index of its log anew, which is a file. So nothing of the ledger is known here, no broker runs, no
meter is answered, and each turns to its next gateway with all that it has.
"""

import asyncio
import contextlib
import os
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from wattle_gateway.admin.channel import AdminServer, Answer, Handler
from wattle_gateway.admin.live_status import LiveStatus
from wattle_gateway.alarms import catalog, message, webhook
from wattle_gateway.alarms.board import AlarmBoard, Finding
from wattle_gateway.alarms.message import Sender
from wattle_gateway.app import alarm_side
from wattle_gateway.app.service_manager import ServiceManager
from wattle_gateway.config import EMBEDDED, GatewayConfig
from wattle_gateway.errors import (
    BrokerError,
    SchemaVersionError,
    ShortageError,
    StorageKeyError,
    StoreError,
)
from wattle_gateway.home import own_certificates
from wattle_gateway.home.identity import Identity
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.metrics.endpoints import endpoints
from wattle_gateway.metrics.http_server import HttpServer
from wattle_gateway.metrics.reading import Reading, read_disk
from wattle_gateway.resources.folder_size import disk_bytes
from wattle_gateway.resources.growth import Forecast
from wattle_gateway.resources.levels import DISK_RESERVE_BYTES
from wattle_gateway.resources.machine import Machine
from wattle_gateway.resources.steward import Steward, as_row
from wattle_gateway.resources.usage import Usage
from wattle_gateway.runtime.clock import Clock, steady_ms
from wattle_gateway.runtime.logs import Log

# As often as a running gateway looks at its machine.
LOOK_EVERY_S = 5.0

_log = Log("gateway")


def is_why(error: Exception, folder: Path) -> bool:
    """Whether a gateway may have ended with `error` for want of room on the disk of `folder`."""
    if isinstance(error, (SchemaVersionError, StorageKeyError)):
        return False  # these no room mends
    if not isinstance(error, (StoreError, BrokerError, OSError)):
        return False
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < DISK_RESERVE_BYTES


class NoRoom:
    """One time of waiting: `wait` once."""

    def __init__(
        self,
        home: GatewayHome,
        identity: Identity,
        config: GatewayConfig,
        clock: Clock,
        manager: ServiceManager,
    ) -> None:
        """Raises ConfigError for a webhook whose secret cannot be read."""
        self._home = home
        self._identity = identity
        self._config = config
        self._clock = clock
        self._manager = manager
        self._machine = Machine(home.folder, config.resources)
        self._steward = Steward()
        self._usage: Usage | None = None
        self._board = AlarmBoard()
        self._why = ""
        self._webhook = None
        alarms = config.alarms
        if alarms.webhook:
            secret = alarms.webhook_secret_file
            path = home.folder / secret if secret else None
            self._webhook = webhook.open_webhook(alarms.webhook, path)

    async def wait(self, error: Exception, stop: asyncio.Event) -> None:
        """Until there is room for a start, or `stop` is set. Raises ConfigError if the address of
        `[metrics]` cannot be had."""
        needed = f"{DISK_RESERVE_BYTES >> 20} MiB"
        self._why = f"{error}; it goes on by itself once {needed} are free on its disk"
        _log.error("the disk is full: waiting for room", error=error, needed=needed)
        async with contextlib.AsyncExitStack() as parts:
            await self._serve(parts)
            async with asyncio.TaskGroup() as tasks:
                running = [tasks.create_task(self._manager.report(_alive, self.read))]
                if self._webhook is not None:
                    running.append(tasks.create_task(self._webhook.run()))
                self._manager.ready()
                await self._look_for_room(stop)
                for task in running:
                    task.cancel()
        if not stop.is_set():
            _log.warning("there is room: starting")

    async def _serve(self, parts: contextlib.AsyncExitStack) -> None:
        handlers = _Refusing({"live": self._live, "ping": self._ping}, self._refuse)
        admin = AdminServer(self._home.admin_socket, handlers)
        parts.push_async_callback(admin.stop)
        try:
            await admin.start()
        except OSError as error:
            _log.error("no admin socket on the full disk", error=error)
        server = HttpServer(endpoints(self.read, _alive))
        parts.push_async_callback(server.stop)
        metrics = self._config.metrics
        if metrics.listen:
            await server.start(metrics.listen, metrics.port)

    async def _look_for_room(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with contextlib.suppress(OSError):  # a disk that does not answer has no room either
                self._usage = self._machine.look()
                if self._usage.disk.free >= DISK_RESERVE_BYTES:
                    return
                self._steward.look(self._usage)
            self._alarm()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(LOOK_EVERY_S):
                    await stop.wait()

    def _alarm(self) -> None:
        found = {catalog.DISK: Finding(catalog.CRITICAL, f"it does not start: {self._why}")}
        now_ms = self._clock.now_ms()
        identity = self._identity
        for event in self._board.look(steady_ms(), now_ms, found):
            alarm_side.log(event)
            if self._webhook is not None:
                sender = Sender(
                    identity.genesis.ledger_id.hex(),
                    identity.kid.hex(),
                    identity.member.name,
                    self._config.site,
                )
                active = self._board.active()
                self._webhook.tell(message.encode(sender, event.what, event, active, now_ms))

    async def read(self) -> Reading:
        """What a scrape finds. OSError if the disk does not answer."""
        folder, identity = self._home.folder, self._identity
        return Reading(
            version=version("wattle-grid"),
            ledger_id=identity.genesis.ledger_id.hex(),
            kid=identity.kid.hex(),
            members={identity.kid.hex(): identity.member.name},
            meters=0,
            live=self._live_status(),
            ledger=None,
            ledger_trouble=self._why,
            disk=await asyncio.to_thread(lambda: read_disk(folder, disk_bytes(folder))),
        )

    def _live_status(self) -> LiveStatus:
        embedded = self._config.broker.kind == EMBEDDED
        sent = dict.fromkeys(webhook.OUTCOMES, 0)
        if self._webhook is not None:
            sent |= self._webhook.counts
        resources = None
        if self._usage is not None:
            resources = as_row(self._usage, Forecast(None, None, None), self._steward, "")
        return LiveStatus(
            pid=os.getpid(),
            clock_ms=self._clock.now_ms(),
            clock_speed=self._clock.speed,
            clock_alarm=self._clock.alarmed,
            clock_jumps=self._clock.jumps,
            broker_kind=self._config.broker.kind,
            broker_running=False if embedded else None,
            broker_restarts=0 if embedded else None,
            broker_refused_connections=0 if embedded else None,
            link_up=False,
            link_connects=0,
            acks_sent=0,
            worker_crashes=0,
            write_failures=0,
            online=[],
            counters={},
            peers=[],
            peer_strangers=0,
            candidates=[],
            resources=resources,
            alarms=[message.row(alarm) for alarm in self._board.active()],
            alarm_counts={"raised": dict(self._board.raised_count), "webhook": sent},
            certificates=own_certificates.ends(own_certificates.read(self._home)),
            waits=self._why,
        )

    async def _live(self, _request: Answer) -> Answer:
        return {"live": {**asdict(self._live_status()), "consensus": None}}

    async def _ping(self, _request: Answer) -> Answer:
        return {"pid": os.getpid()}

    async def _refuse(self, _request: Answer) -> Answer:
        raise ShortageError(f"the gateway waits for room: {self._why}")


class _Refusing(dict[str, Handler]):
    """Handlers of the admin channel: every command that is not among them is refused alike."""

    def __init__(self, known: dict[str, Handler], refuse: Handler) -> None:
        super().__init__(known)
        self._refuse = refuse

    def __missing__(self, name: str) -> Handler:
        return self._refuse


async def _alive() -> bool:
    """There is no ledger's thread that could hang; that this is asked at all shows the loop."""
    return True
