"""alliance approve, leave, show: what the members decide."""

import argparse
import json
from typing import Any

from wattle_gateway.admin.channel import ask
from wattle_gateway.cli import party_commands
from wattle_gateway.cli.alliance_text import print_alliance
from wattle_gateway.cli.folder import home_of, opened_ledger, opened_operation
from wattle_gateway.cli.text import console, plain_name
from wattle_gateway.errors import NotRunningError
from wattle_gateway.home.identity import load_member
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.reports import alliance as alliance_report
from wattle_gateway.reports import peer_addresses
from wattle_gateway.runtime.executed_ledger import ExecutedLedger

LIVE_DEADLINE_S = 5.0
# Longer than the gateway itself waits: for a candidate's word, then for a commit.
FIRST_DEADLINE_S = 70.0
EACH_DEADLINE_S = 35.0


def approve(arguments: argparse.Namespace) -> None:
    """Approve what waits, or take in who asks."""
    if arguments.key is not None:
        party_commands.approve(arguments)
        return
    home = home_of(arguments.folder)
    deadline_s = FIRST_DEADLINE_S + EACH_DEADLINE_S * len(arguments.what)
    answer = ask(home.admin_socket, "approve", deadline_s, wanted=arguments.what)
    print_decisions(arguments, answer["decisions"])


def leave(arguments: argparse.Namespace) -> None:
    """Propose an alliance without this gateway, or without another one."""
    home = home_of(arguments.folder)
    answer = ask(home.admin_socket, "leave", FIRST_DEADLINE_S, member=arguments.member)
    print_decisions(arguments, [answer["decision"]])


def upgrade(arguments: argparse.Namespace) -> None:
    """Propose the newest rules."""
    home = home_of(arguments.folder)
    answer = ask(home.admin_socket, "upgrade", FIRST_DEADLINE_S)
    print_decisions(arguments, [answer["decision"]])


def show(arguments: argparse.Namespace) -> None:
    """Members, what waits for whom, and who was caught."""
    home = home_of(arguments.folder)
    try:
        asking = ask(home.admin_socket, "live", LIVE_DEADLINE_S)["live"]["candidates"]
    except NotRunningError:
        asking = None
    with (
        opened_ledger(home) as (first, reader),
        opened_operation(home, first.ledger_id) as operation,
    ):
        ledger = ExecutedLedger(reader, first_epoch(first))
        found = alliance_report.read(
            ledger.state,
            ledger.epoch,
            ledger.head,
            load_member(home).kid,
            peer_addresses.load(operation, first.ledger_id),
            asking,
        )
    if arguments.format == "json":
        print(json.dumps(found.as_json(), indent=2))
    else:
        print_alliance(console(), found)


def print_decisions(arguments: argparse.Namespace, decisions: list[dict[str, Any]]) -> None:
    """What became of proposals and approvals, as the gateway answered."""
    if arguments.format == "json":
        print(json.dumps(decisions, indent=2))
        return
    for decision in decisions:
        print(_decision_text(decision))


def _decision_text(decision: dict[str, Any]) -> str:
    if decision["kind"] == "enrolment":
        return f"meter {decision['meter']} is enrolled"
    if decision["kind"] != "change":
        return f"done: the {decision['kind']} that waited"
    if decision["decided"]:
        members = ", ".join(map(plain_name, decision["members"]))
        return f"decided: epoch {decision['epoch']} has begun, with {members}"
    lines = [
        f"proposed: {decision['approvals']} of {decision['needed']} approvals; "
        f"not yet from {', '.join(map(plain_name, decision['missing']))}, whose operators say:",
        f"    wattle-gateway alliance approve DIR {decision['digest']}",
    ]
    if decision["replaced"] is not None:
        lines.append(f"it takes the place of your earlier proposal {decision['replaced']}")
    return "\n".join(lines)
