"""dr profile: how a party stands, and what its last events say of it."""

import argparse
import json
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from wattle_gateway.cli.alliance_arguments import folder, output_format
from wattle_gateway.cli.folder import home_of, opened_ledger
from wattle_gateway.cli.members_text import suspended_words
from wattle_gateway.cli.text import console, shown_name, shown_time
from wattle_gateway.contracts.reputation import fault_record
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import genesis
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.reports import fault_grounds
from wattle_gateway.reports import profile as profile_report
from wattle_gateway.reports.profile import Profile
from wattle_gateway.runtime.executed_ledger import ExecutedLedger

_DIGITS_SHOWN = 12


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """`profile`, among the actions of `dr`."""
    command = actions.add_parser(
        "profile", help="a party's grade, reputation and faults, and how it delivers"
    )
    command.description = (
        "Grade, reputation and faults of a party or gateway, and what the events that the ledger"
        " still holds say of its loads: those that it declared, and its own."
    )
    folder(command)
    command.add_argument("party", metavar="PARTY", help="by name or kid")
    command.add_argument(
        "--events",
        type=int,
        metavar="N",
        help="read off the last N of them (default: as many as its scores are kept of)",
    )
    output_format(command, "text", "json")
    command.set_defaults(run=profile)


def profile(arguments: argparse.Namespace) -> None:
    """The profile of a party."""
    with opened_ledger(home_of(arguments.folder)) as (first, reader):
        ledger = ExecutedLedger(reader, first_epoch(first))
        market = ledger.epoch.constants.market
        if market is None:
            raise UsageError(
                f"this ledger keeps no reputations: its rules are {ledger.epoch.rules}, expected"
                f" {genesis.EVENT_RULES} or higher (`wattle-gateway alliance upgrade`)"
            )
        asked = arguments.events
        last = market.history_events if asked is None else profile_report.checked_last(asked)
        kid = profile_report.kid_of(ledger.state, ledger.epoch, arguments.party)
        time_ms = ledger.head.time_ms
        found = profile_report.profile(ledger.state, ledger.epoch, market, kid, time_ms, last)
        shown = fault_grounds.grounds(reader, first.ledger_id, found.standing.records)
        found = replace(found, grounds=tuple(shown))
    if arguments.format == "json":
        print(json.dumps(found.as_json(), indent=2))
    else:
        print_profile(console(), found)


def print_profile(console: Console, found: Profile) -> None:
    """Facts, then only what there is: scores, hours."""
    console.print(_facts(found))
    if found.grounds:
        console.print(_grounds(found))
    if found.scores:
        console.print(_scores(found))
    if found.hours:
        console.print(_hours(found))


def _facts(found: Profile) -> Table:
    stands = found.standing
    name = shown_name(found.party.name) or "left"
    table = Table(show_header=False, title=f"{name}  {found.party.kid}")
    table.add_column(style="bold")
    table.add_column()
    table.add_row("grade", f"{stands.grade}, reputation {stands.reputation} of 1000")
    if stands.suspended:
        table.add_row("", suspended_words(stands.back_ms, resting=found.resting))
    faults = ", ".join(f"{name} {count}" for name, count in stands.faults.items())
    newest = f"; the last {shown_time(stands.last_fault_ms)}" if faults else ""
    table.add_row("faults", (faults or "none") + newest)
    if stands.selection_permille < 1000:
        table.add_row("", f"in selections its merit counts {stands.selection_permille / 1000:g}")
    if not found.events:
        table.add_row("events", "the ledger holds no statement of its loads")
        return table
    table.add_row("events", f"{found.events}, with {found.loads} loads")
    table.add_row("typical capacity", _or_not(found.typical_w, 1000, "kW", "nothing delivered"))
    answered = f"{found.confirmed} of {found.ordered} orders confirmed"
    table.add_row("speed", f"{_or_not(found.response_ms, 1000, 's', 'no answer')}; {answered}")
    table.add_row("endurance", _or_not(found.endurance_ms, 60_000, "min", ""))
    return table


def _or_not(value: int | None, scale: int, unit: str, otherwise: str) -> str:
    return otherwise if value is None else f"{value / scale:g} {unit}"


def _grounds(found: Profile) -> Table:
    """The digests whole: they are what somebody looks for."""
    table = Table(title="what shows the newest of each fault")
    table.add_column("fault", no_wrap=True)
    table.add_column("newest (UTC)", no_wrap=True)
    table.add_column("shown by, where", overflow="fold")
    for ground in found.grounds:
        record, shown = ground.record, ground.record.shown
        where = f"{fault_record.NAMES[shown.what]}, commit {shown.commit}"
        if ground.raw is None:
            where += ", not in this store"
        elif ground.index is not None:
            where += f", ledger index {ground.index}"
        table.add_row(ground.name, shown_time(record.time_ms), f"{where}\n{shown.digest.hex()}")
    return table


def _scores(found: Profile) -> Table:
    table = Table(title="scores, newest first")
    for name in ("event", "begins"):
        table.add_column(name)
    for name in ("absolute", "vertical", "horizontal", "score"):
        table.add_column(name, justify="right")
    for one in found.scores:
        numbers = (one.absolute, one.vertical, one.horizontal, one.score)
        begins = "forgotten" if one.begin_ms is None else shown_time(one.begin_ms)
        table.add_row(one.event[:_DIGITS_SHOWN], begins, *map(str, numbers))
    return table


def _hours(found: Profile) -> Table:
    table = Table(title="reliability by hour of the day")
    table.add_column("hour")
    for name in ("intervals called", "delivered", "%"):
        table.add_column(name, justify="right")
    for line in found.hours:
        share = f"{line.permille / 10:.1f}"
        table.add_row(
            f"{line.hour:02d}-{line.hour + 1:02d}", str(line.called), str(line.kept), share
        )
    return table
