"""How long a transaction takes from durable to final, in simulated time and fair weather."""

from dataclasses import replace
from statistics import median

from wattle_gateway.ledger.genesis import Constants

from wattle_testkit.simulation.campaign import opened
from wattle_testkit.simulation.options import Options, draw

# Mysticeti's own simulator draws one-way delays from these bounds.
DELAY_MS = (50, 100)
# One transaction after another, never two of a gateway under way: latency, not throughput.
EVERY_MS = 400
# Before that the first change of the leader schedule is still to come.
WARM_UP_MS = 12_000


def median_latency_ms(
    size: int,
    *,
    seconds: int,
    absent: int = 0,
    slow: int = 0,
    slow_ms: int = 0,
    constants: Constants | None = None,
    seed: int = 0,
) -> float:
    """The median over the transactions that become final in so many simulated seconds."""
    options = _calm(
        draw(seed, size),
        WARM_UP_MS + seconds * 1_000,
        absent=absent,
        slow=slow,
        slow_ms=slow_ms,
        constants=constants or Constants(),
    )
    with opened(options) as world:
        world.run_to(WARM_UP_MS)
        for gateway in world.gateways:
            gateway.lanes.latencies_ms.clear()
        world.run_to(options.faults_ms)
        latencies = [ms for gateway in world.gateways for ms in gateway.lanes.latencies_ms]
    assert len(latencies) > seconds, "too few transactions to speak of a median"
    return median(latencies)


def _calm(
    options: Options, faults_ms: int, *, absent: int, slow: int, slow_ms: int, constants: Constants
) -> Options:
    return replace(
        options,
        faults_ms=faults_ms,
        delay_ms=DELAY_MS,
        tail_permille=0,
        loss_permille=0,
        duplicate_permille=0,
        reorders=False,
        flaps=0,
        partitions=0,
        crashes=0,
        torn_commits=0,
        clock_jumps=0,
        wiped=0,
        restored=0,
        liars=(),
        changes=(),
        meters=1,
        meter_cuts=0,
        keeps_back=False,
        skips=False,
        transaction_every_ms=EVERY_MS,
        constants=constants,
        absent=absent,
        slow=slow,
        slow_ms=slow_ms,
        late=0,
    )
