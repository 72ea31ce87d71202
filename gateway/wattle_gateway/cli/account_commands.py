"""account open, issue, redeem, transfer, lock, unlock, show."""

import argparse
import json
from dataclasses import asdict
from typing import Any

from rich.table import Table

from wattle_gateway.cli.amounts import parsed_amount, shown_amount
from wattle_gateway.cli.sending import own_kid, send, tell
from wattle_gateway.cli.state_book import opened_book
from wattle_gateway.cli.text import console, parsed_time, plain_name, shown_name, shown_time
from wattle_gateway.contracts.accounts import Asset
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.account_bodies import (
    DECIMALS_MAX,
    Issue,
    Lock,
    Open,
    Redeem,
    Transfer,
    Unlock,
    parse_asset,
)
from wattle_gateway.ledger.errors import FormatError
from wattle_gateway.reports.accounts import AccountLine, AssetLine, Book, Holder, LockLine, Money

_ANOTHER_ROLE = "a member of another role, whose operator says"


def open_account(arguments: argparse.Namespace) -> None:
    """Open an account in an asset."""
    asset = _asset_name(arguments.asset)
    with opened_book(arguments.folder) as (book, _):
        _declared(book, asset)
        holder = book.holder(own_kid(arguments))
    sent = send(arguments, transaction.OPEN, Open(asset).row())
    tell(arguments, sent, f"{_called(holder)} has an account in {asset} now", "")


def issue(arguments: argparse.Namespace) -> None:
    """Issue an asset; the first time declares it."""
    asset = _asset_name(arguments.asset)
    with opened_book(arguments.folder) as (book, _):
        decimals = _decimals(book, asset, arguments.decimals)
        amount = parsed_amount(arguments.amount, asset, decimals)
        own = own_kid(arguments)
        to = own if arguments.to is None else book.kid_of(arguments.to)
        holder = book.holder(to)
    sent = send(arguments, transaction.ISSUE, Issue(asset, decimals, to, amount).row())
    done = f"issued {shown_amount(amount, decimals)} {asset} to {_called(holder)}"
    tell(arguments, sent, done, _ANOTHER_ROLE)


def redeem(arguments: argparse.Namespace) -> None:
    """Take own money of an asset that one has issued out of the world."""
    asset = _asset_name(arguments.asset)
    with opened_book(arguments.folder) as (book, _):
        decimals = _declared(book, asset).decimals
        amount = parsed_amount(arguments.amount, asset, decimals)
    sent = send(arguments, transaction.REDEEM, Redeem(asset, amount).row())
    tell(arguments, sent, f"redeemed {shown_amount(amount, decimals)} {asset}", "")


def transfer(arguments: argparse.Namespace) -> None:
    """Pay."""
    asset = _asset_name(arguments.asset)
    with opened_book(arguments.folder) as (book, _):
        decimals = _declared(book, asset).decimals
        amount = parsed_amount(arguments.amount, asset, decimals)
        to = book.kid_of(arguments.to)
        holder = book.holder(to)
    sent = send(arguments, transaction.TRANSFER, Transfer(asset, to, amount).row())
    done = f"transferred {shown_amount(amount, decimals)} {asset} to {_called(holder)}"
    tell(arguments, sent, done, "")


def lock(arguments: argparse.Namespace) -> None:
    """Lock money, of which for a time only another party disposes."""
    asset = _asset_name(arguments.asset)
    until_ms = parsed_time(arguments.until)
    with opened_book(arguments.folder) as (book, _):
        decimals = _declared(book, asset).decimals
        amount = parsed_amount(arguments.amount, asset, decimals)
        kid = book.kid_of(arguments.holder)
        holder = book.holder(kid)
    sent = send(arguments, transaction.LOCK, Lock(asset, amount, kid, until_ms).row())
    done = (
        f"locked {shown_amount(amount, decimals)} {asset} for {_called(holder)} until "
        f"{shown_time(until_ms)} UTC; the lock is {sent.digest}"
    )
    tell(arguments, sent, done, "")


def unlock(arguments: argparse.Namespace) -> None:
    """End a lock."""
    with opened_book(arguments.folder) as (book, _):
        held = book.lock_named(arguments.lock)
        decimals = _declared(book, held.asset).decimals
        taken = 0
        if arguments.take is not None:
            taken = parsed_amount(arguments.take, held.asset, decimals)
    sent = send(arguments, transaction.UNLOCK, Unlock(held.digest, taken).row())
    back = shown_amount(held.amount - taken, decimals)
    done = f"took {shown_amount(taken, decimals)} {held.asset}, {back} went back to its owner"
    tell(arguments, sent, done, "")


def show(arguments: argparse.Namespace) -> None:
    """Who has what; also of a stopped gateway."""
    asset = None if arguments.asset is None else _asset_name(arguments.asset)
    with opened_book(arguments.folder, arguments.snapshot) as (book, moment):
        if asset is not None:
            _declared(book, asset)
        kid = None if arguments.party is None else book.kid_of(arguments.party)
        found = Money(
            moment.commit,
            moment.state_digest,
            book.account_lines(kid, asset),
            book.lock_lines(kid, asset),
            book.asset_lines(asset),
        )
    if arguments.format == "json":
        print(json.dumps(_as_json(found), indent=2))
        return
    console().print(_accounts_table(found.accounts))
    if found.locks:
        console().print(_locks_table(found.locks))
    console().print(_assets_table(found.assets))


def _asset_name(text: str) -> str:
    try:
        return parse_asset(text)
    except FormatError as error:
        raise UsageError(str(error)) from error


def _declared(book: Book, name: str) -> Asset:
    asset = book.asset(name)
    if asset is None:
        known = ", ".join(line.asset for line in book.asset_lines(None)) or "none yet"
        raise UsageError(f"there is no asset {name} on the ledger; there is: {known}")
    return asset


def _decimals(book: Book, name: str, wanted: int | None) -> int:
    asset = book.asset(name)
    if asset is None:
        if wanted is None or not 0 <= wanted <= DECIMALS_MAX:
            raise UsageError(
                f"{name} is new: declare it with --decimals 0 to {DECIMALS_MAX}, digits after the "
                "point"
            )
        return wanted
    if wanted not in (None, asset.decimals):
        raise UsageError(f"{name} was declared with {asset.decimals} decimals, not {wanted}")
    return asset.decimals


def _called(holder: Holder) -> str:
    return f"{plain_name(holder.name)} ({holder.kid})" if holder.name else holder.kid


def _as_json(found: Money) -> dict[str, Any]:
    """Amounts as text with the asset's decimals, and in smallest units under `.._units`."""
    content = asdict(found)
    for rows in (content["accounts"], content["locks"], content["assets"]):
        for row in rows:
            for name in ("unlocked", "locked", "amount", "issued", "redeemed"):
                if name in row:
                    row[f"{name}_units"] = row[name]
                    row[name] = shown_amount(row[name], row["decimals"])
    return content


def _accounts_table(lines: list[AccountLine]) -> Table:
    table = Table(title=f"accounts: {len(lines)}")
    for name in ("party", "kid", "asset"):
        table.add_column(name)
    for name in ("unlocked", "locked"):
        table.add_column(name, justify="right")
    for line in lines:
        table.add_row(
            shown_name(line.party.name),
            line.party.kid,
            line.asset,
            shown_amount(line.unlocked, line.decimals),
            shown_amount(line.locked, line.decimals),
        )
    return table


def _locks_table(lines: list[LockLine]) -> Table:
    table = Table(title=f"locks: {len(lines)}")
    for name in ("lock", "owner", "asset"):
        table.add_column(name)
    table.add_column("amount", justify="right")
    for name in ("holder", "until"):
        table.add_column(name)
    for line in lines:
        table.add_row(
            line.digest,
            shown_name(line.owner.name) or line.owner.kid,
            line.asset,
            shown_amount(line.amount, line.decimals),
            shown_name(line.holder.name) or line.holder.kid,
            shown_time(line.until_ms),
        )
    return table


def _assets_table(lines: list[AssetLine]) -> Table:
    table = Table(title=f"assets: {len(lines)}")
    for name in ("asset", "issuer"):
        table.add_column(name)
    for name in ("issued", "redeemed", "in accounts"):
        table.add_column(name, justify="right")
    for line in lines:
        table.add_row(
            line.asset,
            shown_name(line.issuer.name) or line.issuer.kid,
            shown_amount(line.issued, line.decimals),
            shown_amount(line.redeemed, line.decimals),
            shown_amount(line.issued - line.redeemed, line.decimals),
        )
    return table
