"""An alliance whose gateways each have a small machine, with meters; and who starts them again."""

import asyncio
import contextlib
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from wattle_gateway.config_keys import RETENTION_DAYS
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.sealing import storage_key

from wattle_testkit.alliance_processes import START_DEADLINE_S, AllianceProcesses
from wattle_testkit.edge import meters as paper
from wattle_testkit.edge.meters import EdgeMeter
from wattle_testkit.edge.sender import Sender
from wattle_testkit.edge.shares import Share
from wattle_testkit.edge.usage import Usage, Watch
from wattle_testkit.edge.virtual_time import VirtualTime
from wattle_testkit.gateway_process import GatewayProcess

# What systemd's RestartSec= of the unit says (gateway/deploy).
_RESTART_S = 1.0
# One enrolment is enough for a member's own word: what is measured is not how members approve.
CONSTANTS = Constants(enrol_approvals=1)


class SmallAlliance:
    """`gateways` on small machines, each with a process of its own and `usages` of what it took."""

    def __init__(
        self, folder: Path, shares: Sequence[Share], *, sealed: bool = False, archives: bool = False
    ) -> None:
        """`sealed`: every folder, under one key beside them; `archives`: all but the last full day
        leaves for a folder beside each."""
        self.shares = list(shares)
        self.folder = folder
        key = folder / "storage.key"
        if sealed:
            storage_key.make_file(key)
        self.alliance = AllianceProcesses(
            folder,
            len(self.shares),
            constants=CONSTANTS,
            change=lambda _, choice: (
                replace(choice, storage_key=f"file:{key}") if sealed else choice
            ),
        )
        for gateway in self.gateways if archives else ():
            _let_archive(gateway, self.archive_of(gateway))
        self.usages = [Usage() for _ in self.shares]
        self.restarts = [0] * len(self.shares)
        self._watches: dict[int, Watch] = {}
        self._words: tuple[str, ...] = ()
        self._keepers: list[threading.Thread] = []
        self._ended = threading.Event()

    @property
    def gateways(self) -> list[GatewayProcess]:
        """The processes, in the order of their shares."""
        return self.alliance.gateways

    def archive_of(self, gateway: GatewayProcess) -> Path:
        """The folder that a gateway's archive is in, if it has one."""
        return self.folder / f"archive.{gateway.folder.name}"

    def start(self, clock: VirtualTime, module: str = "wattle_gateway") -> None:
        """Start all, each within its share, and wait until they are linked. `module`: which
        program is the gateway."""
        self._words = clock.words(self.folder)
        self._module = module
        for number in range(len(self.gateways)):
            self.begin(number)
        for gateway in self.gateways:
            gateway.await_up(START_DEADLINE_S)
        self.alliance.await_linked(self.gateways)

    def begin(self, number: int) -> None:
        """Start one gateway, and do not wait."""
        gateway, share = self.gateways[number], self.shares[number]
        gateway.begin(*self._words, program=(*share.words, "--module", self._module))
        self._watches[number] = Watch(gateway.pid, self.usages[number])

    def keep_running(self) -> None:
        """From now on do what systemd does (Restart=always): start again what ends by itself."""
        for number in range(len(self.gateways)):
            keeper = threading.Thread(target=self._keep, args=(number,), daemon=True)
            keeper.start()
            self._keepers.append(keeper)

    def _keep(self, number: int) -> None:
        gateway = self.gateways[number]
        while not self._ended.wait(_RESTART_S):
            if gateway.has_ended:
                self._watches[number].stop()
                self.restarts[number] += 1
                self.begin(number)

    def stop(self) -> None:
        """End all, cleanly where they do so."""
        self._ended.set()
        for keeper in self._keepers:
            keeper.join()
        for watch in self._watches.values():
            watch.stop()
        with ThreadPoolExecutor(len(self.gateways)) as pool:
            list(pool.map(_end, self.gateways))

    def enrol(self, meters: list[EdgeMeter]) -> None:
        """Enrol meters at their gateways, all gateways at once."""
        with ThreadPoolExecutor(len(self.gateways)) as pool:
            numbers = range(len(self.gateways))
            done = pool.map(lambda at: paper.enrol_all(meters, self.gateways[at], at), numbers)
            list(done)

    def senders(self, meters: list[EdgeMeter]) -> list[Sender]:
        """Who sends the meters' samples."""
        found = []
        for meter in meters:
            gateway = self.gateways[meter.gateway]
            context = paper.tls_context(meter, gateway)
            found.append(Sender(meter, gateway.port, context, paper.mac_key(meter, gateway)))
        return found


async def send_all(senders: list[Sender], clock: VirtualTime, deadline_s: float) -> bool:
    """Send everything; whether all of it became final before the deadline (real seconds)."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(deadline_s), asyncio.TaskGroup() as tasks:
            for sender in senders:
                tasks.create_task(sender.run(clock))
        return True
    return False


def _let_archive(gateway: GatewayProcess, folder: Path) -> None:
    folder.mkdir()
    text = gateway.home.config.read_text()
    for old, new in (
        ('target = ""', f'target = "{folder}"'),
        (f"retention_days = {RETENTION_DAYS}", "retention_days = 1"),
    ):
        assert old in text, old
        text = text.replace(old, new)
    gateway.home.config.write_text(text)


def _end(gateway: GatewayProcess) -> None:
    try:
        gateway.stop()
    except Exception:
        gateway.kill()
