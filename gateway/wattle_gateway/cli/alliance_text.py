"""The alliance for people."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from wattle_gateway.cli.members_text import suspended_words
from wattle_gateway.cli.text import plain_name, shown_name, shown_time
from wattle_gateway.reports.alliance import (
    Alliance,
    ChangeLine,
    EnrolmentLine,
    MemberLine,
    WaitingLine,
    Who,
)

# Longer ones, such as the transitions of a zone, would drown the rest of the table.
SETTING_CHARS_MAX = 80


def print_alliance(console: Console, found: Alliance) -> None:
    """Facts, members, then only what there is: changes, enrolments, who asks."""
    console.print(_facts(found))
    console.print(_members(found.members))
    for change in found.changes:
        console.print(change_table(change))
    for enrolment in found.enrolments:
        console.print(_enrolment(enrolment))
    for waiting in found.waiting:
        console.print(_other(waiting))
    if found.asking is None:
        console.print("who asks to become a member is known only while the gateway runs")
    elif found.asking:
        console.print(_asking(found.asking))


def bears(size: int, faulty_max: int, quorum: int) -> str:
    """What n, f and q mean: `4 vote, 3 of them decide; 1 may be absent or lie`."""
    absent = "none may be absent" if faulty_max == 0 else f"{faulty_max} may be absent or lie"
    if size == 1:
        return "1 votes and decides alone"
    return f"{size} vote, {quorum} of them decide; {absent}"


def _facts(found: Alliance) -> Table:
    table = Table(show_header=False, title=f"{found.ledger_name}  {found.ledger_id}")
    table.add_column(style="bold")
    table.add_column()
    table.add_row("epoch", f"{found.epoch}, since {shown_time(found.since_ms)}")
    table.add_row("votes", bears(found.size, found.faulty_max, found.quorum))
    if not found.own:
        table.add_row("this gateway", "no member: it follows the ledger")
    if found.warning:
        table.add_row("WARNING", found.warning)
    return table


def _members(members: list[MemberLine]) -> Table:
    table = Table(title=f"members: {len(members)}")
    for name in ("member", "kid", "role", "vote", "reputation", "address", ""):
        table.add_column(name)
    for member in members:
        remarks = [
            "this gateway" if member.own else "",
            f"CHEATED: {member.cheated}" if member.cheated else "",
            f"CHEATED: {member.false_checkpoints}" if member.false_checkpoints else "",
            suspended_words(member.suspended_until_ms, resting=member.resting),
        ]
        table.add_row(
            shown_name(member.name),
            member.kid,
            member.role,
            "yes" if member.votes else "no",
            "" if member.reputation is None else str(member.reputation),
            member.address or "not known",
            "; ".join(filter(None, remarks)),
        )
    return table


def change_table(change: ChangeLine) -> Table:
    """A change that waits, for people."""
    table = _waiting("a change waits", change.digest)
    for what, who in (
        ("joins", change.joins),
        ("leaves", change.leaves),
        ("new keys or role", change.alters),
    ):
        if who:
            table.add_row(what, _names(who))
    for name, (now, then) in change.settings.items():
        table.add_row(name, _becomes(now, then))
    table.add_row("proposed by", _names([change.proposer]))
    approved = f"{len(change.approved)} of {change.needed}: {_names(change.approved)}"
    table.add_row("approved", approved)
    table.add_row("not yet", _names(change.missing))
    return table


def _enrolment(enrolment: EnrolmentLine) -> Table:
    table = _waiting("an enrolment waits", enrolment.digest)
    table.add_row("meter", f"{enrolment.meter} at site {enrolment.site}")
    table.add_row("its key", enrolment.protection)
    table.add_row("home", _names([enrolment.home]))
    table.add_row("one of", _names(enrolment.approvers))
    table.add_row("until", shown_time(enrolment.until_ms))
    return table


def _other(waiting: WaitingLine) -> Table:
    table = _waiting(f"{waiting.kind} waits", waiting.digest)
    table.add_row("for", escape(plain_name(waiting.what)))
    table.add_row("sent by", _names([waiting.origin]))
    table.add_row("one of", _names(waiting.approvers))
    table.add_row("until", shown_time(waiting.until_ms))
    return table


def _waiting(title: str, digest: str) -> Table:
    table = Table(show_header=False, title=title)
    table.add_column(style="bold")
    table.add_column()
    table.add_row("digest", digest)
    return table


def _asking(rows: list[dict[str, Any]]) -> Table:
    table = Table(title=f"ask to become members: {len(rows)}")
    for name in ("name", "kid", "role", "vote", "follows", "address"):
        table.add_column(name)
    for row in rows:
        table.add_row(
            shown_name(row["name"]),
            row["kid"],
            row["role"],
            "yes" if row["votes"] else "no",
            f"epoch {row['epoch']}, commit {row['commit']}",
            row["address"],
        )
    return table


def _becomes(now: object, then: object) -> str:
    said = f"{now} becomes {then}"
    return said if len(said) <= SETTING_CHARS_MAX else "changes; --format json tells how"


def _names(members: list[Who]) -> str:
    return ", ".join(shown_name(member.name) or member.kid for member in members)
