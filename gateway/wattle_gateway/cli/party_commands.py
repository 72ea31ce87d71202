"""party word, register, list; meters points, assign: who is who, and who owns what."""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.table import Table
from wattle_wire import cose

from wattle_gateway.cli.points import parsed_point
from wattle_gateway.cli.sending import Sent, own_kid, send, tell
from wattle_gateway.cli.state_book import opened_book
from wattle_gateway.cli.text import console, parsed_time, plain_name, shown_name, shown_time
from wattle_gateway.errors import UsageError
from wattle_gateway.home import durable_file
from wattle_gateway.ledger import crypto, hosted_word, transaction
from wattle_gateway.ledger.account_bodies import Assign, Register
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.pki import keys
from wattle_gateway.reports.accounts import Book, OwnerLine, PartyLine, PointLine

SITE_FILE_BYTES_MAX = 1 << 20
# A day: the new owner need not be at hand.
ASSIGN_AHEAD_MS = 24 * 3_600_000


def word(arguments: argparse.Namespace) -> None:
    """Sign the word of a user who is to be hosted, with a key that is made if it is not there."""
    ledger_id, host, host_name = _site(arguments.site_file)
    if not arguments.key_file.exists():
        try:
            keys.save_private(arguments.key_file, keys.new_p256())
        except OSError as error:
            raise UsageError(f"{arguments.key_file}: {error.strerror}") from error
    key = keys.load_p256(arguments.key_file)
    public = crypto.public_of(key)
    if not 1 <= len(arguments.name) <= hosted_word.NAME_CHARS_MAX:
        raise UsageError(f"--name: expected 1 to {hosted_word.NAME_CHARS_MAX} characters")
    raw = hosted_word.build(
        ledger_id,
        public,
        crypto.signer(key),
        version=time.time_ns() // 1_000_000,
        name=arguments.name,
        host=host,
    )
    try:
        durable_file.write(arguments.output, raw)
    except OSError as error:
        raise UsageError(f"{arguments.output}: cannot be written: {error.strerror}") from error
    kid = cose.kid_of(public).hex()
    if arguments.format == "json":
        print(json.dumps({"kid": kid, "name": arguments.name, "host": host.hex()}))
        return
    print(
        f"{arguments.name} is {kid}; give {arguments.output} to {plain_name(host_name)}, whose "
        f"operator says:\n    wattle-gateway party register DIR {arguments.output.name}\n"
        f"keep {arguments.key_file}: it signs all that this party does"
    )


def register(arguments: argparse.Namespace) -> None:
    """Bring a user to the ledger."""
    try:
        raw = arguments.word.read_bytes()
    except OSError as error:
        raise UsageError(f"{arguments.word}: cannot be read: {error.strerror}") from error
    with opened_book(arguments.folder) as (_, moment):
        try:
            said = hosted_word.parse(raw, moment.epoch.ledger_id, crypto.verify)
        except LedgerError as error:
            raise UsageError(f"{arguments.word}: no word for this ledger: {error}") from error
    sent = send(arguments, transaction.REGISTER, Register(raw).row())
    done = f"{plain_name(said.name)} ({said.kid.hex()}) is a party of the ledger now"
    tell(arguments, sent, done, "a member of another role, whose operator says")


def list_parties(arguments: argparse.Namespace) -> None:
    """Print members and hosted users."""
    with opened_book(arguments.folder, arguments.snapshot) as (book, _):
        found = book.party_lines()
    if arguments.format == "json":
        print(json.dumps([asdict(line) for line in found], indent=2))
    else:
        console().print(_parties_table(found))


def approve(arguments: argparse.Namespace) -> None:
    """Say yes to what waits for the holder of a key."""
    sent: list[Sent] = []
    for digest in arguments.what:
        try:
            body = transaction.approve_body(transaction.Approve(bytes.fromhex(digest)))
        except (ValueError, LedgerError) as error:
            raise UsageError(f"{digest!r}, expected the 64 digits of a digest") from error
        sent.append(send(arguments, transaction.APPROVE, body))
    if arguments.format == "json":
        print(json.dumps([{"digest": one.digest} for one in sent]))
        return
    for digest in arguments.what:
        print(f"approved {digest}")


def points(arguments: argparse.Namespace) -> None:
    """Print the points of all meters with their owners."""
    with opened_book(arguments.folder, arguments.snapshot) as (book, moment):
        found = book.point_lines(moment.time_ms)
    if arguments.format == "json":
        print(json.dumps([asdict(line) for line in found], indent=2))
    else:
        console().print(_points_table(found))


def assign(arguments: argparse.Namespace) -> None:
    """Hand a point on to a new owner, who has to agree."""
    meter, device = parsed_point(arguments.point)
    with opened_book(arguments.folder) as (book, moment):
        # A time that has passed when the new owner agrees would be refused.
        from_ms = moment.time_ms + ASSIGN_AHEAD_MS
        if arguments.begin is not None:
            from_ms = parsed_time(arguments.begin)
        owner = book.kid_of(arguments.owner)
        _check_owned(book, arguments, moment.time_ms)
    sent = send(arguments, transaction.ASSIGN, Assign(meter, device, from_ms, owner).row())
    new = plain_name(arguments.owner)
    tell(arguments, sent, "", f"its new owner {new}, who says (a hosted user with --key FILE)")


def _check_owned(book: Book, arguments: argparse.Namespace, time_ms: int) -> None:
    lines = {line.point: line for line in book.point_lines(time_ms)}
    if arguments.point not in lines:
        raise UsageError(f"no point {arguments.point!r}; see `wattle-gateway meters points`")
    last = lines[arguments.point].owners[-1].owner
    if last.kid != own_kid(arguments).hex():
        raise UsageError(
            f"{arguments.point} is {plain_name(last.name)}'s ({last.kid}): only its owner hands "
            "it on; a hosted user signs with --key FILE"
        )


def _site(path: Path) -> tuple[bytes, bytes, str]:
    """(ledger id, kid and name of the gateway's member) of a site.json."""
    try:
        raw = path.read_bytes()
        if len(raw) > SITE_FILE_BYTES_MAX:
            raise UsageError(f"{path}: {len(raw)} bytes are no site.json")
        content: dict[str, Any] = json.loads(raw)
        gateway = content["gateway"]
        ledger_id = bytes.fromhex(content["ledger_id"])
        return ledger_id, bytes.fromhex(gateway["block_kid"]), str(gateway["name"])
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path}: not a site.json of a gateway") from error


def _parties_table(lines: list[PartyLine]) -> Table:
    table = Table(title=f"parties: {len(lines)}")
    for name in ("party", "kid", "role", "hosted by"):
        table.add_column(name)
    for line in lines:
        host = "" if line.host is None else shown_name(line.host.name) or line.host.kid
        table.add_row(shown_name(line.name), line.kid, line.role, host)
    return table


def _points_table(lines: list[PointLine]) -> Table:
    table = Table(title=f"points: {len(lines)}")
    for name in ("point", "commodity"):
        table.add_column(name)
    for name in ("rating W", "adjustable W"):
        table.add_column(name, justify="right")
    for name in ("owner", "since", "then"):
        table.add_column(name)
    for line in lines:
        table.add_row(
            line.point,
            line.commodity,
            str(line.rating_w),
            str(line.capacity_w),
            shown_name(line.owner.name) or line.owner.kid,
            _since(line.owners[line.now]),
            ", ".join(
                f"{shown_name(one.owner.name) or one.owner.kid} from {_since(one)}"
                for one in line.owners[line.now + 1 :]
            ),
        )
    return table


def _since(owned: OwnerLine) -> str:
    return shown_time(owned.from_ms) if owned.from_ms else "enrolment"
