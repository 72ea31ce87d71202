"""meters enrol, list, move, revoke."""

import argparse
import csv
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cryptography import x509
from rich.table import Table
from wattle_wire import topics
from wattle_wire.errors import WireError

from wattle_gateway.admin.channel import ask
from wattle_gateway.cli import enrolment_file, update_commands
from wattle_gateway.cli.folder import home_of, opened_ledger, opened_operation
from wattle_gateway.cli.state_book import opened_book
from wattle_gateway.cli.text import console, plain_name, shown_name, shown_time
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import transaction
from wattle_gateway.pki import authority
from wattle_gateway.reports import meters
from wattle_gateway.reports.alliance import Who

# Longer than the gateway itself waits for a commit.
ADMIN_DEADLINE_S = 45.0
# 25 A at 230 V: what a household circuit carries at most.
RATING_W = 5_750
_NO_RATIO = [1, 1]
_FIRST_DEVICE = "1"
# Standard input or output, for who enrols through ssh.
_STREAM = Path("-")
_FORWARD = 1


def enrol(arguments: argparse.Namespace) -> None:
    """Put a meter on the ledger and fetch its certificate."""
    home = home_of(arguments.folder)
    file = enrolment_file.parse(_read(arguments.proof), str(arguments.proof))
    answer = ask(
        home.admin_socket,
        "enrol",
        ADMIN_DEADLINE_S,
        proof=file.proof.hex(),
        site=arguments.site or file.site,
        carry=0,
        points=_points(arguments, file),
        owner=_owner(arguments),
        further=arguments.further,
    )
    if answer["waits"] is not None:
        _print_waiting(arguments, answer)
        return
    if arguments.certificate is not None:
        _write_certificate(arguments.certificate, answer["certificate"].encode())
    if arguments.format == "json":
        print(json.dumps({name: answer[name] for name in ("meter", "site", "new", "waits")}))
        return
    how = "enrolled" if answer["new"] else "was enrolled already"
    print(f"meter {answer['meter']} {how} at site {answer['site']}")


def _read(path: Path) -> bytes:
    size = enrolment_file.FILE_BYTES_MAX + 1
    try:
        if path == _STREAM:
            return sys.stdin.buffer.read(size)
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error


def _points(arguments: argparse.Namespace, file: enrolment_file.EnrolmentFile) -> list[list[Any]]:
    """The points of an enrol body: those of the file, with --points for ratings and capacities
    (then both must name the same devices); of a bare proof those of --points.
    """
    text = arguments.points
    if text is None:
        text = ",".join(
            f"{point.device}:{point.rating_w or arguments.rating}" for point in file.points
        )
    rows = points_rows(
        text or _FIRST_DEVICE, arguments.rating, arguments.capacity, arguments.commodity
    )
    if not file.points:
        return rows
    found = {point.device: point for point in file.points}
    if sorted(found) != sorted(row[0] for row in rows):
        raise UsageError(
            f"--points {text!r}, expected the devices of the file: {', '.join(map(str, found))}"
        )
    for row in rows:
        point = found[row[0]]
        row[4:] = [point.ct, point.vt, point.orient]
    return rows


def _owner(arguments: argparse.Namespace) -> str | None:
    """The kid of the points' owner, None for this gateway's member."""
    if arguments.owner is None:
        return None
    with opened_book(arguments.folder) as (book, _):
        return book.kid_of(arguments.owner).hex()


def _print_waiting(arguments: argparse.Namespace, answer: dict[str, Any]) -> None:
    """The enrolment is on the ledger, the meter not yet: a member of another role has a say."""
    waits = answer["waits"]
    if arguments.format == "json":
        print(json.dumps({name: answer[name] for name in ("meter", "site", "new", "waits")}))
        return
    print(
        f"meter {answer['meter']} at site {answer['site']} waits until "
        f"{shown_time(waits['until_ms'])} UTC for a member of another role, whose operator says:\n"
        f"    wattle-gateway alliance approve DIR {waits['digest']}\n"
        "after that, the same `meters enrol` once more gives its certificate"
    )


def revoke(arguments: argparse.Namespace) -> None:
    """Take a meter off the ledger."""
    home = home_of(arguments.folder)
    try:
        topics.kid_of_meter(arguments.meter)
    except WireError as error:
        raise UsageError(str(error)) from error
    answer = ask(
        home.admin_socket,
        "revoke",
        ADMIN_DEADLINE_S,
        meter=arguments.meter,
        last_seq=arguments.last_seq,
    )
    print(f"meter {answer['meter']} revoked; its last sample that counts is {answer['last_seq']}")


def move(arguments: argparse.Namespace) -> None:
    """Give a meter another home or other further gateways."""
    home = home_of(arguments.folder)
    try:
        topics.kid_of_meter(arguments.meter)
    except WireError as error:
        raise UsageError(str(error)) from error
    further = [] if arguments.no_further else arguments.further or None
    answer = ask(
        home.admin_socket,
        "move",
        ADMIN_DEADLINE_S,
        meter=arguments.meter,
        home=arguments.home,
        further=further,
    )
    if arguments.format == "json":
        print(json.dumps({name: answer[name] for name in ("meter", "home", "further", "waits")}))
        return
    others = ", ".join(map(_name, answer["further"])) or "none"
    gateways = f"home {_name(answer['home'])}, further gateways: {others}"
    waits = answer["waits"]
    if waits is None:
        print(f"meter {answer['meter']}: {gateways}")
        return
    print(
        f"meter {answer['meter']}: {gateways}; waits until {shown_time(waits['until_ms'])} UTC "
        f"for {' or '.join(map(_name, waits['approvers']))}, whose operator says:\n"
        f"    wattle-gateway alliance approve DIR {waits['digest']}"
    )


def _name(who: dict[str, str]) -> str:
    return plain_name(who["name"]) or who["kid"]


def list_meters(arguments: argparse.Namespace) -> None:
    """Print the registry."""
    home = home_of(arguments.folder)
    with (
        opened_ledger(home) as (first, reader),
        opened_operation(home, first.ledger_id) as operation,
    ):
        found = meters.of_ledger(reader, operation, first, None)
    news = update_commands.news(home)
    if arguments.format == "json":
        rows = [{**asdict(line), "update": news.get(line.meter)} for line in found]
        print(json.dumps(rows, indent=2))
    elif arguments.format == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(_CSV_COLUMNS)
        for line in found:
            values = asdict(line)
            values["home"] = line.home.kid
            values["further"] = " ".join(one.kid for one in line.further)
            writer.writerow(["" if (v := values[c]) is None else v for c in _CSV_COLUMNS])
    else:
        console().print(meters_table(found, news))


_CSV_COLUMNS = (
    "meter",
    "eui64",
    "site",
    "points",
    "protection",
    "signing_public",
    "first_seq",
    "final",
    "last_seq",
    "last_ms",
    "state",
    "firmware",
    "version",
    "home",
    "further",
)


def _shown_home(line: meters.MeterLine) -> str:
    """Home, then its further gateways, then what is amiss or to come."""
    words = [_shown_who(line.home)]
    if line.orphaned and line.state == meters.ENROLLED:
        words[0] += " (no vote)"
    words += [f"further: {_shown_who(one)}" for one in line.further]
    words += [f"waits for {_shown_who(one)}" for one in line.moving]
    return "\n".join(words)


def _shown_who(who: Who) -> str:
    """A member by its name, by its kid once it is none any more."""
    return shown_name(who.name) or who.kid


def meters_table(found: list[meters.MeterLine], news: dict[str, list[int]]) -> Table:
    """The registry for people; `news` of updates by meter id."""
    table = Table(title=f"meters: {len(found)}")
    for name in ("meter", "site", "home", "points", "key", "first", "final", "last"):
        table.add_column(name)
    table.add_column("newest reading")
    for name in ("state", "firmware", "update"):
        table.add_column(name)
    for line in found:
        table.add_row(
            line.meter,
            line.site,
            _shown_home(line),
            line.points,
            line.protection,
            str(line.first_seq),
            str(line.final),
            "" if line.last_seq is None else str(line.last_seq),
            shown_time(line.last_ms),
            line.state,
            line.firmware + (f" ({line.version})" if line.version else ""),
            update_commands.shown_news(news.get(line.meter)),
        )
    return table


def points_rows(text: str, rating_w: int, capacity_w: int, commodity: str) -> list[list[Any]]:
    """The points of an enrol body, without owners, from `D[:RATING[:CAPACITY]],..`."""
    (number,) = (code for code, name in transaction.COMMODITY_NAMES.items() if name == commodity)
    rows = []
    for part in text.split(","):
        fields = part.split(":")
        try:
            numbers = [int(field) for field in fields]
        except ValueError as error:
            raise UsageError(f"--points {text!r}: {part!r} is not D[:RATING[:CAPACITY]]") from error
        if len(numbers) > 3:
            raise UsageError(f"--points {text!r}: {part!r} is not D[:RATING[:CAPACITY]]")
        defaults = [1, rating_w, capacity_w]
        device, rating, capacity = [*numbers, *defaults[len(numbers) :]]
        rows.append(
            [
                device,
                number,
                rating,
                capacity,
                _NO_RATIO,
                _NO_RATIO,
                _FORWARD,
            ]
        )
    return rows


def _write_certificate(path: Path, pem: bytes) -> None:
    if path == _STREAM:
        print(pem.decode(), end="")
        return
    content = pem
    if path.suffix == ".der":
        content = authority.der(x509.load_pem_x509_certificate(pem))
    try:
        path.write_bytes(content)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error
