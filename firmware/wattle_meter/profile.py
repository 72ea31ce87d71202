"""Profiles: what one family of metering devices offers, as a JSON file.

Keys of a profile (all required, but `readable` and the texts for people: maker, model, sources):
  format              1
  name                [a-z0-9-], the name the registry and the birth message use
  function            3 (holding registers) or 4 (input registers)
  word_order          "high_first" or "low_first", for values of several registers
  registers_per_read  most registers that the device answers in one read, 1..125
  readable            [[first, last], ..]: ranges without holes in the maker's list; only there a
                      read may run across registers that nobody asked for (default: none)
  answer_ms           usual time from request to answer, for planning only
  answer_timeout_ms   after this a device that did not begin to answer counts as silent
  pause_ms            rest the device needs between its answer and the next request to it
  line                {baud, parity N|E|O, stop_bits 1|2}: the maker's default
  registers           {quantity of the wire: {address "0x0048", type (register.TYPES),
                      factor10: the power of ten from the device's unit to Wh, W, var, V, A, Hz}}
"""

import hashlib
import json

from wattle_wire import quantity
from wattle_wire.errors import WireError

from wattle_meter import register, small_file
from wattle_meter.errors import MeterError
from wattle_meter.line import PARITIES, Line
from wattle_meter.modbus import COUNT_MAX

FORMAT = 1
PROFILE_BYTES_MAX = 8192  # parsed in memory on a board; the largest known family needs 3 kB
_FACTOR10_MAX = 6  # MWh to Wh
_NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789-"


class ProfileError(MeterError):
    """A profile that breaks its format; the message names file, key and what was expected."""


class Profile:
    """A checked profile; `registers` maps a quantity to (address, type name, exponent10).

    `exponent10` leads from the register to the integer of the wire; `readable` is a list of
    (first, last) addresses, both included.
    """

    answer_ms: int
    answer_timeout_ms: int
    function: int
    line: Line
    low_first: bool
    name: str
    pause_ms: int
    readable: list[tuple[int, int]]
    registers: dict[str, tuple[int, str, int]]
    registers_per_read: int


def load(path: str) -> tuple[Profile, bytes]:
    """(profile, SHA-256 of its file) of the profile file at `path`, checked.

    Raises ProfileError, FileTooLargeError, OSError.
    """
    data = small_file.read(path, PROFILE_BYTES_MAX)
    return parse(data, path.split("/")[-1]), bytes(hashlib.sha256(data).digest())


def parse(data: bytes, source: str) -> Profile:
    """Checks the JSON text `data`; `source` names it in errors. Raises ProfileError."""
    try:
        top = json.loads(data)
    except (ValueError, UnicodeError):
        top = None
    return _Reader(source).profile(top)


def _wire_exponent(name: str) -> int | None:
    try:
        return quantity.form(name)[1]
    except WireError:
        return None


class _Reader:
    def __init__(self, source: str) -> None:
        self._source = source

    def profile(self, top: object) -> Profile:
        table = self._table(top, "file")
        self._integer(table, "", "format", FORMAT, FORMAT)
        result = Profile()
        result.name = self._text(table, "", "name")
        if not result.name or any(c not in _NAME_CHARACTERS for c in result.name):
            raise self._error("name", result.name, "characters a-z 0-9 -")
        result.function = self._integer(table, "", "function", 3, 4)
        order = self._choice(table, "", "word_order", ("high_first", "low_first"))
        result.low_first = order == "low_first"
        result.registers_per_read = self._integer(table, "", "registers_per_read", 1, COUNT_MAX)
        result.answer_ms = self._integer(table, "", "answer_ms", 0, 10000)
        result.answer_timeout_ms = self._integer(table, "", "answer_timeout_ms", 1, 10000)
        result.pause_ms = self._integer(table, "", "pause_ms", 0, 10000)
        result.line = self._line(self._table(table.get("line"), "line"))
        result.readable = self._readable(table.get("readable", []))
        result.registers = {}
        registers = self._table(table.get("registers"), "registers")
        for name in sorted(registers):
            where = "registers." + name + "."
            row = self._table(registers[name], where[:-1])
            result.registers[name] = self._register(name, where, row, result.registers_per_read)
        if not registers:
            raise self._error("registers", registers, "at least one")
        return result

    def _line(self, table: dict[str, object]) -> Line:
        return Line(
            self._integer(table, "line.", "baud", 300, 1000000),
            self._choice(table, "line.", "parity", tuple(PARITIES)),
            self._integer(table, "line.", "stop_bits", 1, 2),
        )

    def _register(
        self, name: str, where: str, row: dict[str, object], words_max: int
    ) -> tuple[int, str, int]:
        wire_exponent = _wire_exponent(name)
        if wire_exponent is None:
            raise self._error("registers", name, "a quantity of the wire")
        type_name = self._choice(row, where, "type", register.TYPES)
        if register.words_of(type_name) > words_max:
            raise self._error(where + "type", type_name, "at most %d words" % words_max)
        factor10 = self._integer(row, where, "factor10", -_FACTOR10_MAX, _FACTOR10_MAX)
        address = self._address(row.get("address"), where + "address")
        return address, type_name, factor10 - wire_exponent

    def _readable(self, ranges: object) -> list[tuple[int, int]]:
        result = []
        for pair in ranges if isinstance(ranges, list) else [ranges]:
            if not isinstance(pair, list) or len(pair) != 2:
                raise self._error("readable", pair, "[first, last]")
            first, last = (self._address(end, "readable") for end in pair)
            if first > last:
                raise self._error("readable", pair, "first <= last")
            result.append((first, last))
        return result

    def _address(self, text: object, where: str) -> int:
        try:
            if isinstance(text, str) and len(text) == 6 and text[:2] == "0x":
                return int(text[2:], 16)
        except ValueError:
            pass
        raise self._error(where, text, '"0x" and four hex digits')

    def _integer(self, table: dict[str, object], where: str, key: str, low: int, high: int) -> int:
        value = table.get(key)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self._error(where + key, value, "an integer %d..%d" % (low, high))
        return value

    def _choice(
        self, table: dict[str, object], where: str, key: str, allowed: tuple[str, ...]
    ) -> str:
        value = table.get(key)
        if value not in allowed:
            raise self._error(where + key, value, "one of " + ", ".join(allowed))
        return value

    def _text(self, table: dict[str, object], where: str, key: str) -> str:
        value = table.get(key)
        if not isinstance(value, str):
            raise self._error(where + key, value, "a text")
        return value

    def _table(self, value: object, where: str) -> dict[str, object]:
        if not isinstance(value, dict):
            raise self._error(where, value, "a JSON object")
        return value

    def _error(self, key: str, value: object, expected: str) -> ProfileError:
        return ProfileError("%s: %s: %r, expected %s" % (self._source, key, value, expected))
