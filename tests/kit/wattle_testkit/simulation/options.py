"""What one run is like: everything is drawn from the seed, once, before it begins."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random

from wattle_gateway.ledger.genesis import EVENT_RULES, Constants
from wattle_gateway.ledger.market import Market

from wattle_testkit.simulation.liars import NAMES

# A cycle of committee sizes for campaigns that name none: 4 members are the case of the books and
# cheap, 20 the most that an alliance has, and slow.
SIZES = (4, 7, 4, 1, 4, 10, 4, 7, 4, 4, 7, 4, 10, 4, 7, 1, 4, 7, 10, 20)

# How long the faults last: long enough for some hundred rounds of small committees. A round of 20
# costs 25 times as much as one of 4.
FAULTS_MS = {1: 60_000, 4: 60_000, 7: 40_000, 10: 30_000, 20: 15_000}

# Of the seeds that may have events as many do: each costs as much as several others.
TRADING_PERMILLE = 8
# Seconds instead of quarters of an hour, so that events get to their end within a run.
TRADING_MARKET = Market(
    interval_s=10,
    intervals_max=3,
    events_open_max=12,
    settle_ms=2_000,
    dispute_ms=5_000,
    fine_ms=7_000,
    decide_ms=3_000,
    keep_days=1,
    # Who errs on purpose is charged, and stays: seats are another story.
    suspend_permille=0,
)


@dataclass(frozen=True)
class Options:
    """One run. Times in ms; `size` voting members at first.

    Network: see `network.Weather`; `flaps` (all links of a member break and come back) and
    `partitions` are numbers over the run. Machines: `crashes` and among them `torn_commits`
    (inside a COMMIT); `wiped` and `restored` members lose their disk, or get an older copy of it,
    with their keys kept: with the `liars` (each with its vices) they are at most f.
    `changes`: epoch changes in this order. Meters: `keeps_back` has one gateway keep every second
    sample to itself, `skips` one meter send every third. Messages of `slow` members take
    `slow_ms` longer each way, `late` ones start when half of the faults are over; `absent` ones
    never start (for measurements). `rules` those of the genesis: from 2 on members pay each other.
    `events`: they call each other's loads, too.
    """

    seed: int
    size: int
    faults_ms: int
    delay_ms: tuple[int, int]
    tail_permille: int
    tail_ms: int
    loss_permille: int
    duplicate_permille: int
    reorders: bool
    link_timeout_ms: int
    flaps: int
    partitions: int
    crashes: int
    torn_commits: int
    clock_jumps: int
    wiped: int
    restored: int
    liars: tuple[tuple[str, ...], ...]
    changes: tuple[str, ...]
    meters: int
    interval_ms: int
    meter_cuts: int
    keeps_back: bool
    skips: bool
    transaction_every_ms: int
    constants: Constants
    slow: int
    slow_ms: int
    late: int
    absent: int = 0
    rules: int = 1
    events: bool = False

    @property
    def faulty_max(self) -> int:
        """f of the first committee."""
        return (self.size - 1) // 3


def draw(seed: int, size: int | None = None) -> Options:
    """The options of a seed; the size is drawn too unless it is given.

    The same seed and size give the same options, whoever chose the size.
    """
    size = SIZES[seed % len(SIZES)] if size is None else size
    random = Random(f"options {seed} {size}")
    faulty = random.randint(0, (size - 1) // 3)
    wiped = faulty if faulty and random.random() < 0.2 else 0
    restored = random.randint(0, faulty - wiped) if random.random() < 0.3 else 0
    liars = tuple(_vices(random) for _ in range(faulty - wiped - restored))
    rough = random.random() < 0.5
    crashes = random.choice((0, 0, 1, 2, 4))
    drawn = Options(
        seed=seed,
        size=size,
        faults_ms=FAULTS_MS[size],
        delay_ms=random.choice(((50, 100), (5, 40), (50, 100), (1, 400))),
        tail_permille=random.choice((0, 10, 50)) if rough else 0,
        tail_ms=random.choice((500, 3_000)),
        loss_permille=random.choice((0, 5, 50, 200)) if rough else 0,
        duplicate_permille=random.choice((0, 20, 100)) if rough else 0,
        reorders=rough and random.random() < 0.5,
        link_timeout_ms=random.choice((1_000, 5_000, 60_000)),
        flaps=random.choice((0, 0, 1, 3)),
        partitions=random.choice((0, 0, 1, 2)),
        crashes=crashes,
        torn_commits=random.randint(0, crashes),
        clock_jumps=random.choice((0, 0, 0, 2)),
        wiped=wiped,
        restored=restored,
        liars=liars,
        changes=_changes(random, size),
        meters=random.choice((1, 2, 3)),
        interval_ms=random.choice((1_000, 2_000, 5_000)),
        meter_cuts=random.choice((0, 0, 1, 3)),
        keeps_back=size > 1 and random.random() < 0.1,
        skips=random.random() < 0.1,
        transaction_every_ms=random.choice((0, 1_000, 4_000)),
        constants=replace(_constants(random), market=_market(seed, size)),
        slow=random.choice((0, 0, 1, 2)) if size > 1 else 0,
        slow_ms=random.choice((100, 300, 900)),
        late=1 if size > 1 and random.random() < 0.35 else 0,
        rules=_rules(seed, liars),
    )
    return trading(drawn) if _trades(drawn) else drawn


def trading(options: Options) -> Options:
    """The same run with events: longer, so that they get to their end, with meters whose readings
    are close enough to measure them, and without clocks that are an hour wrong: by such a clock
    what is due comes an hour later."""
    return replace(
        options,
        rules=EVENT_RULES,
        events=True,
        faults_ms=2 * options.faults_ms,
        meters=6,
        interval_ms=1_000,
        transaction_every_ms=250,
        clock_jumps=0,
        constants=replace(options.constants, market=TRADING_MARKET),
    )


def _trades(options: Options) -> bool:
    """A few seeds of the small sizes; drawn apart, so that all else of a seed stays."""
    if options.rules < EVENT_RULES or options.size > 7:
        return False
    return Random(f"events {options.seed} {options.size}").randrange(1_000) < TRADING_PERMILLE


def _rules(seed: int, liars: Sequence[Sequence[str]]) -> int:
    """Those of new ledgers, and the older ones where nobody lies: liars can stop them (rule 28)."""
    older = {0: 1, 1: 2}
    return EVENT_RULES if liars else older.get(seed % 5, EVENT_RULES)


def _vices(random: Random) -> tuple[str, ...]:
    count = random.choice((1, 1, 1, 2, 3))
    return tuple(sorted(random.sample(NAMES, count)))


def _changes(random: Random, size: int) -> tuple[str, ...]:
    if random.random() < 0.7:
        return ()
    if size == 1:
        return random.choice((("join", "join_two"), ("join", "join_two", "leave")))
    return random.choice(
        (("join",), ("leave",), ("suspend", "return"), ("join", "leave"), ("leave", "join_two"))
    )


def _market(seed: int, size: int) -> Market:
    """Short intervals, for genesis of rules 3. Drawn apart, so that all else of a seed stays."""
    random = Random(f"market {seed} {size}")
    return Market(
        interval_s=random.choice((1, 2, 5, 60)),
        settle_ms=2_000,
        dispute_ms=random.choice((4_000, 8_000)),
        fine_ms=random.choice((10_000, 60_000)),
        decide_ms=5_000,
    )


def _constants(random: Random) -> Constants:
    """Small ones, so that what is rare in years of a ledger happens in a minute."""
    return Constants(
        block_entries_max=random.choice((6, 12, 50)),
        block_payload_bytes_max=60_000,
        enrol_approvals=random.choice((1, 1, 2)),
        gap_open_ms=random.choice((5_000, 20_000, 86_400_000)),
        gc_depth=random.choice((4, 6, 10, 60)),
        leader_commits=random.choice((3, 5, 10, 30)),
        runs_max=random.choice((2, 4, 64)),
        state_root_every=random.choice((1, 7, 1024)),
    )
