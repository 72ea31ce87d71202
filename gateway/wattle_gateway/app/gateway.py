"""All parts of a gateway, started in order, run together, stopped in the reverse order.

    meters -> broker -> link -> intake -> workers -> admission -> pool   (durable, acknowledged)
    pool -> engine -> block -> commit -> execution -> ledger             (final, acknowledged)
    other gateways <-> links <-> sync in the ledger's steps

One event loop for the network, one thread for the ledger and its database, worker processes for
signatures, one process for the broker.
"""

import asyncio
import contextlib
from collections.abc import Coroutine
from datetime import UTC, datetime
from typing import Any

from wattle_gateway.admin.registrar import Registrar
from wattle_gateway.admin.signatory import Signatory
from wattle_gateway.admin.standing_approval import StandingApproval
from wattle_gateway.app import administration, broker_side, observation, resource_side, site_bundle
from wattle_gateway.app.alarm_side import AlarmSide
from wattle_gateway.app.archive_desk import ArchiveDesk
from wattle_gateway.app.archive_side import ArchiveSide
from wattle_gateway.app.certificate_keeper import CertificateKeeper
from wattle_gateway.app.desk_keeper import DeskKeeper
from wattle_gateway.app.market import MarketSide
from wattle_gateway.app.peering import Peering
from wattle_gateway.app.resource_side import ResourceSide
from wattle_gateway.app.seal_keeper import SealKeeper
from wattle_gateway.app.service_manager import ServiceManager
from wattle_gateway.broker import permissions
from wattle_gateway.broker.nats import NatsBroker
from wattle_gateway.config import ALWAYS, EMBEDDED, GatewayConfig
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.errors import BrokerError
from wattle_gateway.home import draft, lost_ledger
from wattle_gateway.home.identity import Identity
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ingest import commands
from wattle_gateway.ingest.acks import AckSender
from wattle_gateway.ingest.admission import Admission
from wattle_gateway.ingest.commands import CommandSender
from wattle_gateway.ingest.desk import Desk
from wattle_gateway.ingest.intake import Intake
from wattle_gateway.ingest.links import LinkKeys
from wattle_gateway.ingest.mqtt_link import MqttLink, TlsFiles
from wattle_gateway.ingest.presence import Presence
from wattle_gateway.ingest.resending import Resending
from wattle_gateway.ingest.updates import UpdateOffers
from wattle_gateway.ingest.workers import Workers
from wattle_gateway.ledger import crypto
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.runtime.clock import Clock, steady_ms
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.ledger_thread import LedgerThread
from wattle_gateway.runtime.logs import Log
from wattle_gateway.runtime.progress import Progress
from wattle_gateway.store.operation_file import OperationFile, Write
from wattle_gateway.sync.parcels import JoinRequest

# What a full disk or a broker did not take is told again so often.
AGAIN_AFTER_S = 60.0

_log = Log("gateway")


class Gateway:
    """All parts of one gateway. Make it inside the event loop's thread; `run` does the rest."""

    def __init__(
        self,
        home: GatewayHome,
        identity: Identity,
        config: GatewayConfig,
        clock: Clock,
        manager: ServiceManager,
    ) -> None:
        self.home = home
        self.identity = identity
        self.config = config
        self.clock = clock
        self.manager = manager
        self.certificates = CertificateKeeper(self, lambda: datetime.now(UTC))
        self.epoch = first_epoch(identity.genesis)
        self.meters: dict[bytes, Meter] = {}
        # The registry by which certificates and revocations were written last.
        self._followed: dict[bytes, Meter] = {}
        self.broker: NatsBroker | None = None
        self.peering: Peering | None = None
        self.archive: ArchiveSide | None = None
        self._archive_desk: ArchiveDesk | None = None
        self._registry_changed = asyncio.Event()
        self._epoch_changed = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        """Start everything, serve until `stop` is set, stop everything in the reverse order.

        An error of any part ends all and is raised.
        """
        try:
            async with contextlib.AsyncExitStack() as parts:
                await self._start(parts)
                async with asyncio.TaskGroup() as tasks:
                    running = [tasks.create_task(work) for work in self._duties()]
                    self.manager.ready()
                    await stop.wait()
                    self.manager.stopping()
                    _log.info("stopping")
                    for task in running:
                        task.cancel()
        except BaseExceptionGroup as group:
            raise _first(group) from group
        _log.info("stopped")

    def _duties(self) -> list[Coroutine[Any, Any, None]]:
        duties = [
            self.ledger.keep_time(),
            self.intake.run(),
            self.acks.run(),
            self.market.run(),
            self.keeper.run(),
            self.seal_keeper.run(),
            self._follow_registry(),
            observation.report(self),
            resource_side.watch(self),
            self.alarms.run(),
            self.certificates.run(),
        ]
        if self.config.alliance.approve_enrolments == ALWAYS:
            duties.append(self.approval.run())
        if self.broker is not None:
            duties.append(self.broker.supervise())
        if self.archive is not None:
            duties.append(self.archive.run())
        if self._archive_desk is not None:
            duties.append(self._archive_desk.run())
        if self.peering is not None:
            duties += [self.peering.run(), self._follow_epochs(self.peering)]
        return duties

    async def _start(self, parts: contextlib.AsyncExitStack) -> None:
        self._make_ledger()
        parts.push_async_callback(self.ledger.close)
        await self.ledger.open()
        self.epoch = await self.ledger.read(lambda driver: driver.epoch)
        await self._make_ingest(parts)
        await self._learn_registry()
        await self.market.begin()
        await self.certificates.look()
        if self.config.broker.kind == EMBEDDED:
            self.broker = broker_side.embedded(self.home, self.config.broker, self._access())
            parts.push_async_callback(self.broker.stop)
            await self.broker.start()
        await self._start_peering(parts)
        self._renew_bundle()
        self.link = self._make_link()
        parts.push_async_callback(self.link.stop)
        self.alarms = AlarmSide(self)
        self.resources = ResourceSide(self)
        parts.push_async_callback(self.resources.stop)
        await self.resources.begin()
        if self.config.archive.target:
            self.archive = ArchiveSide(self)
            parts.push_async_callback(self.archive.stop)
        self.link.start()
        admin = administration.server(self)
        parts.push_async_callback(admin.stop)
        await admin.start()
        watched = await observation.serve(self)
        parts.push_async_callback(watched.stop)
        _log.info("running", ledger=self.epoch.ledger_id.hex(), folder=self.home.folder)

    def _make_ledger(self) -> None:
        lost_ledger.make_up(self.home, self.identity)
        driver = LedgerDriver(
            self.home.database,
            self.epoch,
            self.identity.kid,
            crypto.signer(self.identity.block_key),
            self.identity.checkpoint_key.sign,
            archive_read=bool(self.config.archive.target),
        )
        self.ledger = LedgerThread(driver, self.clock, self._on_progress, self._on_reopen)
        self.signatory = Signatory(self.identity, self.ledger)
        self.approval = StandingApproval(self.signatory, self.ledger)
        self.registrar = Registrar(
            self.home, self.identity, self.signatory, self.ledger, self.clock.now_ms, self._admit
        )

    async def _make_ingest(self, parts: contextlib.AsyncExitStack) -> None:
        ledger_id, limits = self.epoch.ledger_id, self.config.ingest
        self.operation = OperationFile(self.home.operation, ledger_id)
        parts.callback(self.operation.close)
        counters, seen = self.operation.counters(), self.operation.seen()
        self.desk = Desk(counters, seen, limits.quarantine_entries_max, limits.quarantine_bytes_max)
        self.keeper = DeskKeeper(self.desk, self.operation)
        self.seal_keeper = SealKeeper(self.home, self.ledger, self.operation)
        links = LinkKeys(ledger_id, self.identity.link_key)
        self.acks = AckSender(ledger_id, links, self._publish)
        sender = CommandSender(
            ledger_id,
            links,
            counters.get(commands.COUNTER, 0),
            self.clock.now_ms,
            self._publish,
            self._remember,
        )
        self.resending = Resending(sender)
        self.updates = UpdateOffers(self._publish, steady_ms)
        self.market = MarketSide(
            self.ledger, sender, self.resending, seen, lambda: self.meters, self.clock
        )
        self.market.answer_by(self.config.policy, self.home, self.identity.kid, self.signatory)
        self.presence = Presence(
            ledger_id,
            self.desk,
            self.acks,
            sender,
            self.updates,
            self.clock.now_ms,
            steady_ms,
            self.market.connection,
        )
        parts.push_async_callback(self.keeper.write)
        self.workers = Workers(limits.workers, ledger_id)
        parts.callback(self.workers.stop)
        await self.workers.warm_up()
        self.admission = Admission(limits.pool_entries_max)
        self.intake = Intake(
            self.ledger,
            self.workers,
            limits.workers,
            self.admission,
            self.desk,
            self.acks,
            self.clock.now_ms,
            self.presence.take,
            self.market.heard,
        )

    async def _start_peering(self, parts: contextlib.AsyncExitStack) -> None:
        """One alone with nobody invited knows no peers and listens nowhere."""
        others = [member for member in self.epoch.everyone if member.kid != self.identity.kid]
        alone = not others and not self.home.invitation.exists()
        if alone and not self.config.peers.listen:
            return
        peering = Peering(
            self.home,
            self.identity,
            self.operation,
            self.ledger,
            self.clock.now_ms,
            self._renew_bundle,
        )
        self.peering = peering
        if self.config.archive.target:
            self._archive_desk = ArchiveDesk(self.home, self.ledger, peering.send)
            parts.push_async_callback(self._archive_desk.stop)
        parts.push_async_callback(peering.links.stop)
        head = await self.ledger.read(lambda driver: driver.head)
        await peering.start(self.epoch, head, self.config.peers, draft.reach(self.config))

    async def _learn_registry(self) -> None:
        meters, head, views = await self.ledger.read(
            lambda driver: (
                driver.meters(),
                driver.head,
                {kid: driver.stands(kid) for kid in driver.meters()},
            )
        )
        self._set_meters(meters)
        self._followed = meters
        self.acks.moved(head, {kid: view for kid, view in views.items() if view is not None})
        # A crash between a commit and its files: the ledger decides, the files follow.
        try:
            for meter in meters.values():
                if meter.home == self.identity.kid:
                    self.registrar.certificate_of(meter)
            self.registrar.write_revocations(meters)
        except OSError as error:
            self._followed = {}
            self._follow_later(error)

    def _renew_bundle(self) -> None:
        site_bundle.renew(self)

    def _make_link(self) -> MqttLink:
        broker = self.config.broker
        return MqttLink(
            broker_side.reachable(broker.listen) if broker.kind == EMBEDDED else broker.host,
            broker.port,
            TlsFiles(
                self.home.certificate("authority"),
                self.home.certificate("gateway"),
                self.home.key("gateway"),
            ),
            permissions.gateway_subscribes(),
            self.intake.take,
            self.acks.remind_all,
        )

    def _on_progress(self, progress: Progress) -> None:
        self.acks.moved(progress.head, progress.acks)
        self.signatory.follow(progress)
        self.market.follow(progress)
        if self.peering is not None:
            self.peering.follow(progress)
        if self._archive_desk is not None:
            self._archive_desk.ask(progress.archived)
        if progress.registry_changed:
            self._registry_changed.set()
            self.approval.look()
        if progress.epoch_changed is not None:
            self.epoch = progress.epoch_changed
            self._epoch_changed.set()

    def _on_reopen(self) -> None:
        if self.peering is not None:
            self.peering.begin_anew()

    def _access(self) -> permissions.BrokerAccess:
        return broker_side.access(self.home, self.meters, self.epoch, self.identity.site_authority)

    def _set_meters(self, meters: dict[bytes, Meter]) -> None:
        self.meters = meters
        for part in (self.intake, self.presence, self.acks):
            part.set_meters(meters)

    async def _admit(self, meters: dict[bytes, Meter]) -> None:
        """The registry has changed: tell all parts, and the broker whom to let in."""
        self._set_meters(meters)
        if self.broker is not None:
            await self.broker.update(self._access())
        self.registrar.follow(self._followed, meters)
        self._followed = meters

    async def admit_again(self) -> None:
        """Who may come to the broker has changed without the registry."""
        await self._admit(self.meters)

    async def _follow_registry(self) -> None:
        """Transactions that nobody waits for, left by a crash, count like any other."""
        while True:
            await self._registry_changed.wait()
            self._registry_changed.clear()
            meters = await self.ledger.read(LedgerDriver.meters)
            try:
                await self._admit(meters)
            except (BrokerError, OSError) as error:
                self._follow_later(error)

    def _follow_later(self, error: BrokerError | OSError) -> None:
        if isinstance(error, BrokerError):
            _log.error("broker does not know all meters", error=error)
        else:
            _log.error("certificates or revocations are not written", error=error)
        asyncio.get_running_loop().call_later(AGAIN_AFTER_S, self._registry_changed.set)

    async def _follow_epochs(self, peering: Peering) -> None:
        """Members have come or gone: links, brokers and meters are told."""
        while True:
            await self._epoch_changed.wait()
            self._epoch_changed.clear()
            _log.info("a new epoch", number=self.epoch.number, members=len(self.epoch.everyone))
            await peering.enter(self.epoch)
            self._renew_bundle()
            self._registry_changed.set()

    async def _remember(self, write: Write) -> None:
        await asyncio.to_thread(self.operation.write, write)

    def candidates(self) -> dict[bytes, JoinRequest]:
        """Who asks to become a member, by kid."""
        return {} if self.peering is None else self.peering.candidates

    def _publish(self, topic: str, payload: bytes) -> bool:
        return self.link.publish(topic, payload)


def _first(error: BaseException) -> BaseException:
    """What went wrong first, out of groups of groups."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error
