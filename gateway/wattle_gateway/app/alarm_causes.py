"""What may alarm, looked for in the running gateway's parts."""

import asyncio
from collections import deque
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from wattle_wire import downlink

from wattle_gateway.alarms import catalog
from wattle_gateway.alarms.board import Finding
from wattle_gateway.alarms.catalog import CRITICAL, WARNING
from wattle_gateway.metrics.readiness import COMMIT_LATE_MS
from wattle_gateway.reports import doctor_archive, doctor_finding, doctor_folder
from wattle_gateway.reports.status import REFUSED_PREFIX
from wattle_gateway.resources.growth import DAY_MS
from wattle_gateway.resources.usage import CPU, DISK, MEMORY
from wattle_gateway.runtime.driver import LedgerDriver

if TYPE_CHECKING:
    from wattle_gateway.app.gateway import Gateway

# From this level on new meters are refused: somebody has to act.
CRITICAL_LEVEL = 4
CPU_LEVEL = 2
FULL_WITHIN_DAYS = 14
# A bad line and a stranger's tries are dozens an hour; a meter with a wrong key or a flood is more.
REFUSED_WINDOW_MS = 600_000
REFUSED_MAX = 100
# Certificates and permissions are files, and change by the day.
FOLDER_EVERY_MS = 600_000
# But while they may be why there is no link, and until what was wrong is mended.
FOLDER_SOON_MS = 20_000
LEDGER_WITHIN_S = 2.0
_BUSY = f"{REFUSED_PREFIX}{downlink.REFUSAL_NAMES[downlink.BUSY]}"


class AlarmCauses:
    """`find` looks once; what it needs to remember from look to look is here."""

    def __init__(self, gateway: "Gateway") -> None:
        self._gateway = gateway
        self._refused: deque[tuple[int, int]] = deque()
        self._folder: dict[str, Finding] = {}
        self._folder_ms: int | None = None

    async def find(self, steady_ms: int) -> dict[str, Finding]:
        """Everything that is wrong now, by the names of the catalogue."""
        found = dict(self._parts())
        found.update(self._resources())
        found.update(self._quarantine(steady_ms))
        found.update(await self._finality())
        is_well = self._gateway.link.up and not self._folder
        every_ms = FOLDER_EVERY_MS if is_well else FOLDER_SOON_MS
        if self._folder_ms is None or steady_ms - self._folder_ms >= every_ms:
            self._folder_ms = steady_ms
            self._folder = await asyncio.to_thread(self._look_at_folder)
        return found | self._folder

    def _parts(self) -> Iterator[tuple[str, Finding]]:
        gateway = self._gateway
        if gateway.clock.alarmed:
            text = "the wall clock was set; the gateway stamps by its monotonic clock"
            yield catalog.CLOCK, Finding(WARNING, text)
        if gateway.ledger.trouble:
            yield catalog.LEDGER, Finding(CRITICAL, gateway.ledger.trouble)
        if gateway.broker is not None and not gateway.broker.running:
            yield catalog.BROKER, Finding(CRITICAL, "the embedded broker does not run")
        elif gateway.broker is not None and gateway.broker.store_failed:
            yield catalog.BROKER, Finding(CRITICAL, "the embedded broker has no room on its disk")
        elif not gateway.link.up:
            yield catalog.BROKER, Finding(CRITICAL, "not connected to the broker")
        if gateway.archive is not None and gateway.archive.trouble:
            yield catalog.ARCHIVE, Finding(WARNING, gateway.archive.trouble)
        away = self._away()
        if away:
            yield catalog.PEER, Finding(WARNING, f"no link to {', '.join(away)}")

    def _away(self) -> list[str]:
        """Names of the other voting members without a link; an observer misses no other one."""
        gateway = self._gateway
        if gateway.peering is None:
            return []
        linked = set(gateway.peering.links.up())
        own = gateway.identity.kid
        return [
            member.name
            for member in gateway.epoch.members
            if member.kid != own and member.kid not in linked
        ]

    def _resources(self) -> Iterator[tuple[str, Finding]]:
        resources = self._gateway.resources
        usage, levels = resources.usage, resources.levels
        if usage is None:
            return
        full_ms = resources.forecast.full_ms
        days = None if full_ms is None else max(0, full_ms - self._gateway.clock.now_ms()) // DAY_MS
        if levels.get(DISK, 0) or (days is not None and days < FULL_WITHIN_DAYS):
            text = (
                f"{usage.disk.room >> 20} MiB are left beside {usage.disk.used >> 20} MiB of ours"
            )
            if days is not None:
                text += f", for {days} days at the present growth"
            yield catalog.DISK, Finding(_severity(levels.get(DISK, 0)), text)
        if levels.get(MEMORY, 0):
            text = f"{usage.memory.used >> 20} MiB of {usage.memory.limit >> 20} MiB are used"
            yield catalog.MEMORY, Finding(_severity(levels[MEMORY]), text)
        if levels.get(CPU, 0) >= CPU_LEVEL and usage.cpu is not None:
            used, limit = usage.cpu.used_ppm // 10_000, usage.cpu.limit_ppm // 10_000
            yield catalog.CPU, Finding(WARNING, f"{used} % of a core of {limit} % are used")

    def _quarantine(self, steady_ms: int) -> Iterator[tuple[str, Finding]]:
        counters = self._gateway.desk.counters
        total = sum(
            count
            for name, count in counters.items()
            if name.startswith(REFUSED_PREFIX) and name != _BUSY
        )
        self._refused.append((steady_ms, total))
        while steady_ms - self._refused[0][0] > REFUSED_WINDOW_MS:
            self._refused.popleft()
        more = total - self._refused[0][1]
        if more > REFUSED_MAX:
            text = f"{more} messages were refused in the last ten minutes"
            yield catalog.QUARANTINE, Finding(WARNING, text)

    async def _finality(self) -> dict[str, Finding]:
        gateway = self._gateway
        if gateway.ledger.trouble:
            return {}
        try:
            async with asyncio.timeout(LEDGER_WITHIN_S):
                since_ms, waiting, several, begins = await gateway.ledger.read(_behind)
        except TimeoutError:
            return {}
        late_ms = gateway.clock.now_ms() - since_ms
        if begins is not None:
            text = (
                f"no other gateway has the next commit any more, the first is {begins}; "
                "stop it, then `wattle-gateway snapshot begin`"
            )
            return {catalog.FINALITY: Finding(CRITICAL, text)}
        if several and late_ms > COMMIT_LATE_MS * gateway.clock.speed:
            return {catalog.FINALITY: Finding(CRITICAL, f"no commit for {late_ms // 1000} s")}
        most = gateway.config.ingest.pool_entries_max
        if 2 * waiting > most:
            text = f"{waiting} entries wait for a block, at most {most} may"
            return {catalog.FINALITY: Finding(WARNING, text)}
        return {}

    def _look_at_folder(self) -> dict[str, Finding]:
        """What the doctor says of certificates, keys and the archive's folder."""
        home, target = self._gateway.home, self._gateway.config.archive.target
        now_ms = self._gateway.clock.now_ms()
        try:
            missing = doctor_archive.missing_folder(home, target)
            found = {
                catalog.CERTIFICATE: _worst(doctor_folder.certificates(home, now_ms)),
                catalog.KEYS: _worst([doctor_folder.permissions(home)]),
                catalog.ARCHIVE: _worst([missing] if missing else []),
            }
        except OSError as error:
            return {catalog.KEYS: Finding(CRITICAL, f"{home.folder}: {error.strerror}")}
        return {name: finding for name, finding in found.items() if finding is not None}


def _severity(level: int) -> str:
    return CRITICAL if level >= CRITICAL_LEVEL else WARNING


def _worst(findings: Iterable[doctor_finding.Finding]) -> Finding | None:
    bad = [one for one in findings if one.level != doctor_finding.OK]
    if not bad:
        return None
    worst = max(bad, key=lambda one: doctor_finding.LEVELS.index(one.level))
    severity = CRITICAL if worst.level == doctor_finding.PROBLEM else WARNING
    return Finding(severity, f"{worst.check}: {worst.found}")


def _behind(driver: LedgerDriver) -> tuple[int, int, bool, int | None]:
    """Unix ms of the newest commit or of the epoch's beginning, entries that wait, whether there
    are several voting members, and the first commit that others can give, if it comes too late."""
    since_ms = max(driver.head.time_ms, driver.epoch.created_ms)
    begins = driver.synchronizer.history.begins_too_late()
    return since_ms, driver.queue.size, driver.epoch.size > 1, begins
