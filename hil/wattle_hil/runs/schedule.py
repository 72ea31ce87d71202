"""When a replay reads, begins and ends: derived from curve, speed and host, not guessed by people.

All times are Unix ms of the bench clock unless they say real.
"""

from dataclasses import dataclass

from wattle_hil.curves.curve import Curve
from wattle_hil.errors import ScheduleError

# Grids a person would choose; each divides the hour, so that round times are read.
_INTERVALS_S = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1_800, 3_600)
# Line time at 9,600 Bd, pauses included, of one SDM630 with all quantities; further devices use
# each other's pauses (the meter firmware computes 919 ms for one or two, 1,676 ms for four).
_ROUND_REAL_MS = 920
_DEVICE_REAL_MS = 420
# From the start of the gateway to the first reading of every meter in the ledger: 4.4 s for two
# meters and 6 s for four on two cores that others used too.
_START_UP_S = 8.0
_START_UP_METER_S = 0.5
# Each further gateway: with four of them, whose commits take their rounds, four meters took 21.5 s.
_START_UP_GATEWAY_S = 5.0
# Readings before the curve begins and after it ends, apart from the time to start everything.
_MARGIN_INTERVALS = 3


@dataclass(frozen=True)
class Schedule:
    """speed: bench ms per real ms. interval_ms: sampling grid. begin_ms: the bench clock's start.

    first_slot_ms, last_slot_ms: readings are expected in every slot from the first to the last;
    the curve lies between them with time to spare. lateness_ms: how late a reading may be taken.
    """

    speed: int
    interval_ms: int
    begin_ms: int
    first_slot_ms: int
    last_slot_ms: int
    end_ms: int
    lateness_ms: int

    @property
    def real_s(self) -> float:
        """How long the replay takes, without setting up and checking."""
        return (self.end_ms - self.begin_ms) / self.speed / 1_000


def start_up_real_s(meters: int, gateways: int = 1) -> float:
    """Seconds of real time to allow from the first process to the first reading of each meter."""
    return _START_UP_S + _START_UP_METER_S * meters + _START_UP_GATEWAY_S * (gateways - 1)


def schedule(
    curve: Curve, speed: int, devices: int, start_up_real_s: float, interval_s: int | None = None
) -> Schedule:
    """Plans a replay of a curve.

    devices: metering devices on one line. start_up_real_s: until every meter has sent something.
    interval_s: of the curve's time; None = the shortest grid that the devices allow.
    Raises ScheduleError when readings would come faster than devices can be read.
    """
    round_ms = max(_ROUND_REAL_MS, devices * _DEVICE_REAL_MS) * speed
    if interval_s is None:
        fitting = [seconds for seconds in _INTERVALS_S if seconds * 1_000 >= round_ms]
        if not fitting:
            raise ScheduleError(
                f"at speed {speed} to read {devices} devices takes {round_ms // 1_000} s of the"
                f" curve's time, longer than the longest sampling interval of {_INTERVALS_S[-1]} s"
            )
        interval_s = fitting[0]
    interval_ms = interval_s * 1_000
    if interval_ms < round_ms:
        raise ScheduleError(
            f"an interval of {interval_s} s at speed {speed} is {interval_ms / speed:g} ms of real"
            f" time; to read {devices} devices takes {round_ms // speed} ms"
        )
    # SPEC section 5: a read begins at most half an interval after its slot.
    lateness_ms = interval_ms // 2 + devices * _DEVICE_REAL_MS * speed
    before_ms = _MARGIN_INTERVALS * interval_ms + lateness_ms
    first_slot_ms = (curve.start_ms - before_ms) // interval_ms * interval_ms
    last_slot_ms = -(-(curve.end_ms + interval_ms) // interval_ms) * interval_ms
    return Schedule(
        speed,
        interval_ms,
        begin_ms=first_slot_ms - int(start_up_real_s * 1_000) * speed,
        first_slot_ms=first_slot_ms,
        last_slot_ms=last_slot_ms,
        end_ms=last_slot_ms + interval_ms,
        lateness_ms=lateness_ms,
    )
