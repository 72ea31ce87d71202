"""The grammar of `dr`: adjustable loads."""

import argparse

from wattle_gateway.cli import (
    dr_agreements,
    dr_commands,
    dr_dispute,
    dr_event_arguments,
    dr_fund,
    dr_profile,
    dr_statement,
)
from wattle_gateway.cli.account_arguments import key
from wattle_gateway.cli.alliance_arguments import folder, output_format
from wattle_gateway.cli.dr_event_arguments import direction
from wattle_gateway.cli.places import area
from wattle_gateway.cli.quantities import milliseconds, signed_watts, watts


def add(command: argparse.ArgumentParser) -> None:
    """The arguments of `dr`."""
    actions = command.add_subparsers(metavar="ACTION", required=True)
    _offer(actions.add_parser("offer", help="offer a load: what it can do, and for how much"))
    _retract(actions.add_parser("retract", help="a load is not to be called any more"))
    _pool(actions.add_parser("pool", help="the adjustable loads, by area and response time"))
    _select(actions.add_parser("select", help="which loads would answer a need, and why these"))
    dr_event_arguments.add(actions)
    dr_profile.add(actions)
    dr_statement.add(actions)
    dr_dispute.add(actions)
    dr_fund.add(actions)
    dr_agreements.add(actions)


def _offer(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Puts a standing offer on the ledger, which replaces an earlier one of the point. Its owner"
        " sends it, or the member that hosts the owner."
    )
    folder(command)
    command.add_argument("point", metavar="METER/D", help="the point that meters the load")
    command.add_argument(
        "--area",
        type=area,
        required=True,
        help="where in the grid: substation/feeder/section, or as much of it as is known",
    )
    command.add_argument(
        "--node", type=int, default=0, metavar="N", help="the grid company's number for it, if any"
    )
    direction(command)
    command.add_argument(
        "--capacity",
        type=watts,
        required=True,
        metavar="POWER",
        help="by how much, at most what the registry says; such as 3kW",
    )
    command.add_argument(
        "--called",
        type=signed_watts,
        required=True,
        metavar="POWER",
        help="the setpoint that it is sent when it is called, such as 500W",
    )
    command.add_argument("--asset", required=True, metavar="ASSET", help="in which it is paid")
    command.add_argument("--price", required=True, metavar="AMOUNT", help="per MWh, such as 90.00")
    _time(command, "--within", "from dispatch to reached, such as 2s")
    _time(command, "--holds", "how long it can be held, such as 1h")
    _time(command, "--rest", "that it needs between two calls (default: none)", default="0s")
    _time(command, "--period", "between readings of its meter (default: 10s)", default="10s")
    command.add_argument(
        "--resolution",
        type=int,
        default=1,
        metavar="WH",
        help="step of its register as the device shows it (default: 1)",
    )
    key(command)
    output_format(command, "text", "json")
    command.set_defaults(run=dr_commands.offer)


def _retract(command: argparse.ArgumentParser) -> None:
    folder(command)
    command.add_argument("point", metavar="METER/D", help="the point that meters the load")
    key(command)
    output_format(command, "text", "json")
    command.set_defaults(run=dr_commands.retract)


def _time(
    command: argparse.ArgumentParser, name: str, meaning: str, default: str | None = None
) -> None:
    command.add_argument(
        name,
        type=milliseconds,
        required=default is None,
        default=default,
        metavar="TIME",
        help=meaning,
    )


def _pool(command: argparse.ArgumentParser) -> None:
    folder(command)
    _area(command)
    command.add_argument(
        "--at",
        metavar="TIME",
        help="which of the offers of now stood, and what was called, then (default: now)",
    )
    output_format(command, "table", "json")
    command.set_defaults(run=dr_commands.pool)


def _select(command: argparse.ArgumentParser) -> None:
    folder(command)
    command.add_argument(
        "--need", type=watts, required=True, metavar="POWER", help="to adjust, such as 50kW"
    )
    command.add_argument(
        "--within",
        type=milliseconds,
        required=True,
        metavar="TIME",
        help="from dispatch to reached, such as 5s",
    )
    command.add_argument(
        "--for",
        dest="hold",
        type=milliseconds,
        required=True,
        metavar="TIME",
        help="that it has to hold, such as 15min",
    )
    direction(command)
    _area(command)
    command.add_argument(
        "--near",
        type=area,
        metavar="AREA",
        help="where it is needed: the fewer lines from there, the better (default: in the area)",
    )
    command.add_argument("--asset", metavar="NAME", help="only loads priced in it")
    output_format(command, "table", "json")
    command.set_defaults(run=dr_commands.select)


def _area(command: argparse.ArgumentParser) -> None:
    command.add_argument("--area", type=area, help="only of it and what lies behind")
