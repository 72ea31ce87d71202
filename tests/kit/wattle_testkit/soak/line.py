"""The serial line of a soak, with one metering device whose values tell when they were read.

The device answers as an SDM630 does. Each answered read has a number, and every value of the answer
is made of it, so that a value in a sample names the read that it comes from.
"""

import struct
from collections.abc import Callable
from random import Random

from wattle_testkit.soak.agenda import Agenda
from wattle_testkit.soak.plan import Weather
from wattle_testkit.soak.record import Read, Record

UNIT = 1
PROFILE = "sdm630"
EIO = 5
_FUNCTION = 4
_BAUD_BITS_PER_S, _CHARACTER_BITS = 9_600, 10
_BABBLE_EVERY_MS = 20
_FOREIGN_EVERY_MS = 700


def _tenths(number: int, modulus: int, base: int = 0) -> int:
    return base + number % modulus


# Quantity: (register address, mantissa of read `number`, mantissa units in a register's unit).
QUANTITIES: dict[str, tuple[int, Callable[[int], int], int]] = {
    "u1": (0x00, lambda number: _tenths(number, 1_000, 2_000), 10),
    "u2": (0x02, lambda number: _tenths(number, 1_000, 2_001), 10),
    "u3": (0x04, lambda number: _tenths(number, 1_000, 2_002), 10),
    "p": (0x34, lambda number: _tenths(number, 9_973), 10),
    "q": (0x3C, lambda number: _tenths(number, 9_967), 10),
    "f": (0x46, lambda number: _tenths(number, 1_000, 4_500), 100),
    "ei": (0x48, lambda number: number, 1_000),
    "ee": (0x4A, lambda number: number + 500_000, 1_000),
}


class SerialLine:
    """`answer(data)` is called for what arrives at the meter."""

    def __init__(
        self,
        agenda: Agenda,
        weather: Weather,
        random: Random,
        record: Record,
        answer: Callable[[bytes], None],
    ) -> None:
        self._agenda = agenda
        self._weather = weather
        self._random = random
        self._record = record
        self._arrive = answer
        self._babbling = False
        self._foreign = False

    def request(self, asked_ms: int, frame: bytes) -> None:
        """The meter has begun to write `frame`."""
        unit, function, address, count = struct.unpack(">BBHH", frame[:6])
        if len(frame) != 8 or frame[6:] != crc16(frame[:6]):
            raise AssertionError(f"the meter asks {frame.hex()}")
        if unit != UNIT or function != _FUNCTION or self._weather.has("silent"):
            return
        random = self._random
        wait_ms = transfer_ms(len(frame)) + random.randint(20, 60)
        answer = self._words(asked_ms, address, count)
        if self._weather.has("refusing") and random.random() < 0.5:
            answer = _sealed(bytes((unit, function | 0x80, random.choice((2, 4, 6, 11)))))
        if self._weather.has("late") and random.random() < 0.5:
            wait_ms += random.randint(300, 900)
        if self._weather.has("damaged") and random.random() < 0.5:
            at = random.randrange(len(answer))
            answer = (
                answer[:at] + bytes((answer[at] ^ 1 << random.randrange(8),)) + answer[at + 1 :]
            )
        if self._weather.has("truncated") and random.random() < 0.5:
            answer = answer[: random.randrange(len(answer))]
        if self._weather.has("noise") and random.random() < 0.7:
            answer = random.randbytes(random.randint(1, 12)) + answer
        if self._weather.has("doubled") and random.random() < 0.7:
            answer += answer
        self._send(asked_ms + wait_ms, answer)

    def begin_babble(self) -> None:
        """Somebody talks without end, as long as that fault is on."""
        if not self._babbling:
            self._babbling = True
            self._babble()

    def begin_foreign(self) -> None:
        """Another master asks our unit, as long as that fault is on."""
        if not self._foreign:
            self._foreign = True
            self._ask_foreign()

    def _babble(self) -> None:
        self._babbling = self._weather.has("babble")
        if self._babbling:
            self._arrive(self._random.randbytes(transfer_bytes(_BABBLE_EVERY_MS)))
            self._agenda.after(_BABBLE_EVERY_MS, self._babble)

    def _ask_foreign(self) -> None:
        self._foreign = self._weather.has("foreign")
        if self._foreign:
            self._arrive(_sealed(struct.pack(">BBHH", UNIT, _FUNCTION, 0x34, 2)))
            self._agenda.after(self._random.randint(100, 2 * _FOREIGN_EVERY_MS), self._ask_foreign)

    def _words(self, asked_ms: int, address: int, count: int) -> bytes:
        number = len(self._record.reads)
        self._record.reads.append(Read(asked_ms, address))
        words = bytearray(2 * count)
        for at, mantissa, scale in QUANTITIES.values():
            if address <= at < address + count:
                start = 2 * (at - address)
                words[start : start + 4] = struct.pack(">f", mantissa(number) / scale)
        return _sealed(bytes((UNIT, _FUNCTION, 2 * count)) + words)

    def _send(self, begin_ms: int, answer: bytes) -> None:
        """In one piece when it is all there, or in two, as adapters hand it over."""
        if not answer:
            return
        cut = self._random.randrange(len(answer))
        if cut and self._random.random() < 0.2:
            self._agenda.at(begin_ms + transfer_ms(cut), lambda: self._arrive(answer[:cut]))
        else:
            cut = 0
        self._agenda.at(begin_ms + transfer_ms(len(answer)), lambda: self._arrive(answer[cut:]))


def transfer_ms(length: int) -> int:
    """Time of `length` bytes on the line, rounded up."""
    return -(-length * _CHARACTER_BITS * 1_000 // _BAUD_BITS_PER_S)


def transfer_bytes(ms: int) -> int:
    """As many bytes as come in `ms`."""
    return ms * _BAUD_BITS_PER_S // _CHARACTER_BITS // 1_000


def crc16(data: bytes) -> bytes:
    """CRC-16/MODBUS, low byte first, bit by bit as the standard's appendix draws it."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ 0xA001 if crc & 1 else crc >> 1
    return bytes((crc & 255, crc >> 8))


def _sealed(body: bytes) -> bytes:
    return body + crc16(body)
