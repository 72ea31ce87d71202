"""The slaves of one RS-485 line as a state machine: bytes and time in, bytes at their time out.

No clock and no I/O here; `line.Line` drives it. Times are monotonic ns, except the bench time that
the devices measure at.
"""

import heapq
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wattle_hil.devices.device import Device
from wattle_hil.devices.faults import FaultScript, Reply, Segment
from wattle_hil.devices.rtu_frame import BROADCAST_UNIT, RequestScanner, seal
from wattle_hil.errors import LineError

# Replies that wait for their time: far above what a master that waits for each can cause, and small
# enough that one which floods a line with late replies cannot fill the host's memory.
MAX_PENDING_BYTES = 65_536

_NS_PER_S = 1_000_000_000
_CRC_BYTES = 2
# Modbus over Serial Line V1.02, section 2.5.1.1: 3.5 characters between frames, and 1.75 ms
# whatever the rate above 19,200 baud.
_FAST_BAUD = 19_200
_FAST_SILENCE_NS = 1_750_000


@dataclass(frozen=True)
class LineTiming:
    """When and how fast the slaves of a line answer.

    baud, bits_per_character: 10 bits for 8N1, 11 with parity or a second stop bit.
    turnaround_ns: from the end of a request to its reply; None = the standard's 3.5 characters.
    paced: bytes take their time on the wire; else a reply comes at once and whole, as ptys do.
    silence_ns: after it what is left of a request is dropped. Far longer than 3.5 characters:
    a master process may be descheduled in the middle of a frame.
    """

    baud: int = 9_600
    bits_per_character: int = 10
    turnaround_ns: int | None = None
    paced: bool = False
    silence_ns: int = 50_000_000

    def __post_init__(self) -> None:
        if self.baud < 1 or self.bits_per_character not in (10, 11):
            raise LineError(
                f"{self.baud} baud of {self.bits_per_character} bits, expected 10 or 11"
            )
        if self.silence_ns < 1 or (self.turnaround_ns or 0) < 0:
            raise LineError("silence and turnaround in ns, expected > 0 and >= 0")

    @property
    def character_ns(self) -> int:
        return self.bits_per_character * _NS_PER_S // self.baud

    @property
    def reply_delay_ns(self) -> int:
        """From the end of a request to the start of its reply."""
        if self.turnaround_ns is not None:
            return self.turnaround_ns
        return _FAST_SILENCE_NS if self.baud > _FAST_BAUD else 7 * self.character_ns // 2


@dataclass
class LineCounts:
    """What has happened on a line. Bytes and frames, since the start."""

    requests: int = 0
    replies: int = 0
    other_units: int = 0
    broadcasts: int = 0
    garbage_bytes: int = 0
    lost_bytes: int = 0
    # Written by the driver: how often a master has come, and the worst delay of a write.
    opened: int = 0
    worst_lateness_ns: int = 0


class RtuSlave:
    """All devices of one line behind one receiver.

    devices: distinct units. now_ms: bench time in Unix ms, asked once for each request.
    faults: what befalls the replies; may be replaced at any time.
    Raises LineError when two devices have one unit.
    """

    def __init__(
        self,
        devices: Sequence[Device],
        now_ms: Callable[[], int],
        timing: LineTiming,
        faults: FaultScript,
    ) -> None:
        self._devices = {device.unit: device for device in devices}
        if len(self._devices) != len(devices):
            raise LineError(f"units {[device.unit for device in devices]}, expected all different")
        self._now_ms = now_ms
        self._timing = timing
        self.faults = faults
        self._scanner = RequestScanner(self._devices.keys(), timing.silence_ns)
        # (due ns, order of planning, bytes): replies that are equally due keep their order.
        self._pending: list[tuple[int, int, bytes]] = []
        self._pending_bytes = 0
        self._planned = 0
        self.counts = LineCounts()

    def receive(self, data: bytes, at_ns: int) -> None:
        """Takes bytes that came at a time (or none: time has gone on) and plans the replies."""
        for frame in self._scanner.feed(data, at_ns):
            self._handle(frame, at_ns)
        self.counts.garbage_bytes = self._scanner.garbage_bytes

    def take_due(self, at_ns: int) -> list[tuple[int, bytes]]:
        """What is to be written by now, with the time it was due, in order."""
        due = []
        while self._pending and self._pending[0][0] <= at_ns:
            due_ns, _, data = heapq.heappop(self._pending)
            self._pending_bytes -= len(data)
            due.append((due_ns, data))
        return due

    def wake_ns(self) -> int | None:
        """When `receive` or `take_due` must be called next; None = only when bytes come."""
        times_ns = [self._pending[0][0]] if self._pending else []
        if self._scanner.deadline_ns is not None:
            times_ns.append(self._scanner.deadline_ns)
        return min(times_ns, default=None)

    def master_left(self) -> None:
        """The master's side was closed: what it left unfinished is not a request's beginning."""
        self._scanner.reset()

    def _handle(self, frame: bytes, at_ns: int) -> None:
        unit = frame[0]
        if unit == BROADCAST_UNIT:
            # Nobody replies to one; Eastron's devices ignore it (SDM630Modbus V1.8, section 3).
            self.counts.broadcasts += 1
            return
        device = self._devices.get(unit)
        if device is None:
            self.counts.other_units += 1
            return
        self.counts.requests += 1
        pdu = device.answer(frame[1:-_CRC_BYTES], self._now_ms())
        reply = (Segment(self._timing.reply_delay_ns, seal(frame[:1] + pdu)),)
        self._plan(self.faults.apply(frame, reply), self._end_of_request_ns(frame, at_ns))

    def _end_of_request_ns(self, frame: bytes, at_ns: int) -> int:
        # A pty delivers at once what would have taken its time on the wire.
        return at_ns + len(frame) * self._timing.character_ns if self._timing.paced else at_ns

    def _plan(self, reply: Reply, start_ns: int) -> None:
        size = sum(len(segment.data) for segment in reply)
        if self._pending_bytes + size > MAX_PENDING_BYTES:
            self.counts.lost_bytes += size
            return
        self.counts.replies += bool(reply)
        at_ns = start_ns
        for segment in reply:
            at_ns += segment.delay_ns
            if not self._timing.paced:
                self._push(at_ns, segment.data)
                continue
            for index in range(len(segment.data)):
                at_ns += self._timing.character_ns
                self._push(at_ns, segment.data[index : index + 1])

    def _push(self, due_ns: int, data: bytes) -> None:
        heapq.heappush(self._pending, (due_ns, self._planned, data))
        self._planned += 1
        self._pending_bytes += len(data)
