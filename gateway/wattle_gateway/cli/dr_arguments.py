"""The grammar of `dr`: adjustable loads."""

import argparse

from wattle_gateway.cli import dr_commands
from wattle_gateway.cli.alliance_arguments import folder, output_format
from wattle_gateway.cli.quantities import milliseconds, watts
from wattle_gateway.ledger.offer_bodies import DOWN, UP


def add(command: argparse.ArgumentParser) -> None:
    """The arguments of `dr`."""
    actions = command.add_subparsers(metavar="ACTION", required=True)
    _pool(actions.add_parser("pool", help="the adjustable loads, by area and response time"))
    _select(actions.add_parser("select", help="which loads would answer a need, and why these"))


def _pool(command: argparse.ArgumentParser) -> None:
    folder(command)
    _area(command)
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
    _direction(command)
    _area(command)
    command.add_argument("--asset", metavar="NAME", help="only loads priced in it")
    output_format(command, "table", "json")
    command.set_defaults(run=dr_commands.select)


def _direction(command: argparse.ArgumentParser) -> None:
    way = command.add_mutually_exclusive_group()
    way.add_argument(
        "--down",
        dest="direction",
        action="store_const",
        const=DOWN,
        default=DOWN,
        help="less load (default)",
    )
    way.add_argument("--up", dest="direction", action="store_const", const=UP, help="more load")


def _area(command: argparse.ArgumentParser) -> None:
    command.add_argument("--area", metavar="AREA", help="of one area only")
