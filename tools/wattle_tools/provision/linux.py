"""`wattle-tool provision FOLDER`: this machine as a meter."""

import argparse
import json
import os
import shutil
import sys
from pathlib import Path

from wattle_tools import board_folder, site_file, tool_home
from wattle_tools.audit import command as audit_command
from wattle_tools.audit import log
from wattle_tools.board_folder import Firmware
from wattle_tools.device import firmware_folder
from wattle_tools.errors import DONE, SettingsError, ToolError
from wattle_tools.proof import PROOF_FILE
from wattle_tools.provision import arguments
from wattle_tools.site_file import SiteFile
from wattle_tools.sites import book


def run(options: argparse.Namespace) -> int:
    """Provisions the folder; the exit code."""
    if len(options.port) != 1:
        raise SettingsError("no serial line to the metering devices", "name one with --port")
    choice = arguments.choice(options, options.port[0])
    sites = site_files(options)
    if options.dry_run:
        raise SettingsError("--dry-run is for boards on the line", "leave it out")
    journal = audit_command.journal(options)
    micropython = options.micropython or Path(shutil.which("micropython") or "micropython")
    firmware = Firmware(micropython, options.firmware or firmware_folder())
    facts: dict[str, object] = {"folder": str(options.folder)}
    try:
        board = board_folder.provision(options.folder, sites, choice, firmware)
    except ToolError as error:
        journal.append("provision", log.FAILED, facts={**facts, "reason": str(error)[:400]})
        raise
    site = choice.site or sites[0].site
    facts |= {"meter": board.meter, "eui64": board.eui64.hex(), "site": site}
    facts["protection"] = board.protection
    journal.append("provision", log.DONE, facts=facts)
    proof = options.folder / PROOF_FILE
    if options.json:
        print(json.dumps({**facts, "proof": str(proof)}, indent=1))
        return DONE
    print(board.meter)
    print(f"EUI-64 {board.eui64.hex()}, key: {board.protection}, proof {proof}", file=sys.stderr)
    return DONE


def site_files(options: argparse.Namespace) -> list[SiteFile]:
    """What is known of the site: the files that were named, else that of the site in the book.

    Raises SettingsError, SiteFileError.
    """
    if options.site_file:
        files = [site_file.load(path) for path in options.site_file]
    else:
        home = tool_home.find(options.home, os.environ)
        site = book.get(home, options.site)
        options.site = site.name
        files = [site.file]
    return [book.preferring(files[0], options.gateway), *files[1:]]
