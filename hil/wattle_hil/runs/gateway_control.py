"""The gateway of a run, reached as its operator reaches it: by its command, and nothing else."""

import json
import os
import socket
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from wattle_hil.children.deadline import Deadline
from wattle_hil.children.processes import Finished, Process, run
from wattle_hil.errors import ProcessError

COMMAND_DEADLINE_S = 60.0
_POLL_S = 0.05
_RECV_BYTES = 65_536
# Commands that have commands of their own; the folder comes behind them.
_COMMAND_WORDS = dict.fromkeys(("meters", "account", "alliance", "party", "dr"), 2)


class GatewayControl:
    """A gateway's folder and the command that works on it."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        self._command = tuple(command)
        self.folder = folder
        self._admin_socket = folder / "admin.sock"

    def run_command(self, *arguments: str) -> tuple[str, ...]:
        """The command line of a gateway command on this folder: `status`, `meters list`, .."""
        words = _COMMAND_WORDS.get(arguments[0], 1)
        return (*self._command, *arguments[:words], str(self.folder), *arguments[words:])

    def call(self, *arguments: str) -> str:
        """Runs a command to its end; its output. Raises ProcessError unless it ends with 0."""
        return self.attempt(*arguments).expect_success()

    def attempt(self, *arguments: str, deadline_s: float = COMMAND_DEADLINE_S) -> Finished:
        """Runs a command to its end, whatever its exit code. Raises ProcessError after a time."""
        name = f"wattle-gateway {' '.join(arguments[:2])}"
        return run(name, self.run_command(*arguments), deadline_s)

    def call_elsewhere(self, *arguments: str) -> str:
        """Runs a command that works on no gateway's folder; otherwise as `call`."""
        command = (*self._command, *arguments)
        done = run(f"wattle-gateway {' '.join(arguments[:2])}", command, COMMAND_DEADLINE_S)
        return done.expect_success()

    def status(self) -> Mapping[str, Any]:
        """What `status --format json` says. Raises ProcessError."""
        try:
            content = json.loads(self.call("status", "--format", "json"))
        except ValueError as error:
            raise ProcessError(f"status is not JSON: {error}") from error
        assert isinstance(content, dict)
        return content

    def live(self) -> Mapping[str, Any]:
        """What the running gateway says of itself; cheap to poll, empty when none answers."""
        return dict(self.ask("live").get("live", {}))

    def ask(self, command: str, **fields: object) -> Mapping[str, Any]:
        """A request to the running gateway at its socket, as its own commands make it, and the
        answer; empty when none comes."""
        request = json.dumps({"command": command, **fields}).encode() + b"\n"
        folder = os.open(self.folder, os.O_PATH | os.O_DIRECTORY)
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(COMMAND_DEADLINE_S)
                # A socket's address is short; the folder's path may not be.
                connection.connect(f"/proc/self/fd/{folder}/{self._admin_socket.name}")
                connection.sendall(request)
                answer = json.loads(b"".join(iter(lambda: connection.recv(_RECV_BYTES), b"")))
        except (OSError, ValueError):
            return {}
        finally:
            os.close(folder)
        return dict(answer)

    def wait_until_running(self, process: Process, deadline: Deadline) -> None:
        """Waits until the gateway answers. Raises ProcessError when it ends, DeadlineError."""

        def answers() -> bool:
            process.check()
            return bool(self.live())

        deadline.wait_for(answers, "the gateway answers", _POLL_S)
