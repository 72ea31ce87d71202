"""archive now, status, verify; export and reseal are in archive_files_command."""

import argparse
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from typing import Any

from wattle_gateway import config as configuration
from wattle_gateway.admin.channel import ask
from wattle_gateway.archive.attachment import target_of
from wattle_gateway.archive.mover import Mover, Place
from wattle_gateway.archive.verification import verify as verify_archive
from wattle_gateway.cli import archive_files_command
from wattle_gateway.cli.alliance_arguments import folder, output_format
from wattle_gateway.cli.folder import home_of, ledger_reader
from wattle_gateway.cli.text import shown_bytes, shown_time
from wattle_gateway.errors import NotRunningError
from wattle_gateway.home.identity import load_genesis, load_member
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.runtime.clock import wall_ms
from wattle_gateway.runtime.lock import InstanceLock
from wattle_gateway.sealing import ring as rings
from wattle_gateway.store import archive_rows, schema
from wattle_gateway.store import connection as database
from wattle_gateway.store.connection import store_errors_named

EXIT_SOUND = 0
EXIT_DIFFERENT = 1
# Longer than the gateway works on an answer.
ADMIN_DEADLINE_S = 60.0
DAY_MS = 86_400_000


def add(command: argparse.ArgumentParser) -> None:
    """The grammar."""
    commands = command.add_subparsers(metavar="COMMAND", required=True)
    now = commands.add_parser("now", help="move what is old, without waiting for the next look")
    now.description = "Of a running or a stopped gateway; the target stands in config.toml."
    folder(now)
    now.add_argument(
        "--days", type=int, metavar="N", help="full days to keep (default: archive.retention_days)"
    )
    output_format(now, "text", "json")
    now.set_defaults(run=move)
    status = commands.add_parser("status", help="what has left, and what is still here")
    folder(status)
    output_format(status, "text", "json")
    status.set_defaults(run=show)
    verifying = commands.add_parser(
        "verify", help="read every file again and hold it against the ledger; exit code 1"
    )
    verifying.description = (
        "Every row is hashed and held against the tree, every block against its header, every "
        "reading against the bytes that the meter signed."
    )
    folder(verifying)
    output_format(verifying, "text", "json")
    verifying.set_defaults(run=verify)
    archive_files_command.add(commands)


def move(arguments: argparse.Namespace) -> None:
    """Move what is old."""
    home = home_of(arguments.folder)
    config = configuration.load(home.config).archive
    target_of(home)  # says what is wrong with it before anything else
    days = config.retention_days if arguments.days is None else arguments.days
    steps = 0
    try:
        answer = {"done": False}
        while not answer["done"]:
            answer = ask(home.admin_socket, "archive", ADMIN_DEADLINE_S, days=days)
            steps += answer["steps"]
    except NotRunningError:
        with InstanceLock(home.lock):
            steps += _move(home, days)
    found = _status(home)
    if arguments.format == "json":
        print(json.dumps({"steps": steps, **found}, indent=2))
        return
    print("moved         nothing was old enough" if steps == 0 else "moved         all that is old")
    _print_status(found)


def _move(home: GatewayHome, days: int) -> int:
    """On a stopped gateway; how many steps it took."""
    genesis = load_genesis(home)
    writer = database.open_writer(home.database, schema.LEDGER, genesis.ledger_id)
    with closing(writer), store_errors_named(home.database):

        def write(work: Callable[[sqlite3.Connection], None]) -> None:
            with database.transaction(writer):
                work(writer)

        mover = Mover(
            Place(target_of(home), genesis.ledger_id, load_member(home).kid),
            first_epoch(genesis),
            lambda: _opened(home, genesis.ledger_id),
            write,
        )
        steps = 0
        while mover.step(wall_ms() - days * DAY_MS) is not None:
            steps += 1
    return steps


@contextmanager
def _opened(home: GatewayHome, ledger_id: bytes) -> Iterator[sqlite3.Connection]:
    reader = database.open_reader(home.database, schema.LEDGER, ledger_id)
    with closing(reader), store_errors_named(home.database), database.snapshot(reader):
        yield reader


def show(arguments: argparse.Namespace) -> None:
    """What has left, and what is still here."""
    found = _status(home_of(arguments.folder))
    if arguments.format == "json":
        print(json.dumps(found, indent=2))
    else:
        _print_status(found)


def _status(home: GatewayHome) -> dict[str, Any]:
    config = configuration.load(home.config).archive
    with _opened(home, load_genesis(home).ledger_id) as reader:
        parts = archive_rows.load(reader)
        stored = [part for part in parts if part.contents is not None]
        files = [archive_rows.files_of(reader, part.number) for part in stored]
        oldest = reader.execute(
            "SELECT min(time_ms) FROM commits WHERE commit_index > ?",
            (archive_rows.gone_through(reader),),
        ).fetchone()[0]
        return {
            "target": config.target,
            "sealed": (home.folder / rings.NAME).exists() and not config.plain,
            "retention_days": config.retention_days,
            "parts": len(stored),
            "first_day": stored[0].day if stored else None,
            "last_day": stored[-1].day if stored else None,
            "last_commit": archive_rows.gone_through(reader),
            "archived_samples": sum(part.contents.samples for part in stored if part.contents),
            "archived_bytes": sum(file.size_bytes for one in files for file in one.values()),
            "under_way": bool(parts) and not parts[-1].done,
            "gone": asdict(archive_rows.gone(reader)),
            "oldest_here_ms": oldest,
            "ledger_bytes": home.database.stat().st_size,
            "free_bytes": archive_rows.free_bytes(reader),
        }


def _print_status(found: dict[str, Any]) -> None:
    target = found["target"] or "none: nothing leaves"
    sealed = ", sealed" if found["target"] and found["sealed"] else ""
    print(f"target        {target}, after {found['retention_days']} full days{sealed}")
    if found["parts"]:
        print(
            f"archived      {found['first_day']} to {found['last_day']}, {found['parts']} parts, "
            f"{found['archived_samples']} samples, {shown_bytes(found['archived_bytes'])}"
        )
        gone = found["gone"]
        print(
            f"left here     {gone['blocks']} blocks and {gone['entries']} entries of it are not in "
            "ledger.db any more"
        )
    else:
        print("archived      nothing yet")
    if found["under_way"]:
        print("under way     a part is being moved; `archive now` or the running gateway goes on")
    oldest_ms = found["oldest_here_ms"]
    since = "no commit yet" if oldest_ms is None else f"all since {shown_time(oldest_ms)} UTC"
    print(
        f"here          {since}, {shown_bytes(found['ledger_bytes'])}, "
        f"{shown_bytes(found['free_bytes'])} of it free for what comes"
    )


def verify(arguments: argparse.Namespace) -> int:
    """Read the archive again; gives the exit code."""
    home = home_of(arguments.folder)
    genesis = load_genesis(home)
    began = time.monotonic()
    wrong: list[dict[str, Any]] = []
    parts = samples = size_bytes = 0
    with ledger_reader(home, genesis.ledger_id) as reader:
        stored = any(part.contents is not None for part in archive_rows.load(reader))
        target = target_of(home) if stored else None
        for one in () if target is None else verify_archive(reader, target, genesis.ledger_id):
            parts += 1
            size_bytes += one.size_bytes
            samples += one.part.contents.samples if one.part.contents else 0
            if one.wrong:
                wrong.append({"part": one.part.number, "day": one.part.day, "wrong": one.wrong})
    row = {"ok": not wrong, "parts": parts, "samples": samples, "bytes": size_bytes, "wrong": wrong}
    if arguments.format == "json":
        print(json.dumps(row, indent=2))
        return EXIT_DIFFERENT if wrong else EXIT_SOUND
    print(f"read          {parts} parts, {samples} samples, {shown_bytes(size_bytes)}")
    for found in wrong:
        print(f"DIFFERENCE    part {found['part']} of {found['day']}: {found['wrong']}")
    seconds = time.monotonic() - began
    print(
        f"result        {len(wrong)} parts are not what was put there"
        if wrong
        else f"result        every leaf is that of the ledger's tree ({seconds:.1f} s)"
    )
    return EXIT_DIFFERENT if wrong else EXIT_SOUND
