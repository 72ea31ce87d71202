"""Profiles: what one family of metering devices offers, as a JSON file (firmware/PROFILES.md)."""

import hashlib
import json

from wattle_wire import quantity
from wattle_wire.errors import WireError

from wattle_meter import line, register, small_file
from wattle_meter.fields import FieldError, Fields, hexadecimal
from wattle_meter.line import Line
from wattle_meter.modbus import COUNT_MAX, READ_HOLDING, READ_INPUT
from wattle_meter.register import Register

FORMAT = 1
PROFILE_BYTES_MAX = 8192  # parsed in memory on a board; the largest known family needs 3 kB
_FACTOR10_MAX = 6  # MWh to Wh
_WRAPS_AT_MAX = 1 << 62
_TEXT_CHARS_MAX = 64
_WAIT_MS_MAX = 10000
_LIST_MAX = 32
_NAME_CHARACTERS = "abcdefghijklmnopqrstuvwxyz0123456789-"


class Profile:
    """A checked profile; the keys are explained in firmware/PROFILES.md.

    `registers` maps a quantity to its Register; `readable` is a list of (first, last) addresses,
    both included. With `models` (SunSpec) all addresses count from the ID register of one of
    them, which is looked for from each of `bases`; without, both are empty.
    """

    name: str
    function: int
    low_first: bool
    registers_per_read: int
    answer_ms: int
    answer_timeout_ms: int
    pause_ms: int
    line: Line
    readable: list[tuple[int, int]]
    registers: dict[str, Register]
    models: list[int] = []
    bases: list[int] = []


def load(path: str) -> tuple[Profile, bytes]:
    """(profile, SHA-256 of its file) of the profile file at `path`, checked.

    Raises FieldError, FileTooLargeError, OSError.
    """
    data = small_file.read(path, PROFILE_BYTES_MAX)
    return parse(data, path.split("/")[-1]), bytes(hashlib.sha256(data).digest())


def parse(data: bytes, source: str) -> Profile:
    """Checks the JSON text `data`; `source` names it in errors. Raises FieldError."""
    try:
        top = json.loads(data)
    except (ValueError, UnicodeError):
        raise FieldError("%s: not JSON" % source) from None
    fields = Fields(top, source + ":")
    result = _profile(fields)
    for people in ("maker", "model", "sources"):
        fields.get(people)
    fields.done()
    return result


def _profile(fields: Fields) -> Profile:
    fields.integer("format", FORMAT, FORMAT)
    result = Profile()
    result.name = fields.text("name", _TEXT_CHARS_MAX)
    if any(c not in _NAME_CHARACTERS for c in result.name):
        raise fields.error("name", "characters a-z 0-9 -")
    result.function = fields.integer("function", READ_HOLDING, READ_INPUT)
    result.low_first = fields.choice("word_order", ("high_first", "low_first")) == "low_first"
    result.registers_per_read = fields.integer("registers_per_read", 1, COUNT_MAX)
    result.answer_ms = fields.integer("answer_ms", 0, _WAIT_MS_MAX)
    result.answer_timeout_ms = fields.integer("answer_timeout_ms", 1, _WAIT_MS_MAX)
    result.pause_ms = fields.integer("pause_ms", 0, _WAIT_MS_MAX)
    if result.answer_timeout_ms < result.answer_ms:
        raise fields.error("answer_timeout_ms", "at least answer_ms")
    result.line = line.read(fields.child("line"))
    result.readable = _readable(fields)
    if fields.get("sunspec") is not None:
        result.models, result.bases = _sunspec(fields.child("sunspec"))
    rows = fields.child("registers")
    result.registers = {name: _register(rows, name, result) for name in rows.names()}
    if not result.registers:
        raise fields.error("registers", "at least one quantity")
    return result


def _register(rows: Fields, name: str, profile: Profile) -> Register:
    try:
        wire_exponent = quantity.form(name)[1]
    except WireError:
        raise rows.error(name, "a quantity of the wire as key") from None
    fields = rows.child(name)
    type_name = fields.choice("type", register.TYPES)
    bits_max = (1 << (16 * register.words_of(type_name))) - 1
    result = Register(
        fields.hexadecimal("address", 0xFFFF),
        type_name,
        fields.integer("factor10", -_FACTOR10_MAX, _FACTOR10_MAX) - wire_exponent,
        None if fields.get("scale_at") is None else fields.hexadecimal("scale_at", 0xFFFF),
        None if fields.get("absent") is None else fields.hexadecimal("absent", bits_max),
        None if fields.get("wraps_at") is None else fields.integer("wraps_at", 1, _WRAPS_AT_MAX),
    )
    fields.done()
    first, end = result.span()
    if end > 0x10000:
        raise fields.error("address", "all its words below 0x10000")
    if end - first > profile.registers_per_read:
        raise rows.error(name, "at most %d words in one read" % profile.registers_per_read)
    if result.scale_at is not None and not any(
        low <= first and end - 1 <= high for low, high in profile.readable
    ):
        raise fields.error("scale_at", "one readable range for value and scale")
    return result


def _readable(fields: Fields) -> list[tuple[int, int]]:
    result = []
    for row in fields.items("readable", 0, _LIST_MAX):
        ends = [hexadecimal(end) for end in row] if isinstance(row, list) else []
        if len(ends) != 2 or ends[0] is None or ends[1] is None or not ends[0] <= ends[1] <= 0xFFFF:
            raise fields.error("readable", 'pairs ["0x0000", "0xffff"], the first not above')
        result.append((ends[0], ends[1]))
    return result


def _sunspec(fields: Fields) -> tuple[list[int], list[int]]:
    models = fields.integers("models", 1, 0xFFFE, 1, _LIST_MAX)
    bases = fields.integers("bases", 0, 0xFFFC, 1, _LIST_MAX)
    fields.done()
    return models, bases
