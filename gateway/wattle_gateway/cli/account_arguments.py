"""The grammar of `account` and `party`, and of what `meters` says about owners."""

import argparse
from pathlib import Path

from wattle_gateway.cli import (
    account_commands,
    account_statement_command,
    party_commands,
    snapshot_commands,
)
from wattle_gateway.cli.alliance_arguments import folder, output_format

_WHO = "name or kid of a party (`party list`)"


def add(command: argparse.ArgumentParser) -> None:
    """`account` and its commands."""
    commands = command.add_subparsers(metavar="COMMAND", required=True)
    _open(commands.add_parser("open", help="open an account in an asset"))
    _issue(commands.add_parser("issue", help="issue an asset; the first time declares it"))
    _redeem(commands.add_parser("redeem", help="take own money that one has issued out again"))
    _transfer(commands.add_parser("transfer", help="pay"))
    _lock(commands.add_parser("lock", help="lock money for somebody"))
    _unlock(commands.add_parser("unlock", help="end a lock: take some, give back the rest"))
    _show(commands.add_parser("show", help="who has what"))
    account_statement_command.add(commands)


def add_party(command: argparse.ArgumentParser) -> None:
    """`party` and its commands."""
    commands = command.add_subparsers(metavar="COMMAND", required=True)
    word = commands.add_parser("word", help="a user's word that a member hosts it, and its key")
    word.add_argument("site_file", type=Path, metavar="SITE_FILE", help="the host's site.json")
    word.add_argument("key_file", type=Path, metavar="KEY_FILE", help="made if it is not there")
    word.add_argument("--name", required=True, help="of the user")
    word.add_argument("--output", type=Path, required=True, metavar="FILE", help="the word")
    output_format(word, "text", "json")
    word.set_defaults(run=party_commands.word)
    register = commands.add_parser("register", help="bring a user to the ledger, as its host")
    folder(register)
    register.add_argument("word", type=Path, metavar="WORD", help="the user's word")
    output_format(register, "text", "json")
    register.set_defaults(run=party_commands.register, key=None)
    listing = commands.add_parser("list", help="members and hosted users")
    folder(listing)
    snapshot_commands.option(listing)
    output_format(listing, "table", "json")
    listing.set_defaults(run=party_commands.list_parties)


def points(command: argparse.ArgumentParser) -> None:
    """`meters points`."""
    folder(command)
    snapshot_commands.option(command)
    output_format(command, "table", "json")
    command.set_defaults(run=party_commands.points)


def assign(command: argparse.ArgumentParser) -> None:
    """`meters assign`."""
    command.description = "Hands a point on: its owner sends this, the new owner has to approve it."
    folder(command)
    command.add_argument("point", metavar="METER/D", help="the point")
    command.add_argument("owner", metavar="WHO", help=f"the new owner, {_WHO}")
    command.add_argument(
        "--from",
        dest="begin",
        metavar="TIME",
        help="when it is the new owner's; Unix ms or ISO 8601 (default: in a day)",
    )
    key(command)
    output_format(command, "text", "json")
    command.set_defaults(run=party_commands.assign)


def key(command: argparse.ArgumentParser) -> None:
    """Who sends, if not the gateway's member."""
    command.add_argument(
        "--key",
        type=Path,
        metavar="FILE",
        help="sign with this party's key, which the gateway never sees (default: the gateway "
        "signs for its member)",
    )


def _asset(command: argparse.ArgumentParser) -> None:
    folder(command)
    command.add_argument("asset", metavar="ASSET", help="A-Z, 0-9 and hyphen, such as CNY")


def _amount(command: argparse.ArgumentParser) -> None:
    _asset(command)
    command.add_argument("amount", metavar="AMOUNT", help="such as 12.50")


def _open(command: argparse.ArgumentParser) -> None:
    _asset(command)
    key(command)
    output_format(command, "text", "json")
    command.set_defaults(run=account_commands.open_account)


def _issue(command: argparse.ArgumentParser) -> None:
    _amount(command)
    command.add_argument(
        "--decimals", type=int, metavar="N", help="digits after the point, of a new asset: 0 to 9"
    )
    command.add_argument("--to", metavar="WHO", help=f"whose account, {_WHO} (default: one's own)")
    output_format(command, "text", "json")
    command.set_defaults(run=account_commands.issue, key=None)


def _redeem(command: argparse.ArgumentParser) -> None:
    _amount(command)
    output_format(command, "text", "json")
    command.set_defaults(run=account_commands.redeem, key=None)


def _transfer(command: argparse.ArgumentParser) -> None:
    _amount(command)
    command.add_argument("to", metavar="WHO", help=_WHO)
    key(command)
    output_format(command, "text", "json")
    command.set_defaults(run=account_commands.transfer)


def _lock(command: argparse.ArgumentParser) -> None:
    _amount(command)
    command.add_argument("holder", metavar="WHO", help=f"who alone disposes of it, {_WHO}")
    command.add_argument(
        "--until", required=True, metavar="TIME", help="up to then; Unix ms or ISO 8601"
    )
    key(command)
    output_format(command, "text", "json")
    command.set_defaults(run=account_commands.lock)


def _unlock(command: argparse.ArgumentParser) -> None:
    folder(command)
    command.add_argument("lock", metavar="LOCK", help="its digest, or how it begins")
    command.add_argument("--take", metavar="AMOUNT", help="as its holder (default: nothing)")
    key(command)
    output_format(command, "text", "json")
    command.set_defaults(run=account_commands.unlock)


def _show(command: argparse.ArgumentParser) -> None:
    folder(command)
    command.add_argument("party", nargs="?", metavar="WHO", help=f"only of {_WHO}")
    command.add_argument("--asset", metavar="ASSET", help="only in this asset")
    snapshot_commands.option(command)
    output_format(command, "table", "json")
    command.set_defaults(run=account_commands.show)
