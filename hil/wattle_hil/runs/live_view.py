"""What a run shows while it runs: a table in a terminal, plain lines everywhere else."""

import sys
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from rich.box import SIMPLE_HEAD
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from wattle_hil.curves.curve import iso_utc
from wattle_hil.report.numbers import grouped

EVENTS_SHOWN = 8
# Two gateways have executed different commits under one index: that must never be seen.
DIFFERS = "DIFFERS"
# Hex digits of a meter's id that tell the few of a bench apart.
_ID_SHOWN = 8
# Log files and CI grow by one block of lines each time.
_PLAIN_EVERY_S = 5.0


@dataclass(frozen=True)
class PointRow:
    """One point as the ledger shows it; None for what it has not (yet). at: the gateway that its
    meter is at, where there are several."""

    name: str
    load: str
    runs_on: str
    power_w: float | None
    import_wh: int | None
    export_wh: int | None
    seq: int | None
    durable: int | None
    final: int | None
    classes: str
    failed_reads: int
    state: str
    at: str = ""


@dataclass(frozen=True)
class GatewayRow:
    """The gateway. bench_ms: time of the bench clock, speed: how fast it runs."""

    broker: str
    commits: int
    head: str
    samples: int
    samples_per_s: float
    refused: str
    bench_ms: int
    speed: int


@dataclass(frozen=True)
class MemberRow:
    """One gateway of an alliance; None for what it does not say (now).

    commit: its newest, commit_age_s seconds of real time ago, with digest `head`; agrees: whether
    another gateway has the same digest for that commit, or what is to be said instead. peers:
    gateways that it has a link to. meters: those that are connected to it.
    """

    name: str
    state: str
    round: int | None
    commit: int | None
    commit_age_s: float | None
    head: str
    agrees: str
    peers: int | None
    meters: int


@dataclass(frozen=True)
class Frame:
    """All that is shown at one moment. progress: 0 to 1, None when there is no end. members: of an
    alliance, empty for a gateway alone."""

    title: str
    points: Sequence[PointRow]
    gateway: GatewayRow | None
    progress: float | None
    members: Sequence[MemberRow] = ()


class View(Protocol):
    """Where frames and events go."""

    def show(self, frame: Frame) -> None: ...

    def event(self, text: str) -> None: ...


class LiveView:
    """A view on standard output, for the length of a `with` block."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(file=sys.stdout, highlight=False)
        self._began = time.monotonic()
        self._events: deque[str] = deque(maxlen=EVENTS_SHOWN)
        self._last_plain_s = float("-inf")
        self._frame: Frame | None = None
        self._live: Live | None = None
        if self._console.is_terminal:
            self._live = Live(console=self._console, auto_refresh=False, transient=False)

    def __enter__(self) -> "LiveView":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live is not None:
            self._live.stop()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began

    def show(self, frame: Frame) -> None:
        """Shows a frame; without a terminal only from time to time."""
        self._frame = frame
        if self._live is not None:
            self._live.update(self._picture(frame), refresh=True)
        elif self.elapsed_s - self._last_plain_s >= _PLAIN_EVERY_S:
            self._last_plain_s = self.elapsed_s
            for line in plain_lines(frame):
                self._console.print(
                    f"{self.elapsed_s:7.1f} s  {line}", markup=False, soft_wrap=True
                )

    def event(self, text: str) -> None:
        """Notes that something happened."""
        line = f"{self.elapsed_s:7.1f} s  {text}"
        self._events.append(line)
        if self._live is None:
            self._console.print(line, markup=False, soft_wrap=True)
        elif self._frame is not None:
            self._live.update(self._picture(self._frame), refresh=True)

    def picture(self) -> RenderableType:
        """What a terminal shows, or would show, now."""
        return Text() if self._frame is None else self._picture(self._frame)

    def _picture(self, frame: Frame) -> RenderableType:
        parts: list[RenderableType] = [_points_table(frame)]
        if frame.members:
            parts.append(_members_table(frame.members))
        if frame.gateway is not None:
            parts.append(_gateway_text(frame.gateway, "\n"))
        if frame.progress is not None:
            parts.append(ProgressBar(total=1.0, completed=frame.progress))
        if self._events:
            parts.append(Panel(Text("\n".join(self._events)), title="events", title_align="left"))
        return Group(*parts)


def _points_table(frame: Frame) -> Table:
    table = Table(title=frame.title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    for name in ("point", "load", "runs on"):
        table.add_column(name, no_wrap=True)
    for name in ("power W", "import Wh", "export Wh", "seq", "durable", "final", "failed"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("classes")
    if frame.members:
        table.add_column("gateway", no_wrap=True)
    table.add_column("state", no_wrap=True)
    for row in frame.points:
        table.add_row(
            _short(row.name) if frame.members else row.name,
            row.load,
            row.runs_on,
            "-" if row.power_w is None else f"{row.power_w:.1f}",
            *(_count(value) for value in (row.import_wh, row.export_wh)),
            *(_count(value) for value in (row.seq, row.durable, row.final)),
            _count(row.failed_reads),
            row.classes,
            *([row.at] if frame.members else []),
            Text(row.state, style="green" if row.state == "online" else "red"),
        )
    return table


def _short(point: str) -> str:
    """A point by enough of its meter's id, where a column more has to fit."""
    meter, _, device = point.partition("/")
    return f"{meter[:_ID_SHOWN]}/{device}"


def _members_table(rows: Sequence[MemberRow]) -> Table:
    table = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("gateway", no_wrap=True)
    for name in ("round", "commit", "age s", "peers", "meters"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("head", "same as others", "state"):
        table.add_column(name, no_wrap=True)
    for row in rows:
        table.add_row(
            row.name,
            _count(row.round),
            _count(row.commit),
            "-" if row.commit_age_s is None else f"{row.commit_age_s:.1f}",
            _count(row.peers),
            _count(row.meters),
            row.head,
            Text(row.agrees, style="bold red" if row.agrees == DIFFERS else ""),
            Text(row.state, style="green" if row.state == "up" else "red"),
        )
    return table


def _member_text(row: MemberRow) -> str:
    age = "-" if row.commit_age_s is None else f"{row.commit_age_s:.1f}"
    return (
        f"{row.name}: {row.state}, round {_count(row.round)}, commit {_count(row.commit)} {age} s"
        f" ago, head {row.head or '-'}, same as others: {row.agrees}, {_count(row.peers)} peers,"
        f" {row.meters} meters"
    )


def _gateway_text(row: GatewayRow, separator: str) -> Text:
    return Text(
        f"gateway: {grouped(row.commits)} commits, head {row.head}, {grouped(row.samples)} samples,"
        f" {row.samples_per_s:.1f} a second, refused: {row.refused}{separator}"
        f"broker: {row.broker}, bench clock: {iso_utc(row.bench_ms // 1_000 * 1_000)}"
        f" at speed {row.speed}"
    )


def _count(value: int | None) -> str:
    return "-" if value is None else grouped(value)


def plain_lines(frame: Frame) -> list[str]:
    """A frame as lines of text."""
    lines = []
    if frame.gateway is not None:
        lines.append(_gateway_text(frame.gateway, ", ").plain)
    lines += [_member_text(row) for row in frame.members]
    if frame.progress is not None:
        lines.append(f"{frame.title}: {100 * frame.progress:.0f} %")
    for row in frame.points:
        power = "-" if row.power_w is None else f"{row.power_w:.1f}"
        lines.append(
            f"{row.name} {row.load}: {power} W, import {_count(row.import_wh)} Wh,"
            f" export {_count(row.export_wh)} Wh, seq {_count(row.seq)},"
            f" durable {_count(row.durable)}, final {_count(row.final)},"
            f" classes {row.classes}, {row.failed_reads} failed reads, {row.state}"
            + (f" at {row.at}" if row.at else "")
        )
    return lines
