"""`wattle-tool update make`: an unsigned bundle for meters (SPEC section 17)."""

import argparse
import json
import re
import time
from collections.abc import Sequence
from pathlib import Path

from wattle_wire import bundle, update
from wattle_wire.bundle import Bundle
from wattle_wire.errors import WireError

from wattle_tools import board_folder, dry_run, site_file
from wattle_tools.boards.arguments import add_json_argument
from wattle_tools.device import firmware_folder
from wattle_tools.errors import UpdateError
from wattle_tools.image import build, romfs, sources
from wattle_tools.site_file import SiteFile

ENTRY_FILE = "entry"
_DONE = 0
_VERSION_LINE = re.compile(r'^VERSION = "([^"]+)"', re.MULTILINE)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds `update` to the commands of wattle-tool."""
    group = commands.add_parser("update", help="bundles that update meters in the field")
    make = group.add_subparsers(required=True, metavar="COMMAND").add_parser(
        "make", help="make a bundle, for two members to sign with `wattle-gateway update sign`"
    )
    make.add_argument("bundle", type=Path, help="the file to write")
    make.add_argument(
        "--site-file",
        type=Path,
        action="append",
        required=True,
        help="site.json of a gateway: which ledger the meters belong to; may be given again, "
        "the preferred one first",
    )
    make.add_argument(
        "--board",
        choices=(sources.ESP32, sources.LINUX),
        help="bring the firmware, for boards of this kind (default: no firmware)",
    )
    make.add_argument(
        "--alliance",
        action="store_true",
        help="bring the gateways and the members' keys that the site files name",
    )
    make.add_argument("--version", type=int, metavar="N", help="default: Unix ms now")
    make.add_argument("--name", help="for people (default: the firmware's version, or the ledger)")
    make.add_argument("--firmware", type=Path, help="sources (default: those that came with it)")
    dry_run.add_argument(make)
    add_json_argument(make)
    make.set_defaults(run=_make)


def firmware_file(firmware: Path, board: str) -> bytes:
    """`firmware.rom`: what a board of kind `board` runs, from the sources at `firmware`.

    Raises ImageError.
    """
    return _rom(build.image(firmware, board))


def _rom(image: build.Image) -> bytes:
    return romfs.rom_image({**image.files, ENTRY_FILE: image.entry.encode()})


def alliance_files(sites: Sequence[SiteFile]) -> list[tuple[str, bytes]]:
    """`alliance.json` and the authorities that it names; UpdateError without members' keys."""
    gateways = board_folder.preferred(sites)
    members = sites[0].members
    if len(members) < bundle.SIGNATURES_NEEDED:
        raise UpdateError(
            f"the site file names {len(members)} members that vote, expected "
            f"{bundle.SIGNATURES_NEEDED} or more: nobody could sign the next update",
            "take the site file of a gateway whose alliance has grown",
        )
    content = {
        "gateways": board_folder.gateway_rows(gateways),
        "members": [public.hex() for public in members],
    }
    files = [(update.ALLIANCE, json.dumps(content).encode())]
    for at, gateway in enumerate(gateways):
        files.append((board_folder.authority_name(at), gateway.authority))
    return files


def make(
    sites: Sequence[SiteFile], version: int, name: str, board: str, files: list[tuple[str, bytes]]
) -> Bundle:
    """A bundle without signatures. Raises UpdateError for what a meter would refuse."""
    if len({site.ledger_id for site in sites}) != 1:
        raise UpdateError(
            "the site files are of different ledgers", "name those of the gateways of one"
        )
    try:
        return bundle.make(sites[0].ledger_id, version, name, board, files)
    except WireError as error:
        raise UpdateError(
            f"no meter would take this update: {error}", "change what it names, and make it again"
        ) from error


def _make(options: argparse.Namespace) -> int:
    sites = [site_file.load(path) for path in options.site_file]
    files = []
    name = f"alliance of {sites[0].ledger_name}"
    if options.board is not None:
        firmware = options.firmware or firmware_folder()
        image = build.image(firmware, options.board)
        files.append((update.FIRMWARE, _rom(image)))
        name = f"firmware {_firmware_version(firmware)}"
    if options.alliance:
        files += alliance_files(sites)
    if not files:
        raise UpdateError("nothing to update", "give --board, --alliance or both")
    version = int(time.time() * 1_000) if options.version is None else options.version
    made = make(sites, version, options.name or name, options.board or "", files)
    written = {options.bundle: made.encode()}
    if options.board is not None:  # for who reads a log of this version
        names = options.bundle.with_name(options.bundle.name + build.NAMES_SUFFIX)
        written[names] = image.names.text().encode()
    if options.dry_run:
        would = [f"write {path}, {len(data)} bytes" for path, data in written.items()]
        return dry_run.tell(options.json, would, _facts(made))
    try:
        for path, data in written.items():
            path.write_bytes(data)
    except OSError as error:
        raise UpdateError(
            f"{options.bundle}: cannot be written: {error.strerror}",
            "name a file in a folder of yours",
        ) from error
    if options.json:
        print(json.dumps({"bundle": str(options.bundle), **_facts(made)}, indent=1))
        return _DONE
    print(f"version {version} ({made.update.name}), for ledger {made.ledger_id.hex()}")
    for file, size, digest in made.update.files:
        print(f"{file} {size} bytes, SHA-256 {digest.hex()}")
    return _DONE


def _facts(made: Bundle) -> dict[str, object]:
    """A bundle for programs."""
    rows = [
        {"name": file, "bytes": size, "sha256": digest.hex()}
        for file, size, digest in made.update.files
    ]
    return {
        "version": made.update.version,
        "name": made.update.name,
        "ledger": made.ledger_id.hex(),
        "files": rows,
    }


def _firmware_version(firmware: Path) -> str:
    path = firmware / "wattle_meter" / "app.py"
    try:
        found = _VERSION_LINE.search(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UpdateError(
            f"{path}: cannot be read: {error.strerror}",
            "--firmware names the folder of the firmware",
        ) from error
    if found is None:
        raise UpdateError(f"{path}: names no VERSION", "give --name")
    return found[1]
