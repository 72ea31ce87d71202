"""The embedded broker: a nats-server that lives and dies with the gateway.

What it stores is thrown away at every start: its acknowledgements prove nothing, meters keep
what the gateway has not acknowledged and send it again, and the sessions of clients that a
crash took away would otherwise collect messages until the store is full.
"""

import asyncio
import contextlib
import os
import select
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

from wattle_gateway.broker.hidden_files import HiddenFiles
from wattle_gateway.broker.permissions import BrokerAccess, MeterAccess
from wattle_gateway.errors import BrokerError
from wattle_gateway.runtime import lifeline
from wattle_gateway.runtime.logs import Log

READY_DEADLINE_S = 10.0
RELOAD_DEADLINE_S = 10.0
STOP_DEADLINE_S = 3.0
BACKOFF_FIRST_S = 0.2
BACKOFF_MAX_S = 10.0
# A broker that ran this long was sound: the next crash is a new story.
BACKOFF_RESET_S = 60.0
# Every stranger who knocks at the port makes the broker write a line.
LINES_A_MINUTE_MAX = 60

_READY = "Server is ready"
_RELOADED = "Reloaded server configuration"
_RELOAD_FAILED = "Failed to reload server configuration"
# After this it takes no message again, even with room on its disk (2.15.1: tried).
_STORE_FAILED = "no space left on device"
_REFUSALS = ("TLS handshake error", "authentication error", "Authorization Violation")

_log = Log("broker")


def authorities_file(folder: Path) -> Path:
    """Where a broker in `folder` finds the authorities it trusts."""
    return folder / "authorities.pem"


class NatsBroker:
    """One nats-server process. `render(meters)` gives its configuration for a set of meters, which
    names `authorities_file(folder)` as what it trusts."""

    def __init__(
        self,
        program: Path,
        folder: Path,
        render: Callable[[frozenset[MeterAccess]], str],
        access: BrokerAccess,
        hidden: HiddenFiles | None = None,
    ) -> None:
        """`hidden`: files in memory that take the place of those in `folder`, which `render` names
        then."""
        self._hidden = hidden
        self._program = program
        self._folder = folder
        self._render = render
        self._access = access
        # What the process works by; None while that is not certain.
        self._admitted: BrokerAccess | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.Task[None] | None = None
        self._ready = asyncio.Event()
        self._reloaded: asyncio.Future[None] | None = None
        self._updating = asyncio.Lock()
        self._last_line = ""
        self._lines_left = LINES_A_MINUTE_MAX
        self._lines_minute = -1
        self._store_failed = False
        self.restarts = 0
        self.refused_connections = 0

    @property
    def running(self) -> bool:
        """Whether the broker is up and accepts connections."""
        return self._ready.is_set()

    async def start(self) -> None:
        """Start the broker and wait until it accepts connections; BrokerError if it does not."""
        await self._end_stale()
        async with self._updating:
            await self._launch()

    async def supervise(self) -> None:
        """Keep the broker alive until cancelled: restart it, with growing pauses, when it ends."""
        loop = asyncio.get_running_loop()
        pause_s = BACKOFF_FIRST_S
        while True:
            began = loop.time()
            if self._process is not None:
                code = await self._process.wait()
                _log.error("broker ended, starting it again", code=code, said=self._last_line)
                self.restarts += 1
            if loop.time() - began > BACKOFF_RESET_S:
                pause_s = BACKOFF_FIRST_S
            self._ready.clear()
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, BACKOFF_MAX_S)
            try:
                async with self._updating:  # an update in between would not reach the new process
                    await self._launch()
            except BrokerError as error:
                _log.error("broker does not start", error=error)

    @property
    def store_failed(self) -> bool:
        """Whether its disk was full, so that it serves nobody until `begin_anew`."""
        return self._store_failed

    def begin_anew(self) -> None:
        """End the process; `supervise` starts it again, with an empty store."""
        if self._process is not None and self._store_failed:
            self._store_failed = False
            _log.warning("its disk was full: starting the broker anew")
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()

    async def update(self, access: BrokerAccess) -> None:
        """Let exactly these in; meters that are connected and still may be stay connected.

        Returns when the broker works by it. Raises BrokerError if it does not take it.
        """
        async with self._updating:
            if access != self._admitted:
                await self._take_over(access)

    async def reload(self) -> None:
        """Have the broker read its certificate again; who is connected stays so.

        Returns and raises as `update`.
        """
        async with self._updating:
            await self._take_over(self._access)

    async def _take_over(self, access: BrokerAccess) -> None:
        self._access, self._admitted = access, None
        self._write_config()
        if not self.running or self._process is None:
            return  # the next start reads the file
        self._reloaded = asyncio.get_running_loop().create_future()
        try:
            self._process.send_signal(signal.SIGHUP)
            # Not wait_for, which in Python 3.11 can lose a cancellation.
            async with asyncio.timeout(RELOAD_DEADLINE_S):
                await self._reloaded
        except ProcessLookupError:
            return  # it has just ended; the next start reads the file
        except TimeoutError as error:
            raise BrokerError(
                f"the broker did not reload within {RELOAD_DEADLINE_S:.0f} s"
            ) from error
        finally:
            self._reloaded = None
        self._admitted = access

    async def stop(self) -> None:
        """End the broker and wait until it is gone."""
        process, self._process = self._process, None
        if process is None:
            return
        self._ready.clear()
        with contextlib.suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), STOP_DEADLINE_S)
        except TimeoutError:
            process.kill()
            await process.wait()
        if self._reader is not None:
            await self._reader
        self._pid_file.unlink(missing_ok=True)

    @property
    def _config_file(self) -> Path:
        return self._folder / "nats.conf"

    @property
    def _config_read(self) -> Path:
        """Where the process finds its configuration."""
        return self._config_file if self._hidden is None else self._hidden.config.path

    @property
    def _store(self) -> Path:
        return self._folder / "store"

    @property
    def _pid_file(self) -> Path:
        return self._folder / "nats.pid"

    @property
    def _named_file(self) -> Path:
        """What a process without a configuration file in `folder` is named to write its number
        into, so that a later life knows whose broker it is. Not ours: it may be empty for a moment.
        """
        return self._folder / "broker.pid"

    async def _launch(self) -> None:
        shutil.rmtree(self._store, ignore_errors=True)
        self._write_config()
        self._admitted = None
        self._last_line = ""
        self._store_failed = False
        self._ready.clear()
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-I", "-S", lifeline.__file__, str(os.getpid())),
            *(str(self._program), "--config", str(self._config_read)),
            *(() if self._hidden is None else ("--pid", str(self._named_file))),
            pass_fds=() if self._hidden is None else self._hidden.descriptors,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
            # Ctrl-C in a terminal is for the gateway, which stops the broker in its turn.
            start_new_session=True,
        )
        self._process = process
        # On a full disk a later life does not find it, should the kernel not take it along with us.
        with contextlib.suppress(OSError):
            self._pid_file.write_text(f"{process.pid}\n")
        self._reader = asyncio.create_task(self._read(process))
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait(
                {ready, self._reader},
                timeout=READY_DEADLINE_S,
                return_when=asyncio.FIRST_COMPLETED,
            )
        finally:
            ready.cancel()
        if not self.running:
            await self.stop()
            raise BrokerError(f"nats-server does not start: {self._last_line or 'it said nothing'}")
        self._admitted = self._access
        _log.info("broker ready", pid=process.pid)

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        """Follow what the broker says: readiness and reloads are told nowhere else."""
        assert process.stderr is not None
        while True:
            try:
                line = await process.stderr.readline()
            except ValueError:  # longer than the stream's limit; the rest follows as a line
                continue
            if not line:
                self._settle_reload(None)  # the next start reads the file
                return
            self._take_line(line.decode(errors="replace").rstrip())

    def _take_line(self, line: str) -> None:
        # "[pid] date time [INF] text"
        level, _, text = line.partition("[")[2].partition("[")[2].partition("] ")
        text = text or line
        if _READY in text:
            self._ready.set()
        elif _RELOADED in text:
            self._settle_reload(None)
        elif _RELOAD_FAILED in text:
            self._settle_reload(text)
        if _STORE_FAILED in text:
            self._store_failed = True
        if any(word in text for word in _REFUSALS):
            self.refused_connections += 1
        if level in ("ERR", "FTL") or not level:
            self._last_line = text
        if level in ("WRN", "ERR", "FTL") and self._may_log():
            tell = _log.debug if level == "WRN" else _log.warning
            tell("broker says", level=level, text=text)

    def _settle_reload(self, failure: str | None) -> None:
        if self._reloaded is None or self._reloaded.done():
            return
        if failure is None:
            self._reloaded.set_result(None)
        else:
            self._reloaded.set_exception(BrokerError(f"the broker refused its file: {failure}"))

    def _may_log(self) -> bool:
        minute = int(asyncio.get_running_loop().time() // 60)
        if minute != self._lines_minute:
            self._lines_minute, self._lines_left = minute, LINES_A_MINUTE_MAX
        self._lines_left -= 1
        return self._lines_left >= 0

    def _write_config(self) -> None:
        """Whole or not at all: the broker may start or reload at any moment. BrokerError on a full
        disk."""
        files = {authorities_file(self._folder): b"".join(self._access.authorities)}
        rendered = self._render(self._access.meters).encode()
        if self._hidden is None:
            files[self._config_file] = rendered
        else:
            self._hidden.config.write(rendered)
        try:
            self._folder.mkdir(mode=0o700, exist_ok=True)
            for path, content in files.items():
                draft = path.with_name(f"{path.name}.new")
                draft.write_bytes(content)
                draft.replace(path)
        except OSError as error:
            raise BrokerError(
                f"{self._folder}: the broker's files cannot be written: {error.strerror}"
            ) from error

    async def _end_stale(self) -> None:
        """End a broker of an earlier life that the kernel did not take along."""
        try:
            pid = int(self._pid_file.read_text())
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
            own = {os.fsencode(self._config_file), os.fsencode(self._named_file)}
            if own.isdisjoint(command.split(b"\0")):
                return  # the number belongs to some other program by now
            descriptor = os.pidfd_open(pid)
        except (OSError, ValueError):
            return
        try:
            _log.warning("ending a broker of an earlier life", pid=pid)
            signal.pidfd_send_signal(descriptor, signal.SIGKILL)
            await asyncio.to_thread(_wait_gone, descriptor)
        finally:
            os.close(descriptor)


def _wait_gone(descriptor: int) -> None:
    poller = select.poll()
    poller.register(descriptor, select.POLLIN)
    if not poller.poll(STOP_DEADLINE_S * 1000):
        raise BrokerError("a broker of an earlier life cannot be ended")
