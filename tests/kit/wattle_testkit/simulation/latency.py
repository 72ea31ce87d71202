"""How long a transaction takes from durable to final, in simulated time and fair weather.

`python -m wattle_testkit.simulation.latency` (part of `make bench`) prints the figures of ten
members beside their limits; simulated time is the same on every machine.
"""

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

MEMBERS = 10
MEASURED_S = 30
DOWN = 2
P50_LIMIT_MS = 900
# Two members whose links are this much slower: their blocks come after the leader timeout.
SLOW, SLOW_MS = 2, 400
# Of the median of plain round-robin: what a schedule by connectivity may take at most.
SCHEDULE_LIMIT = 0.8


def with_members_down_ms() -> float:
    """The median (ms) of MEMBERS of whom DOWN never start."""
    return median_latency_ms(MEMBERS, seconds=MEASURED_S, absent=DOWN)


def with_slow_members_ms(*, by_connectivity: bool) -> float:
    """The median (ms) of MEMBERS of whom SLOW are slow; they lead in their turn unless the
    schedule is `by_connectivity`."""
    constants = Constants() if by_connectivity else Constants(leader_permille=0)
    return median_latency_ms(
        MEMBERS, seconds=MEASURED_S, slow=SLOW, slow_ms=SLOW_MS, constants=constants
    )


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


def main() -> None:
    """Prints what is measured, with its limits."""
    down_ms = with_members_down_ms()
    fast_ms = with_slow_members_ms(by_connectivity=True)
    turn_ms = with_slow_members_ms(by_connectivity=False)
    low, high = DELAY_MS
    print(
        f"\nSimulated alliance of {MEMBERS}, {low} to {high} ms one way, from durable to final\n"
        f"  {DOWN} members down      p50 {down_ms:5.0f} ms, at most {P50_LIMIT_MS}\n"
        f"  {SLOW} slower by {SLOW_MS} ms  p50 {fast_ms:5.0f} ms,"
        f" {fast_ms / turn_ms:.2f} of the {turn_ms:.0f} ms when they lead in their turn,"
        f" at most {SCHEDULE_LIMIT}"
    )


if __name__ == "__main__":
    main()
