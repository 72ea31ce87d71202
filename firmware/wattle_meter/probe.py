"""Finds out what hangs on a line: which settings, units, profiles and word orders make sense.

For the technician at the board, who reads what `tell` prints and decides: what is printed is
plausible, not certain. Nothing is written to any device, no reading is signed.
"""

from wattle_wire import quantity

from wattle_meter import profile as profile_module
from wattle_meter import register
from wattle_meter.board import Clock, SerialPort
from wattle_meter.bus import Bus, LineLostError
from wattle_meter.errors import MeterError
from wattle_meter.float32 import ReadingRangeError
from wattle_meter.line import Line
from wattle_meter.modbus import (
    READ_HOLDING,
    READ_INPUT,
    UNIT_MAX,
    UNIT_MIN,
    CrcError,
    ExceptionResponse,
    FrameError,
    LineBusyError,
    ModbusError,
)
from wattle_meter.profile import Profile
from wattle_meter.read_plan import plan_reads
from wattle_meter.sunspec import Discovery

# What metering devices are shipped with, the most frequent first.
LINES = (
    (9600, "N", 1),
    (19200, "E", 1),
    (9600, "E", 1),
    (2400, "N", 1),
    (19200, "N", 1),
    (38400, "N", 1),
    (4800, "N", 1),
    (9600, "N", 2),
    (38400, "E", 1),
    (115200, "N", 1),
)
# Long enough for every device we know, short enough for 247 units.
ANSWER_MS = 150
_FUNCTIONS = (READ_INPUT, READ_HOLDING)
_RAW_REGISTERS = 64

# What a quantity can be, in the wire's units; its name without the phase. A dead phase has 0 V.
_PLAUSIBLE = {
    "ee": (0, 10**12),
    "ei": (0, 10**12),
    "f": (4500, 6500),
    "i": (-(10**7), 10**7),
    "p": (-(10**8), 10**8),
    "q": (-(10**8), 10**8),
    "u": (800, 3000),
}


class Probe:
    """Tries `profiles` on the line that `open_port(line)` gives; `tell(text)` prints a line."""

    def __init__(  # type: ignore[no-untyped-def]
        self, open_port, clock: Clock, profiles: list[Profile], tell
    ) -> None:
        self._open_port = open_port
        self._clock = clock
        self._profiles = profiles
        self._tell = tell

    async def run(self, units: list[int]) -> int:
        """Tries each line setting until `units` answer; gives how many did. Raises OSError,
        ValueError for a line that cannot be opened.
        """
        for settings in LINES:
            line = Line(*settings)
            port = self._open_port(line)
            found = await self._alive(port, line, units)
            for unit in found:
                await self._examine(Bus(port, line, self._clock), unit)
            if found:
                return len(found)
        self._tell("nobody answers")
        return 0

    async def _alive(self, port: SerialPort, line: Line, units: list[int]) -> list[int]:
        """The units that say anything sound, a refusal included."""
        found = []
        damaged = 0
        for function in _FUNCTIONS:
            bus = Bus(port, line, self._clock)  # one that knows of no late answers
            for unit in units:
                if unit in found:
                    continue
                try:
                    await bus.read(unit, function, 0, 2, ANSWER_MS)
                    found.append(unit)
                except ExceptionResponse:
                    found.append(unit)
                except (CrcError, FrameError, LineBusyError):
                    damaged += 1
                except (ModbusError, LineLostError):
                    pass
        self._tell(
            "%s: units %s answer, %d damaged answers" % (line.text(), sorted(found), damaged)
        )
        return sorted(found)

    async def _examine(self, bus: Bus, unit: int) -> None:
        plausible = 0
        for profile in self._profiles:
            reads, values = await self._values(bus, unit, profile)
            for low_first in (profile.low_first, not profile.low_first):
                decoded: dict[str, int | str] = {}
                for read, words in zip(reads, values):
                    decoded.update(read.values(words, low_first))
                if is_plausible(decoded, len(profile.registers)):
                    plausible += 1
                    order = "low" if low_first else "high"
                    texts = [shown(name, decoded[name]) for name in sorted(decoded)]
                    self._tell(
                        "unit %d: %s, %s word first: %s"
                        % (unit, profile.name, order, ", ".join(texts))
                    )
        if not plausible:
            self._tell("unit %d: no profile fits; registers that could be V or Hz:" % unit)
            for function in _FUNCTIONS:
                await self._raw(bus, unit, function)

    async def _values(self, bus: Bus, unit: int, profile: Profile):  # type: ignore[no-untyped-def]
        """(reads, their words) of all that the device answers when asked as `profile` says."""
        base = 0
        answered = []
        words = []
        try:
            if profile.models:
                base = await self._find_model(bus, unit, profile)
            for read in plan_reads(profile, sorted(profile.registers)):
                try:
                    got = await bus.read(
                        unit, profile.function, base + read.address, read.count, ANSWER_MS
                    )
                except ExceptionResponse:
                    continue
                answered.append(read)
                words.append(got)
        except (MeterError, LineLostError):
            pass  # silent: what it has given so far may do
        return answered, words

    async def _find_model(self, bus: Bus, unit: int, profile: Profile) -> int:
        """Where the profile's model begins. Raises MeterError if it is nowhere."""
        discovery = Discovery(profile)
        while discovery.base is None:
            if discovery.rounds:
                raise FrameError("no model of %s" % profile.name)
            address, count = discovery.question()
            try:
                discovery.answered(
                    await bus.read(unit, profile.function, address, count, ANSWER_MS)
                )
            except ExceptionResponse:
                discovery.refused()
        return discovery.base

    async def _raw(self, bus: Bus, unit: int, function: int) -> None:
        """Every decoding of a low register that could be a voltage or a frequency."""
        for address in range(_RAW_REGISTERS):
            for count in (2, 1):
                try:
                    words = await bus.read(unit, function, address, count, ANSWER_MS)
                except ExceptionResponse:
                    continue
                except (ModbusError, LineLostError):
                    return
                for text in decodings(words):
                    self._tell("  function %d, 0x%04x: %s" % (function, address, text))
                break


def units_of(text: str) -> list[int]:
    """The units in a text such as `1-5,20`. Raises ValueError."""
    units: list[int] = []
    for part in text.split(","):
        first, _, last = part.partition("-")
        units += range(int(first), int(last or first) + 1)
    if not units or min(units) < UNIT_MIN or max(units) > UNIT_MAX:
        raise ValueError("units %s, expected %d to %d" % (text, UNIT_MIN, UNIT_MAX))
    return units


def load_profiles(  # type: ignore[no-untyped-def]
    folder: str, names: list[str], tell
) -> list[Profile]:
    """Those of the files `names` in `folder` that are profiles; `tell` hears of the others."""
    profiles = []
    for name in sorted(names):
        if not name.endswith(".json"):
            continue
        try:
            profiles.append(profile_module.load(folder + "/" + name)[0])
        except (MeterError, OSError) as error:
            tell("left out: %s" % error)
    return profiles


def is_plausible(values: dict[str, int | str], expected: int) -> bool:
    """Whether `values` (quantity: wire's integer or letter) could be those of a live device with
    `expected` quantities: half of them are numbers, all in their range, one a mains voltage.
    """
    numbers = 0
    live = False
    for name, value in values.items():
        if isinstance(value, str):
            continue
        low, high = _PLAUSIBLE[name.rstrip("123")]
        if name[0] == "u":
            live = live or low <= value <= high
            low = 0
        if not low <= value <= high:
            return False
        numbers += 1
    return live and 2 * numbers >= expected


def decodings(words: list[int]) -> list[str]:
    """Texts of the ways to read one value in `words` (1 or 2) that give a mains voltage or
    frequency.
    """
    texts = []
    for type_name in register.TYPES:
        size = register.words_of(type_name)
        if size > len(words):
            continue
        for low_first in (False, True)[:size]:
            for factor10 in range(0, -4, -1):
                for name in ("u", "f"):
                    low, high = _PLAUSIBLE[name]
                    exponent10 = factor10 - quantity.form(name)[1]
                    try:
                        value = register.value(words[:size], type_name, low_first, exponent10)
                    except ReadingRangeError:
                        continue
                    if low <= value <= high:
                        order = "" if size == 1 else ", low_first" if low_first else ", high_first"
                        texts.append(
                            "%s%s, factor10 %d: %s"
                            % (type_name, order, factor10, shown(name, value))
                        )
    return texts


def shown(name: str, value: int | str) -> str:
    """A quantity for people: `u1 230.4 V`; a letter stands as it is."""
    if isinstance(value, str):
        return "%s (%s)" % (name, value)
    unit, exponent = quantity.form(name)
    sign = "-" if value < 0 else ""
    digits = str(abs(value))
    if exponent:
        digits = "0" * (1 - exponent - len(digits)) + digits
        digits = digits[:exponent] + "." + digits[exponent:]
    return "%s %s%s %s" % (name, sign, digits, unit)
