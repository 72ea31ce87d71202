"""A simulated gateway: the production driver on a machine whose clock, disk and links are fakes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Protocol

from wattle_gateway.consensus.engine import Now
from wattle_gateway.contracts.chain import AckView
from wattle_gateway.errors import GatewayError
from wattle_gateway.ingest import checker
from wattle_gateway.ingest.admission import REPEAT, STORED, Admission
from wattle_gateway.ingest.checker import Checked, Refused
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import entry, transaction
from wattle_gateway.ledger.epoch import Epoch, first_epoch
from wattle_gateway.ledger.genesis import Genesis, Member
from wattle_gateway.runtime.driver import LedgerDriver
from wattle_gateway.runtime.progress import Progress
from wattle_gateway.runtime.queue import entry_row
from wattle_gateway.store import connection as database
from wattle_gateway.sync import messages
from wattle_gateway.sync.parcels import Parcel
from wattle_wire.downlink import REFUSED_MAX, Ack

from wattle_testkit.simulation import cheap_keys
from wattle_testkit.simulation.checkers import ViolationError
from wattle_testkit.simulation.disk import Disk, Image
from wattle_testkit.simulation.lanes import Lanes
from wattle_testkit.simulation.meter import DELAY_MS, SimMeter
from wattle_testkit.simulation.network import Network
from wattle_testkit.simulation.node_clock import NodeClock
from wattle_testkit.simulation.timeline import Timeline
from wattle_testkit.simulation.trace import Trace
from wattle_testkit.simulation.watch import Watch

# More than any honest meter ever has waiting in a run.
POOL_ENTRIES_MAX = 2_000
# A transaction of a simulated member is valid long beyond any run.
_UNTIL_MS = 1 << 52

_FILE = "ledger.db"


@dataclass(frozen=True)
class Surroundings:
    """What all gateways of a world share."""

    genesis: Genesis
    timeline: Timeline
    network: Network
    trace: Trace
    watch: Watch


class Mouth(Protocol):
    """What a liar puts between its gateway and the network."""

    def says(self, parcel: Parcel) -> list[Parcel]:
        """What goes out for a message that an honest gateway would send."""

    def hears(self, peer: bytes, raw: bytes) -> bool:
        """Whether the gateway is told of a message."""


class SimGateway:
    """One member's machine. Whatever happens to it is a step of its driver, and what a step says
    goes to the checkers.

    `honest`: it runs the rules unaltered; `kept_disk`: it never lost what it had written;
    `hoards`: it keeps every second sample to itself and says that they are durable;
    `cut_at_commit`: its power fails in the next COMMIT, `on_cut` is told then.
    """

    def __init__(
        self, name: str, member: Member, around: Surroundings, folder: Path, random: Random
    ) -> None:
        self.address = name
        self.member = member
        self.kid = member.kid
        self.disk = Disk(folder, random)
        self.clock = NodeClock(around.timeline, random.randint(-200, 200))
        self.is_up = False
        self.cut_at_commit = False
        self.honest = True
        self.kept_disk = True
        self.mouth: Mouth | None = None
        self.hoards = False
        self._kept_back: set[tuple[bytes, int]] = set()
        self.meters: dict[bytes, SimMeter] = {}
        self.submitted: list[bytes] = []
        self.on_cut: Callable[[SimGateway], None] | None = None
        self._around = around
        self._random = random
        self._life = 0
        self._planned_tick_ms = -1
        self._told: dict[bytes, AckView] = {}
        self._guests: set[bytes] = set()
        self.lanes = Lanes()
        around.trace.names[self.kid] = name
        self.create_ledger()

    @property
    def carries(self) -> bool:
        """Whether what it is given must come into the ledger: it runs, follows the rules, has a
        vote in the epoch that it is in, and has always had its own disk. Who has not may have to
        be silent (rules 12, 32)."""
        return self.is_up and self.honest and self.kept_disk and self.driver.author is not None

    # ---- machine

    def create_ledger(self, *, lost: bool = False) -> None:
        """An empty database; `lost`: instead of one that is gone."""
        path = self.disk.folder / _FILE
        database.create_ledger(path, self._around.genesis.ledger_id, lost=lost)

    def start(self) -> None:
        """The process begins."""
        self._life += 1
        self._planned_tick_ms = -1
        self.clock.boot()
        self.driver = self._new_driver()
        self.driver.open()
        self._admission = Admission(POOL_ENTRIES_MAX)
        self.is_up = True
        self._told.clear()
        self._around.watch.started(self)
        self.lanes.forget(self._around.watch.agreement.transactions)
        self._note("starts", "at commit", self.driver.head.index)
        self._around.network.started(self.address)
        self._tick(self._life)

    def stop(self, image: Image | None = None) -> None:
        """The power fails; the disk becomes `image`, what it is now if that is None."""
        self.is_up = False
        self.cut_at_commit = False
        self._life += 1
        left = self.disk.image() if image is None else image
        self.driver.close()
        self.disk.restore(left)
        self._note("stops")
        self._around.watch.promises.stopped(self.address)
        self._around.network.stopped(self.address)
        for meter in self.meters.values():
            meter.gateway_lost(self)

    def close(self) -> None:
        """The world ends."""
        if self.is_up:
            self.is_up = False
            self.driver.close()

    def lose_disk(self) -> None:
        """The disk breaks and is replaced; the keys were elsewhere."""
        self.stop({})
        self.kept_disk = False
        self.submitted.clear()
        self.create_ledger(lost=True)
        self._around.watch.promises.voided(self.address)
        self._note("lost its disk")

    def lose_memory_since(self, image: Image) -> None:
        """Somebody puts an older copy of the disk back: nothing on it tells."""
        self.stop(image)
        self.kept_disk = False
        self.submitted.clear()
        self._around.watch.promises.voided(self.address)
        self._around.watch.one_block.excuse(self.kid)
        self._around.watch.suspects.add(self.kid)
        self._note("got an older copy of its disk")

    def _new_driver(self) -> LedgerDriver:
        return LedgerDriver(
            self.disk.folder / _FILE,
            first_epoch(self._around.genesis),
            self.kid,
            cheap_keys.signer(self.member.block_key),
            cheap_keys.text_signer(self.member.checkpoint_key),
            verify=cheap_keys.verify,
            random_bytes=self._random.randbytes,
            parse_block=block_format.parse,
            check_block=block_format.check,
        )

    # ---- network

    def link_up(self, peer: bytes) -> None:
        """There is a link to a peer."""
        if not self.is_up:
            return
        guest = self.driver.epoch.party_of(peer) is None
        if guest:
            self._guests.add(peer)
        self._step("link to", peer, lambda driver, now: driver.connected(peer, now, guest=guest))

    def link_down(self, peer: bytes) -> None:
        """A link is lost."""
        self._guests.discard(peer)
        if self.is_up:
            self._step("lost", peer, lambda driver, now: driver.disconnected(peer, now))

    def arrived(self, peer: bytes, raw: bytes) -> None:
        """A message of a peer."""
        if self.is_up and (self.mouth is None or self.mouth.hears(peer, raw)):
            kind = messages.KIND_NAMES.get(raw[0] if raw else 0, "noise")
            self._step(kind, peer, lambda driver, now: driver.receive(peer, raw, now), peer)

    def send(self, parcel: Parcel) -> None:
        """Send as it is."""
        self._around.network.send(self, parcel.to, parcel.raw)

    # ---- members' transactions

    def submit(self, kind: int, body: object) -> bool:
        """Send a transaction to the ledger, unless 16 wait already."""
        lane = self.lanes.free()
        if not self.is_up or lane is None:
            return False
        raw = transaction.build(
            self._around.genesis.ledger_id,
            self.kid,
            cheap_keys.signer(self.member.block_key),
            lane=lane,
            nonce=self.lanes.take_nonce(lane, self.driver.next_nonce(lane)),
            until_ms=_UNTIL_MS,
            kind=kind,
            body=body,
        )
        bytes_max = self.driver.epoch.constants.entry_bytes_max
        row = entry_row(
            entry.encode(entry.TRANSACTION, raw, bytes_max), self._around.genesis.ledger_id
        )
        self.lanes.sent(lane, row.digest, self._around.timeline.now_ms)
        self._step("submits", row.digest, lambda driver, now: driver.add([row], now))
        if self.is_up:
            self.submitted.append(row.digest)
        return True

    # ---- meters

    def meter_connected(self, meter: SimMeter) -> None:
        """A meter is there: tell it where it stands."""
        self.meters[meter.kid] = meter
        view = self.driver.stands(meter.kid)
        if view is not None:
            self._ack(meter, view)

    def sample_arrived(self, meter: SimMeter, raw: bytes) -> None:
        """A sample, as the broker hands it on."""
        enrolled = self.driver.meters().get(meter.kid)
        key = None if enrolled is None else enrolled.signing_key
        checked = checker.check(raw, key, self._around.genesis.ledger_id)
        if isinstance(checked, Refused):
            self._refuse(meter, checked)
        elif self.hoards and checked.seq % 2:
            self._kept_back.add((meter.kid, checked.seq))
            self._ack_standing(meter)
        else:
            self._admit(meter, checked)

    def _admit(self, meter: SimMeter, checked: Checked) -> None:
        effects: list[str | Refused] = []

        def admit(driver: LedgerDriver, now: Now) -> Progress:
            admitted, progress = self._admission.admit(driver, now, [checked])
            effects.extend(result.effect for result in admitted)
            if self.carries and STORED in effects:
                self._around.watch.promises.stored(self.address, meter.kid, checked.seq)
            return progress

        self._step("sample", checked.seq, admit)
        for effect in effects if self.is_up else ():
            if isinstance(effect, Refused):
                self._refuse(meter, effect)
            elif effect == REPEAT:
                self._ack_standing(meter)  # it has not heard our ack

    def _refuse(self, meter: SimMeter, refused: Refused) -> None:
        view = self.driver.stands(meter.kid)
        if view is not None and refused.seq is not None:
            self._ack(meter, view, [[refused.seq, refused.reason]])

    def _ack_standing(self, meter: SimMeter) -> None:
        view = self.driver.stands(meter.kid)
        if view is not None:
            self._ack(meter, view)

    def _ack(self, meter: SimMeter, view: AckView, refused: list[list[int]] | None = None) -> None:
        self._told[meter.kid] = view
        durable = view.durable
        if self.hoards:
            while (meter.kid, durable + 1) in self._kept_back:
                durable += 1
        elif self.carries:
            self._around.watch.promises.made(self.address, meter.kid, durable)
        head = self.driver.head
        missing = [list(pair) for pair in view.missing if pair[0] > durable]
        ack = Ack(
            view.final, durable, missing, (refused or [])[:REFUSED_MAX], head.index, head.digest
        )
        self._around.timeline.after(
            self._random.randint(*DELAY_MS), lambda: meter.ack_arrived(self, ack)
        )

    # ---- steps

    def _step(
        self,
        what: str,
        about: object,
        work: Callable[[LedgerDriver, Now], Progress],
        sender: bytes | None = None,
    ) -> None:
        around = self._around
        around.trace.note(around.timeline.now_ms, self.address, what, about)
        if self.cut_at_commit:
            self.disk.watch(self.driver.connection)
        if not self.honest:
            self._forget_guilt()
        try:
            progress = work(self.driver, self.clock.now())
        except GatewayError as error:
            if self.honest:
                raise ViolationError("honest step", f"{self.address}, {what}: {error!r}") from error
            self._note("falls over its own lies:", error)
            self.stop()
            return
        if self.cut_at_commit and self.disk.writes_seen:
            self._note("loses power inside a COMMIT")
            around.watch.cut(self)
            self.stop(self.disk.cut())
            if self.on_cut is not None:
                self.on_cut(self)
            return
        self._take(progress)
        if progress.faults and sender is not None:
            self._note("hangs up:", *progress.faults)
            around.watch.faulted(self, sender, progress.faults)
            around.network.hang_up(self.address, sender)
        if progress.epoch_changed is not None:
            self._enter_epoch(progress.epoch_changed)

    def _forget_guilt(self) -> None:
        """An engine whose key is known to have signed twice signs no more; a liar's goes on."""
        known = self.driver.engine._acceptance.equivocators._known
        if self.driver.author in known:
            known.remove(self.driver.author)

    def _enter_epoch(self, epoch: Epoch) -> None:
        """Guests that are members now come again as such. Who has lost its vote can put nothing
        more into the ledger: its meters find another gateway."""
        self._note("enters epoch", epoch.number)
        if not self.carries:
            self.submitted.clear()
            self._around.watch.promises.voided(self.address)
        for peer in sorted(kid for kid in self._guests if epoch.party_of(kid) is not None):
            self._around.network.hang_up(self.address, peer)

    def _take(self, progress: Progress) -> None:
        self._around.watch.stepped(self)
        self.lanes.recorded(progress.transactions, self._around.timeline.now_ms)
        for parcel in progress.to_send:
            for said in [parcel] if self.mouth is None else self.mouth.says(parcel):
                self._around.watch.sent(self, said)
                self.send(said)
        for kid, view in sorted(progress.acks.items()):
            meter = self.meters.get(kid)
            if meter is not None and meter.connected is self and self._told.get(kid) != view:
                self._ack(meter, view)
        self._plan_tick(progress.next_tick_ms)

    def _plan_tick(self, steady_ms: int) -> None:
        now_ms = self._around.timeline.now_ms
        at_ms = max(now_ms + 1, self.clock.at(steady_ms))
        if now_ms < self._planned_tick_ms <= at_ms:
            return
        self._planned_tick_ms = at_ms
        life = self._life
        self._around.timeline.at(at_ms, lambda: self._tick(life))

    def _tick(self, life: int) -> None:
        if self.is_up and life == self._life:
            self._step("ticks", "", lambda driver, now: driver.tick(now))

    def _note(self, *what: object) -> None:
        self._around.trace.note(self._around.timeline.now_ms, self.address, *what)
