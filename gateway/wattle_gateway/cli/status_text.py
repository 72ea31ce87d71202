"""The status for people."""

from typing import Any

from rich.console import Console
from rich.table import Table

from wattle_gateway.cli import resource_text
from wattle_gateway.cli.alliance_text import bears
from wattle_gateway.cli.health_command import shown_health
from wattle_gateway.cli.members_text import members_table
from wattle_gateway.cli.text import shown_age, shown_bytes, shown_time
from wattle_gateway.reports.meters import MeterLine
from wattle_gateway.reports.status import Status
from wattle_gateway.runtime.clock import wall_ms

_HASH_SHOWN = 16
DAY_S = 86_400


def print_status(console: Console, status: Status) -> None:
    """What there is: facts, the members if there are several, the meters."""
    console.print(_facts(status))
    if len(status.members) > 1 or (status.live and status.live["peers"]):
        console.print(members_table(status.members, status.live))
    if status.meters:
        console.print(_meters(status.meters, status.live))


def print_waiting(console: Console, live: dict[str, Any]) -> None:
    """What a gateway says that waits for room on its disk."""
    table = Table(show_header=False)
    table.add_column(style="bold")
    table.add_column()
    table.add_row("gateway", f"started (process {live['pid']}), WAITS FOR ROOM: {live['waits']}")
    for name, text in resource_text.rows(live["resources"], 0):
        table.add_row(name, text)
    table.add_row("certificates", _certificates(live["certificates"]))
    table.add_row("alarms", _alarms(live))
    console.print(table)


def _facts(status: Status) -> Table:
    table = Table(show_header=False, title=f"{status.ledger_name}  {status.ledger_id}")
    table.add_column(style="bold")
    table.add_column()
    live = status.live
    table.add_row("gateway", f"running (process {live['pid']})" if live else "stopped")
    table.add_row(
        "head",
        f"commit {status.commit}  {status.commit_digest[:_HASH_SHOWN]}  "
        f"{shown_time(status.commit_ms)}  {shown_age(status.commit_age_ms)} ago",
    )
    if len(status.members) > 1:
        table.add_row(
            "epoch",
            f"{status.epoch}: {bears(status.size, status.faulty_max, status.quorum)}",
        )
    if status.warning:
        table.add_row("WARNING", status.warning)
    table.add_row("round", _round(status))
    table.add_row("log", f"{status.leaves} leaves, root {status.root[:_HASH_SHOWN]}")
    if status.begins is not None:
        table.add_row("begins", f"with commit {status.begins}: what was before others have")
    table.add_row("state", status.state_digest[:_HASH_SHOWN])
    table.add_row("pool", f"{status.pool} entries wait for a block")
    table.add_row("refused", _counts(status.refused) or "nothing")
    others = {
        name: count
        for name, count in status.counters.items()
        if not name.startswith(("refused.", "cmd."))
    }
    table.add_row("counted", _counts(others) or "nothing")
    table.add_row(
        "quarantine",
        f"{status.quarantine['entries']} messages, {shown_bytes(status.quarantine['bytes'])}",
    )
    table.add_row("certificates", _certificates(status.certificates))
    for name, text in resource_text.rows(status.resources, status.disk_bytes):
        table.add_row(name, text)
    if live:
        table.add_row("broker", _broker(live))
        alarm = "ALARM: the wall clock jumped" if live["clock_alarm"] else "sound"
        table.add_row(
            "clock", f"{shown_time(live['clock_ms'])}  {alarm} ({live['clock_jumps']} jumps)"
        )
        table.add_row("alarms", _alarms(live))
    return table


def _alarms(live: dict[str, Any]) -> str:
    names = [f"{row['alarm']} ({row['severity']})" for row in live["alarms"]]
    return ", ".join(names) or "none"


def _certificates(ends: dict[str, int]) -> str:
    now_s = wall_ms() // 1000
    left_s = {name: end_s - now_s for name, end_s in ends.items()}
    return ", ".join(
        f"{name} ENDED {-left // DAY_S} days ago" if left < 0 else f"{name} {left // DAY_S} days"
        for name, left in left_s.items()
    )


def _round(status: Status) -> str:
    consensus = status.live["consensus"] if status.live else None
    if consensus is None or len(status.members) == 1:
        return str(status.round)
    if not status.votes:
        return f"{status.round}; this gateway follows and has no vote"
    if not consensus["signing"]:
        return (
            f"{status.round}; this gateway follows and signs nothing until enough others have "
            "said what they know of its blocks"
        )
    return f"{status.round}; our own newest block: {consensus['own_round']}"


def _broker(live: dict[str, object]) -> str:
    link = "connected" if live["link_up"] else "NOT connected"
    if live["broker_running"] is None:
        return f"outside, {link}"
    up = "running" if live["broker_running"] else "DOWN"
    return f"embedded, {up}, {live['broker_restarts']} restarts; {link}"


def _meters(lines: list[MeterLine], live: dict[str, object] | None) -> Table:
    table = Table(title=f"meters: {len(lines)}")
    for name in (
        "meter",
        "site",
        "key",
        "final",
        "last",
        "waiting",
        "clock",
        "seen",
        "classes",
        "health",
        "",
    ):
        table.add_column(name)
    online = live["online"] if live else []
    assert isinstance(online, list)
    for line in lines:
        connected = "online" if line.meter in online else "" if live else "?"
        table.add_row(
            line.meter,
            line.site,
            line.protection,
            str(line.final),
            "" if line.last_seq is None else str(line.last_seq),
            str(line.waiting),
            line.clock,
            shown_time(line.seen_ms),
            _counts(line.classes),
            shown_health(line.health),
            connected if line.state == "enrolled" else line.state,
        )
    return table


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
