"""Reads metering devices: one round gives one Reading per device, whatever happened to it.

A quantity that could not be read stands in its Reading with a status letter (OCMF 1.4):
T silent, F damaged answer or no frame, E refused by the device, O no number or out of range,
D line gone. A value is from this round or it is not there.
"""

from wattle_wire.quantity import (
    DISCONNECTED,
    GOOD,
    OTHER_ERROR,
    OUT_OF_RANGE,
    READ_ERROR,
    TIMED_OUT,
)
from wattle_wire.sample import Reading

from wattle_meter import register
from wattle_meter.board import Clock
from wattle_meter.bus import Bus, LineLostError
from wattle_meter.float32 import ReadingRangeError
from wattle_meter.modbus import (
    ExceptionResponse,
    FrameError,
    ModbusError,
    ResponseTimeoutError,
)
from wattle_meter.profile import Profile
from wattle_meter.read_plan import Read

# A bus that is busy all the time would never find out that a silent device is back: every so
# many rounds one is asked even if that costs its neighbours time.
ASK_ANYWAY_ROUNDS = 16


class Device:
    """One metering device: `number` at the meter (1..32), `unit` on the bus, its reads.

    `failed_reads` counts reads that gave no words; `silent` says that the last read got no
    answer, sound or damaged.
    """

    def __init__(self, number: int, unit: int, profile: Profile, reads: list[Read]) -> None:
        self.number = number
        self.unit = unit
        self.function = profile.function
        self.low_first = profile.low_first
        self.answer_timeout_ms = profile.answer_timeout_ms
        self.pause_ms = profile.pause_ms
        self.reads = reads
        self.silent = False
        self.failed_reads = 0


class Metering:
    """Reads all `devices` of one `bus`, in rounds."""

    def __init__(self, bus: Bus, devices: list[Device], clock: Clock) -> None:
        self._bus = bus
        self._devices = devices
        self._clock = clock
        self._round = 0

    async def read_round(self, slot_ms: int, budget_ms: int) -> list[Reading]:
        """One Reading per device, in the order of their numbers, all at the time `slot_ms`.

        Devices that answered last time come first, one read of each in turn, so that one uses
        the pause of the other. Those that were silent come last and, one after the other over
        the rounds, only as far as the time-out of each fits what is left of `budget_ms`
        (counted from now): a silent device never delays the others.
        """
        until = self._clock.ticks_ms() + budget_ms
        silent = [device for device in self._devices if device.silent]
        results: dict[int, dict[str, int | str]] = {d.number: {} for d in self._devices}
        awake = [device for device in self._devices if not device.silent]
        for turn in range(max([len(device.reads) for device in awake] or [0])):
            for device in awake:
                if turn < len(device.reads):
                    await self._read(device, device.reads[turn], results[device.number])
        if silent:
            first = self._round % len(silent)
            self._round += 1
            anyway = self._round % ASK_ANYWAY_ROUNDS == 0
            for device in silent[first:] + silent[:first]:
                left_ms = until - self._clock.ticks_ms()
                if anyway or left_ms >= device.answer_timeout_ms:
                    await self._wake(device, results[device.number])
                anyway = False
        return [self._reading(device, slot_ms, results[device.number]) for device in self._devices]

    async def _wake(self, device: Device, values: dict[str, int | str]) -> None:
        if self._bus.expects_late_answer(device.unit):
            return  # what it would say now could be the answer to an older question
        device.silent = False
        for read in device.reads:
            await self._read(device, read, values)

    async def _read(self, device: Device, read: Read, values: dict[str, int | str]) -> None:
        if device.silent:
            return  # timed out earlier in this round: each further read would cost as much
        try:
            words = await self._bus.read(
                device.unit,
                device.function,
                read.address,
                read.count,
                device.answer_timeout_ms,
                device.pause_ms,
            )
        except (ModbusError, LineLostError) as error:
            device.failed_reads += 1
            device.silent = isinstance(error, (ResponseTimeoutError, FrameError))
            letter = _letter(error)
            for field in read.fields:
                values[field[0]] = letter
            return
        for name, offset, type_name, exponent10 in read.fields:
            part = words[offset : offset + register.words_of(type_name)]
            try:
                values[name] = register.value(part, type_name, device.low_first, exponent10)
            except ReadingRangeError:
                values[name] = OUT_OF_RANGE

    def _reading(self, device: Device, slot_ms: int, values: dict[str, int | str]) -> Reading:
        """The device's letter is that of its first failed quantity, in the order of its reads.

        What was not asked for any more has the letter of what failed before it.
        """
        status = GOOD
        for read in device.reads:
            for field in read.fields:
                letter = values.setdefault(field[0], TIMED_OUT if status == GOOD else status)
                if status == GOOD and isinstance(letter, str):
                    status = letter
        return Reading(device.number, slot_ms, status, values)


def _letter(error: Exception) -> str:
    if isinstance(error, ResponseTimeoutError):
        return TIMED_OUT
    if isinstance(error, LineLostError):
        return DISCONNECTED
    if isinstance(error, ExceptionResponse):
        return OTHER_ERROR
    return READ_ERROR
