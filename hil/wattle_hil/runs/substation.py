"""Gateways and their meters, as a run has them: set up, started, killed, stopped.

Everything is done as people do it: with `wattle-gateway` and `wattle-tool`, files and serial lines.
"""

import contextlib
import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from wattle_hil.children.deadline import Deadline
from wattle_hil.children.processes import Process, ProcessGroup, process_name, run
from wattle_hil.children.programs import Programs
from wattle_hil.clock import BenchClock
from wattle_hil.curves.curve import UW_PER_W, Curve
from wattle_hil.devices.adjustable_load import AdjustableLoad
from wattle_hil.devices.device import Device
from wattle_hil.devices.line import Line
from wattle_hil.errors import LineError, ProcessError
from wattle_hil.runs.device_plan import DevicePlan, MeterPlan
from wattle_hil.runs.event_market import EventMarket
from wattle_hil.runs.folder import RunFolder
from wattle_hil.runs.gateways import Gateways, Place

_BROKER = "nats-server"
# Starting a few interpreters on a busy machine; what takes longer has gone wrong.
_TOOL_DEADLINE_S = 60.0
_STOP_DEADLINE_S = 20.0
# An enrolment that a member of another role approves by itself is on the ledger within seconds.
_APPROVAL_DEADLINE_S = 30.0
_POLL_S = 0.1
# More than the number of cores only makes each of them wait.
_TOOLS_AT_ONCE = 4
# SPEC section 12: mean power above 1.2 times the rating is `above_rating`; a load at its peak is
# not implausible.
_LEAST_RATING_W = 1_000
# The bench's own type of adjustable load (firmware/loads).
_LOAD_TYPE = "bench-load"


class Substation:
    """Gateways and their meters. Use: `with running(): start_meters(..)`, then watch.

    control, gateway: of the first of `gateways`. clock: the bench clock of all; the ledger begins
    at its time. loads: the adjustable ones, by the plan's name. meter_ids: likewise, once the
    boards are provisioned. lines, meters: likewise, once they run. market: of an event, if any.
    """

    def __init__(
        self,
        folder: RunFolder,
        programs: Programs,
        plans: Sequence[MeterPlan],
        interval_ms: int,
        clock: BenchClock,
        gateways: int = 1,
        market: EventMarket | None = None,
    ) -> None:
        """market: what the parties of an event do before meters are enrolled, None: there is no
        event."""
        self.folder = folder
        self.plans = tuple(plans)
        self.clock = clock
        places = [
            Place(folder.gateway_of(number), folder.log(folder.gateway_of(number).name))
            for number in range(1, gateways + 1)
        ]
        founding = () if market is None else market.founding
        self.gateways = Gateways(programs.gateway, places, folder.clock, founding=founding)
        self.control = self.gateways.first.control
        self.gateway = self.gateways.first.process
        self.market = market
        self.loads: dict[str, AdjustableLoad] = {}
        self.lines: dict[str, Line] = {}
        self.meters: dict[str, Process] = {}
        self.meter_ids: dict[str, str] = {}
        self._programs = programs
        self._interval_ms = interval_ms
        self._group = ProcessGroup()
        self.follower = Process(
            "follower",
            self.control.run_command("samples", "--follow", "--format", "csv"),
            folder.followed,
        )

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Makes the ledger, serves the serial lines and starts the gateways, for a block's length.

        Whatever is left at its end is killed. Raises ProcessError, LineError.
        """
        self.clock.save(self.folder.clock)
        self.gateways.found()
        if self.market is not None:
            self.market.write_policy(self.gateways)
        with contextlib.ExitStack() as stack:
            for plan in self.plans:
                line = Line(self.folder.line(plan.name), self._devices_of(plan), self.clock.now_ms)
                self.lines[plan.name] = stack.enter_context(line)
            stack.enter_context(self._group)
            self.gateways.start(self._group)
            yield

    def _devices_of(self, plan: MeterPlan) -> list[Device]:
        """What is on the line of a meter: its metering devices, and its adjustable loads."""
        found: list[Device] = []
        for device in plan.devices:
            chosen = device.adjustable
            load = None
            if chosen is not None:
                load = AdjustableLoad(chosen.unit, self.clock.base_ms, chosen.rest_w)
                self.loads[plan.name] = load
                found.append(load)
            found.append(device.emulated(load))
        return found

    def start_meters(self, tell: Callable[[str], None]) -> None:
        """Provisions and enrols all meters and starts the firmware of each as soon as it can.

        Raises ProcessError or DeadlineError when something does not come about.
        """
        with ThreadPoolExecutor(_TOOLS_AT_ONCE) as pool:
            # The boards need nothing of the gateway but its site file, so both can go on at once.
            provisioned = pool.map(self._provision, self.plans)
            self.gateways.wait_until_running()
            self._group.start(self.follower)
            names = (plan.name for plan in self.plans)
            self.meter_ids = dict(zip(names, provisioned, strict=True))
            count = len(self.gateways.each)
            run_now = "the gateway runs" if count == 1 else f"{count} gateways run and are linked"
            tell(f"{run_now}, {len(self.plans)} boards are provisioned")
            if self.market is not None:
                self.market.open_accounts()
            enrolments = {pool.submit(self._enrol, plan): plan for plan in self.plans}
            for enrolment in as_completed(enrolments):
                enrolment.result()
                self._start_meter(enrolments[enrolment])
        tell("all meters are enrolled and started")

    def _start_meter(self, plan: MeterPlan) -> None:
        command = (
            *self._interpreter(plan),
            str(self.folder.board(plan.name)),
            *("--bench-clock", str(self.folder.clock)),
            *("--status", str(self.folder.meter_status(plan.name))),
        )
        log = self.folder.log(plan.name)
        self.meters[plan.name] = self._group.start(Process(plan.name, command, log))

    def stop_meters(self) -> None:
        """Ends the meters cleanly. Raises ProcessError when one does not end so."""
        for process in self.meters.values():
            process.terminate()
        for process in self.meters.values():
            process.stop(_STOP_DEADLINE_S)

    def check(self) -> None:
        """Raises ProcessError or LineError when a part of the substation has failed of itself."""
        self._group.check()
        for name, line in self.lines.items():
            if line.failure is not None:
                raise LineError(f"the line of {name} has failed: {line.failure}")

    def points(self) -> list[tuple[str, int]]:
        """Meter id and device number of every point."""
        return [
            (self.meter_ids[plan.name], device.number)
            for plan in self.plans
            for device in plan.devices
        ]

    def newest_seqs(self) -> Mapping[str, int]:
        """The seq of the newest sample that each meter has said to have made, by plan's name."""
        return {plan.name: self.meter_status(plan).get("seq", 0) for plan in self.plans}

    def knows_durable(self, seqs: Mapping[str, int]) -> bool:
        """Whether each meter was told that all its samples up to a seq are durable, by plan's name.

        New samples go before those that piled up, so the newest one says nothing of the others.
        """
        return all(
            (self.meter_status(plan).get("link", {}).get("durable") or 0) >= seqs[plan.name]
            for plan in self.plans
        )

    @property
    def interpreters(self) -> list[Path]:
        """The programs that run the meters, each once."""
        return sorted({Path(self._interpreter(plan)[0]) for plan in self.plans})

    def word_size(self, plan: MeterPlan) -> str:
        """What a meter's interpreter is, by the end of its name: 64-bit, 32-bit."""
        return f"{Path(self._interpreter(plan)[0]).name[-2:]}-bit"

    def gateway_runs(self) -> bool:
        """Whether the gateway answers and its broker accepts connections."""
        return bool(self.control.live().get("broker_running"))

    def kill_broker(self) -> int:
        """kill -9 of the gateway's broker; how often it had been restarted before.

        Raises ProcessError when the gateway has no broker.
        """
        restarts = int(self.control.live().get("broker_restarts") or 0)
        brokers = [pid for pid in self.gateway.children() if process_name(pid) == _BROKER]
        if not brokers:
            raise ProcessError(f"the gateway has no {_BROKER} among its processes")
        for pid in brokers:
            os.kill(pid, signal.SIGKILL)
        return restarts

    def broker_runs(self, restarts: int) -> bool:
        """Whether the broker was restarted so often and accepts connections."""
        live = self.control.live()
        return bool(live.get("broker_running")) and int(live["broker_restarts"]) >= restarts

    def meter_status(self, plan: MeterPlan) -> Mapping[str, Any]:
        """The counters that a meter last wrote; empty before."""
        try:
            content = json.loads(self.folder.meter_status(plan.name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        return content if isinstance(content, dict) else {}

    def gateway_at(self, plan: MeterPlan) -> str:
        """The name of the gateway that a meter is connected to, or means to be."""
        index = self.meter_status(plan).get("link", {}).get("gateway", 0)
        return self.gateways.home_of(plan.number).served_by(index)

    def _interpreter(self, plan: MeterPlan) -> Sequence[str]:
        return self._programs.meters[plan.interpreter % len(self._programs.meters)]

    def _provision(self, plan: MeterPlan) -> str:
        devices = [
            f"{device.number}:{device.model.name.lower()}:{device.number}"
            for device in plan.devices
        ]
        command = (
            *self._programs.tool,
            *("provision", str(self.folder.board(plan.name))),
            *("--site-file", str(self.gateways.home_of(plan.number).site_file)),
            *("--port", str(self.folder.line(plan.name))),
            *("--interval-ms", str(self._interval_ms)),
            *("--micropython", self._interpreter(plan)[0]),
            *(word for device in devices for word in ("--device", device)),
            *(word for load in _load_words(plan) for word in ("--load", load)),
        )
        done = run(f"wattle-tool provision {plan.name}", command, _TOOL_DEADLINE_S)
        return done.expect_success().strip()

    def _enrol(self, plan: MeterPlan) -> None:
        board = self.folder.board(plan.name)
        certificate = board / "issued.pem"
        points = ",".join(_point_words(device) for device in plan.devices)
        home = self.gateways.home_of(plan.number).control
        words = ["--points", points, "--certificate", str(certificate), "--format", "json"]
        words += [] if plan.owner is None else ["--owner", plan.owner]

        def enrolled() -> bool:
            answer = home.call("meters", "enrol", str(board / "enrol.cbor"), *words)
            return json.loads(answer)["waits"] is None

        deadline = Deadline(_APPROVAL_DEADLINE_S)
        deadline.wait_for(enrolled, f"{plan.name} is enrolled and approved", _POLL_S)
        run(
            f"wattle-tool certificate {plan.name}",
            (*self._programs.tool, "certificate", str(board), str(certificate)),
            _TOOL_DEADLINE_S,
        ).expect_success()


def _load_words(plan: MeterPlan) -> list[str]:
    """The adjustable loads of a meter, as `wattle-tool provision` is told them."""
    return [
        f"{device.number}:{_LOAD_TYPE}:unit={load.unit},rest_w={load.rest_w}"
        for device in plan.devices
        if (load := device.adjustable) is not None
    ]


def _point_words(device: DevicePlan) -> str:
    """A point, as `meters enrol` is told it."""
    if device.adjustable is None:
        return f"{device.number}:{_rating_w(device.load.curve)}"
    capacity_w = device.adjustable.capacity_w
    rating_w = max(_rating_w(device.load.curve), capacity_w)
    return f"{device.number}:{rating_w}:{capacity_w}"


def _rating_w(curve: Curve) -> int:
    peak_uw = max(abs(value) for value in curve.active_uw.values)
    return max(_LEAST_RATING_W, -(-peak_uw // UW_PER_W))
