"""`wattle-tool certificate FILE` for an ESP32: the certificate that its gateway issued."""

import argparse
import dataclasses
import json
from collections.abc import Callable

from wattle_tools import certificate, dry_run
from wattle_tools.audit import command as audit_command
from wattle_tools.audit import log
from wattle_tools.boards import command as boards_command
from wattle_tools.boards import identity
from wattle_tools.boards.command import shown_record
from wattle_tools.boards.identity import FoundBoard
from wattle_tools.boards.meter_record import GATEWAY, MeterRecord
from wattle_tools.boards.repl import Repl
from wattle_tools.device import firmware_folder
from wattle_tools.errors import DONE, UnfitBoardError
from wattle_tools.flash import fleet
from wattle_tools.mpremote_prints import set_aside
from wattle_tools.provision import board_keys, job
from wattle_tools.provision.brought import Brought


def run(options: argparse.Namespace) -> int:
    """Installs it; the exit code."""
    data = certificate.read(options.certificate)
    if options.dry_run:
        return _rehearse(options, data)
    journal = audit_command.journal(options)
    program = board_keys.program(firmware_folder())
    source = str(options.certificate)
    with set_aside():
        board = boards_command.one(options)
        facts: dict[str, object] = {"file": source}
        with audit_command.begun(journal, "certificate", board.name, facts):
            [record] = fleet.each(
                [board], lambda one, check: install(one, data, source, program, check)
            )
    facts["meter"] = record.meter
    if record.certificate is not None:
        facts["certificate_sha256"] = record.certificate.sha256
    journal.append("certificate", log.DONE, board.name, facts)
    if options.json:
        print(json.dumps({"mac": board.name, **facts}, indent=1))
    else:
        print(f"{board.name}: {shown_record(record)}")
    return DONE


def _rehearse(options: argparse.Namespace, data: bytes) -> int:
    source = str(options.certificate)
    with set_aside():
        board = boards_command.one(options)
        [meter] = fleet.each([board], lambda one, check: offered(one, data, source, check))
    would = [
        f"have {board.name} prove that the certificate is for its key",
        f"put it in the place of what meter {meter} has, and start it again",
        "note it in the audit record",
    ]
    return dry_run.tell(options.json, would, {"mac": board.name, "meter": meter})


def offered(board: FoundBoard, data: bytes, source: str, check: Callable[[], None]) -> str:
    """The meter that a certificate names, if the board on the line is it and trusts who issued it.

    The board's TLS key is not asked for: that takes a program on the board. Raises as `install`.
    """
    if board.contents is None:
        raise board.trouble or UnfitBoardError("it does not answer", "plug it in again")
    if board.contents.record is None:
        raise UnfitBoardError("it is no meter yet", "provision it first")
    meter = board.contents.record.meter
    with Repl(board.port, check) as repl:
        certificate.for_meter(data, meter, _trusted(repl), source)
        repl.restart()
    return meter


def install(
    board: FoundBoard, data: bytes, source: str, program: Brought, check: Callable[[], None]
) -> MeterRecord:
    """Puts a certificate on a provisioned board; gives its new record.

    Raises CertificateError, and as board_keys.prove does.
    """
    if board.mac is None or board.contents is None:
        raise board.trouble or UnfitBoardError("it does not answer", "plug it in again")
    with Repl(board.port, check) as repl:
        record = identity.read_contents(repl).record
        if record is None:
            raise UnfitBoardError("it is no meter yet", "provision it first")
        ledger_id = bytes.fromhex(record.ledger)
        proof = board_keys.prove(repl, program, ledger_id, board.mac, lambda done: None)
        content = certificate.checked(data, proof, _trusted(repl), source)
        made = dataclasses.replace(record, certificate=job.certificate_record(content, GATEWAY))
        job.replace_files(repl, {job.CERTIFICATE: content}, made, lambda step, share: None)
        repl.restart()
    return made


def _trusted(repl: Repl) -> list[bytes]:
    trusted = repl.value(_AUTHORITIES)
    if not isinstance(trusted, list) or not all(type(one) is bytes for one in trusted):
        raise UnfitBoardError("its authorities cannot be read", "provision it again")
    return trusted


_AUTHORITIES = """
import os
r = []
for n in os.listdir('/'):
 if n.startswith('authority') and n.endswith('.der'):
  with open('/' + n, 'rb') as f: r.append(f.read())
print(r)
"""
