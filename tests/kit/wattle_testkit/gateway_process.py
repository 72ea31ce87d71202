"""A real gateway in its own process, as an operator would run it."""

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from wattle_gateway.admin.channel import ask
from wattle_gateway.cli.main import main
from wattle_gateway.errors import GatewayError
from wattle_gateway.home.identity import load_genesis, load_member
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger.epoch import Epoch, first_epoch
from wattle_gateway.ledger.genesis import Member
from wattle_hil.children.free_port import free_ports

from wattle_testkit.alliance import Board
from wattle_testkit.waiting import until

START_DEADLINE_S = 30.0
STOP_DEADLINE_S = 15.0
COMMAND_DEADLINE_S = 60.0
PROGRAM = ("wattle_gateway",)
_KIT = Path(__file__).resolve().parents[1]


def environment() -> dict[str, str]:
    """For a process that imports this kit."""
    return os.environ | {"PYTHONPATH": f"{_KIT}:{os.environ.get('PYTHONPATH', '')}"}


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens on."""
    return free_ports(1)[0]


def program(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the program `wattle-gateway` with these words to its end."""
    return subprocess.run(
        [sys.executable, "-m", "wattle_gateway", *map(str, words)],
        capture_output=True,
        text=True,
        timeout=COMMAND_DEADLINE_S,
        check=False,
    )


def command(*words: str | Path) -> subprocess.CompletedProcess[str]:
    """As `program`, but in this process: a command of 20 ms costs no interpreter's start.

    Not for `run`, which wants signals and a loop of its own.
    """
    assert words[0] != "run"
    output, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        code = main([str(word) for word in words])
    return subprocess.CompletedProcess(words, code, output.getvalue(), errors.getvalue())


class GatewayProcess:
    """A gateway's folder and, between `start` and `stop` or `kill`, its process."""

    def __init__(self, folder: Path, *init_words: str, port: int | None = None) -> None:
        """A new gateway alone with its own ledger; with `port` (of its broker) one that exists."""
        self.folder = folder
        self.port = port or free_port()
        if port is None:
            done = command("init", folder, "--port", str(self.port), *init_words)
            assert done.returncode == 0, done.stderr
        self.home = GatewayHome(folder)
        self.log = folder.with_name(f"{folder.name}.log")
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def epoch(self) -> Epoch:
        """Epoch 0 of its ledger."""
        return first_epoch(load_genesis(self.home))

    @cached_property
    def member(self) -> Member:
        """Its own row among the members."""
        return load_member(self.home)

    @property
    def is_started(self) -> bool:
        """Whether it was started and neither stopped nor killed."""
        return self._process is not None

    @property
    def pid(self) -> int:
        """The process id."""
        assert self._process is not None
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it was started and has ended by itself."""
        return self._process is not None and self._process.poll() is not None

    def start(self, *words: str, deadline_s: float = START_DEADLINE_S) -> None:
        """Start it and wait until it answers and is connected to its broker."""
        self.begin(*words)
        self.await_up(deadline_s)

    def begin(self, *words: str, program: Sequence[str] = PROGRAM) -> None:
        """Start it and do not wait. `program`: a module, and its words before `run`; another
        build of a gateway may stand in for the real one."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", *program, "run", str(self.folder), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment(),
            )

    def await_up(self, deadline_s: float = START_DEADLINE_S) -> None:
        """Wait until it answers and is connected to its broker."""
        until(self._is_up, deadline_s, f"the gateway is up; {self.log}")

    def _is_up(self) -> bool:
        assert self._process is not None
        if self._process.poll() is not None:
            raise AssertionError(f"the gateway ended: {self.log.read_text()}")
        try:
            return bool(ask(self.home.admin_socket, "live", 5.0)["live"]["link_up"])
        except GatewayError:
            return False

    def stop(self) -> int:
        """SIGTERM; gives the exit code."""
        return self._end(signal.SIGTERM)

    def kill(self) -> None:
        """SIGKILL: what a power cut does to a process."""
        self._end(signal.SIGKILL)

    def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        process, self._process = self._process, None
        if process.poll() is None:
            os.kill(process.pid, number)
        return process.wait(STOP_DEADLINE_S)

    def ask(self, name: str, **fields: Any) -> dict[str, Any]:
        """A command of the admin channel."""
        return ask(self.home.admin_socket, name, COMMAND_DEADLINE_S, **fields)

    def status(self) -> dict[str, Any]:
        """`status --format json`."""
        done = command("status", self.folder, "--format", "json")
        assert done.returncode == 0, done.stderr
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def refused(self) -> dict[str, int]:
        """Counters of refusals of the running gateway, by name."""
        counters: dict[str, int] = self.ask("live")["live"]["counters"]
        return {
            name.removeprefix("refused."): count
            for name, count in counters.items()
            if name.startswith("refused.")
        }

    def counted(self, name: str) -> int:
        """One counter of the running gateway."""
        return int(self.ask("live")["live"]["counters"].get(name, 0))

    def board(self, name: str, first_seq: int = 1) -> Board:
        """A meter for this ledger."""
        return Board(name, self.epoch, first_seq)

    def enrol(self, board: Board, *, site: str | None = None, rating_w: int = 10_000) -> None:
        """Enrol a meter over the admin channel; its certificate stands in the folder then."""
        self.ask(
            "enrol",
            proof=board.proof().hex(),
            site=site,
            carry=0,
            points=[[1, 1, rating_w, 0, [1, 1], [1, 1], 1]],
        )
