"""backup, restore."""

import argparse
import json
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wattle_gateway import config
from wattle_gateway.cli.alliance_arguments import folder, output_format
from wattle_gateway.cli.folder import home_of
from wattle_gateway.cli.text import plain_name, shown_bytes, shown_time
from wattle_gateway.errors import ConfigError
from wattle_gateway.home import backup as backup_file
from wattle_gateway.home import restore as restoring
from wattle_gateway.home.backup_manifest import BackupManifest
from wattle_gateway.sealing import ring as rings

_SEALED = (
    "SEALED        private keys, payloads and state are encrypted as in the folder. What opens\n"
    "              the folder today opens this file, also after a `keys rewrap`; keep it:"
)
_KEYS = (
    "PRIVATE KEYS  all keys of this gateway are in it, not encrypted: who reads it can sign as\n"
    "              this gateway and admit meters to its site. Keep it as safe as the gateway."
)


def add(commands: Any) -> None:
    """The grammar of both."""
    writing = commands.add_parser("backup", help="all a gateway needs to begin again, in one file")
    writing.description = (
        "Of a running or a stopped gateway. The file holds its PRIVATE KEYS, encrypted if the "
        "folder is sealed. While it is written "
        "the databases lie beside it a second time."
    )
    folder(writing)
    writing.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="to write, on another disk"
    )
    output_format(writing, "text", "json")
    writing.set_defaults(run=backup)
    reading = commands.add_parser("restore", help="a gateway's folder from a backup")
    reading.description = (
        "Never let two gateways run with the same keys: of the one that was backed up nothing may "
        "start again."
    )
    reading.add_argument("file", type=Path, metavar="FILE", help="the backup")
    folder(reading)
    reading.add_argument(
        "--alone",
        action="store_true",
        help="it was its ledger's only member to the last: give up what it committed since",
    )
    output_format(reading, "text", "json")
    reading.set_defaults(run=restore)


def backup(arguments: argparse.Namespace) -> None:
    """Write a backup."""
    now_ms = time.time_ns() // 1_000_000
    home = home_of(arguments.folder)
    made = backup_file.back_up(home, arguments.output, now_ms)
    if arguments.format == "json":
        print(
            json.dumps(
                {
                    "file": str(arguments.output),
                    "bytes": made.bytes,
                    "private_keys": True,
                    "left_out": made.left_out,
                    **_row(made.manifest),
                },
                indent=2,
            )
        )
        return
    print(f"written       {arguments.output}, {shown_bytes(made.bytes)}")
    print("\n".join(_lines(made.manifest)))
    for name in made.left_out:
        print(f"NOT IN IT     {name}")
    ring = rings.beside(home.config)
    print(_KEYS if ring is None else f"{_SEALED} {config.load_storage(home.config).key}")


def restore(arguments: argparse.Namespace) -> None:
    """Make a folder from a backup."""
    done = restoring.restore(arguments.file, arguments.folder, alone=arguments.alone)
    if arguments.format == "json":
        row = {"folder": str(arguments.folder), "lost": not done.alone, **_row(done.manifest)}
        print(json.dumps(row, indent=2))
        return
    print(f"restored      {arguments.folder}")
    print("\n".join(_lines(done.manifest)))
    if done.alone:
        print(
            f"signing       it goes on from commit {done.manifest.commit}; what came after is gone"
        )
    else:
        print(
            "signing       what it has signed since is not known: it follows and signs nothing\n"
            "              until the members change or, of 2 or 3, all others have answered"
        )
    target = _archive_missing(arguments.folder)
    if target:
        print(f"archive       old days are in {target}: that folder must be here, too")
    print("next          `wattle-gateway run`; the gateway it was copied from must never run again")


def _archive_missing(folder: Path) -> str:
    """The archive's folder, if config.toml names one that is not there; "" if not."""
    try:
        target = config.load(folder / "config.toml").archive.target
    except ConfigError:
        return ""  # what is wrong with it, `run` says
    is_missing = target and "://" not in target and not (folder / target).is_dir()
    return f"{(folder / target).resolve()}" if is_missing else ""


def _row(manifest: BackupManifest) -> dict[str, Any]:
    row = asdict(manifest)
    row["files"] = len(manifest.files)
    return row


def _lines(manifest: BackupManifest) -> list[str]:
    return [
        f"gateway       {plain_name(manifest.member)} of {plain_name(manifest.ledger_name)}, "
        f"epoch {manifest.epoch}, {manifest.voting_members} voting members",
        f"stands at     commit {manifest.commit} of {shown_time(manifest.commit_ms)} UTC  "
        f"{manifest.commit_digest}",
        f"made          {shown_time(manifest.made_ms)} UTC, {len(manifest.files)} files",
    ]
