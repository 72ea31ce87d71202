"""A whole alliance in one thread, from its founding to the moment when all is settled."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from random import Random

from wattle_gateway.ledger import genesis as genesis_format
from wattle_gateway.ledger.genesis import Member

from wattle_testkit.alliance import CREATED_MS
from wattle_testkit.simulation import cheap_keys
from wattle_testkit.simulation.alliance_changes import AllianceChanges
from wattle_testkit.simulation.bounds import check_in_flight
from wattle_testkit.simulation.checkers import ViolationError, check_nothing_undeclared
from wattle_testkit.simulation.faults import Faults
from wattle_testkit.simulation.gateway import SimGateway, Surroundings
from wattle_testkit.simulation.liars import make_liar
from wattle_testkit.simulation.meter import MeterPlan, SimMeter
from wattle_testkit.simulation.network import Network, Weather
from wattle_testkit.simulation.options import Options
from wattle_testkit.simulation.payments import Payer, check_money
from wattle_testkit.simulation.progress_rule import SETTLE_MS
from wattle_testkit.simulation.recomputed import check_statements
from wattle_testkit.simulation.registrar import Registrar
from wattle_testkit.simulation.timeline import Timeline
from wattle_testkit.simulation.trace import Trace
from wattle_testkit.simulation.trading import Trader
from wattle_testkit.simulation.watch import Watch

LOOK_EVERY_MS = 1_000
CAPACITY_W = 5_000  # of every meter's point from rules 3 on: the state then keeps what it uses
STEPS_MAX = 2_000_000  # of the timeline: a run that spins instead of waiting is stopped


@dataclass(frozen=True)
class Tally:
    """What a run came to; of `events` as many as `final` came to their last statement."""

    commits: int
    samples: int
    transactions: int
    events: int
    final: int
    epochs: int
    time_ms: int
    steps: int
    sent_bytes: int
    twice_signed: int


class World:
    """One run of one set of options."""

    def __init__(self, options: Options, folder: Path, trace: Trace) -> None:
        """`folder` empty, for the disks. The members found the alliance; nothing runs yet."""
        self.options = options
        self.trace = trace
        self.timeline = Timeline()
        self._random = self._stream("world")
        names = [f"g{number}" for number in range(options.size)]
        members = tuple(sim_member(name, number) for number, name in enumerate(names))
        constants = genesis_format.constants_under(options.constants, options.rules)
        genesis = genesis_format.create("sim.wattle", CREATED_MS, members, constants, options.rules)
        self.watch = Watch(genesis.ledger_id, options.size)
        self.network = Network(self.timeline, self._stream("network"), _weather(options))
        self.around = Surroundings(genesis, self.timeline, self.network, trace, self.watch)
        self._folder = folder
        self.gateways: list[SimGateway] = []
        for name, member in zip(names, members, strict=True):
            self.add_gateway(name, member)
        self._choose_roles()
        self.meters = [self._meter(number) for number in range(options.meters)]
        self.changes = AllianceChanges(self, self._stream("changes"))
        self._registrar = Registrar(self.meters, self._stream("registrar"))
        self._payer = Payer(self._stream("payments"))
        self._trader = Trader(self._stream("trade"), self._payer, self.meters)

    def add_gateway(self, name: str, member: Member) -> SimGateway:
        """A new machine, with links to all that are there."""
        gateway = SimGateway(name, member, self.around, self._folder / name, self._stream(name))
        self.network.attach(gateway, self.gateways)
        self.gateways.append(gateway)
        return gateway

    def add_member(self, name: str, number: int) -> SimGateway:
        """A machine with a key of its own that follows the ledger and wants to be a member."""
        gateway = self.add_gateway(name, sim_member(name, number))
        self.sound.append(gateway)
        return gateway

    def run(self) -> Tally:
        """Run to the end; raises ViolationError or whatever the gateway's code raises."""
        self._begin()
        self._run_until(lambda: self.timeline.now_ms >= self.options.faults_ms, "the faults end")
        self._heal()
        deadline_ms = self.timeline.now_ms + SETTLE_MS
        self._run_until(
            lambda: self._settled or self.timeline.now_ms > deadline_ms, "all is settled"
        )
        if not self._settled:
            raise ViolationError("settled", f"after {SETTLE_MS} ms: {self._unsettled()}")
        self._check_samples()
        if self.options.events:
            check_statements(self.sound[0], self._folder)
        agreement = self.watch.agreement
        return Tally(
            agreement.newest,
            len(agreement.samples),
            len(agreement.transactions),
            self.watch.events.published,
            self.watch.events.final,
            self.sound[0].driver.epoch.number + 1,
            self.timeline.now_ms,
            self.timeline.steps,
            self.network.sent_bytes,
            self.watch.one_block.broken_by_excused,
        )

    def run_to(self, at_ms: int) -> None:
        """Run to a time and no further: for measurements."""
        if not self.timeline.steps:
            self._begin()
        self._run_until(lambda: self.timeline.now_ms >= at_ms, "the time is over")

    def close(self) -> None:
        """Close every database."""
        for gateway in self.gateways:
            gateway.close()

    @property
    def carriers(self) -> list[SimGateway]:
        """Gateways whose transactions must come into the ledger."""
        return [gateway for gateway in self.gateways if gateway.carries]

    # ---- founding

    def _stream(self, name: str) -> Random:
        """Random numbers of one concern: another concern's draws do not shift them."""
        return Random(f"{self.options.seed} {self.options.size} {name}")

    def _choose_roles(self) -> None:
        options = self.options
        shuffled = self._random.sample(self.gateways, len(self.gateways))
        liars = len(options.liars)
        for gateway, vices in zip(shuffled, options.liars, strict=False):
            make_liar(self, gateway, vices, self._stream(f"liar {gateway.address}"))
        self.wiped = shuffled[liars : liars + options.wiped]
        self.restored = shuffled[liars + options.wiped :][: options.restored]
        faulty = liars + options.wiped + options.restored
        self.sound = shuffled[faulty:]
        self.faulty = {gateway.kid for gateway in shuffled[:faulty]}
        if options.keeps_back:
            self.sound[-1].hoards = True

    def _meter(self, number: int) -> SimMeter:
        """A meter with up to three gateways of which one at least is sound and no hoarder."""
        random, options = self._random, self.options
        others = random.sample(self.gateways, min(2, len(self.gateways)))
        good = [gateway for gateway in self.sound if not gateway.hoards]
        doors = list(dict.fromkeys([*others, random.choice(good)]))
        random.shuffle(doors)
        plan = MeterPlan(
            options.interval_ms,
            skips=options.skips and number == options.meters - 1,
            loss_permille=options.loss_permille,
            capacity_w=CAPACITY_W if options.rules >= genesis_format.EVENT_RULES else 0,
        )
        return SimMeter(
            f"meter {number}",
            self.around.genesis.ledger_id,
            doors,
            plan,
            self.timeline,
            self._stream(f"meter {number}"),
        )

    # ---- the run

    def _begin(self) -> None:
        options, timeline = self.options, self.timeline
        late = self.sound[: options.late]
        for gateway in self.gateways[options.absent :]:
            first_ms = options.faults_ms // 2 if gateway in late else 0
            timeline.at(first_ms + self._random.randint(0, 300), gateway.start)
        for gateway in self._random.sample(self.gateways[options.absent :], options.slow):
            self.network.slow[gateway.address] = options.slow_ms
        for meter in self.meters:
            timeline.at(self._random.randint(0, 2_000), meter.begin)
        timeline.every(LOOK_EVERY_MS, self._look)
        if options.transaction_every_ms:
            timeline.every(options.transaction_every_ms, self._send_transaction)
        faults = Faults(options, timeline, self.network, self._stream("faults"))
        faults.plan(self.sound, self.wiped, self.restored, self.meters)
        self.changes.plan(options.changes, options.faults_ms)

    def _run_until(self, condition: Callable[[], bool], what: str) -> None:
        while not condition():
            self.timeline.step()
            if self.timeline.steps > STEPS_MAX:
                raise ViolationError("settled", f"{STEPS_MAX} steps, and no end before {what}")

    def _look(self) -> None:
        self._registrar.look(self.carriers, self.timeline.now_ms)
        self.changes.look()
        self._settled = self._unsettled() == ""
        check_in_flight(self.network, [one.address for one in self.gateways if one.honest])
        for gateway in self.gateways:
            if gateway.is_up and gateway.honest:
                check_money(gateway)

    def _send_transaction(self) -> None:
        carriers = self.carriers
        if not carriers or self._healed:
            return
        if self.options.events:
            self._trader.call(self._random.choice(carriers))
            self._trader.send(self._random.choice(carriers))
        else:
            self._payer.send(self._random.choice(carriers))

    _healed = False
    _settled = False

    def _heal(self) -> None:
        self._healed = True
        self.network.weather.calm()
        self.network.heal()
        for meter in self.meters:
            meter.stop_sampling()
        self.trace.note(self.timeline.now_ms, "world", "heals")
        self.watch.progress.healed(self.watch.agreement.newest)
        self._settled = False

    def _unsettled(self) -> str:
        """What is missing for the end of the run, "" for nothing."""
        if not self._healed:
            return "not healed"
        for gateway in self.gateways:
            if not gateway.honest:
                continue
            if not gateway.is_up:
                return f"{gateway.address} is down"
            if gateway.driver.head.index != self.watch.agreement.newest:
                return (
                    f"{gateway.address} is at commit {gateway.driver.head.index} of "
                    f"{self.watch.agreement.newest}"
                )
            for digest in gateway.submitted:
                if digest not in self.watch.agreement.transactions:
                    return f"{gateway.address} waits for transaction {digest.hex()[:12]}"
        for meter in self.meters:
            # A liar's ack may be true before anybody else knows: the ledger decides.
            view = self.sound[0].driver.stands(meter.kid)
            final = 0 if view is None else view.final
            if meter.honest and not (meter.settled and final >= meter.journal.newest):
                return f"{meter.name}: final {final} of {meter.journal.newest}"
        if self.watch.events.under_way:
            return f"{self.watch.events.under_way} events are not over"
        return self.changes.unsettled()

    def _check_samples(self) -> None:
        logged, constants = self.watch.agreement.samples, self.options.constants
        gaps_close = constants.gap_open_ms < 86_400_000 or constants.runs_max < 64
        for meter in self.meters:
            if meter.honest:
                check_nothing_undeclared(meter.kid, meter.journal.newest, logged, meter.declared)
                excused = meter.declared if gaps_close else []
                self.watch.promises.check(meter.kid, logged, excused)


def sim_member(name: str, number: int) -> Member:
    """The row of a simulated member; roles 1 to 5 in turn."""
    return Member(
        name,
        1 + number % 5,
        cheap_keys.public_key(f"{name} block"),
        cheap_keys.public_key(f"{name} link"),
        cheap_keys.checkpoint_key(name),
        f"certificate of {name}".encode(),
    )


def _weather(options: Options) -> Weather:
    return Weather(
        options.delay_ms,
        options.tail_permille,
        options.tail_ms,
        options.loss_permille,
        options.duplicate_permille,
        options.reorders,
        options.link_timeout_ms,
    )
