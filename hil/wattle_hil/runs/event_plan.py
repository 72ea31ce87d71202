"""The event of a demonstration: who takes part with what, and when what happens.

Four loads, of four parties: one keeps its word, one declares twice what its load draws, one stops
reporting in the middle, and one asks too much, by a policy that answers without a person.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wattle_hil.errors import RunError

ASSET = "EUR"
# What a load of some kilowatts earns in six minutes is less than a cent.
DECIMALS = 6
# Whose loads are asked, and where in the grid it is needed: on the first of its feeders.
AREA = "bench"
NEAR = "bench/feeder-1"
ISSUED = "100000.00"
HOSTED_USER = "house-7"
# Prices per MWh, and per MW and hour, for people: in units of ASSET.
ENERGY_PRICE, AVAILABILITY_PRICE, PENALTY_PRICE = "200.00", "10.00", "150.00"
INTERVALS = 3
# From the dispatch command to the write that the load sees, in real time.
WRITTEN_WITHIN_S = 2.0

# DEMAND_RESPONSE.md D12: with fewer readings an interval says little; two more for the edges.
_READINGS_AN_INTERVAL = 12
_INTERVALS_S = (12, 15, 20, 30, 60, 120, 180, 240, 300, 360, 600, 720, 900, 1_200, 1_800, 3_600)
_MS_PER_MIN = 60_000
# Real time, which the commands of people and the rounds of gateways take whatever the speed: from
# selection to dispatch, from dispatch to the window, from its end to the statements.
_SELECTED_BEFORE_S, _DISPATCHED_BEFORE_S = 6.0, 4.0
_SETTLED_AFTER_S, _FINAL_AFTER_S = 6.0, 12.0


@dataclass(frozen=True)
class Participant:
    """A party with a load: `gateway` (from 1) whose member it is or is hosted by, `owner` where
    that is not the member at whose gateway the meter is. quota_w: what it declares, None: its
    policy does. price: per MWh, in units of ASSET. area: where in the grid the
    load hangs. habit: what it is there to show."""

    party: str
    gateway: int
    owner: str | None
    load: str
    rest_w: int
    called_w: int
    capacity_w: int
    quota_w: int | None
    price: str
    area: str
    habit: str

    @property
    def hosted(self) -> bool:
        """Whether it signs with a key of its own."""
        return self.party == HOSTED_USER


# In the order of the meters. The grid company at the first gateway calls; it owns no load itself.
PARTICIPANTS: Sequence[Participant] = (
    Participant(
        *("bench-3", 3, "bench-3", "cold store", 3_000, 500, 2_500, 2_500, "90.00"),
        area="bench/feeder-1/section-2",
        habit="keeps its word",
    ),
    Participant(
        *("bench-2", 2, None, "heat pumps", 3_000, 500, 5_000, 5_000, "80.00"),
        area="bench/feeder-2",
        habit="declares twice what its load can do",
    ),
    Participant(
        *(HOSTED_USER, 3, HOSTED_USER, "boiler", 2_800, 300, 2_500, 2_500, "95.00"),
        area="bench/feeder-1",
        habit="stops reporting after the first interval",
    ),
    Participant(
        *("bench-4", 4, None, "EV chargers", 3_200, 700, 2_500, None, "180.00"),
        area="bench/feeder-1",
        habit="asks more than the others, by its policy",
    ),
)
KEEPS, OVERSTATES, FALLS_SILENT, TOO_DEAR = range(4)
# What the first three declare, exactly: nothing is left for the fourth.
QUANTITY_W = sum(one.quota_w or 0 for one in PARTICIPANTS)


@dataclass(frozen=True)
class EventTimes:
    """Lengths in ms of the bench clock. before_from, before_to: of the hours before the event that
    the baseline is made of; in minutes, as rules of baselines are."""

    interval_ms: int
    before_from_min: int
    before_to_min: int
    select_before_ms: int
    dispatch_before_ms: int
    within_ms: int
    settle_ms: int
    dispute_ms: int
    intervals: int = INTERVALS

    @property
    def length_ms(self) -> int:
        """Of the window."""
        return self.intervals * self.interval_ms

    def begin_after(self, measured_from_ms: int, now_ms: int) -> int:
        """The first beginning of a window whose baseline is measured, and which is not too near:
        an interval is measured from `measured_from_ms` on, now is `now_ms` (Unix ms)."""
        first_ms = -(-measured_from_ms // self.interval_ms) * self.interval_ms
        ready_ms = max(
            first_ms + self.before_from_min * _MS_PER_MIN,
            now_ms + 2 * self.select_before_ms,
        )
        return -(-ready_ms // self.interval_ms) * self.interval_ms

    def market(self) -> str:
        """The ledger's parameters that differ from those of a new one, as TOML."""
        return (
            f"interval_s = {self.interval_ms // 1_000}\n"
            f"settle_ms = {self.settle_ms}\ndispute_ms = {self.dispute_ms}\n"
        )


def event_times(speed: int, sampling_ms: int) -> EventTimes:
    """The times of an event on a bench clock of this speed, where meters are read so often.

    Raises RunError where no interval is long enough.
    """
    least_s = _READINGS_AN_INTERVAL * sampling_ms / 1_000
    fitting = [length_s for length_s in _INTERVALS_S if length_s >= least_s]
    if not fitting:
        raise RunError(
            f"readings every {sampling_ms // 1_000} s are too rare for an event: expected"
            f" {_READINGS_AN_INTERVAL} in an interval of at most {_INTERVALS_S[-1]} s"
            " (lower --speed, or --no-event)"
        )

    def real(seconds: float) -> int:
        return int(seconds * 1_000) * speed

    interval_ms = fitting[0] * 1_000
    # Loads have moved before the window begins: the baseline ends before that.
    near_min = -(-max(interval_ms, real(_SELECTED_BEFORE_S)) // _MS_PER_MIN)
    length_min = -(-interval_ms // _MS_PER_MIN)
    return EventTimes(
        interval_ms,
        before_from_min=near_min + length_min,
        before_to_min=near_min,
        select_before_ms=real(_SELECTED_BEFORE_S),
        dispatch_before_ms=real(_DISPATCHED_BEFORE_S),
        within_ms=real(WRITTEN_WITHIN_S),
        settle_ms=real(_SETTLED_AFTER_S),
        dispute_ms=real(_FINAL_AFTER_S),
    )
