"""A simulated meter: the device's own journal, delivery and choice of gateway, without a board.

Only the edges are new: readings come from a counter, MQTT is a message that may get lost, and the
memory and the store are fakes that a power cut treats as it would treat a board's.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from random import Random
from typing import Any, Protocol

from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.transaction import Enrol, Point
from wattle_meter.acks import Delivery
from wattle_meter.gateway_choice import GatewayChoice
from wattle_meter.journal import FIRST_SEQ, Journal
from wattle_meter.outbox import CAPACITY_BYTES_MIN, Outbox
from wattle_wire import cose, uplink
from wattle_wire.downlink import Ack
from wattle_wire.sample import GAPS_MAX, Reading

from wattle_testkit import meter_fakes
from wattle_testkit.alliance import CREATED_MS
from wattle_testkit.simulation import cheap_keys
from wattle_testkit.simulation.timeline import Timeline

# The device's own waiting times, scaled to runs of minutes: a standing `final` sends it to the
# next gateway, a vain round makes it wait, and every now and then it visits another gateway.
STANDSTILL_MS = 12_000
VAIN_ROUND_MS = 30_000
VISIT_EVERY_MS = 40_000
RETRY_MS = 3_000
LOOK_EVERY_MS = 1_000
DELAY_MS = (5, 60)
LOAD_W = 2_900  # that a load draws unless it is called

# In the dialect of the device, which has no types.
_fakes: Any = meter_fakes


@dataclass(frozen=True)
class MeterPlan:
    """`interval_ms` between samples; `skips`: only every third of them is ever sent, as by a meter
    that lies about what it has; `loss_permille` of its messages; `capacity_w` that its load can
    be adjusted by, above 0: its readings have powers too."""

    interval_ms: int
    skips: bool = False
    loss_permille: int = 0
    capacity_w: int = 0


class Door(Protocol):
    """Where a meter knocks: the broker of a gateway."""

    @property
    def kid(self) -> bytes:
        """Of the gateway's block key."""

    @property
    def is_up(self) -> bool:
        """Whether it can be connected to."""

    def meter_connected(self, meter: "SimMeter") -> None:
        """A meter is there: it is told where it stands."""

    def sample_arrived(self, meter: "SimMeter", raw: bytes) -> None:
        """A sample of a meter that is connected."""


class _Signer:
    """The meter's signing key, at the price of a hash."""

    def __init__(self, public: bytes) -> None:
        self.kid = cose.kid_of(public)
        self._sign = cheap_keys.signer(public)

    def steps(self, digest: bytes) -> list[bytes]:
        """As the device's signer: the last item is the signature."""
        return [self._sign(digest)]


class SimMeter:
    """One meter. `doors` in its order of preference; `honest`: nothing of it may get lost."""

    def __init__(
        self,
        name: str,
        ledger_id: bytes,
        doors: Sequence[Door],
        plan: MeterPlan,
        timeline: Timeline,
        random: Random,
    ) -> None:
        self.name = name
        self.honest = not plan.skips
        self.doors = doors
        self.signing_key = cheap_keys.public_key(f"{name} signing")
        self.kid = cose.kid_of(self.signing_key)
        self.eui64 = b"\x02" + sha256(name.encode()).digest()[:7]
        self.declared: set[tuple[int, int]] = set()
        self._samples = True
        self.connected: Door | None = None
        self._ledger_id = ledger_id
        self._plan = plan
        self._timeline = timeline
        self._random = random
        self._signer = _Signer(self.signing_key)
        self._store = _fakes.FakeStore()
        self._files = _fakes.MemoryFiles()
        self._energy_wh = 0
        self._said: tuple[bytes, int] | None = None
        self._energy_mwh = 0
        self._life = 0
        self._wake_ms = 0
        self._start()

    # ---- what the world does

    def begin(self) -> None:
        """Sample and look around from now on."""
        self._timeline.every(LOOK_EVERY_MS, self._look)
        self._timeline.every(self._plan.interval_ms, self._sample)

    def cut_power(self) -> None:
        """The power fails and is back: memory is gone, the store and the files are not."""
        self._store.cut()
        self.connected = None
        self._start()

    def gateway_lost(self, door: Door) -> None:
        """The connection to a gateway broke."""
        if self.connected is door:
            self.connected = None

    @property
    def settled(self) -> bool:
        """Whether every sample is final or declared and closed, as far as the meter knows."""
        return not self.journal.samples_wait()

    def stop_sampling(self) -> None:
        """Nothing more to measure: only what still has to be declared makes samples."""
        self._samples = False

    def proof(self) -> bytes:
        """The proof of possession for its enrolment."""
        payload = uplink.encode_proof(
            self.eui64,
            self.signing_key,
            cheap_keys.public_key(f"{self.name} link"),
            cheap_keys.public_key(f"{self.name} tls"),
            FIRST_SEQ,
            "file",
        )
        digest = cose.digest("enrol", self._ledger_id, self.kid, payload)
        return bytes(cose.sign1(self.kid, payload, cheap_keys.signer(self.signing_key)(digest)))

    def enrolment(self, home: bytes, further: tuple[bytes, ...]) -> Enrol:
        """What its home gateway sends to the ledger."""
        capacity_w = self._plan.capacity_w
        point = Point(1, transaction.ELECTRICITY, 10_000, capacity_w, (1, 1), (1, 1), 1, home)
        return Enrol(self.proof(), "site", home, further, 0, (point,))

    def ack_arrived(self, door: Door, ack: Ack) -> None:
        """The gateway says how far it has our samples."""
        if self.connected is not door:
            return
        now_ms = self._timeline.now_ms
        if self._delivery.acked(ack, self.journal.newest, now_ms):
            if self.journal.acked(ack):
                self._choice.final_moved(now_ms)
            self._send()

    def called(self, order: bytes, setpoint_w: int, until_ms: int) -> None:
        """A gateway sets its load; the next sample says so. `until_ms` Unix time."""
        self._said = (order, setpoint_w)
        self._set_w, self._until_ms = setpoint_w, until_ms

    # ---- what it does by itself

    def _start(self) -> None:
        """A life of the device begins: what is in memory begins with it."""
        self._life += 1
        self._said = None
        self._set_w, self._until_ms = 0, 0  # a restart ends every command
        outbox = Outbox(self._files, CAPACITY_BYTES_MIN)
        self.journal = Journal(self.eui64, self._ledger_id, self._signer, self._store, outbox)
        now_ms = self._timeline.now_ms
        self._choice = GatewayChoice(
            len(self.doors), now_ms, STANDSTILL_MS, VAIN_ROUND_MS, VISIT_EVERY_MS
        )
        self._delivery = self._new_delivery()

    def _new_delivery(self) -> Delivery:
        chain = self.journal.chain
        now_ms = self._timeline.now_ms
        return Delivery(chain.final, chain.commit_index, self.journal.newest, now_ms, RETRY_MS)

    def _look(self) -> None:
        now_ms = self._timeline.now_ms
        self.journal.service(now_ms, self.connected is not None)
        if self._choice.decide(self.journal.samples_wait(), now_ms):
            self.connected = None
        door = self.doors[self._choice.index]
        if self.connected is None and door.is_up:
            self.connected = door
            self._delivery = self._new_delivery()
            door.meter_connected(self)
        self._send()

    def _sample(self) -> None:
        if not self._samples and not self.journal.chain.gaps:
            return
        now_ms = self._timeline.now_ms
        reading = Reading(1, CREATED_MS + now_ms, "G", self._measured(now_ms))
        command, self._said = self._said, None
        self.declared.update((gap[0], gap[1]) for gap in self.journal.chain.gaps[:GAPS_MAX])
        _fakes.run(
            self.journal.record(
                [reading], "S", _fakes.FakeClock(now_ms), self.connected is not None, command
            )
        )
        self._send()

    def _measured(self, now_ms: int) -> dict[str, int | str]:
        """What the metering device shows; where a load can be called, also what it draws."""
        drawn = self._random.randrange(3)
        if not self._plan.capacity_w:
            self._energy_wh += drawn
            return {"ei": self._energy_wh}
        power_w = LOAD_W + drawn if CREATED_MS + now_ms >= self._until_ms else max(0, self._set_w)
        self._energy_mwh += power_w * self._plan.interval_ms // 3_600
        return {"ei": self._energy_mwh // 1_000, "p": 10 * power_w}

    def _send(self) -> None:
        """Send all that is due; look again when the rules of delivery want it."""
        life, delivery = self._life, self._delivery
        while self.connected is not None:
            now_ms = self._timeline.now_ms
            seq, wait_ms = delivery.next(self.journal, self.journal.newest, now_ms)
            self._settle(delivery)
            if seq is None:
                self._wake(now_ms + max(1, wait_ms), life, delivery)
                return
            raw = self.journal.data(seq)
            if raw is None:
                self.journal.damaged(seq)
                delivery.lost(seq)
                continue
            delivery.sent(seq, len(raw), now_ms)
            self._publish(self.connected, seq, bytes(raw))  # whatever buffer it was read into

    def _wake(self, at_ms: int, life: int, delivery: Delivery) -> None:
        """Send again at a time, unless that is after the next look or is planned already."""
        now_ms = self._timeline.now_ms
        if at_ms >= now_ms + LOOK_EVERY_MS or now_ms < self._wake_ms <= at_ms:
            return
        self._wake_ms = at_ms

        def again() -> None:
            if life == self._life and delivery is self._delivery:
                self._send()

        self._timeline.at(at_ms, again)

    def _settle(self, delivery: Delivery) -> None:
        absent, delivery.absent = delivery.absent, []
        for first, to in absent:
            self.journal.absent(first, to)
        suspects, delivery.suspects = delivery.suspects, []
        for seq in suspects:
            delivery.resend(seq, seq)

    def _publish(self, door: Door, seq: int, raw: bytes) -> None:
        if self._plan.skips and seq % 3:
            return
        if self._random.randrange(1_000) < self._plan.loss_permille:
            return

        def arrive() -> None:
            if self.connected is door and door.is_up:
                door.sample_arrived(self, raw)

        self._timeline.after(self._random.randint(*DELAY_MS), arrive)
