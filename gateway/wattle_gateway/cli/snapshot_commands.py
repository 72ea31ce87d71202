"""snapshot export, verify, begin: the whole state of a commit in a file."""

import argparse
import json
from pathlib import Path

from wattle_gateway.cli.alliance_arguments import folder, output_format
from wattle_gateway.cli.beginning import begun, begun_text
from wattle_gateway.cli.folder import check_outside, home_of, opened_ledger
from wattle_gateway.cli.state_book import read_snapshot
from wattle_gateway.cli.text import plain_name, shown_bytes, shown_time
from wattle_gateway.contracts import snapshot as snapshot_format
from wattle_gateway.contracts.errors import SnapshotError
from wattle_gateway.errors import UsageError
from wattle_gateway.home import durable_file
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.reports import snapshots

EXIT_DIFFERENT = 1


def add(command: argparse.ArgumentParser) -> None:
    """The grammar of `snapshot`."""
    commands = command.add_subparsers(metavar="COMMAND", required=True)
    writing = commands.add_parser("export", help="write the state of a commit to a file")
    writing.description = (
        "Replays the ledger up to the commit, so it takes as long as an audit up to there. With a "
        "checkpoint that signs it (members sign one a minute) another gateway can begin with it. "
        "The file is in the clear, also of a sealed folder: keep it off this box."
    )
    folder(writing)
    writing.add_argument("file", type=Path, metavar="FILE", help="to write")
    writing.add_argument(
        "--commit",
        type=int,
        metavar="I",
        help="a commit with a root over the whole state (default: the newest)",
    )
    output_format(writing, "text", "json")
    writing.set_defaults(run=export)
    checking = commands.add_parser("verify", help="whether a snapshot is true")
    checking.description = (
        "Holds it against the gateway's own log, and beyond that against the members, who are "
        "known from the genesis on: a quorum must have signed a checkpoint that includes it. Exit "
        "code 1 if it is not proved."
    )
    folder(checking)
    checking.add_argument("file", type=Path, metavar="FILE", help="the snapshot")
    output_format(checking, "text", "json")
    checking.set_defaults(run=verify)
    starting = commands.add_parser("begin", help="let a gateway's ledger begin with one")
    starting.description = (
        "Proves the snapshot from the genesis on and makes it the beginning of the ledger of a "
        "stopped gateway that has none (just made by `alliance join`, or ledger.db is gone) or one "
        "that is not as far; that is set aside, and what waits in it waits on. What came since the "
        "gateway then fetches from the others; what was before is not on it. Exit code 1 if the "
        "snapshot is not proved: then nothing has changed."
    )
    folder(starting)
    starting.add_argument("file", type=Path, metavar="FILE", help="the snapshot")
    output_format(starting, "text", "json")
    starting.set_defaults(run=begin)


def option(command: "argparse.ArgumentParser | argparse._ArgumentGroup") -> None:
    """`--snapshot`, of commands that read the state."""
    command.add_argument(
        "--snapshot",
        type=Path,
        metavar="FILE",
        help="of this file, once it is proved, instead of the newest commit",
    )


def export(arguments: argparse.Namespace) -> None:
    """Write a snapshot."""
    home = home_of(arguments.folder)
    check_outside(home, arguments.file)
    with opened_ledger(home) as (genesis, reader):
        made = snapshots.export(reader, first_epoch(genesis), arguments.commit)
    commit = snapshot_format.check(made)
    try:
        durable_file.write_parts(arguments.file, made.parts())
        size = arguments.file.stat().st_size
    except OSError as error:
        raise UsageError(f"{arguments.file}: cannot be written: {error.strerror}") from error
    if arguments.format == "json":
        print(
            json.dumps(
                {
                    "commit": commit.index,
                    "state_digest": commit.state_digest.hex(),
                    "rows": len(made.state),
                    "signed": bool(made.note),
                }
            )
        )
        return
    signed = "" if made.note else "; no checkpoint signs it, only who has the commit can tell"
    print(
        f"commit {commit.index} of {shown_time(commit.time_ms)} UTC: {len(made.state)} rows, "
        f"{shown_bytes(size)}{signed}"
    )


def verify(arguments: argparse.Namespace) -> int:
    """Hold a snapshot against what a gateway knows."""
    with opened_ledger(home_of(arguments.folder)) as (genesis, reader):
        try:
            found = snapshots.prove(reader, first_epoch(genesis), read_snapshot(arguments.file))
        except SnapshotError as error:
            if arguments.format == "json":
                print(json.dumps({"ok": False, "wrong": str(error)}, indent=2))
            else:
                print(f"DIFFERENCE    {error}")
            return EXIT_DIFFERENT
    if arguments.format == "json":
        print(json.dumps({"ok": True, **found.as_json()}, indent=2))
        return 0
    names = ", ".join(plain_name(who.name) for who in found.signed_by)
    by = "it is in this gateway's log" if found.in_log else f"signed by {names}"
    print(f"commit        {found.commit} of {shown_time(found.time_ms)} UTC, {by}")
    print(f"state         {found.state_digest}, {found.rows} rows")
    return 0


def begin(arguments: argparse.Namespace) -> int:
    """Let a gateway without a ledger begin with a snapshot."""
    home = home_of(arguments.folder)
    try:
        row = begun(home, arguments.file)
    except SnapshotError as error:
        if arguments.format == "json":
            print(json.dumps({"ok": False, "wrong": str(error)}, indent=2))
        else:
            print(f"DIFFERENCE    {error}")
        return EXIT_DIFFERENT
    print(json.dumps(row, indent=2) if arguments.format == "json" else begun_text(row))
    return 0
