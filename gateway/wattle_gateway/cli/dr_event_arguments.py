"""The grammar of `dr publish`, `declare`, `withdraw`, `dispatch`, `events` and `event`."""

import argparse
from pathlib import Path

from wattle_gateway.cli import baseline_rule, dr_event_commands, dr_policy_command
from wattle_gateway.cli.account_arguments import key
from wattle_gateway.cli.alliance_arguments import folder, output_format
from wattle_gateway.cli.dr_event_commands import RULE_PREFIX
from wattle_gateway.cli.event_times import EXPECTED
from wattle_gateway.cli.places import area, area_or_everywhere
from wattle_gateway.cli.quantities import milliseconds, watts
from wattle_gateway.contracts.baseline.presets import PRESETS
from wattle_gateway.contracts.events.rows import EventState
from wattle_gateway.ledger.event_bodies import METHOD_NAMES
from wattle_gateway.ledger.offer_bodies import DOWN, UP


def add(actions: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Commands of events, among the actions of `dr`."""
    _publish(actions.add_parser("publish", help="call for adjustable loads: an event"))
    _declare(actions.add_parser("declare", help="promise what a load will do in an event"))
    _withdraw(actions.add_parser("withdraw", help="take a load out of an event"))
    _dispatch(actions.add_parser("dispatch", help="order the selected loads to act"))
    _events(actions.add_parser("events", help="all events, their times and how far they are"))
    _event(actions.add_parser("event", help="one event: who answered, who was chosen and why"))
    _policy(actions.add_parser("policy", help="check a policy file: what it would answer now"))


def _publish(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Publishes an event. Money for the most that it can cost is locked in the account of who"
        " publishes it."
    )
    folder(command)
    add = command.add_argument
    add(
        "--method",
        required=True,
        choices=list(METHOD_NAMES.values()),
        help="whose price is paid: each load's cost, the fixed one, a contract's, the highest bid,"
        " or, of real time, the highest of the standing offers, which are called at once",
    )
    add("--quantity", type=watts, required=True, metavar="POWER", help="to adjust, such as 50kW")
    direction(command)
    add("--begin", required=True, metavar="TIME", help=EXPECTED)
    add(
        "--for",
        dest="length",
        type=milliseconds,
        required=True,
        metavar="TIME",
        help="of the window, such as 45min: a multiple of the ledger's interval",
    )
    add("--select", metavar="TIME", help="when loads are chosen (default: the notice before)")
    _length(command, "--notice", "between choice and beginning (default: none)", "0s")
    _length(command, "--within", "that loads may take to respond (default: 5s)", "5s")
    add("--asset", required=True, metavar="ASSET", help="in which it is paid")
    _price(command, "--energy", "per MWh delivered; of every method but fixed the most")
    _price(command, "--availability", "per MW and hour declared (default: nothing)", "0")
    _price(command, "--penalty", "per MWh that is missing (default: nothing)", "0")
    add(
        "--area",
        type=area_or_everywhere,
        default="",
        help="only loads of it and what lies behind (default: of everywhere)",
    )
    add(
        "--near",
        type=area_or_everywhere,
        default="",
        metavar="AREA",
        help="where it is needed: the fewer lines from there, the better (default: in the area)",
    )
    add("--emergency", action="store_true", help="gateways act before the order is final")
    add("--fund", metavar="FUND", help="of `dr funds`, that pays instead of the account")
    add(
        "--baseline",
        required=True,
        choices=list(PRESETS),
        help="the rule by which is judged what a load would have used",
    )
    baseline_rule.add_options(command, RULE_PREFIX)
    _sent_by(command, dr_event_commands.publish)


def _declare(command: argparse.ArgumentParser) -> None:
    folder(command)
    _event_argument(command)
    command.add_argument("point", metavar="METER/D", help="the point that meters the load")
    command.add_argument(
        "quotas",
        nargs="+",
        type=watts,
        metavar="POWER",
        help="by how much: in every interval the same, or as many as the event has",
    )
    command.add_argument(
        "--price",
        metavar="AMOUNT",
        help="per MWh, of methods cost and bid (default: that of the load's standing offer)",
    )
    _sent_by(command, dr_event_commands.declare)


def _withdraw(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Before the selection that is free. After it the load's quota is nothing from the next"
        " interval on, and what is missing is charged."
    )
    folder(command)
    _event_argument(command)
    command.add_argument("point", metavar="METER/D", help="the point that meters the load")
    _sent_by(command, dr_event_commands.withdraw)


def _dispatch(command: argparse.ArgumentParser) -> None:
    folder(command)
    _event_argument(command)
    command.add_argument(
        "--load",
        action="append",
        metavar="METER/D=POWER",
        help="this load, to this setpoint; again for more (default: every selected load, to the"
        " setpoint of its offer)",
    )
    command.add_argument("--from", dest="begin", metavar="TIME", help=f"{EXPECTED} (default: now)")
    _sent_by(command, dr_event_commands.dispatch)


def _events(command: argparse.ArgumentParser) -> None:
    folder(command)
    command.add_argument("--area", type=area, help="that loads of one area may answer")
    command.add_argument("--state", choices=[str(state) for state in EventState])
    _shown(command, dr_event_commands.events)


def _event(command: argparse.ArgumentParser) -> None:
    folder(command)
    _event_argument(command)
    _shown(command, dr_event_commands.event)


def _policy(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Says what a policy file would answer to the events that are open, and why; nothing is"
        " sent. A running gateway answers by the file that config.toml names."
    )
    folder(command)
    command.add_argument("file", type=Path, metavar="FILE", help="the policy (TOML)")
    _shown(command, dr_policy_command.policy)


def direction(command: argparse.ArgumentParser) -> None:
    """Less load or more."""
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


def _event_argument(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "event", metavar="EVENT", help="digest of `dr events`, or its first digits"
    )


def _length(command: argparse.ArgumentParser, name: str, meaning: str, default: str) -> None:
    command.add_argument(name, type=milliseconds, default=default, metavar="TIME", help=meaning)


def _price(
    command: argparse.ArgumentParser, name: str, meaning: str, default: str | None = None
) -> None:
    command.add_argument(
        name, required=default is None, default=default, metavar="AMOUNT", help=meaning
    )


def _sent_by(command: argparse.ArgumentParser, run: object) -> None:
    key(command)
    _format(command, "text", run)


def _shown(command: argparse.ArgumentParser, run: object) -> None:
    _format(command, "table", run)


def _format(command: argparse.ArgumentParser, first: str, run: object) -> None:
    output_format(command, first, "json")
    command.add_argument(
        "--json", dest="format", action="store_const", const="json", help="as --format json"
    )
    command.set_defaults(run=run)
