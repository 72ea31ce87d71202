"""The grammar of `alliance`, and of what `init` shares with it."""

import argparse
from pathlib import Path

from wattle_gateway import config
from wattle_gateway.cli import (
    alliance_commands,
    approval_commands,
    market_arguments,
    market_command,
)
from wattle_gateway.cli.alliance_commands import BROKER_PORT
from wattle_gateway.ledger import genesis
from wattle_gateway.sealing import storage_key

ROLES = {name.replace(" ", "-"): role for role, name in genesis.ROLE_NAMES.items()}


def add(command: argparse.ArgumentParser) -> None:
    """`alliance` and its commands."""
    commands = command.add_subparsers(metavar="COMMAND", required=True)
    _new(commands.add_parser("new", help="found an alliance with one gateway or several"))
    _invite(commands.add_parser("invite", help="write an invitation for one further gateway"))
    _join(commands.add_parser("join", help="make a gateway from an invitation"))
    _approve(commands.add_parser("approve", help="take in who asks, approve what waits"))
    _leave(commands.add_parser("leave", help="propose to leave, or that another one leaves"))
    _upgrade(commands.add_parser("upgrade", help="propose the newest rules"))
    _market(commands.add_parser("market", help="how events are measured, scored and paid"))
    _show(commands.add_parser("show", help="members, what waits, who cheated"))


def network(command: argparse.ArgumentParser, *, several: bool = False) -> None:
    """Where a new gateway is reached by meters and by its peers; `several`: ports of many."""
    action = "append" if several else "store"
    likewise = "; of the first, or for each folder in their order" if several else ""
    command.add_argument(
        "--host",
        action="append",
        metavar="NAME",
        help="name or address by which meters reach the broker; the first stands in site.json; "
        "may be given several times (default: 127.0.0.1)",
    )
    command.add_argument(
        "--port",
        action=action,
        type=int,
        metavar="N",
        help=f"of the broker (default: {BROKER_PORT}){likewise}",
    )
    command.add_argument(
        "--listen", metavar="ADDRESS", help="that the embedded broker binds (default: the host)"
    )
    command.add_argument("--broker", choices=config.BROKER_KINDS, default=config.EMBEDDED)
    command.add_argument(
        "--storage-key",
        metavar="SOURCE",
        default="",
        help=f"seal the folder under the key from {storage_key.FORMS} (default: not sealed)",
    )
    command.add_argument(
        "--peers-host",
        metavar="NAME",
        help="by which the other gateways reach this one (default: the host)",
    )
    command.add_argument(
        "--peers-port",
        action=action,
        type=int,
        metavar="N",
        help=f"for the other gateways (default: {config.PEERS_PORT}){likewise}",
    )
    command.add_argument(
        "--metrics-listen",
        metavar="ADDRESS",
        default="",
        help="that it binds for /metrics, /healthz and /readyz (default: none)",
    )


def folder(command: argparse.ArgumentParser) -> None:
    """The gateway's folder."""
    command.add_argument("folder", type=Path, metavar="DIR", help="the gateway's folder")


def output_format(command: argparse.ArgumentParser, *names: str) -> None:
    """For people (the first) or for programs."""
    command.add_argument("--format", choices=names, default=names[0])


def bench_clock(command: argparse.ArgumentParser, what: str) -> None:
    """The bench's time instead of the host's."""
    command.add_argument("--bench-clock", type=Path, metavar="FILE", help=what)


def _peers_listen(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--peers-listen",
        metavar="ADDRESS",
        help="that it binds for the other gateways (default: as --listen)",
    )


def _approve_enrolments(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--approve-enrolments",
        choices=(config.ASK, config.ALWAYS),
        default=config.ASK,
        help="of meters of other members' sites, where one of our role has to (default: ask)",
    )


def _new(command: argparse.ArgumentParser) -> None:
    command.description = (
        "One folder: the founder, whom others join by invitation. Several folders: a whole "
        "alliance on this machine, for benches; if only the first one's ports are given, each next "
        "gateway listens two ports above."
    )
    command.add_argument("name", metavar="NAME", help="of the ledger: a-z, 0-9, dot and hyphen")
    command.add_argument("folders", type=Path, nargs="+", metavar="DIR", help="a new folder")
    command.add_argument(
        "--member",
        action="append",
        metavar="NAME",
        help="its name, once for each folder in their order (default: the folders' names)",
    )
    command.add_argument(
        "--role",
        action="append",
        choices=sorted(ROLES),
        help="once for all, or for each folder in their order (default: grid-company)",
    )
    command.add_argument("--site", action="append", help="of its meters; likewise (default: home)")
    network(command, several=True)
    _peers_listen(command)
    _approve_enrolments(command)
    market_arguments.rules(command)
    bench_clock(command, "the ledger begins at this clock's time")
    output_format(command, "text", "json")
    command.set_defaults(run=alliance_commands.new, roles=ROLES)


def _invite(command: argparse.ArgumentParser) -> None:
    folder(command)
    command.add_argument("--name", required=True, help="of the new member")
    command.add_argument("--role", required=True, choices=sorted(ROLES), help="of the new member")
    command.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="where to write the invitation"
    )
    command.add_argument(
        "--days",
        type=int,
        default=alliance_commands.DAYS,
        metavar="N",
        help=f"it is good for so long (default: {alliance_commands.DAYS})",
    )
    output_format(command, "text", "json")
    command.set_defaults(run=alliance_commands.invite, roles=ROLES)


def _join(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Makes a gateway's folder from an invitation; `run` then follows the ledger and asks to "
        "become a member. On a gateway that exists: takes the addresses in a newer invitation, "
        "and lets a gateway that has left ask to come back."
    )
    folder(command)
    command.add_argument("invitation", type=Path, nargs="?", metavar="INVITATION", help="the file")
    command.add_argument("--name", help="of the member (default: as invited)")
    command.add_argument(
        "--role", choices=sorted(ROLES), help="of the member (default: as invited)"
    )
    command.add_argument("--site", default="home", help="site of its meters (default: home)")
    command.add_argument(
        "--snapshot",
        type=Path,
        metavar="FILE",
        help="begin the ledger with this one, once it is proved, instead of with the genesis",
    )
    network(command)
    _peers_listen(command)
    _approve_enrolments(command)
    bench_clock(command, "the time is this clock's")
    output_format(command, "text", "json")
    command.set_defaults(run=alliance_commands.join, roles=ROLES)


def _approve(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Names of gateways that ask here: proposes one change that takes them all in. Digests: "
        "approves the changes and enrolments that wait under them."
    )
    folder(command)
    command.add_argument(
        "what",
        nargs="+",
        metavar="WHAT",
        help="a name or kid of who asks, or a digest (8 digits are enough), from `alliance show`",
    )
    command.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="approve as the party of this key, by whole digests (default: as this gateway)",
    )
    output_format(command, "text", "json")
    command.set_defaults(run=approval_commands.approve)


def _leave(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Proposes an alliance without this gateway; a quorum of the members has to approve. With "
        "--member: without another one, which follows on and asks to come back by itself."
    )
    folder(command)
    command.add_argument("--member", metavar="NAME", help="name or kid of the one to suspend")
    output_format(command, "text", "json")
    command.set_defaults(run=approval_commands.leave)


def _upgrade(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Proposes an epoch of the same members under the newest rules that this gateway knows; "
        "every gateway has to know them before a quorum approves."
    )
    folder(command)
    output_format(command, "text", "json")
    command.set_defaults(run=approval_commands.upgrade)


def _market(command: argparse.ArgumentParser) -> None:
    command.description = (
        "Shows the market parameters in force. With any of the options: proposes an epoch of the "
        "same members with others, which a quorum has to approve; they count for events that are "
        "published later. Another interval begins measurement anew: choose a time without events."
    )
    folder(command)
    market_arguments.parameters(command)
    output_format(command, "text", "json")
    command.set_defaults(run=market_command.market)


def _show(command: argparse.ArgumentParser) -> None:
    folder(command)
    output_format(command, "table", "json")
    command.set_defaults(run=approval_commands.show)
