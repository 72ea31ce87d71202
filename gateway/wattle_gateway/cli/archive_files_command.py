"""archive export, reseal: files of the archive in the clear for others, and in today's form."""

import argparse
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from wattle_gateway import config as configuration
from wattle_gateway.admin.channel import ask
from wattle_gateway.archive import fetching, resealing
from wattle_gateway.archive.attachment import target_of
from wattle_gateway.archive.target import S3_SCHEME
from wattle_gateway.cli.alliance_arguments import folder, output_format
from wattle_gateway.cli.folder import check_outside, home_of, opened_ledger
from wattle_gateway.cli.text import shown_bytes
from wattle_gateway.errors import NotRunningError, UsageError
from wattle_gateway.home import durable_file
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.runtime.lock import InstanceLock
from wattle_gateway.store import archive_rows

# A part is at most some 20 MiB, read and written once.
_RESEAL_DEADLINE_S = 300.0
_FILE_MODE, _FOLDER_MODE = 0o600, 0o700
_Step = Callable[[int, int | None], dict[str, Any]]


def add(commands: Any) -> None:
    """The grammar of both."""
    writing = commands.add_parser("export", help="files of the archive, checked, for an auditor")
    writing.description = (
        "Plain Parquet under the names that ARCHIVE.md gives them, also of an archive that is "
        "sealed. They hold every reading of their days: the folder should not be on this box."
    )
    folder(writing)
    writing.add_argument("to", type=Path, metavar="FOLDER", help="to write into")
    for name in ("from", "to"):
        writing.add_argument(
            f"--{name}",
            dest=f"{name}_day",
            metavar="YYYY-MM-DD",
            help=f"{'first' if name == 'from' else 'last'} UTC day of commits (default: all)",
        )
    output_format(writing, "text", "json")
    writing.set_defaults(run=export)
    again = commands.add_parser("reseal", help="put every file into today's form")
    again.description = (
        "Of a sealed folder, running or stopped: what was stored before it was sealed, or under "
        "older archive keys, is written anew under the newest one, and the older ones leave the "
        "keyring. With archive.plain = true what was sealed is put in the clear."
    )
    folder(again)
    output_format(again, "text", "json")
    again.set_defaults(run=reseal)


def export(arguments: argparse.Namespace) -> None:
    """Write files in the clear."""
    home = home_of(arguments.folder)
    check_outside(home, arguments.to)
    first, last = _day(arguments.from_day, "0001-01-01"), _day(arguments.to_day, "9999-12-31")
    target = target_of(home)
    _check_elsewhere(home, arguments.to)
    files = size_bytes = 0
    with opened_ledger(home) as (_, reader):
        for part in archive_rows.load(reader):
            if part.contents is None or not first <= part.day <= last:
                continue
            for file in archive_rows.files_of(reader, part.number).values():
                _write(arguments.to / file.name, fetching.fetch(target, file))
                files, size_bytes = files + 1, size_bytes + file.size_bytes
    if arguments.format == "json":
        row = {"folder": str(arguments.to), "files": files, "bytes": size_bytes}
        print(json.dumps(row, indent=2))
        return
    print(f"written       {files} files, {shown_bytes(size_bytes)}, in the clear: {arguments.to}")


def _day(given: str | None, otherwise: str) -> str:
    try:
        return date.fromisoformat(given or otherwise).isoformat()
    except ValueError as error:
        raise UsageError(f"{given!r} is no day, expected one as 2026-10-01") from error


def _check_elsewhere(home: GatewayHome, out: Path) -> None:
    """Files in the clear beside the sealed ones would be taken for the archive's own."""
    target = configuration.load(home.config).archive.target
    if not target.startswith(S3_SCHEME) and (home.folder / target).resolve() == out.resolve():
        raise UsageError(f"{out}: is the archive itself, expected another folder")


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(mode=_FOLDER_MODE, parents=True, exist_ok=True)
        durable_file.write(path, content, mode=_FILE_MODE)
    except OSError as error:
        raise UsageError(f"{path}: cannot be written: {error.strerror}") from error


def reseal(arguments: argparse.Namespace) -> None:
    """Put every file into today's form."""
    home = home_of(arguments.folder)
    plain = configuration.load(home.config).archive.plain
    target_of(home)  # says what is wrong with it before anything else
    written = of = forgotten = 0
    part: int | None = 1
    least: int | None = None
    with _stepping(home) as step:
        while part is not None:
            done = step(part, least)
            part, least = done["following"], done["least"]
            written, of = written + done["files"], of + done["of"]
            forgotten += done["forgotten"]
    if arguments.format == "json":
        row = {"files": of, "written": written, "key": least, "forgotten": forgotten}
        print(json.dumps({**row, "plain": plain}, indent=2))
        return
    if plain:
        print(f"written       {written} of {of} files, in the clear as archive.plain says")
        return
    print(f"written       {written} of {of} files; all are under archive key {least} or newer")
    if written:
        print("backup        older ones do not open these files any more: make a new one now")


@contextmanager
def _stepping(home: GatewayHome) -> Iterator[_Step]:
    """What takes a part, in the running gateway or here."""

    def ask_gateway(part: int, least: int | None) -> dict[str, Any]:
        return ask(home.admin_socket, "archive_reseal", _RESEAL_DEADLINE_S, part=part, least=least)

    try:
        ask(home.admin_socket, "ping", _RESEAL_DEADLINE_S)
    except NotRunningError:
        with InstanceLock(home.lock), opened_ledger(home) as (_, reader):
            target = target_of(home)
            yield lambda part, least: resealing.reseal(reader, target, part, least).as_json()
        return
    yield ask_gateway
