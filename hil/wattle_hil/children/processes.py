"""The processes of a run: started, watched, killed on purpose, and never left behind.

Each is the leader of a session of its own, so that a Ctrl-C in the terminal reaches the bench
alone, which then ends them in order, and so that its children can be ended with it. Each dies with
the bench (see `tied`). Start processes from the main thread only: Linux ties them to the thread.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from wattle_hil.children import tied
from wattle_hil.errors import ProcessError

_LOG_TAIL_BYTES = 4_000
_LOG_TAIL_LINES = 15


class Process:
    """One program of a run, which may be killed and started again.

    name: for people. command: program with absolute path, and arguments. log: everything it
    prints is appended here. environment: added to the bench's own. wanted: it was started, and
    not asked to end. starts: how often it was started.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.command = tuple(command)
        self.log = log
        self.starts = 0
        self.wanted = False
        self._environment = dict(environment or {})
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Its process id while it is alive. Raises ProcessError."""
        self.check()
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Starts it. Raises ProcessError when the program is not there."""
        assert threading.current_thread() is threading.main_thread()
        assert not self.alive, self.name
        if not os.access(self.command[0], os.X_OK):
            raise ProcessError(f"{self.name}: {self.command[0]} is no program")
        try:
            with self.log.open("ab") as log:
                self._process = subprocess.Popen(
                    [*_guard(), *self.command],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=os.environ | self._environment,
                    start_new_session=True,
                )
        except OSError as error:
            raise ProcessError(f"{self.name} cannot be started: {error}") from error
        self.starts += 1
        self.wanted = True

    def check(self) -> None:
        """Raises ProcessError with the end of its log unless it is alive."""
        if self._process is None:
            raise ProcessError(f"{self.name} was not started")
        code = self._process.poll()
        if code is not None:
            raise ProcessError(f"{self.name} ended with {_cause(code)}:\n{self.log_tail()}")

    def kill(self) -> None:
        """kill -9, of this process alone; returns when it is gone. Raises ProcessError."""
        self.check()
        assert self._process is not None
        self._process.kill()
        self._process.wait()

    def kill_for_now(self) -> None:
        """kill -9; that it is gone is meant, until it is started again. Raises ProcessError."""
        self.kill()
        self.wanted = False

    def terminate(self) -> None:
        """Asks it to end, without waiting."""
        self.wanted = False
        if self._process is not None:
            self._process.terminate()

    def stop(self, deadline_s: float) -> None:
        """Asks it to end and waits; what has not ended by then is killed with its children.

        Raises ProcessError when it had to be killed, or ended with an error.
        """
        self.wanted = False
        if self._process is None:
            return
        code = self._process.poll()
        if code is None:
            self._process.terminate()
            try:
                code = self._process.wait(deadline_s)
            except subprocess.TimeoutExpired:
                self.sweep()
                raise ProcessError(
                    f"{self.name} did not end within {deadline_s:g} s:\n{self.log_tail()}"
                ) from None
        self.sweep()
        if code not in (0, -signal.SIGTERM):
            raise ProcessError(f"{self.name} ended with {_cause(code)}:\n{self.log_tail()}")

    def sweep(self) -> None:
        """Kills it and what is left of its session."""
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def children(self) -> list[int]:
        """Process ids of its living children. Raises ProcessError unless it is alive."""
        pids: list[int] = []
        for task in Path(f"/proc/{self.pid}/task").glob("*/children"):
            with contextlib.suppress(OSError):
                pids += [int(word) for word in task.read_text().split()]
        return sorted(pids)

    def log_tail(self) -> str:
        """The last lines it printed."""
        try:
            with self.log.open("rb") as file:
                file.seek(max(0, file.seek(0, os.SEEK_END) - _LOG_TAIL_BYTES))
                lines = file.read().decode(errors="replace").splitlines()
        except OSError:
            return "(no log)"
        return "\n".join(f"    {line}" for line in lines[-_LOG_TAIL_LINES:]) or "    (silent)"


class ProcessGroup:
    """All processes of a run; on leaving, those that are still there are killed."""

    def __init__(self) -> None:
        self._processes: list[Process] = []

    def __enter__(self) -> "ProcessGroup":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in reversed(self._processes):
            process.sweep()

    def start(self, process: Process) -> Process:
        """Starts a process that this group is to end."""
        self._processes.append(process)
        process.start()
        return process

    def check(self) -> None:
        """Raises ProcessError when one has ended that was not asked to."""
        for process in self._processes:
            if process.wanted:
                process.check()


def process_name(pid: int) -> str:
    """The name of a process as the kernel knows it, empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


@dataclass(frozen=True)
class Finished:
    """A program that has run to its end."""

    name: str
    code: int
    output: str
    errors: str

    def expect_success(self) -> str:
        """Its standard output. Raises ProcessError with what it said unless it ended with 0."""
        if self.code:
            said = (self.errors or self.output).strip()
            raise ProcessError(f"{self.name} ended with {_cause(self.code)}: {said}")
        return self.output


def run(
    name: str,
    command: Sequence[str],
    deadline_s: float,
    environment: Mapping[str, str] | None = None,
) -> Finished:
    """Runs a program to its end, from any thread. Raises ProcessError unless it ends in time.

    environment: added to the bench's own.
    """
    try:
        done = subprocess.run(
            [*_guard(), *command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=os.environ | dict(environment or {}),
            start_new_session=True,
            timeout=deadline_s,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ProcessError(f"{name} did not end within {deadline_s:g} s") from error
    except OSError as error:
        raise ProcessError(f"{name} cannot be started: {error}") from error
    output, errors = (part.decode(errors="replace") for part in (done.stdout, done.stderr))
    return Finished(name, done.returncode, output, errors)


def _guard() -> tuple[str, ...]:
    return sys.executable, "-I", "-S", tied.__file__, str(os.getpid())


def _cause(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
