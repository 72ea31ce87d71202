"""voucher: what a point or a party is billed for, with what proves it; and whether one is true."""

import argparse
import json
import re
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

from wattle_gateway.cli.alliance_arguments import folder, output_format
from wattle_gateway.cli.folder import home_of, opened_ledger
from wattle_gateway.cli.points import parsed_point
from wattle_gateway.cli.quantities import milliseconds
from wattle_gateway.cli.state_book import opened_book
from wattle_gateway.cli.voucher_text import print_lines_csv, print_stretches_csv, print_text
from wattle_gateway.errors import UsageError
from wattle_gateway.interval_data import times, zones
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.reports import voucher as voucher_report
from wattle_gateway.reports import (
    voucher_check,
    voucher_document,
    voucher_proofs,
    voucher_tariff,
)
from wattle_gateway.reports.voucher import Question
from wattle_gateway.reports.voucher_tariff import Tariff

EXIT_DIFFERENT = 1
TARIFF_BYTES_MAX = 1 << 20
# A month of a point with two tariff periods and proofs is 400 kB.
DOCUMENT_BYTES_MAX = 1 << 28
_TEXT, _CSV, _STRETCHES, _JSON = "text", "csv", "csv-stretches", "json"
_DAY_S = 86_400


def add(command: argparse.ArgumentParser) -> None:
    """The arguments of `voucher`."""
    command.description = (
        "Opening and closing registers as meters signed them, energy by tariff period, what is "
        "missing, and what it rests on. With --verify: recomputes a voucher from the ledger and "
        "names the first difference; exit code 1 if there is one."
    )
    folder(command)
    command.add_argument(
        "who",
        nargs="?",
        metavar="METER/D|PARTY",
        help="a point, or all points of a party (name or kid) while they were its own",
    )
    when = "the year first, as 2026-11-01 or 2026-11-01T00:00+01:00; without an offset in the zone"
    command.add_argument("--from", dest="begin", metavar="TIME", help=f"beginning: {when}")
    command.add_argument("--to", dest="end", metavar="TIME", help="end, likewise")
    command.add_argument(
        "--timezone", metavar="ZONE", help="of times without an offset (default: the tariff's, UTC)"
    )
    command.add_argument(
        "--tariff", type=Path, metavar="FILE", help="TOML: periods and prices (VOUCHERS.md)"
    )
    command.add_argument(
        "--period",
        type=milliseconds,
        metavar="LENGTH",
        help="between readings (default: the commonest time between those that are there)",
    )
    command.add_argument(
        "--no-proofs", action="store_true", help="json without leaves, paths and checkpoint"
    )
    command.add_argument(
        "--verify", type=Path, metavar="FILE", help="a voucher in JSON, from wherever it comes"
    )
    output_format(command, _TEXT, _CSV, _STRETCHES, _JSON)
    command.set_defaults(run=voucher)


def voucher(arguments: argparse.Namespace) -> int:
    """Write a voucher, or verify one."""
    tariff = None if arguments.tariff is None else read_tariff(arguments.tariff)
    if arguments.verify is not None:
        return _verify(arguments, tariff)
    for name, given in (
        ("a point or a party", arguments.who),
        ("--from", arguments.begin),
        ("--to", arguments.end),
    ):
        if given is None:
            raise UsageError(f"{name} is missing")
    question = _question(arguments, tariff)
    with opened_ledger(home_of(arguments.folder)) as (genesis, reader):
        made = voucher_report.build(reader, first_epoch(genesis), question)
        document = voucher_document.as_json(made)
        if arguments.format == _JSON:
            if not arguments.no_proofs:
                document[voucher_check.PROOFS] = voucher_proofs.collect(reader, made)
            print(json.dumps(document, indent=1))
        elif arguments.format == _CSV:
            print_lines_csv(made)
        elif arguments.format == _STRETCHES:
            print_stretches_csv(made)
        else:
            print_text(made, voucher_document.digest(document))
    return 0


def read_tariff(path: Path) -> Tariff:
    """The tariff in a TOML file. UsageError for whatever is none."""
    try:
        with path.open("rb") as file:
            raw = file.read(TARIFF_BYTES_MAX + 1)
        if len(raw) > TARIFF_BYTES_MAX:
            raise UsageError(f"{path}: more than {TARIFF_BYTES_MAX} bytes are no tariff")
        table = tomllib.loads(raw.decode())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # of the encoding, the form, or a number beyond reason
        raise UsageError(f"{path}: no TOML: {error}") from error
    return voucher_tariff.parse(_plain(table), str(path))


def _plain(value: Any) -> Any:
    """TOML has dates of its own; the tariff's are text, as in JSON."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_plain(inner) for inner in value]
    return value.isoformat() if type(value) is date else value


def _question(arguments: argparse.Namespace, tariff: Tariff | None) -> Question:
    name = arguments.timezone or ("UTC" if tariff is None else tariff.zone_name)
    begin_ms, end_ms = moment_ms(arguments.begin, name), moment_ms(arguments.end, name)
    if begin_ms >= end_ms:
        raise UsageError(f"--from {arguments.begin} is not before --to {arguments.end}")
    point = party = None
    if "/" in arguments.who:
        point = parsed_point(arguments.who)
    else:
        party = party_kid(arguments.folder, arguments.who)
    return Question(point, party, begin_ms, end_ms, tariff, arguments.period)


def party_kid(home: Path, who: str) -> bytes:
    """The kid of a party by its name or kid; who has left is known by its kid alone. Raises
    UsageError for a name that nobody or several have."""
    if re.fullmatch("[0-9a-f]{16}", who):
        return bytes.fromhex(who)
    with opened_book(home) as (book, _):
        return book.kid_of(who)


def moment_ms(text: str, zone_name: str) -> int:
    """Unix ms of a time as written; without an offset it is one of the zone. Raises UsageError."""
    written = times.parse(text)
    zone = zones.named_zone(zone_name, written.wall_s - _DAY_S, written.wall_s + _DAY_S)
    return times.moment_s(written, zone, text) * 1_000


def _verify(arguments: argparse.Namespace, tariff: Tariff | None) -> int:
    document = _document(arguments.verify)
    with opened_ledger(home_of(arguments.folder)) as (genesis, reader):
        wrong = voucher_check.check(reader, first_epoch(genesis), document, tariff)
    leaves = document.get(voucher_check.PROOFS, {}).get("leaves", []) if wrong is None else []
    proved = sum(1 for row in leaves if row["path"] is not None)
    if arguments.format == _JSON:
        found = {"ok": wrong is None, "proved": proved, "leaves": len(leaves), "wrong": wrong}
        print(json.dumps(found, indent=2))
    elif wrong is None:
        print(f"voucher       {voucher_document.digest(document)}")
        print("result        it is what the ledger says")
        if leaves:
            print(f"proofs        {proved} of {len(leaves)} entries are proved to a stranger")
    else:
        print(f"DIFFERENCE    {wrong}")
    return 0 if wrong is None else EXIT_DIFFERENT


def _document(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > DOCUMENT_BYTES_MAX:
            raise UsageError(f"{path}: more than {DOCUMENT_BYTES_MAX} bytes are no voucher")
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path}: no JSON: {error}") from error
    if not isinstance(found, dict):
        raise UsageError(f"{path}: no voucher, expected a JSON object")
    return found
