"""Timing of a serial line; pure.

Source: MODBUS over Serial Line V1.02, 2.5.1.1: frames are set apart by at least 3.5
characters of silence; above 19200 Bd a fixed 1.75 ms is used instead.
"""

from wattle_meter.fields import Fields

_SILENCE_FIXED_US = 1750
_SILENCE_FIXED_ABOVE_BAUD = 19200

PARITIES = "NEO"


class Line:
    """Speed and character: `baud` Bd, 8 data bits, `parity` N, E or O, `stop_bits` 1 or 2."""

    def __init__(self, baud: int = 9600, parity: str = "N", stop_bits: int = 1) -> None:
        self.baud = baud
        self.parity = parity
        self.stop_bits = stop_bits

    def character_us(self) -> int:
        """Time of one character in microseconds, rounded up."""
        bits = 1 + 8 + (self.parity != "N") + self.stop_bits
        return (bits * 1000000 + self.baud - 1) // self.baud

    def silence_ms(self) -> int:
        """Silence between two frames, rounded up to milliseconds."""
        if self.baud > _SILENCE_FIXED_ABOVE_BAUD:
            return (_SILENCE_FIXED_US + 999) // 1000
        return (7 * self.character_us() + 1999) // 2000

    def transfer_ms(self, length: int) -> int:
        """Time that `length` bytes take on the line, rounded up to milliseconds."""
        return (length * self.character_us() + 999) // 1000

    def text(self) -> str:
        """For people: `9600 Bd 8N1`."""
        return "%d Bd 8%s%d" % (self.baud, self.parity, self.stop_bits)


def read(fields: Fields) -> Line:
    """The line that {baud, parity, stop_bits} describes. Raises FieldError."""
    line = Line(
        fields.integer("baud", 300, 1000000),
        fields.choice("parity", tuple(PARITIES)),
        fields.integer("stop_bits", 1, 2),
    )
    fields.done()
    return line
