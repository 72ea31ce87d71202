"""One board's provisioning, so that half of it never passes for all of it.

The order: the record of before goes, then come keys and proof, enrolment and certificate, the files
beside those of before, read back by hash and renamed over them one by one (config.json last), and
the record as the very last act. A board that is pulled out has either settings whole; it shows as
half done, and the same command run again goes on.
"""

import contextlib
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from wattle_tools import certificate
from wattle_tools.boards import identity, meter_record
from wattle_tools.boards.identity import Contents, FoundBoard
from wattle_tools.boards.meter_record import GATEWAY, CertificateRecord, MeterRecord
from wattle_tools.boards.repl import Repl
from wattle_tools.certificate import CERTIFICATE_BYTES_MAX
from wattle_tools.errors import (
    AdvisedError,
    EnrolmentError,
    NoBoardError,
    ToolError,
    UnfitBoardError,
)
from wattle_tools.flash import installation
from wattle_tools.flash.job import LEFT, THERE, WRITTEN, JobResult, Told
from wattle_tools.proof import Proof
from wattle_tools.provision import board_keys, settings
from wattle_tools.provision.brought import Brought
from wattle_tools.provision.settings import Settings
from wattle_tools.sites.authority import Issued, TechnicianAuthority

CERTIFICATE = "/tls.crt.der"
CHECKED = "checked"
_NEW = ".new"


@dataclass(frozen=True)
class Order:
    """What a board is to become. `program`: what board_keys brings; `authority` names it to the
    brokers, None: nobody does yet. `enrol` takes the proof to the gateway and gives its certificate
    (PEM), None: that is done later, from a file; where it fails and there is an authority, the
    board gets its certificate. `issued` is told of each of those. `now`: the time.
    """

    settings: Settings
    firmware: Path
    program: Brought
    authority: TechnicianAuthority | None
    now: Callable[[], datetime]
    issued: Callable[[Proof, Issued], None]
    enrol: Callable[[Proof], bytes] | None = None
    dry: bool = False


@dataclass
class ProvisionResult(JobResult):
    """How it ended; `proof` and `record` when it came to that."""

    proof: Proof | None = None
    record: MeterRecord | None = None


def run(board: FoundBoard, order: Order, told: Told, check: Callable[[], None]) -> ProvisionResult:
    """Carries out the order on a board; `check` raises InterruptedJobError to end it."""
    result = ProvisionResult(board.name, board.port, board.chip)
    result.note(_Job(board, order, told, check, result).run)
    return result


class _Job:
    def __init__(
        self,
        board: FoundBoard,
        order: Order,
        told: Told,
        check: Callable[[], None],
        result: ProvisionResult,
    ) -> None:
        self._board = board
        self._order = order
        self._told = told
        self._check = check
        self._result = result

    def run(self) -> None:
        if self._board.contents is None or self._board.mac is None:
            raise self._board.trouble or NoBoardError(
                "it does not say which MAC it has", "only ESP32 boards can be provisioned"
            )
        contents = self._board.contents
        installation.check_interpreter(contents)
        if contents.state != identity.INSTALLED:
            raise UnfitBoardError(
                f"it is no meter yet: {contents.state}",
                f"flash it first: wattle-tool flash --board {self._board.name}",
            )
        self._told("check settings", 0.0)
        machine = contents.interpreter.machine
        plan = settings.check(self._order.settings, self._order.firmware, machine)
        self._result.done["plan"] = plan
        if self._order.dry:
            self._result.done["settings"] = CHECKED
            return
        with Repl(self._board.port, self._check) as repl:
            try:
                self._provision(repl, self._board.mac)
            except AdvisedError:
                # A board that is not what it was to become goes on with what it has.
                with contextlib.suppress(ToolError):
                    repl.restart()
                raise
            repl.restart()

    def _provision(self, repl: Repl, mac: bytes) -> None:
        contents = identity.read_contents(repl)
        if contents.mac != mac:
            raise NoBoardError(
                f"another board is on {self._board.port} now",
                "leave the boards plugged in, and run it again",
            )
        wanted = self._order.settings
        check_ledger(repl, wanted.ledger_id)
        there = repl.sha256([*wanted.files, CERTIFICATE])
        write = {path: data for path, data in wanted.files.items() if there.get(path) != _sha(data)}
        brought = {"program": self._order.program.data, CERTIFICATE: bytes(CERTIFICATE_BYTES_MAX)}
        installation.check_room(contents, {**write, **brought}, {})
        self._told("keys", 0.0)
        proof = board_keys.prove(
            repl,
            self._order.program,
            wanted.ledger_id,
            mac,
            lambda done: self._told("keys", done / len(self._order.program.data)),
        )
        self._result.proof = proof
        chain, certified = self._certificate(contents, proof, there.get(CERTIFICATE))
        if chain is not None:
            write = {CERTIFICATE: chain, **write}
        record = MeterRecord(
            proof.meter,
            wanted.site,
            wanted.ledger_id.hex(),
            proof.protection,
            _sha(proof.signing_public),
            wanted.digest,
            certified,
        )
        self._result.record = record
        self._result.done["certificate"] = _told_certificate(certified, chain)
        if not write and contents.record == record:
            self._result.done["settings"] = THERE
            return
        replace_files(repl, write, record, self._told)
        installation.let_installed_count(repl)
        self._result.done["settings"] = WRITTEN

    def _certificate(
        self, contents: Contents, proof: Proof, there: str | None
    ) -> tuple[bytes | None, CertificateRecord | None]:
        """(what is to be written, None for nothing; what the board then has)."""
        given = self._enrolled(proof)
        if given is not None:
            return given, certificate_record(given, GATEWAY)
        authority = self._order.authority
        known = self._kept(contents.record, proof.meter, there)
        if known is not None and (
            authority is None or known.issuer in (GATEWAY, authority.fingerprint)
        ):
            return None, known
        if authority is None:
            return None, None
        issued = authority.issue(proof.meter, proof.tls_public, self._order.now())
        self._order.issued(proof, issued)
        return issued.chain, certificate_record(issued.chain, authority.fingerprint)

    def _enrolled(self, proof: Proof) -> bytes | None:
        """The gateway's certificate, None if the meter is not enrolled now."""
        if self._order.enrol is None:
            return None
        self._told("enrol", 0.0)
        try:
            given = self._order.enrol(proof)
        except EnrolmentError as error:
            if self._order.authority is None:
                raise
            # The board comes to its end all the same: nobody has to come back for it.
            self._result.code = error.exit_code
            self._result.reason, self._result.advice = error.reason, error.advice
            return None
        self._result.done["enrolment"] = "on the ledger"
        files = self._order.settings.files
        trusted = [data for path, data in files.items() if path.startswith("/authority")]
        return certificate.checked(given, proof, trusted, "the gateway")

    def _kept(
        self, record: MeterRecord | None, meter: str, there: str | None
    ) -> CertificateRecord | None:
        """The certificate on the board if it is still this meter's, at this site, and good."""
        if record is None or record.certificate is None:
            return None
        is_ours = (record.meter, record.site) == (meter, self._order.settings.site)
        is_good = datetime.fromisoformat(record.certificate.until) > self._order.now()
        return (
            record.certificate
            if is_ours and is_good and there == record.certificate.sha256
            else None
        )


def check_ledger(repl: Repl, ledger_id: bytes) -> None:
    """Raises UnfitBoardError if the board is a meter of another ledger: sequence numbers count
    once for a key, so on two ledgers each would find the other's missing.
    """
    known = repl.value(_LEDGER_THERE)
    if known and known != ledger_id.hex():
        raise UnfitBoardError(
            f"it is a meter of ledger {known}, not of {ledger_id.hex()}",
            "take another board, or erase this one whole (esptool erase-flash) and flash it anew",
        )


def replace_files(repl: Repl, write: Mapping[str, bytes], record: MeterRecord, told: Told) -> None:
    """Puts files in the place of those of before, and the record last."""
    installation.remove_files(repl, [meter_record.PATH])
    drafts = {path + _NEW: data for path, data in write.items()}
    installation.write_files(repl, drafts, told)
    installation.verify_files(repl, drafts)
    order = sorted(write, key=lambda path: path == settings.CONFIG)
    repl.run(f"import os\nfor p in {order!r}: os.rename(p + {_NEW!r}, p)")
    last = {meter_record.PATH: record.encoded()}
    installation.write_files(repl, last, told)
    installation.verify_files(repl, {**write, **last})


def certificate_record(content: bytes, issuer: str) -> CertificateRecord:
    """What the record of a board says of a certificate file."""
    is_pem = content.startswith(b"-----BEGIN")
    read = x509.load_pem_x509_certificate if is_pem else x509.load_der_x509_certificate
    until = read(content).not_valid_after_utc.replace(microsecond=0)
    return CertificateRecord(_sha(content), until.astimezone(UTC).isoformat(), issuer)


def _told_certificate(certified: CertificateRecord | None, chain: bytes | None) -> str:
    if certified is None:
        return "none"
    what = LEFT if chain is None else WRITTEN
    return f"{what}, until {certified.until[:10]}"


def _sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


# Of config.json only the ledger's id crosses the line: the rest has a password in it.
_LEDGER_THERE = """
import json
try:
 with open('/config.json') as f: print(repr(str(json.load(f)['ledger_id'])[:64]))
except (OSError, ValueError, KeyError, TypeError):
 print(repr(''))
"""
