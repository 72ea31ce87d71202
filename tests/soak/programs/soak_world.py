"""The other side of the pipe: time, serial line, network and power of a board in a soak.

The dialect is MicroPython's. A frame is its kind (one letter), the length of its body (two bytes,
big endian) and the body; wattle_testkit.soak.wire lists the kinds. The world outside answers at
two points only: when every task waits (then it says how far time passes and what happens then),
and when something is about to be written to flash (then it says what becomes of that).
"""

import struct
import sys
import time

# Where the interpreter itself makes a task ready it stamps it with the host's ticks. Simulated
# ticks are ahead of them by this much, so that such a task is always due. Ticks can be compared
# over 2^29 ms: three days ahead leave three for the run.
AHEAD_MS = 1 << 28
GO, CUT = 0, 255


class World:
    """Stands in for asyncio's poller: when all tasks wait, time passes as the world says.

    `now_ms`: simulated ms since the start. `handlers`: kind of a frame to what takes its body.
    """

    def __init__(self):
        self.map = (self,)  # the event loop ends when it polls nothing
        self.now_ms = 0
        self.handlers = {}
        self._base = time.ticks_add(time.ticks_ms(), AHEAD_MS)
        self._next_ms = 0  # nothing happens outside before
        self._told = True  # something that it may react to
        self._in = sys.stdin.buffer
        self._out = sys.stdout.buffer

    def ticks(self):
        """What asyncio's clock shows."""
        return time.ticks_add(self._base, self.now_ms)

    def spend(self, ms):
        """Computing takes `ms`; what becomes due meanwhile happens afterwards."""
        self.now_ms += ms

    def tell(self, kind, *pieces):
        """Sends a frame of `kind`, its body in pieces."""
        self._told = True
        length = 0
        for piece in pieces:
            length += len(piece)
        self._out.write(kind + struct.pack(">H", length))
        for piece in pieces:
            if piece:
                self._out.write(piece)

    def ask(self, kind, body):
        """(verdict, bytes or keys that still reach the flash) for a write of `body`."""
        self.tell(kind, body)
        while True:
            kind, body = self._frame()
            if kind == b"v":
                return struct.unpack(">BH", body)

    def cut(self):
        """The power is off; never returns."""
        self.tell(b"Z")
        while True:
            self._frame()

    # ---- what asyncio's poller has

    def wait_io_event(self, wait_ms):
        """Called before each task runs, with the ms until it is due."""
        if wait_ms <= 0 and not self._told and self.now_ms < self._next_ms:
            return
        self.tell(b"P", struct.pack(">II", self.now_ms, self.now_ms + max(0, wait_ms)))
        self._told = False
        while True:
            kind, body = self._frame()
            if kind == b"t":
                self.now_ms, self._next_ms = struct.unpack(">II", body)
                return
            self.handlers[kind](body)

    def remove(self, task):
        """No task waits for a file."""

    def _frame(self):
        head = self._in.read(3)
        if len(head) < 3:
            sys.exit(3)  # the soak itself has ended
        length = head[1] << 8 | head[2]
        return head[:1], self._in.read(length) if length else b""
