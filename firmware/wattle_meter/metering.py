"""Reads metering devices: one round gives one Reading per device, whatever happened to it.

A quantity that could not be read stands in its Reading with a status letter (OCMF 1.4):
T silent, F damaged answer or no frame, E refused by the device, N not implemented by it, O no
number or out of range, R model not found, D line gone. A value is from this round or it is not
there. A reading whose energy counter fell bears its values and X (another or a reset device) or
O (the counter rolled over), one whose counter stands still while power flows its values and E.

Each read has its slot in the round (read_plan): a device that is silent, slow or babbles uses up
its own, and every other one is asked at its time.
"""

from wattle_wire.quantity import (
    DISCONNECTED,
    GOOD,
    NOT_FOUND,
    OTHER_ERROR,
    READ_ERROR,
    TIMED_OUT,
)
from wattle_wire.sample import Reading

from wattle_meter import bus as outcomes
from wattle_meter.board import Clock
from wattle_meter.bus import Bus, LineLostError
from wattle_meter.control import LOOK_MS, Control
from wattle_meter.counters import Counters
from wattle_meter.float32 import ReadingRangeError
from wattle_meter.modbus import ModbusError
from wattle_meter.profile import Profile
from wattle_meter.read_plan import Read, Slot
from wattle_meter.sunspec import Discovery

_LETTERS = {
    outcomes.EXCEPTION: OTHER_ERROR,
    outcomes.LINE: DISCONNECTED,
    outcomes.TIMEOUT: TIMED_OUT,
}


class Device:
    """One metering device: `number` at the meter (1..32), `unit` on the bus, its reads.

    `silent` says that the last read got no answer, sound or damaged; `failures` counts failed
    reads by outcome (bus.OUTCOMES); `discovery` is None for devices without a SunSpec map.
    """

    def __init__(self, number: int, unit: int, profile: Profile, reads: list[Read]) -> None:
        self.number = number
        self.unit = unit
        self.profile = profile
        self.reads = reads
        self.silent = False
        self.failures: dict[str, int] = {}
        self.counters = Counters()
        self.discovery = Discovery(profile) if profile.models else None

    def figures(self) -> dict[str, object]:
        """Counters of what went wrong with this device; empty if nothing has."""
        result: dict[str, object] = dict(self.failures)
        if self.counters.rollovers:
            result["rollovers"] = self.counters.rollovers
        if self.counters.exchanges:
            result["exchanges"] = self.counters.exchanges
        if self.counters.frozen:
            result["frozen"] = self.counters.frozen
        return result


class Metering:
    """Reads all `devices` of one `bus`, in rounds of `slots` (read_plan.plan_round).

    `lateness_ms`: how far a read may run beyond its slot; `control`: the loads that are told their
    setpoints between reads.
    """

    def __init__(
        self,
        bus: Bus,
        devices: list[Device],
        slots: list[Slot],
        lateness_ms: int,
        clock: Clock,
        control: Control | None = None,
    ) -> None:
        self.devices = devices
        self._bus = bus
        self._slots = slots
        self._lateness_ms = lateness_ms
        self._clock = clock
        self._control = control

    async def idle(self, until: int) -> None:
        """Waits until tick `until`; meanwhile loads are told setpoints if that is done by then."""
        clock = self._clock
        control = self._control
        while True:
            left_ms = until - clock.ticks_ms()
            if left_ms <= 0:
                return
            if control is None or not control.loads:
                await clock.sleep_ms(left_ms)
            elif not await control.step(until):
                await clock.sleep_ms(min(left_ms, LOOK_MS))

    async def read_round(self, slot_ms: int, late_ms: int) -> list[Reading]:
        """One Reading per device, in the order of their numbers, all at the time `slot_ms`.

        The round should have begun `late_ms` ago. A late one catches up as far as slots may be
        late anyway, so that the next round is in time.
        """
        began = self._clock.ticks_ms() - min(late_ms, self._lateness_ms)
        rounds = [_Round() for _ in self.devices]
        for slot in self._slots:
            this = rounds[slot.index]
            device = self.devices[slot.index]
            if this.over:
                continue
            if self._bus.expects_late_answer(device.unit):
                this.over = TIMED_OUT  # what it says now may be the answer to an older question
                continue
            await self.idle(began + slot.start_ms)
            await self._read(device, slot.turn, this, began + slot.end_ms + self._lateness_ms)
        return [self._reading(device, slot_ms, this) for device, this in zip(self.devices, rounds)]

    async def _read(self, device: Device, turn: int, this: "_Round", until: int) -> None:
        discovery = device.discovery
        if discovery is not None and discovery.base is None:
            letter = await self._discover(device, discovery, until)
            for name, _ in device.reads[turn].fields:
                this.values[name] = letter
            if discovery.base is None:
                this.over = letter
            return
        read = device.reads[turn]
        base = 0 if discovery is None or discovery.base is None else discovery.base
        try:
            words = await self._ask(device, base + read.address, read.count, until)
        except (ModbusError, LineLostError) as error:
            outcome = outcomes.outcome_of(error)
            letter = _LETTERS.get(outcome, READ_ERROR)
            for name, _ in read.fields:
                this.values[name] = letter
            if device.silent:
                this.over = letter  # each further read of this round would cost as much
            if outcome == outcomes.EXCEPTION and discovery is not None:
                discovery.restart()  # another device, or its blocks moved
            return
        this.values.update(read.values(words, device.profile.low_first))
        this.judge(device, read, words)

    async def _discover(self, device: Device, discovery: Discovery, until: int) -> str:
        """Searches for a device's model as long as its slot allows; gives the letter for what
        was to be read meanwhile.
        """
        rounds = discovery.rounds
        # A pause, a time-out, and as much again for the line: a step not cut short.
        step_ms = 2 * device.profile.answer_timeout_ms + device.profile.pause_ms
        while True:
            address, count = discovery.question()
            try:
                discovery.answered(await self._ask(device, address, count, until))
            except (ModbusError, LineLostError) as error:
                outcome = outcomes.outcome_of(error)
                if outcome != outcomes.EXCEPTION:
                    return _LETTERS.get(outcome, READ_ERROR)
                discovery.refused()
            if discovery.base is not None or discovery.rounds != rounds:
                return NOT_FOUND
            if self._clock.ticks_ms() + step_ms > until:
                return NOT_FOUND  # it goes on in the next slot

    async def _ask(self, device: Device, address: int, count: int, until: int) -> list[int]:
        """As Bus.read; keeps account of the device."""
        profile = device.profile
        device.silent = False
        try:
            return await self._bus.read(
                device.unit,
                profile.function,
                address,
                count,
                profile.answer_timeout_ms,
                profile.pause_ms,
                until,
            )
        except (ModbusError, LineLostError) as error:
            outcome = outcomes.outcome_of(error)
            device.failures[outcome] = device.failures.get(outcome, 0) + 1
            device.silent = outcome not in (outcomes.EXCEPTION, outcomes.CRC, outcomes.LINE)
            raise

    def _reading(self, device: Device, slot_ms: int, this: "_Round") -> Reading:
        """The device's letter is that of a counter that fell, else of its first failed quantity.

        What was not asked for any more has the letter of what ended the round before it.
        """
        status = GOOD
        for read in device.reads:
            for name, _ in read.fields:
                letter = this.values.setdefault(name, this.over or OTHER_ERROR)
                if status == GOOD and isinstance(letter, str):
                    status = letter
        if device.counters.is_frozen(this.values, slot_ms) and status == GOOD:
            status = OTHER_ERROR
        return Reading(device.number, slot_ms, this.mark or status, this.values)


class _Round:
    """What one round has brought of one device so far.

    `over`: the letter for whatever it is not asked any more, "" while it is; `mark`: the letter
    of a counter that fell, or "".
    """

    def __init__(self) -> None:
        self.values: dict[str, int | str] = {}
        self.over = ""
        self.mark = ""

    def judge(self, device: Device, read: Read, words: list[int]) -> None:
        """Compares the energy counters in `words`, which answered `read`, with earlier ones."""
        for name, register in read.fields:
            value = self.values[name]
            if name[0] == "e" and isinstance(value, int):
                try:
                    wrap = register.wrap(words, read.address)
                except ReadingRangeError:
                    wrap = None
                self.mark = device.counters.judge(name, value, wrap) or self.mark
