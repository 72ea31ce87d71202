"""alliance market: the parameters by which events are measured, scored and paid."""

import argparse
import json

from wattle_gateway.admin.channel import ask
from wattle_gateway.cli import approval_commands, market_arguments
from wattle_gateway.cli.folder import home_of, opened_ledger
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.market import market_map
from wattle_gateway.runtime.executed_ledger import ExecutedLedger


def market(arguments: argparse.Namespace) -> None:
    """Show the market parameters in force, or propose others."""
    home = home_of(arguments.folder)
    with opened_ledger(home) as (first, reader):
        ledger = ExecutedLedger(reader, first_epoch(first))
    epoch, now_ms = ledger.epoch, ledger.head.time_ms
    found = epoch.constants.market
    if found is None:
        raise UsageError(
            f"rules {epoch.rules} are in force, which know no market; "
            "`wattle-gateway alliance upgrade` proposes rules 3"
        )
    wanted = market_arguments.changed(arguments, found, now_ms)
    if wanted is not None:
        answer = ask(
            home.admin_socket,
            "market",
            approval_commands.FIRST_DEADLINE_S,
            market=wanted.raw.hex(),
        )
        approval_commands.print_decisions(arguments, [answer["decision"]])
    elif arguments.format == "json":
        print(json.dumps({"digest": found.digest.hex(), **market_map(found)}, indent=2))
    else:
        print(f"# market {found.digest.hex()}, epoch {epoch.number}")
        print(market_arguments.as_toml(found))
