"""`wattle-tool certificate FILE` for an ESP32: the certificate that its gateway issued."""

import argparse
import dataclasses
import json
from collections.abc import Callable

from wattle_tools import certificate
from wattle_tools.audit import command as audit_command
from wattle_tools.audit import log
from wattle_tools.boards import command as boards_command
from wattle_tools.boards import identity
from wattle_tools.boards.command import shown_record
from wattle_tools.boards.identity import FoundBoard
from wattle_tools.boards.meter_record import GATEWAY, MeterRecord
from wattle_tools.boards.repl import Repl
from wattle_tools.device import firmware_folder
from wattle_tools.errors import DONE, CertificateError, ToolError, UnfitBoardError
from wattle_tools.flash import fleet
from wattle_tools.mpremote_prints import set_aside
from wattle_tools.provision import board_keys, job
from wattle_tools.provision.brought import Brought

_FILE_BYTES_MAX = 16_384


def run(options: argparse.Namespace) -> int:
    """Installs it; the exit code."""
    try:
        data = options.certificate.read_bytes()[:_FILE_BYTES_MAX]
    except OSError as error:
        raise CertificateError(
            f"{options.certificate}: cannot be read: {error.strerror}"
        ) from error
    journal = audit_command.journal(options)
    program = board_keys.program(firmware_folder())
    source = str(options.certificate)
    with set_aside():
        found = fleet.find(boards_command.chosen_ports(options))
        [board] = fleet.choose(found, [options.mac] if options.mac else [], False)
        facts: dict[str, object] = {"file": source}
        try:
            [record] = fleet.each(
                [board], lambda one, check: install(one, data, source, program, check)
            )
        except ToolError as error:
            facts["reason"] = str(error)[:400]
            journal.append("certificate", log.FAILED, board.name, facts)
            raise
    facts["meter"] = record.meter
    if record.certificate is not None:
        facts["certificate_sha256"] = record.certificate.sha256
    journal.append("certificate", log.DONE, board.name, facts)
    if options.json:
        print(json.dumps({"mac": board.name, **facts}, indent=1))
    else:
        print(f"{board.name}: {shown_record(record)}")
    return DONE


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
        trusted = repl.value(_AUTHORITIES)
        if not isinstance(trusted, list) or not all(type(one) is bytes for one in trusted):
            raise UnfitBoardError("its authorities cannot be read", "provision it again")
        content = certificate.checked(data, proof, trusted, source)
        made = dataclasses.replace(record, certificate=job.certificate_record(content, GATEWAY))
        job.replace_files(repl, {job.CERTIFICATE: content}, made, lambda step, share: None)
        repl.restart()
    return made


_AUTHORITIES = """
import os
r = []
for n in os.listdir('/'):
 if n.startswith('authority') and n.endswith('.der'):
  with open('/' + n, 'rb') as f: r.append(f.read())
print(r)
"""
