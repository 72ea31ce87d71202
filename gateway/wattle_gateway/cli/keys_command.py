"""keys: make, seal, show, rotate, rewrap."""

import argparse
import json
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from wattle_gateway import config
from wattle_gateway.admin.channel import ask
from wattle_gateway.cli.alliance_arguments import folder, output_format
from wattle_gateway.cli.folder import home_of
from wattle_gateway.cli.text import shown_time
from wattle_gateway.errors import NotRunningError, StorageKeyError
from wattle_gateway.home import sealing
from wattle_gateway.home.identity import load_genesis
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.runtime.lock import InstanceLock
from wattle_gateway.sealing import ring as rings
from wattle_gateway.sealing import storage_key
from wattle_gateway.sealing.ring import Ring
from wattle_gateway.sealing.row_seal import SEALS_A_KEY_MAX
from wattle_gateway.store import connection, resealing, sealed_file
from wattle_gateway.store.connection import store_errors_named

_ROTATE_DEADLINE_S = 10.0


def add(command: argparse.ArgumentParser) -> None:
    """The grammar."""
    commands = command.add_subparsers(metavar="COMMAND", required=True)
    make = commands.add_parser("make", help="a new random storage key in a file")
    make.add_argument("file", type=Path, metavar="FILE", help="to write (mode 0600)")
    make.set_defaults(run=_make)
    for name, run, text in (
        ("seal", _seal, "seal the folder of a stopped gateway"),
        ("rewrap", _rewrap, "let another storage key open a sealed folder (gateway stopped)"),
    ):
        one = commands.add_parser(name, help=text)
        folder(one)
        one.add_argument(
            "--storage-key", required=True, metavar="SOURCE", help=f"{storage_key.FORMS}"
        )
        one.set_defaults(run=run)
    show = commands.add_parser("show", help="what a folder is sealed with")
    folder(show)
    output_format(show, "text", "json")
    show.set_defaults(run=_show)
    rotate = commands.add_parser(
        "rotate", help="seal under a new data key from now on (running or stopped)"
    )
    folder(rotate)
    rotate.set_defaults(run=_rotate)


def _make(arguments: argparse.Namespace) -> None:
    storage_key.make_file(arguments.file)
    print(f"{arguments.file}: a new storage key; without it nothing sealed under it can be opened")


def _seal(arguments: argparse.Namespace) -> None:
    home = home_of(arguments.folder)
    source = storage_key.check_form(arguments.storage_key)
    with InstanceLock(home.lock):
        ring = sealing.seal_folder(home, source)
    print(f"{home.folder}: sealed with keyring {ring.keyring.id.hex()}, which {source} opens")
    print("keep a copy of that key elsewhere: backups are sealed, too")
    if config.load(home.config).archive.target:
        print("what is in the archive already: `wattle-gateway archive reseal` seals it")


def _rewrap(arguments: argparse.Namespace) -> None:
    home = home_of(arguments.folder)
    source = storage_key.check_form(arguments.storage_key)
    with InstanceLock(home.lock):
        sealing.rewrap(home, source)
    print(f"{home.folder}: {source} opens it now, and nothing else does")
    print("backups made before are opened by the storage key of their time")


def _rotate(arguments: argparse.Namespace) -> None:
    home = home_of(arguments.folder)
    try:
        number = int(ask(home.admin_socket, "rotate", _ROTATE_DEADLINE_S)["number"])
        print(f"data key {number} seals from now on; older rows follow while the gateway runs")
        _tell_archive(home)
        return
    except NotRunningError:
        pass
    with InstanceLock(home.lock):
        ring = _ring(home)
        ledger_id = load_genesis(home).ledger_id
        for one in sealing.databases(home):  # both open before anything changes
            connection.open_writer(one.path, one.kind, ledger_id).close()
        number = ring.rotate(time.time_ns() // 1_000_000)
        for one in sealing.databases(home):
            writer = connection.open_writer(one.path, one.kind, ledger_id)
            with closing(writer), store_errors_named(one.path):
                while resealing.step(writer, one.kind):
                    pass
        gone = ring.forget_before(number)
    print(f"data key {number} seals, and all rows are resealed; {gone} older keys are removed")
    _tell_archive(home)


def _tell_archive(home: GatewayHome) -> None:
    older = [f"{key.number}" for key in _ring(home).keyring.archive]
    if older:
        print(
            f"what is in the archive stays under archive key {', '.join(older)}: "
            "`wattle-gateway archive reseal`"
        )


def _ring(home: GatewayHome) -> Ring:
    ring = rings.beside(home.config)
    if ring is None:
        raise StorageKeyError(f"{home.folder}: not sealed; `wattle-gateway keys seal` seals it")
    return ring


def _show(arguments: argparse.Namespace) -> None:
    home = home_of(arguments.folder)
    row = _facts(home)
    if arguments.format == "json":
        print(json.dumps(row, indent=2))
        return
    if row["keyring"] is None:
        print("sealed        no: whoever copies the disk reads all of it")
        return
    print(f"keyring       {row['keyring']}, opened by {row['storage_key']}")
    for key in row["data_keys"]:
        print(
            f"data key {key['number']:<5}of {shown_time(key['made_ms'])} UTC, "
            f"{key['seals']} of at most {SEALS_A_KEY_MAX} seals"
        )
    for key in row["archive_keys"]:
        print(f"archive key {key['number']:<2}of {shown_time(key['made_ms'])} UTC")
    for name, file in row["files"].items():
        state = "all rows are under the newest key"
        if file["oldest"] < row["data_keys"][-1]["number"]:
            state = f"rows under data key {file['oldest']} and later are being resealed"
        print(f"{name:<14}{state}")
    if row["plain_keys"]:
        print(f"NOT SEALED    {', '.join(row['plain_keys'])}; run `wattle-gateway keys seal` again")


def _facts(home: GatewayHome) -> dict[str, Any]:
    ring = rings.beside(home.config)
    if ring is None:
        return {"keyring": None}
    files = {}
    ledger_id = load_genesis(home).ledger_id
    for one in sealing.databases(home):
        with closing(connection.open_reader(one.path, one.kind, ledger_id)) as reader:
            mark = sealed_file.load(reader)
        files[one.path.name] = {"oldest": 0 if mark is None else mark.oldest}
    return {
        "keyring": ring.keyring.id.hex(),
        "storage_key": config.load_storage(home.config).key,
        "data_keys": [
            {"number": key.number, "made_ms": key.made_ms, "seals": key.seals}
            for key in ring.keyring.keys
        ],
        "archive_keys": [
            {"number": key.number, "made_ms": key.made_ms} for key in ring.keyring.archive
        ],
        "files": files,
        "plain_keys": sealing.plain_keys(home),
    }
