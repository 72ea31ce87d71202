"""The members and links of a status for people."""

from typing import Any

from rich.table import Table

from wattle_gateway.cli.text import shown_age, shown_bytes, shown_name, shown_time
from wattle_gateway.reports.member_status import MemberStatus


def members_table(members: list[MemberStatus], live: dict[str, Any] | None) -> Table:
    """Every member, then those that have a link and are none."""
    table = Table(title=f"members: {len(members)}")
    for name in ("member", "link", "heard", "sent", "received", "round", "newest block", ""):
        table.add_column(name)
    for member in members:
        table.add_row(
            shown_name(member.name),
            *_link(member.link, own=member.own, running=live is not None),
            str(member.round) if member.votes else "",
            "" if member.block_age_ms is None else f"{shown_age(member.block_age_ms)} ago",
            _remarks(member),
        )
    kids = {member.kid for member in members}
    for peer in live["peers"] if live else []:
        if peer["kid"] not in kids and peer["up_s"] is not None:
            link = _link(peer, own=False, running=True)
            table.add_row(peer["kid"], *link, "", "", "guest: follows, is no member")
    return table


def suspended_words(until_ms: int | None, *, resting: bool) -> str:
    """That a member is suspended, until when if nothing else happens, and whether it leads no slot
    meanwhile; "" if it is not."""
    if until_ms is None:
        return ""
    return f"SUSPENDED until {shown_time(until_ms)}" + (", leads no slot" if resting else "")


def _link(link: dict[str, Any] | None, *, own: bool, running: bool) -> tuple[str, str, str, str]:
    """Link, age of the newest message, bytes sent and received."""
    if own or not running:
        return "this gateway" if own else "?", "", "", ""
    if link is None:
        return "none", "", "", ""
    traffic = shown_bytes(link["sent_bytes"]), shown_bytes(link["received_bytes"])
    if link["up_s"] is None:
        return "none", "", *traffic
    return f"for {shown_age(link['up_s'] * 1000)}", f"{link['heard_s']:.1f} s ago", *traffic


def _remarks(member: MemberStatus) -> str:
    link = member.link or {}
    words = [
        "CHEATED (`alliance show`)" if member.cheated else "",
        "ITS CHECKPOINT IS NOT OF OUR LEDGER" if member.differs else "",
        suspended_words(member.suspended_until_ms, resting=member.resting),
        f"`alliance approve DIR {member.proposed}` takes its seat" if member.proposed else "",
        "silent" if member.silent else "",
        "slow: does not lead" if member.slow else "",
        "" if member.votes else "no vote",
        f"kept off for {link['kept_off_s']} s" if link.get("kept_off_s") else "",
        shown_name(link.get("error", "")),
    ]
    return "; ".join(filter(None, words))
