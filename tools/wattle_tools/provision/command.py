"""`wattle-tool provision` of an ESP32 on the line."""

import argparse
import getpass
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from wattle_tools import tool_home
from wattle_tools.audit import command as audit_command
from wattle_tools.audit import log
from wattle_tools.audit.log import AuditLog
from wattle_tools.board_folder import BoardChoice
from wattle_tools.boards import command as boards_command
from wattle_tools.boards.command import shown_record
from wattle_tools.boards.identity import FoundBoard
from wattle_tools.device import firmware_folder
from wattle_tools.errors import SettingsError
from wattle_tools.flash import fleet
from wattle_tools.mpremote_prints import set_aside
from wattle_tools.proof import Proof
from wattle_tools.provision import (
    arguments,
    board_keys,
    enrol_command,
    enrolment,
    job,
    linux,
)
from wattle_tools.provision import settings as meter_settings
from wattle_tools.provision.brought import Brought
from wattle_tools.provision.job import Order, ProvisionResult
from wattle_tools.provision.settings import Esp32Choice
from wattle_tools.site_file import SiteFile
from wattle_tools.sites.authority import Issued, TechnicianAuthority

PASSWORD_VARIABLE = "WATTLE_WIFI_PASSWORD"
_PASSWORD_BYTES_MAX = 256


@dataclass(frozen=True)
class Bench:
    """What all provisionings of a run share. `enrol`: the gateway's command and its folder."""

    firmware: Path
    program: Brought
    journal: AuditLog
    enrol: tuple[list[str], str] | None
    dry: bool = False


def run(options: argparse.Namespace) -> int:
    """Provisions one board; the exit code."""
    for name in ("board", "wifi"):
        if getattr(options, name) is None:
            raise SettingsError(
                f"--{name} is missing", "give it; a Linux board is provisioned by its FOLDER"
            )
    choice = Esp32Choice(
        arguments.choice(options, ""), options.board, options.wifi, password(options)
    )
    [site] = linux.site_files(options)[:1]
    authority = linux.authority_of(options)
    bench = bench_of(options)
    order = order_of(bench, site, authority, choice)
    if not bench.dry:
        tool_home.check_folder(options.output)
    with set_aside():
        board = boards_command.one(options)
        begin(bench, board, order)
        [result] = fleet.each([board], lambda one, check: job.run(one, order, _quiet, check))
    note(bench, result, order)
    written = enrolment_file(bench, result, choice.meter, order, options.output)
    if options.json:
        print(json.dumps({"dry_run": bench.dry, **as_json(result, written)}, indent=1))
    else:
        _print(result, written)
    return result.code


def password(options: argparse.Namespace) -> str:
    """The wireless network's: never an argument, which everybody on this machine could read."""
    if options.wifi_password_file is not None:
        data = tool_home.read(options.wifi_password_file, _PASSWORD_BYTES_MAX)
        return data.decode(errors="replace").rstrip("\r\n")
    found = os.environ.get(PASSWORD_VARIABLE)
    if found is None and sys.stdin.isatty():
        found = getpass.getpass(f"password of {options.wifi}: ")
    if not found:
        raise SettingsError(
            f"no password for the wireless network {options.wifi}",
            f"give --wifi-password-file, or set {PASSWORD_VARIABLE}",
        )
    return found


def bench_of(options: argparse.Namespace) -> Bench:
    """Raises SettingsError, ImageError, AuditError."""
    firmware = options.firmware or firmware_folder()
    journal = audit_command.journal(options)
    enrol = enrol_command.through(options) if options.enrol_through is not None else None
    return Bench(firmware, board_keys.program(firmware), journal, enrol, options.dry_run)


def order_of(
    bench: Bench, site: SiteFile, authority: TechnicianAuthority | None, choice: Esp32Choice
) -> Order:
    """What one board is to become. Raises SettingsError."""
    made = meter_settings.settings(site, choice, bench.firmware)
    enrol: Callable[[Proof], bytes] | None = None
    if bench.enrol is not None:
        command, folder = bench.enrol

        def enrol(proof: Proof) -> bytes:
            file = enrolment.file_of(proof, made.ledger_id, made.site, choice.meter.devices)
            facts: dict[str, object] = {"meter": proof.meter, "site": made.site}
            with audit_command.begun(bench.journal, "enrol", _mac(proof), facts):
                pem = enrolment.through(command, folder, proof.meter, file)
            bench.journal.append("enrol", log.DONE, _mac(proof), facts)
            return pem

    def issued(proof: Proof, one: Issued) -> None:
        facts = {
            "meter": proof.meter,
            "site": made.site,
            "serial": f"{one.certificate.serial_number:x}",
            "until": one.certificate.not_valid_after_utc.isoformat(),
        }
        bench.journal.append("issue certificate", log.DONE, _mac(proof), facts)

    return Order(
        made,
        bench.firmware,
        bench.program,
        authority,
        lambda: datetime.now(UTC),
        issued,
        enrol,
        bench.dry,
    )


def begin(bench: Bench, board: FoundBoard, order: Order) -> None:
    """Adds to the audit record that a board's job begins. Raises AuditError."""
    if not bench.dry:
        facts = {"settings_sha256": order.settings.digest, "site": order.settings.site}
        bench.journal.begin("provision", board.name, facts)


def note(bench: Bench, result: ProvisionResult, order: Order) -> None:
    """Adds to the audit record what came of a board. Raises AuditError."""
    if bench.dry:
        return
    facts: dict[str, object] = {"settings_sha256": order.settings.digest, **result.done}
    record = result.record
    if record is not None:
        facts |= {"meter": record.meter, "site": record.site, "protection": record.protection}
        facts["key_sha256"] = record.key_sha256
        if record.certificate is not None:
            facts["certificate_sha256"] = record.certificate.sha256
    if result.failed:
        facts |= {"code": result.code, "reason": result.reason[:400]}
    outcome = log.FAILED if result.failed else log.DONE
    bench.journal.append("provision", outcome, result.name, facts)


def enrolment_file(
    bench: Bench, result: ProvisionResult, meter: BoardChoice, order: Order, output: Path
) -> Path | None:
    """Writes the enrolment file of a board that came to its end; gives it. Raises ToolHomeError."""
    record, proof = result.record, result.proof
    if bench.dry or proof is None or record is None or "settings" not in result.done:
        return None
    data = enrolment.file_of(proof, order.settings.ledger_id, record.site, meter.devices)
    written = output / f"{proof.meter}{enrolment.SUFFIX}"
    tool_home.write(written, data)
    return written


def as_json(result: ProvisionResult, written: Path | None) -> dict[str, object]:
    """A result as a row of JSON."""
    record = result.record
    return {
        "mac": result.name,
        "port": result.port,
        "result": "failed" if result.failed else "done",
        "code": result.code,
        "reason": result.reason or None,
        "advice": result.advice or None,
        "seconds": round(result.seconds, 1),
        **result.done,
        "meter": record.meter if record else None,
        "site": record.site if record else None,
        "protection": record.protection if record else None,
        "enrolment_file": str(written) if written else None,
    }


def json_of(rows: Sequence[tuple[ProvisionResult, Path | None]], dry: bool) -> str:
    """Results with their enrolment files as one JSON object."""
    boards = [as_json(result, file) for result, file in rows]
    return json.dumps({"dry_run": dry, "boards": boards}, indent=1)


def _print(result: ProvisionResult, written: Path | None) -> None:
    print(f"{result.name}: " + ", ".join(f"{what} {how}" for what, how in result.done.items()))
    record = result.record
    if written is not None and record is not None:
        print(shown_record(record))
        if record.protection == "file":
            print("anybody with this board in hand can read its key (`wattle-tool seal`)")
        if "enrolment" not in result.done:
            print(f"take {written} to the gateway: wattle-gateway meters enrol DIR {written.name}")
        if record.certificate is None:
            print(
                "no broker lets it in yet: bring its certificate with "
                f"`wattle-tool certificate --mac {result.name} FILE`"
            )
    if result.failed:
        print(f"{result.name}: {result.reason}; {result.advice}", file=sys.stderr)


def _mac(proof: Proof) -> str:
    return (proof.eui64[:3] + proof.eui64[5:]).hex(":")


def _quiet(step: str, share: float) -> None:
    """One board needs no table."""
