"""`wattle-tool provision FOLDER`: this machine as a meter."""

import argparse
import json
import os
import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path

from wattle_tools import board_folder, certificate, dry_run, site_file, tool_home
from wattle_tools.audit import command as audit_command
from wattle_tools.audit import log
from wattle_tools.audit.log import AuditLog
from wattle_tools.board_folder import BoardChoice, Firmware
from wattle_tools.device import firmware_folder
from wattle_tools.errors import DONE, SettingsError
from wattle_tools.proof import PROOF_FILE, Proof
from wattle_tools.provision import arguments, enrolment
from wattle_tools.site_file import SiteFile
from wattle_tools.sites import book
from wattle_tools.sites.authority import TechnicianAuthority

_FILE_BYTES_MAX = 16_384


def run(options: argparse.Namespace) -> int:
    """Provisions the folder; the exit code."""
    if len(options.port) != 1:
        raise SettingsError("no serial line to the metering devices", "name one with --port")
    choice = arguments.choice(options, options.port[0])
    sites = site_files(options)
    journal = audit_command.journal(options)
    micropython = options.micropython or Path(shutil.which("micropython") or "micropython")
    firmware = Firmware(micropython, options.firmware or firmware_folder())
    facts: dict[str, object] = {"folder": str(options.folder)}
    if options.dry_run:
        return _tell(options, sites, choice, firmware)
    with audit_command.begun(journal, "provision", facts=facts):
        board = board_folder.provision(options.folder, sites, choice, firmware)
    site = choice.site or sites[0].site
    facts |= {"meter": board.meter, "eui64": board.eui64.hex(), "site": site}
    facts["protection"] = board.protection
    file = options.folder / f"{board.meter}{enrolment.SUFFIX}"
    ledger_id = sites[0].ledger_id
    tool_home.write(file, enrolment.file_of(board, ledger_id, site, choice.devices))
    facts["certificate"] = _named(options, board, journal)
    journal.append("provision", log.DONE, facts=facts)
    if options.json:
        print(json.dumps({**facts, "enrolment_file": str(file)}, indent=1))
        return DONE
    print(board.meter)
    told = (
        f"EUI-64 {board.eui64.hex()}, key: {board.protection}, proof {options.folder / PROOF_FILE}"
    )
    print(f"{told}, enrolment file {file}, certificate {facts['certificate']}", file=sys.stderr)
    return DONE


def _tell(
    options: argparse.Namespace, sites: list[SiteFile], choice: BoardChoice, firmware: Firmware
) -> int:
    """A dry run: the firmware takes the settings, and makes keys, in a folder that goes again."""
    board_folder.rehearse(options.folder, sites, choice, firmware)
    has_keys = (options.folder / PROOF_FILE).exists()
    would = [
        f"write settings, profiles and authorities into {options.folder}",
        "keep the keys that it has" if has_keys else "have the board make its keys there",
        f"write {options.folder / f'<meter>{enrolment.SUFFIX}'}",
    ]
    if authority_of(options) is not None:
        would.append("issue a certificate of the technician's authority")
    would.append("note it in the audit record")
    site = choice.site or sites[0].site
    return dry_run.tell(options.json, would, {"folder": str(options.folder), "site": site})


def _named(options: argparse.Namespace, board: Proof, journal: AuditLog) -> str:
    """Gives the board a certificate of the technician's authority, if there is one and the board
    has none of its gateway; tells what it has then.
    """
    authority = authority_of(options)
    if authority is None:
        return "none"
    path = options.folder / certificate.CERTIFICATE_FILE
    # PEM of two is a technician's, and ends within a month; DER is the gateway's own.
    if path.exists() and not tool_home.read(path, _FILE_BYTES_MAX).startswith(b"-----BEGIN"):
        return "the gateway's own"
    issued = authority.issue(board.meter, board.tls_public, datetime.now(UTC))
    certificate.put(options.folder, issued.chain, "the technician's authority")
    facts: dict[str, object] = {"meter": board.meter, "site": authority.site}
    facts["serial"] = f"{issued.certificate.serial_number:x}"
    facts["until"] = authority.until.isoformat()
    journal.append("issue certificate", log.DONE, facts=facts)
    return f"until {authority.until:%Y-%m-%d}"


def authority_of(options: argparse.Namespace) -> TechnicianAuthority | None:
    """The technician's at the site of the options, if that is in the book. Raises AuthorityError,
    SettingsError.
    """
    home = tool_home.find(options.home, os.environ)
    if options.site_file or options.site not in book.names(home):
        return None
    return book.get(home, options.site).authority()


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
