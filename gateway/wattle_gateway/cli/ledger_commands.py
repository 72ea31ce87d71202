"""commit show, checkpoint: what the ledger says, for people and for strangers."""

import argparse
import json
import sys
from pathlib import Path

from wattle_gateway.cli.commit_text import commit_lines
from wattle_gateway.cli.folder import home_of, opened_ledger
from wattle_gateway.cli.text import plain_name
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import checkpoint as checkpoint_format
from wattle_gateway.ledger.checkpoint import NOTE_BYTES_MAX, Note
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.reports import checkpoints, commits
from wattle_gateway.reports.checkpoints import Verified
from wattle_gateway.store import base_rows

EXIT_DIFFERENT = 1


def commit_show(arguments: argparse.Namespace) -> None:
    """One commit: how it came about and what it brought."""
    with opened_ledger(home_of(arguments.folder)) as (first, reader):
        begins = base_rows.first_index(reader) - 1
        (newest,) = reader.execute("SELECT coalesce(max(commit_index), 0) FROM commits").fetchone()
        index = newest if arguments.index is None else arguments.index
        found = commits.read(reader, first_epoch(first), index)
    if found is None:
        has = f"the newest is {newest}" if newest else "the ledger has none yet"
        if begins:
            has += f"; this gateway's ledger begins with commit {begins}, older ones others have"
        raise UsageError(f"there is no commit {index}; {has}")
    if arguments.format == "json":
        print(json.dumps(found.as_json(), indent=2))
    else:
        print("\n".join(commit_lines(found)))


def checkpoint(arguments: argparse.Namespace) -> int:
    """Print a checkpoint that a quorum has signed, or verify one from elsewhere."""
    if arguments.verify is not None:
        return _verify(arguments)
    with opened_ledger(home_of(arguments.folder)) as (_, reader):
        found = checkpoints.find(reader, arguments.at)
    if found is None:
        at = "yet" if arguments.at is None else f"at {arguments.at} leaves"
        raise UsageError(
            f"there is no checkpoint {at}: members sign the commit that enters a new minute"
        )
    if arguments.format == "json":
        print(json.dumps(checkpoints.as_json(*found), indent=2))
    else:
        sys.stdout.write(found[1].decode())
    return 0


def _verify(arguments: argparse.Namespace) -> int:
    note = _note(arguments.verify)
    with opened_ledger(home_of(arguments.folder)) as (first, reader):
        found = checkpoints.verify(reader, first_epoch(first), note)
    if arguments.format == "json":
        print(json.dumps(found.as_json(), indent=2))
    else:
        _print_verified(found)
    return 0 if found.ok else EXIT_DIFFERENT


def _print_verified(found: Verified) -> None:
    for wrong in found.wrong:
        print(f"DIFFERENCE    {wrong}")
    if found.ok:
        known = "it is our log's" if found.known else "our log is not so far yet"
        names = ", ".join(plain_name(who.name) for who in found.signed)
        print(f"size          {found.size}\nroot          {found.root}, {known}")
        print(f"signed by     {names}, members of epoch {found.epoch}")


def _note(path: Path) -> Note:
    try:
        with path.open("rb") as file:
            return checkpoint_format.parse_note(file.read(NOTE_BYTES_MAX + 1))
    except OSError as error:
        raise UsageError(f"{path}: cannot be read: {error.strerror}") from error
    except LedgerError as error:
        raise UsageError(f"{path}: not a checkpoint: {error}") from error
