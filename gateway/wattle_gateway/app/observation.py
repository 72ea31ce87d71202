"""What the running gateway shows to those who watch it: metrics, whether it lives, whether it is
ready, at the address of `[metrics]`."""

import asyncio
import ipaddress
from importlib.metadata import version
from typing import TYPE_CHECKING

from wattle_gateway.app import live
from wattle_gateway.errors import StoreError
from wattle_gateway.metrics.endpoints import endpoints
from wattle_gateway.metrics.http_server import HttpServer
from wattle_gateway.metrics.reading import LedgerReading, Reading, read_disk, read_ledger
from wattle_gateway.resources.folder_size import disk_bytes
from wattle_gateway.runtime.logs import Log

if TYPE_CHECKING:
    from wattle_gateway.app.gateway import Gateway

# As `admin.commands.CONSENSUS_WITHIN_S`, and well below the 10 s that Prometheus waits.
LEDGER_WITHIN_S = 2.0
# A step that executes a long history holds the thread; a gateway that catches up is alive.
ALIVE_WITHIN_S = 30.0

_log = Log("metrics")


async def serve(gateway: "Gateway") -> HttpServer:
    """Begin to answer at the address of `[metrics]`, at none if it is "". Raises ConfigError if
    the address cannot be had."""
    watched = Observation(gateway)
    server = HttpServer(endpoints(watched.read, watched.ledger_answers))
    metrics = gateway.config.metrics
    if metrics.listen:
        await server.start(metrics.listen, metrics.port)
        _log.info("serving metrics", address=f"{metrics.listen}:{server.port}")
        if not is_loopback(metrics.listen):
            _log.warning("metrics are open to whoever reaches their address")
    return server


async def report(gateway: "Gateway") -> None:
    """Tell the service manager how the gateway is, until cancelled."""
    watched = Observation(gateway)
    await gateway.manager.report(watched.ledger_answers, watched.read)


def is_loopback(host: str) -> bool:
    """Whether an address that is listened on is of this machine only."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Observation:
    """Takes readings of a running gateway, in its event loop."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._version = version("wattle-grid")

    async def read(self) -> Reading:
        """A reading now; OSError if the disk does not answer."""
        gateway = self._gateway
        found, trouble = await self._ledger()
        folder = gateway.home.folder
        disk = await asyncio.to_thread(lambda: read_disk(folder, disk_bytes(folder)))
        return Reading(
            version=self._version,
            ledger_id=gateway.epoch.ledger_id.hex(),
            kid=gateway.identity.kid.hex(),
            members={member.kid.hex(): member.name for member in gateway.epoch.everyone},
            meters=sum(1 for meter in gateway.meters.values() if meter.revoked is None),
            live=live.live_status(gateway),
            ledger=found,
            ledger_trouble=trouble,
            disk=disk,
        )

    async def ledger_answers(self) -> bool:
        """Whether the ledger's thread does anything within ALIVE_WITHIN_S."""
        try:
            async with asyncio.timeout(ALIVE_WITHIN_S):
                await self._gateway.ledger.read(lambda _driver: None)
        except TimeoutError:
            return False
        return True

    async def _ledger(self) -> tuple[LedgerReading | None, str]:
        ledger = self._gateway.ledger
        if ledger.trouble:
            return None, ledger.trouble
        try:
            async with asyncio.timeout(LEDGER_WITHIN_S):
                return await ledger.read(read_ledger), ""
        except TimeoutError:
            return None, ""
        except StoreError as error:
            return None, str(error)
