"""The process of a running gateway: its folder's lock, its event loop, how it is told to stop."""

import asyncio
import signal
from pathlib import Path

from wattle_gateway import config as configuration
from wattle_gateway.app import no_room, service_manager
from wattle_gateway.app.gateway import Gateway
from wattle_gateway.app.no_room import NoRoom
from wattle_gateway.app.service_manager import ServiceManager
from wattle_gateway.config import JSON, GatewayConfig
from wattle_gateway.errors import GatewayError
from wattle_gateway.home.identity import Identity, load_identity
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.runtime.clock import Clock, open_clock
from wattle_gateway.runtime.lock import InstanceLock
from wattle_gateway.runtime.logs import Log, write_json
from wattle_gateway.runtime.secrecy import keep_memory_private

_log = Log("gateway")


def run(folder: Path, bench_clock: Path | None) -> None:
    """Run the gateway of a folder until SIGTERM or SIGINT.

    Raises HomeError, ConfigError, AlreadyRunningError, BrokerError or StoreError when it cannot
    start, and whatever ends it. While its disk is full it waits for room instead.
    """
    manager = service_manager.of_this_process()
    try:
        keep_memory_private()
    except OSError as error:  # a sandbox may forbid it
        _log.warning("core dumps cannot be switched off", error=error)
    home = GatewayHome(folder)
    identity = load_identity(home)
    config = configuration.load(home.config)
    if config.log.format == JSON:
        write_json()
    clock = open_clock(bench_clock)
    with InstanceLock(home.lock):
        asyncio.run(_run(home, identity, config, clock, manager))


async def _run(
    home: GatewayHome,
    identity: Identity,
    config: GatewayConfig,
    clock: Clock,
    manager: ServiceManager,
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    while not stop.is_set():
        try:
            await Gateway(home, identity, config, clock, manager).run(stop)
        except (GatewayError, OSError) as error:
            if stop.is_set() or not no_room.is_why(error, home.folder):
                raise
            await NoRoom(home, identity, config, clock, manager).wait(error, stop)
        else:
            return
