"""Faults of a serial line, as transformations of the reply a device would have given."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from wattle_hil.devices.rtu_frame import seal
from wattle_hil.errors import LineError

_NS_PER_MS = 1_000_000
_EXCEPTION_FLAG = 0x80
_QUIET_NAN = b"\x7f\xc0\x00\x00"
INFINITY = b"\x7f\x80\x00\x00"
_CRC_BYTES = 2
# Unit, function and byte count stand before the values of a read response, the CRC behind them.
_HEAD_BYTES = 3


@dataclass(frozen=True)
class Segment:
    """Bytes sent in one go, delay_ns after the end of the request or of the segment before."""

    delay_ns: int
    data: bytes


Reply = tuple[Segment, ...]


def joined(reply: Reply) -> bytes:
    """All bytes of a reply without its delays."""
    return b"".join(segment.data for segment in reply)


def _instead(reply: Reply, data: bytes) -> Reply:
    """The reply with other bytes at the time of its first."""
    return (Segment(reply[0].delay_ns, data),) if reply and data else ()


class Fault(Protocol):
    """Changes a reply. `request` is the whole frame that it answers."""

    def apply(self, request: bytes, reply: Reply) -> Reply: ...


@dataclass(frozen=True)
class NoReply:
    """The device says nothing."""

    def apply(self, request: bytes, reply: Reply) -> Reply:
        return ()


@dataclass(frozen=True)
class Late:
    """The reply comes delay_ms later, perhaps after the master gave up."""

    delay_ms: int

    def apply(self, request: bytes, reply: Reply) -> Reply:
        if not reply:
            return ()
        first = Segment(reply[0].delay_ns + self.delay_ms * _NS_PER_MS, reply[0].data)
        return (first, *reply[1:])


@dataclass(frozen=True)
class CrcFlipped:
    """One bit of the CRC is wrong."""

    def apply(self, request: bytes, reply: Reply) -> Reply:
        data = joined(reply)
        return _instead(reply, data[:-1] + bytes([data[-1] ^ 1])) if data else ()


@dataclass(frozen=True)
class Truncated:
    """Only the first `keep` bytes arrive."""

    keep: int

    def apply(self, request: bytes, reply: Reply) -> Reply:
        return _instead(reply, joined(reply)[: self.keep])


@dataclass(frozen=True)
class ExceptionReply:
    """The device answers with a Modbus exception: 4 failure, 5 acknowledge, 6 busy, ..."""

    code: int

    def apply(self, request: bytes, reply: Reply) -> Reply:
        frame = seal(bytes([request[0], request[1] | _EXCEPTION_FLAG, self.code]))
        return _instead(reply, frame)


@dataclass(frozen=True)
class Noise:
    """Foreign bytes come right before the reply."""

    data: bytes

    def apply(self, request: bytes, reply: Reply) -> Reply:
        return _instead(reply, self.data + joined(reply))


@dataclass(frozen=True)
class Echo:
    """The master hears its own request first, as on RS-485 with the receiver left on."""

    def apply(self, request: bytes, reply: Reply) -> Reply:
        return (Segment(0, request), *reply)


@dataclass(frozen=True)
class Split:
    """A pause of gap_ms within the reply, after its first `after` bytes."""

    after: int
    gap_ms: int

    def apply(self, request: bytes, reply: Reply) -> Reply:
        data = joined(reply)
        head, tail = _instead(reply, data[: self.after]), data[self.after :]
        return (*head, Segment(self.gap_ms * _NS_PER_MS, tail)) if tail else head


@dataclass(frozen=True)
class Doubled:
    """The frame comes twice without a pause."""

    def apply(self, request: bytes, reply: Reply) -> Reply:
        return _instead(reply, joined(reply) * 2)


@dataclass(frozen=True)
class Replaced:
    """Other bytes come instead, as a receiver at another speed or parity hears them."""

    data: bytes

    def apply(self, request: bytes, reply: Reply) -> Reply:
        return _instead(reply, self.data)


@dataclass(frozen=True)
class Babble:
    """The device sends `data` again and again, every gap_ms, `times` times, instead of a reply."""

    data: bytes
    gap_ms: int
    times: int

    def apply(self, request: bytes, reply: Reply) -> Reply:
        piece = Segment(self.gap_ms * _NS_PER_MS, self.data)
        return (piece,) * self.times if reply else ()


@dataclass(frozen=True)
class WrongUnit:
    """The reply bears another unit id, with a good CRC."""

    unit: int

    def apply(self, request: bytes, reply: Reply) -> Reply:
        return _instead(reply, seal(bytes([self.unit]) + joined(reply)[1:-_CRC_BYTES]))


@dataclass(frozen=True)
class WrongFunction:
    """The reply bears another function code, with a good CRC."""

    function: int

    def apply(self, request: bytes, reply: Reply) -> Reply:
        data = joined(reply)
        return _instead(reply, seal(data[:1] + bytes([self.function]) + data[2:-_CRC_BYTES]))


@dataclass(frozen=True)
class NotANumber:
    """Every float32 value of a read response is a NaN (or `value`), with a good CRC."""

    value: bytes = _QUIET_NAN

    def apply(self, request: bytes, reply: Reply) -> Reply:
        data = joined(reply)
        values = max(len(data) - _HEAD_BYTES - _CRC_BYTES, 0) // len(self.value)
        return _instead(reply, seal(data[:_HEAD_BYTES] + self.value * values)) if values else reply


@dataclass(frozen=True)
class Frozen:
    """Every request is answered as it was the first time: the device measures no more."""

    answers: dict[bytes, Reply] = field(default_factory=dict)

    def apply(self, request: bytes, reply: Reply) -> Reply:
        return self.answers.setdefault(request, reply)


@dataclass(frozen=True)
class FaultRule:
    """Which replies a fault befalls.

    Of the requests to `unit` (None = any): the first `skip` pass; then every `every`-th is hit,
    `times` times in all (None = for ever).
    """

    fault: Fault
    unit: int | None = None
    skip: int = 0
    every: int = 1
    times: int | None = None

    def __post_init__(self) -> None:
        if self.skip < 0 or self.every < 1:
            raise LineError(f"skip {self.skip}, every {self.every}: expected >= 0 and >= 1")

    def hits(self, number: int) -> bool:
        """Whether the fault befalls the request with this number, counted from 0."""
        turn, rest = divmod(number - self.skip, self.every)
        return turn >= 0 and rest == 0 and (self.times is None or turn < self.times)


class FaultScript:
    """The faults of one line, in the order in which they are applied. Counts requests by rule."""

    def __init__(self, rules: Sequence[FaultRule] = ()) -> None:
        self._rules = tuple(rules)
        self._seen = [0] * len(self._rules)

    def apply(self, request: bytes, reply: Reply) -> Reply:
        """The reply after every fault whose turn it is."""
        for index, rule in enumerate(self._rules):
            if rule.unit not in (None, request[0]):
                continue
            number, self._seen[index] = self._seen[index], self._seen[index] + 1
            if rule.hits(number):
                reply = rule.fault.apply(request, reply)
        return reply
