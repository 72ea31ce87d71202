"""The faults of a soak, drawn from its seed before it begins."""

from dataclasses import dataclass
from random import Random

from wattle_testkit.soak.record import Fault

SECOND, MINUTE, HOUR = 1_000, 60_000, 3_600_000
GATEWAYS = 2


@dataclass(frozen=True)
class Kind:
    """A fault lasts `least_ms` to `most_ms`; `aimed`: it is that of one of the gateways."""

    name: str
    weight: int
    least_ms: int
    most_ms: int
    aimed: bool = False


LINE = (
    Kind("silent", 4, 2 * SECOND, 60 * SECOND),
    Kind("late", 4, 2 * SECOND, 60 * SECOND),
    Kind("damaged", 4, 2 * SECOND, 60 * SECOND),
    Kind("noise", 4, 2 * SECOND, 60 * SECOND),
    Kind("truncated", 2, 2 * SECOND, 60 * SECOND),
    Kind("refusing", 2, 2 * SECOND, 30 * SECOND),
    Kind("doubled", 2, 2 * SECOND, 30 * SECOND),
    Kind("babble", 2, 1 * SECOND, 10 * SECOND),
    Kind("foreign", 2, 5 * SECOND, 60 * SECOND),
    Kind("line_lost", 2, 2 * SECOND, 30 * SECOND),
)
NETWORK = (
    Kind("refused", 3, 5 * SECOND, 5 * MINUTE, aimed=True),
    Kind("unreachable", 3, 5 * SECOND, 5 * MINUTE, aimed=True),
    Kind("broker_restarts", 4, 0, 0, aimed=True),
    Kind("half_open", 4, 30 * SECOND, 5 * MINUTE, aimed=True),
    Kind("login_refused", 1, 10 * SECOND, 2 * MINUTE, aimed=True),
    Kind("puback_lost", 3, 10 * SECOND, 2 * MINUTE, aimed=True),
    Kind("puback_twice", 3, 10 * SECOND, 5 * MINUTE, aimed=True),
    Kind("samples_lost", 4, 10 * SECOND, 5 * MINUTE, aimed=True),
    Kind("acks_withheld", 4, 30 * SECOND, 10 * MINUTE, aimed=True),
    Kind("acks_repeated", 2, 10 * SECOND, 5 * MINUTE, aimed=True),
    Kind("acks_forged", 2, 10 * SECOND, 2 * MINUTE, aimed=True),
    Kind("hoarding", 3, 1 * MINUTE, 15 * MINUTE, aimed=True),
    Kind("busy", 2, 10 * SECOND, 2 * MINUTE, aimed=True),
    Kind("no_commits", 2, 10 * SECOND, 5 * MINUTE),
    Kind("resend", 3, 0, 0),
    Kind("offline", 3, 30 * SECOND, 20 * MINUTE),
)
TIME = (
    Kind("clock_jumps", 3, 0, 0),
    Kind("rtc_jumps", 2, 0, 0),
    Kind("no_time", 2, 1 * MINUTE, 2 * HOUR),
)
FLASH = (
    Kind("write_fails", 3, 2 * SECOND, 2 * MINUTE),
    Kind("flash_full", 3, 2 * SECOND, 2 * MINUTE),
    Kind("store_fails", 2, 2 * SECOND, 30 * SECOND),
)
POWER = (
    Kind("cut", 5, 0, 0),
    Kind("cut_in_append", 5, 0, 0),
    Kind("cut_in_remove", 2, 0, 0),
    Kind("cut_in_store", 2, 0, 0),
    Kind("stop", 4, 0, 0),
)
STEADY = LINE + NETWORK + TIME + FLASH

# A short soak is to see as much as it can, a long one what adds up over hours.
SHORT_MS = HOUR
_PAUSE_MS = {True: 9 * SECOND, False: 75 * SECOND}
_LIFE_MS = {True: 110 * SECOND, False: 12 * MINUTE}
# Then nothing more goes wrong: whatever piled up has to get through, and every gap is final.
QUIET_MS = {True: 4 * MINUTE, False: 20 * MINUTE}


@dataclass(frozen=True)
class Plan:
    """What happens: `faults` rising; from `quiet_ms` to `end_ms` nothing more does."""

    faults: tuple[Fault, ...]
    quiet_ms: int
    end_ms: int
    outbox_bytes: int


def of_seed(seed: int, duration_ms: int) -> Plan:
    """The plan of a soak of `duration_ms`.

    Power fails in the first half only: in the second the program runs through, so that what it
    loses of its heap can be seen.
    """
    random = Random(f"plan {seed}")
    short = duration_ms <= SHORT_MS
    quiet_ms = duration_ms - QUIET_MS[short]
    faults = [
        *_drawn(random, STEADY, _PAUSE_MS[short], quiet_ms, short),
        *_drawn(random, POWER, _LIFE_MS[short], duration_ms // 2, short),
    ]
    outbox_bytes = random.choice((65_536, 131_072) if short else (262_144, 1_048_576))
    faults.sort(key=lambda fault: (fault.begin_ms, fault.kind))
    return Plan(tuple(faults), quiet_ms, duration_ms, outbox_bytes)


def showcase(end_ms: int) -> Plan:
    """Six minutes with what rules need to show that they find something, or the first of them."""
    both = [("samples_lost", 26, 34), ("hoarding", 152, 160)]
    single = [
        *(("no_time", 0, 40), ("silent", 8, 12), ("late", 14, 17), ("damaged", 19, 22)),
        *(("cut", 48, 48), ("offline", 55, 148), ("write_fails", 84, 96)),
        *(("cut_in_append", 136, 136), ("stop", 164, 164), ("flash_full", 170, 174)),
        *(("clock_jumps", 176, 176), ("cut", 182, 182)),
    ]
    faults = [Fault(kind, SECOND * begin, SECOND * end) for kind, begin, end in single]
    faults += [
        Fault(kind, SECOND * begin, SECOND * end, target)
        for kind, begin, end in both
        for target in range(GATEWAYS)
    ]
    faults.sort(key=lambda fault: (fault.begin_ms, fault.kind))
    return Plan(tuple(faults), 187 * SECOND, end_ms, 65_536)


def _drawn(
    random: Random, kinds: tuple[Kind, ...], pause_ms: int, until_ms: int, short: bool
) -> list[Fault]:
    faults: list[Fault] = []
    at_ms = 20 * SECOND
    while True:
        at_ms += round(random.expovariate(1 / pause_ms))
        if at_ms >= until_ms:
            return faults
        (kind,) = random.choices(kinds, [kind.weight for kind in kinds])
        most_ms = min(kind.most_ms, 2 * MINUTE) if short else kind.most_ms
        # Most faults are short, some are long: even over the logarithm.
        share = random.random()
        lasts_ms = round(kind.least_ms * (most_ms / kind.least_ms) ** share) if most_ms else 0
        target = random.randrange(GATEWAYS) if kind.aimed else -1
        faults.append(Fault(kind.name, at_ms, min(at_ms + lasts_ms, until_ms), target))


class Weather:
    """Which faults are on now."""

    def __init__(self) -> None:
        self._on: list[Fault] = []

    def begin(self, fault: Fault) -> None:
        self._on.append(fault)

    def end(self, fault: Fault) -> None:
        self._on.remove(fault)

    def has(self, kind: str, target: int = -1) -> bool:
        """Whether a fault of `kind` is on, of gateway `target` where it is of one."""
        return any(fault.kind == kind and fault.target == target for fault in self._on)
