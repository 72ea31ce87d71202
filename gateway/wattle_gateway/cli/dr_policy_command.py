"""dr policy: what a policy file would answer."""

import argparse
import json
from dataclasses import asdict

from wattle_gateway.cli import dr_event_text
from wattle_gateway.cli.folder import home_of, opened_ledger
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.home.identity import load_member
from wattle_gateway.ledger import crypto
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.participation import policy as policies
from wattle_gateway.participation.answers import SENDING
from wattle_gateway.participation.plan import plan, to_answer
from wattle_gateway.runtime.executed_ledger import ExecutedLedger

# What the running gateway would send now it only would send here.
WOULD_DECLARE = "would be declared"


def policy(arguments: argparse.Namespace) -> None:
    """Check a policy file, and say what it would answer to the events that are open."""
    chosen = policies.load(arguments.file)
    home = home_of(arguments.folder)
    with opened_ledger(home) as (first, reader):
        ledger = ExecutedLedger(reader, first_epoch(first))
        head, epoch = ledger.head, ledger.epoch
        setting = Setting(head.time_ms, epoch, head, crypto.verify, ledger.digest_of)
        kid = load_member(home).kid
        found = plan(ledger.state, setting, kid, chosen, {})
        events, loads = to_answer(ledger.state, head.time_ms, kid)
    answers = [asdict(planned.answer) for planned in found.planned]
    for answer in answers:
        answer["did"] = WOULD_DECLARE if answer["did"] == SENDING else answer["did"]
    if arguments.format == "json":
        print(json.dumps(answers, indent=2))
        return
    print(f"{arguments.file}: {_counted(len(chosen.rules), 'rule')}, {len(answers)} answers now")
    if not answers:
        print(
            f"open are {_counted(events, 'event')}, and offered by this member"
            f" {_counted(loads, 'load')} (what users offer themselves, they declare themselves)"
        )
    dr_event_text.print_answers(answers)


def _counted(count: int, name: str) -> str:
    return f"{count} {name}{'' if count == 1 else 's'}"
