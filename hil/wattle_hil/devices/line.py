"""A serial line of the bench: a pty whose far end is a row of emulated metering devices.

One thread for each line, blocked in poll: a reply is late only by what the host's scheduler adds,
which `LineCounts.worst_lateness_ns` tells. The master (a meter process) opens a stable path and may
be killed and come back: what was written for it and never read goes when it leaves, as bytes on a
wire do when nobody listens. A successor that opens the line before this thread has run (a few ms on
a busy host) may still hear the reply to its predecessor, as on a real bus after a quick reboot.
"""

import contextlib
import errno
import os
import select
import termios
import threading
import time
import tty
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from wattle_hil.devices.device import Device
from wattle_hil.devices.faults import FaultScript
from wattle_hil.devices.rtu_slave import LineCounts, LineTiming, RtuSlave
from wattle_hil.errors import LineError

_NS_PER_MS = 1_000_000
_NS_PER_S = 1_000_000_000
# Larger than what a pty holds, so that one read empties it.
_READ_BYTES = 65_536
# poll reports a closed port again and again; so often is looked whether a master has come.
_ABSENT_S = 0.01
_STOP_TIMEOUT_S = 5.0
_NO_FAULTS = FaultScript()


class Line:
    """Serves devices on a pty until stopped; also a context manager.

    link: path that becomes a symlink to the pty, for the master to open; its folder must exist.
    devices: all on this line. now_ms: bench time, as `BenchClock.now_ms`. clock_ns: monotonic.
    Raises LineError when the path is taken by something else than an old link.
    """

    def __init__(
        self,
        link: Path,
        devices: Sequence[Device],
        now_ms: Callable[[], int],
        timing: LineTiming | None = None,
        faults: FaultScript = _NO_FAULTS,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self.link = link
        self._clock_ns = clock_ns
        self._slave = RtuSlave(devices, now_ms, timing or LineTiming(), faults)
        self._stopping = threading.Event()
        self._absent = True
        self._closed = False
        self._failure: Exception | None = None
        self._master_fd, self._far_end = _open_raw_pty()
        self._wake_read_fd, self._wake_write_fd = os.pipe()
        self._thread = threading.Thread(target=self._run, name=f"line {link.name}", daemon=True)
        try:
            _point(link, self._far_end)
        except LineError:
            self._close()
            raise

    def __enter__(self) -> "Line":
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def counts(self) -> LineCounts:
        """A copy of what has happened so far."""
        return replace(self._slave.counts)

    @property
    def connected(self) -> bool:
        """Whether a master has the line open."""
        return not self._absent

    @property
    def failure(self) -> Exception | None:
        """What ended the line's thread of itself; None while all is well."""
        return self._failure

    def inject(self, faults: FaultScript) -> None:
        """Replaces the faults from the next request on; an empty script ends them."""
        self._slave.faults = faults

    def start(self) -> None:
        """Begins to serve."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread, closes the pty and removes the link; once is enough.

        Raises LineError when the line had already failed of itself.
        """
        if self._closed:
            return
        self._stopping.set()
        os.write(self._wake_write_fd, b"\0")
        if self._thread.ident is not None:
            self._thread.join(_STOP_TIMEOUT_S)
        if self._thread.is_alive():
            raise LineError(f"{self.link}: the line's thread does not end")
        self._close()
        with contextlib.suppress(OSError):
            if self.link.readlink() == Path(self._far_end):
                self.link.unlink()
        if self._failure is not None:
            raise LineError(f"{self.link}: the line had failed: {self._failure}") from self._failure

    def _close(self) -> None:
        self._closed = True
        for fd in (self._master_fd, self._wake_read_fd, self._wake_write_fd):
            os.close(fd)

    def _run(self) -> None:
        try:
            poll = select.poll()
            poll.register(self._master_fd, select.POLLIN)
            poll.register(self._wake_read_fd, select.POLLIN)
            while not self._stopping.is_set():
                self._turn(poll)
        except Exception as failure:
            # A line that dies silently would look like devices that do not answer.
            self._failure = failure
            raise

    def _turn(self, poll: select.poll) -> None:
        events = dict(poll.poll(self._wait_ms()))
        state = events.get(self._master_fd, 0)
        if state & select.POLLHUP:
            self._while_absent()
            self._stopping.wait(_ABSENT_S)
            return
        if self._absent:
            # What fell due before we saw the new master was on the wire before it listened.
            self._lose_due()
            self._absent = False
            self._slave.counts.opened += 1
        data = self._read() if state & select.POLLIN else b""
        self._slave.receive(data, self._clock_ns())
        self._wait_rest()
        for due_ns, chunk in self._slave.take_due(self._clock_ns()):
            self._write(due_ns, chunk)

    def _wait_ms(self) -> int | None:
        """Whole ms to wait for bytes: poll knows no finer, the rest is `_wait_rest`'s."""
        wake_ns = self._slave.wake_ns()
        return None if wake_ns is None else max(wake_ns - self._clock_ns(), 0) // _NS_PER_MS

    def _wait_rest(self) -> None:
        wake_ns = self._slave.wake_ns()
        if wake_ns is None:
            return
        rest_ns = wake_ns - self._clock_ns()
        if 0 < rest_ns < _NS_PER_MS:
            self._stopping.wait(rest_ns / _NS_PER_S)

    def _read(self) -> bytes:
        try:
            return os.read(self._master_fd, _READ_BYTES)
        except OSError as error:
            # The master left between poll and read; the next poll says so.
            if error.errno != errno.EIO:
                raise
            return b""

    def _write(self, due_ns: int, chunk: bytes) -> None:
        try:
            written = os.write(self._master_fd, chunk)
        except BlockingIOError:
            written = 0
        # A master that does not read loses bytes, as a full receive buffer does.
        counts = self._slave.counts
        counts.lost_bytes += len(chunk) - written
        counts.worst_lateness_ns = max(counts.worst_lateness_ns, self._clock_ns() - due_ns)

    def _lose_due(self) -> None:
        for _, chunk in self._slave.take_due(self._clock_ns()):
            self._slave.counts.lost_bytes += len(chunk)

    def _while_absent(self) -> None:
        """Nobody has the port open: bytes in either direction are gone."""
        self._absent = True
        self._lose_due()
        with contextlib.suppress(OSError):
            # EIO ends it: all that the master had written is read.
            while os.read(self._master_fd, _READ_BYTES):
                pass
        termios.tcflush(self._master_fd, termios.TCOFLUSH)
        self._slave.master_left()


def _open_raw_pty() -> tuple[int, str]:
    """Our end, non-blocking, and the path of the far end, raw and closed."""
    try:
        master_fd, far_fd = os.openpty()
    except OSError as error:
        raise LineError(f"no pseudo terminal for a serial line: {error}") from error
    far_end = os.ttyname(far_fd)
    tty.setraw(far_fd)
    # Only masters hold the far end open, so the kernel tells when the last one leaves.
    os.close(far_fd)
    os.set_blocking(master_fd, False)
    return master_fd, far_end


def _point(link: Path, target: str) -> None:
    """Makes link a symlink to target; replaces a link that a killed run has left, nothing else."""
    try:
        if link.is_symlink():
            link.unlink()
        link.symlink_to(target)
    except OSError as error:
        raise LineError(f"cannot make the serial line {link}: {error}") from error
