"""The gateways of a run: founded, started, killed and stopped as their operators would do it."""

import contextlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wattle_hil.children.deadline import Deadline
from wattle_hil.children.free_port import LOOPBACK, free_ports
from wattle_hil.children.processes import Process, ProcessGroup, run
from wattle_hil.errors import DeadlineError
from wattle_hil.runs.gateway_control import COMMAND_DEADLINE_S, GatewayControl

SITE = "bench"
# Whose gateways they are, in this order: an enrolment needs a member of another role.
ROLES = ("grid-company", "retailer", "aggregator", "large-user")
# Starting a few interpreters on a busy machine; what takes longer has gone wrong.
START_DEADLINE_S = 60.0
STOP_DEADLINE_S = 20.0
_HEAD_DEADLINE_S = 60.0
_POLL_S = 0.25


@dataclass(frozen=True)
class Place:
    """Where a gateway keeps everything, and where what it prints goes."""

    folder: Path
    log: Path


class RunGateway:
    """One gateway of a run: `name` of the member, `control` its folder and command, `process`."""

    def __init__(self, name: str, command: Sequence[str], place: Place, clock: Path | None) -> None:
        self.name = name
        self.control = GatewayControl(command, place.folder)
        words = ("run", *_clock_words(clock))
        self.process = Process(name, self.control.run_command(*words), place.log)

    @property
    def site_file(self) -> Path:
        """What technicians are given for its meters."""
        return self.control.folder / "site.json"

    def live(self) -> Mapping[str, Any]:
        """What the running gateway says of itself; empty when none answers."""
        return self.control.live() if self.process.alive else {}

    def served_by(self, index: int) -> str:
        """Which gateway is `index` in the list that its meters were given."""
        rows = json.loads(self.site_file.read_text(encoding="utf-8"))["gateways"]
        return str(rows[index]["name"])


class Gateways:
    """All gateways of a run, the first of which its tables and reports are drawn from."""

    def __init__(
        self,
        command: Sequence[str],
        places: Sequence[Place],
        clock: Path | None = None,
        roles: Sequence[str] = ROLES,
        founding: Sequence[str] = (),
    ) -> None:
        """clock: the file of a bench clock, None: the host's. roles: of the members, in turn.
        founding: what else the command is told that founds an alliance."""
        self._command = tuple(command)
        self._clock = clock
        self._roles = roles
        self._founding = tuple(founding)
        self.each = [
            RunGateway(f"{SITE}-{number}", command, place, clock)
            for number, place in enumerate(places, 1)
        ]

    @property
    def first(self) -> RunGateway:
        return self.each[0]

    @property
    def controls(self) -> Mapping[str, GatewayControl]:
        """Folder and command of each by its name, the first one first."""
        return {gateway.name: gateway.control for gateway in self.each}

    def home_of(self, number: int) -> RunGateway:
        """The gateway whose site meter `number` (from 1) is at."""
        return self.each[(number - 1) % len(self.each)]

    def found(self) -> None:
        """Makes their folders and the ledger. Raises ProcessError."""
        clock = _clock_words(self._clock)
        place = ("--site", SITE, "--host", LOOPBACK)
        if len(self.each) == 1:
            port = ("--port", str(free_ports(1)[0]))
            self.first.control.call("init", "--name", SITE, *place, *port, *clock)
            return
        words = ["--approve-enrolments", "always", *self._founding]
        ports = iter(free_ports(2 * len(self.each)))
        for number, gateway in enumerate(self.each):
            words += ["--member", gateway.name, "--role", self._roles[number % len(self._roles)]]
            words += ["--port", str(next(ports)), "--peers-port", str(next(ports))]
        folders = [str(gateway.control.folder) for gateway in self.each]
        command = (*self._command, "alliance", "new", SITE, *folders, *place, *clock, *words)
        run("wattle-gateway alliance new", command, COMMAND_DEADLINE_S).expect_success()

    def start(self, group: ProcessGroup) -> None:
        """Starts all, without waiting."""
        for gateway in self.each:
            group.start(gateway.process)

    def wait_until_running(self) -> None:
        """Returns when each answers and has a link to each other one.

        Raises ProcessError when one ends, DeadlineError.
        """
        deadline = Deadline(START_DEADLINE_S)
        for gateway in self.each:
            gateway.control.wait_until_running(gateway.process, deadline)
        deadline.wait_for(lambda: all(map(self._is_linked, self.each)), "links", _POLL_S)

    def _is_linked(self, gateway: RunGateway) -> bool:
        gateway.process.check()
        return len(linked(gateway.live())) == len(self.each) - 1

    def wait_for_one_head(self) -> None:
        """Returns when all have the same newest commit, or after a while. Raises ProcessError."""

        def is_one() -> bool:
            for gateway in self.each:
                gateway.process.check()
            return len(self._live_heads()) == 1

        with contextlib.suppress(DeadlineError):  # the check of the ledgers will say so
            Deadline(_HEAD_DEADLINE_S).wait_for(is_one, "one head", _POLL_S)

    def _live_heads(self) -> set[object]:
        found = [gateway.live().get("consensus") or {} for gateway in self.each]
        return {(one.get("commit"), one.get("commit_digest")) for one in found}

    def stop(self) -> None:
        """Ends all cleanly. Raises ProcessError when one does not end so."""
        for gateway in self.each:
            gateway.process.terminate()
        for gateway in self.each:
            gateway.process.stop(STOP_DEADLINE_S)


def _clock_words(clock: Path | None) -> tuple[str, ...]:
    return () if clock is None else ("--bench-clock", str(clock))


def linked(live: Mapping[str, Any]) -> list[str]:
    """The kids of the gateways that one has a link to, by what it says of itself."""
    return [peer["kid"] for peer in live.get("peers", ()) if peer["up_s"] is not None]
