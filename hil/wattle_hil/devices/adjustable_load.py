"""An adjustable load on the line: it takes a setpoint, and its metering device shows what it does.

Its power is decided while time runs, so energy is summed up as power changes; the metering device
of the same line measures it like any load curve.
"""

import struct
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

from wattle_hil.curves.curve import NOMINAL_VOLTAGE_MV, UW_PER_W, Energy
from wattle_hil.devices.device import EXCEPTION_FLAG, MAX_UNIT
from wattle_hil.devices.registers import (
    ILLEGAL_ADDRESS,
    ILLEGAL_FUNCTION,
    ILLEGAL_VALUE,
    Integer,
    RegisterMap,
    RequestRefusedError,
)
from wattle_hil.errors import DeviceError

DEVICE_FAILURE = 4
# Holding registers: the setpoint in steps of 10 W, beside it the power; the setpoint in W.
SETPOINT_10W = 0x0100
SETPOINT_W = 0x0110
_WINDOWS = (range(SETPOINT_10W, SETPOINT_10W + 2), range(SETPOINT_W, SETPOINT_W + 2))
_CELLS = {
    SETPOINT_10W: Integer("setpoint_w", 1),
    SETPOINT_10W + 1: Integer("power_w", 1),
    SETPOINT_W: Integer("setpoint_w", 0, 2),
}
_MOST = 2
# A setpoint that fits both registers.
MAX_W = 327_670
RAMP_STEP_MS = 100
# The longest ramp is as coarse as it must be.
RAMP_STEPS_MAX = 1_000
# A master that moves the setpoint for ever must not fill the host's memory.
STEPS_MAX = 10 * RAMP_STEPS_MAX
_WRITES_KEPT = 1_000

_READ, _WRITE_SINGLE, _WRITE_MULTIPLE = 3, 6, 16
_READ_REQUEST = struct.Struct(">BHH")
_SINGLE_REQUEST = struct.Struct(">BHh")
_MULTIPLE_HEAD = struct.Struct(">BHHB")
_MS_PER_S = 1_000


class PowerTrack:
    """A load whose power is told step by step; as exact as a curve, power factor 1.

    start_ms: Unix ms at which its energy is 0. power_uw: from then on.
    """

    def __init__(self, start_ms: int, power_uw: int) -> None:
        self.start_ms = start_ms
        self._times_ms = [start_ms]
        self._powers_uw = [power_uw]
        self._sums = [(0, 0)]  # import and export in nJ up to each time

    def follow(self, now_ms: int, steps: Sequence[tuple[int, int]]) -> None:
        """From now on the power goes these steps, rising (Unix ms, uW); earlier plans are void."""
        kept = bisect_right(self._times_ms, max(now_ms, self.start_ms))
        for column in (self._times_ms, self._powers_uw, self._sums):
            del column[kept:]
        for at_ms, power_uw in steps:
            if at_ms <= self._times_ms[-1]:
                raise DeviceError(f"a step at {at_ms} ms, expected after {self._times_ms[-1]} ms")
            self._sums.append(self._sums_until(at_ms))
            self._times_ms.append(at_ms)
            self._powers_uw.append(power_uw)
        surplus = len(self._times_ms) - STEPS_MAX
        if surplus > 0:
            first_kept = max(min(surplus, bisect_left(self._times_ms, now_ms) - 1), 0)
            for column in (self._times_ms, self._powers_uw, self._sums):
                del column[:first_kept]

    def steps(self) -> list[tuple[int, int]]:
        """(Unix ms, uW from then on) of each change so far, and of those that are planned."""
        return list(zip(self._times_ms, self._powers_uw, strict=True))

    def power_uw(self, at_ms: int) -> int:
        """Active power in uW at Unix ms; that of the start before it."""
        return self._powers_uw[max(bisect_right(self._times_ms, at_ms) - 1, 0)]

    def reactive_power_uvar(self, at_ms: int) -> int:
        """None: power factor 1."""
        return 0

    def phase_voltage_mv(self, at_ms: int) -> int:
        """Nominal at any time."""
        return NOMINAL_VOLTAGE_MV

    def energy(self, from_ms: int, to_ms: int) -> Energy:
        """Exact active energy of [from_ms, to_ms) in nJ."""
        before, after = self._sums_until(from_ms), self._sums_until(to_ms)
        return Energy(after[0] - before[0], after[1] - before[1])

    def reactive_energy(self, from_ms: int, to_ms: int) -> Energy:
        """None: power factor 1."""
        return Energy(0, 0)

    def _sums_until(self, at_ms: int) -> tuple[int, int]:
        if at_ms <= self.start_ms:
            return 0, 0
        row = bisect_right(self._times_ms, at_ms) - 1
        if row < 0:
            raise DeviceError(f"energy at {at_ms} ms, expected since {self._times_ms[0]} ms")
        area = self._powers_uw[row] * (at_ms - self._times_ms[row])
        sums = self._sums[row]
        return sums[0] + max(area, 0), sums[1] + max(-area, 0)


@dataclass(frozen=True)
class LoadTraits:
    """How a load behaves: most W, W it gains or loses in a second (0: at once), ms until it begins
    to move after a write.
    """

    max_w: int = 10_000
    ramp_w_per_s: int = 0
    delay_ms: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.max_w <= MAX_W or min(self.ramp_w_per_s, self.delay_ms) < 0:
            raise DeviceError(f"{self}, expected 1 to {MAX_W} W, ramp and delay not negative")


class AdjustableLoad:
    """The load at `unit` (1 to 247), which consumes `initial_w` until it is told otherwise.

    power: what a metering device takes as its curve. refusal: exception code that every write is
    answered with, None for none. stuck: takes setpoints, but its contactor does not follow.
    writes: (bench time in Unix ms, W) of each setpoint taken, the newest 1,000.
    """

    def __init__(
        self, unit: int, start_ms: int, initial_w: int = 0, traits: LoadTraits | None = None
    ) -> None:
        self.traits = traits or LoadTraits()
        if not 1 <= unit <= MAX_UNIT:
            raise DeviceError(f"unit {unit}, expected 1 to {MAX_UNIT}")
        if not 0 <= initial_w <= self.traits.max_w:
            raise DeviceError(f"{initial_w} W, expected 0 to {self.traits.max_w}")
        self.unit = unit
        self.setpoint_w = initial_w
        self.power = PowerTrack(start_ms, initial_w * UW_PER_W)
        self.refusal: int | None = None
        self.stuck = False
        self.writes: deque[tuple[int, int]] = deque(maxlen=_WRITES_KEPT)
        self._registers = RegisterMap(_WINDOWS, _CELLS, _MOST)

    def answer(self, pdu: bytes, now_ms: int) -> bytes:
        """The response PDU to a request PDU at Unix ms, or the exception PDU."""
        try:
            return self._answer(pdu, now_ms)
        except RequestRefusedError as refused:
            return bytes([pdu[0] | EXCEPTION_FLAG, refused.code])

    def _answer(self, pdu: bytes, now_ms: int) -> bytes:
        function = pdu[0]
        if function == _READ and len(pdu) == _READ_REQUEST.size:
            _, address, count = _READ_REQUEST.unpack(pdu)
            power_w = self.power.power_uw(now_ms) / UW_PER_W
            values = {"setpoint_w": self.setpoint_w, "power_w": power_w}
            data = self._registers.read(address, count, values)
            return bytes([function, len(data)]) + data
        if function == _WRITE_SINGLE and len(pdu) == _SINGLE_REQUEST.size:
            _, address, steps = _SINGLE_REQUEST.unpack(pdu)
            self._write(address, struct.pack(">h", steps), now_ms)
            return pdu
        if function == _WRITE_MULTIPLE and len(pdu) > _MULTIPLE_HEAD.size:
            _, address, count, size = _MULTIPLE_HEAD.unpack_from(pdu)
            data = pdu[_MULTIPLE_HEAD.size :]
            if size != len(data) or size != 2 * count:
                raise RequestRefusedError(ILLEGAL_VALUE, f"{len(data)} bytes for {count} registers")
            self._write(address, data, now_ms)
            return pdu[: _READ_REQUEST.size]
        if function in (_READ, _WRITE_SINGLE, _WRITE_MULTIPLE):
            raise RequestRefusedError(ILLEGAL_VALUE, f"a request of {len(pdu)} bytes")
        raise RequestRefusedError(ILLEGAL_FUNCTION, f"function {function}")

    def _write(self, address: int, data: bytes, now_ms: int) -> None:
        if (address, len(data)) == (SETPOINT_10W, 2):
            setpoint_w = 10 * int.from_bytes(data, "big", signed=True)
        elif (address, len(data)) == (SETPOINT_W, 4):
            setpoint_w = int.from_bytes(data, "big", signed=True)
        else:
            raise RequestRefusedError(ILLEGAL_ADDRESS, f"{len(data)} bytes at {address:#06x}")
        if not 0 <= setpoint_w <= self.traits.max_w:
            raise RequestRefusedError(ILLEGAL_VALUE, f"{setpoint_w} W, at most {self.traits.max_w}")
        if self.refusal is not None:
            raise RequestRefusedError(self.refusal, "every setpoint is refused")
        self.writes.append((now_ms, setpoint_w))
        # A setpoint that is told again changes nothing, least of all a ramp under way.
        if setpoint_w != self.setpoint_w:
            self.setpoint_w = setpoint_w
            if not self.stuck:
                self.power.follow(now_ms, self._way(now_ms))

    def _way(self, now_ms: int) -> list[tuple[int, int]]:
        """The steps from the power of now to the setpoint; the first is later than now."""
        from_ms = now_ms + max(self.traits.delay_ms, 1)
        power_uw = self.power.power_uw(now_ms)
        way_uw = self.setpoint_w * UW_PER_W - power_uw
        ramp_uw_per_s = self.traits.ramp_w_per_s * UW_PER_W
        length_ms = abs(way_uw) * _MS_PER_S // ramp_uw_per_s if ramp_uw_per_s else 0
        count = min(max(length_ms // RAMP_STEP_MS, 1), RAMP_STEPS_MAX)
        return [
            (from_ms + length_ms * step // count, power_uw + way_uw * step // count)
            for step in range(1, count + 1)
        ]
