"""Types of adjustable loads, as JSON files (firmware/LOADS.md): how one is told its setpoint, and
what it can take.
"""

import json
import struct

from wattle_meter import line, register, small_file
from wattle_meter.fields import FieldError, Fields
from wattle_meter.line import Line
from wattle_meter.modbus import WRITE_MULTIPLE, WRITE_RESPONSE_BYTES, WRITE_SINGLE

FORMAT = 1
WATTS_MAX = 1000000000  # a GW
_FILE_BYTES_MAX = 4096
_NAME_CHARS_MAX = 64
_FACTOR10_MAX = 6  # MW to W
_WAIT_MS_MAX = 10000
_SECONDS_MAX = 86400
_WRITE_BYTES = 9  # of a request that writes several registers, without their words


class LoadType:
    """A checked file; the keys are explained in firmware/LOADS.md.

    `function` is 0 for a load that hangs on a relay. `step_w`: the least difference of two
    setpoints; `least_w`: one nearer to 0 is 0.
    """

    function = 0
    address = 0
    type_name = ""
    low_first = False
    sign = 1
    factor10 = 0
    answer_ms = 0
    answer_timeout_ms = 0
    pause_ms = 0
    line: Line | None = None
    step_w = 1

    def __init__(self, fields: Fields) -> None:
        """Raises FieldError."""
        fields.integer("format", FORMAT, FORMAT)
        self.name = fields.text("name", _NAME_CHARS_MAX)
        for people in ("maker", "model", "sources"):
            fields.get(people)
        self.ramp_w_per_s = fields.integer("ramp_w_per_s", 0, WATTS_MAX, 0)
        self.min_on_ms = 1000 * fields.integer("min_on_s", 0, _SECONDS_MAX, 0)
        self.min_off_ms = 1000 * fields.integer("min_off_s", 0, _SECONDS_MAX, 0)
        self.repeat_ms = 1000 * fields.integer("repeat_s", 0, _SECONDS_MAX, 0)
        if fields.get("relay_w") is not None:
            self.min_w = 0
            self.max_w = self.least_w = fields.integer("relay_w", 1, WATTS_MAX)
        else:
            self.min_w = fields.integer("min_w", -WATTS_MAX, WATTS_MAX)
            self.max_w = fields.integer("max_w", self.min_w, WATTS_MAX)
            self.least_w = fields.integer("least_w", 0, WATTS_MAX, 0)
            self._read_setpoint(fields.child("setpoint"))
            self.answer_ms = fields.integer("answer_ms", 0, _WAIT_MS_MAX)
            self.answer_timeout_ms = fields.integer(
                "answer_timeout_ms", max(1, self.answer_ms), _WAIT_MS_MAX
            )
            self.pause_ms = fields.integer("pause_ms", 0, _WAIT_MS_MAX)
            self.line = line.read(fields.child("line"))
        fields.done()
        check_range(fields, self, self.min_w, self.max_w)

    def allowed(self, watts: int, low_w: int, high_w: int) -> int:
        """The setpoint that comes nearest to `watts` without leaving `low_w` .. `high_w` (which
        check_range has passed), and not beyond `watts` if that lies within.
        """
        watts = min(max(watts, low_w), high_w)
        steps = abs(watts) // self.step_w * self.step_w
        if steps < self.least_w:
            return 0
        return steps if watts >= 0 else -steps

    def words(self, watts: int) -> list[int]:
        """What the load's registers are to hold for a setpoint that is allowed."""
        count = register.words_of(self.type_name)
        number = self.sign * watts
        if self.type_name == "float32":
            bits = int.from_bytes(struct.pack(">f", number / 10**self.factor10), "big")
        else:
            bits = number // self.step_w if self.factor10 > 0 else number * 10**-self.factor10
        result = [bits >> (16 * at) & 0xFFFF for at in range(count)]
        return result if self.low_first else result[::-1]

    def write_ms(self, line: Line) -> int:
        """Line time of one write with the usual answer time."""
        length = _WRITE_BYTES + 2 * register.words_of(self.type_name) + WRITE_RESPONSE_BYTES
        return line.transfer_ms(length) + 2 * line.silence_ms() + self.answer_ms

    def _read_setpoint(self, fields: Fields) -> None:
        self.function = fields.integer("function", WRITE_SINGLE, WRITE_MULTIPLE)
        self.address = fields.hexadecimal("address", 0xFFFF)
        self.type_name = fields.choice("type", register.TYPES)
        self.factor10 = fields.integer("factor10", -_FACTOR10_MAX, _FACTOR10_MAX)
        self.sign = fields.integer("sign", -1, 1, 1)
        order = fields.choice("word_order", ("high_first", "low_first"), "high_first")
        self.low_first = order == "low_first"
        fields.done()
        words = register.words_of(self.type_name)
        if self.function not in (WRITE_SINGLE, WRITE_MULTIPLE):
            raise fields.error("function", "6 or 16")
        if self.function == WRITE_SINGLE and words > 1:
            raise fields.error("function", "16 for a type of %d registers" % words)
        if self.address + words > 0x10000:
            raise fields.error("address", "all its words below 0x10000")
        if self.sign == 0:
            raise fields.error("sign", "1 or -1")
        if self.type_name == "float32":
            if self.factor10 < 0:
                raise fields.error("factor10", "at least 0 for float32")
            return
        if self.factor10 > 0:
            self.step_w = 10**self.factor10
        bits = 16 * words - (self.type_name[0] == "i")
        low = -(1 << bits) if self.type_name[0] == "i" else 0
        for number in (self.sign * self.min_w, self.sign * self.max_w):
            number = number // self.step_w * 10 ** max(0, -self.factor10)
            if not low <= number < 1 << bits:
                raise fields.error("type", "one that holds min_w and max_w")


def check_range(fields: Fields, kind: LoadType, low_w: int, high_w: int) -> None:
    """Raises FieldError unless every setpoint that is rounded towards 0 stays in the range."""
    for key, watts in (("min_w", low_w), ("max_w", high_w)):
        if watts % kind.step_w:
            raise fields.error(key, "a multiple of %d W" % kind.step_w)
    if kind.least_w and not low_w <= 0 <= high_w:
        raise fields.error("min_w", "a range with 0 in it, since least_w leads there")


def load(path: str) -> LoadType:
    """The checked load file at `path`. Raises FieldError, FileTooLargeError, OSError."""
    return parse(small_file.read(path, _FILE_BYTES_MAX), path.split("/")[-1])


def parse(data: bytes, source: str) -> LoadType:
    """Checks the JSON text `data`; `source` names it in errors. Raises FieldError."""
    try:
        top = json.loads(data)
    except (ValueError, UnicodeError):
        raise FieldError("%s: not JSON" % source) from None
    return LoadType(Fields(top, source + ":"))
