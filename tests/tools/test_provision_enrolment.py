"""A provisioned ESP32 comes onto the ledger of a real gateway: at once, or from its file."""

import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import cbor2
import pytest
from cryptography import x509
from ecdsa import NIST256p, VerifyingKey
from ecdsa.util import sigdecode_string
from wattle_gateway.cli.folder import opened_ledger
from wattle_gateway.contracts import registry
from wattle_gateway.ledger.transaction import Point
from wattle_gateway.store import ledger_rows
from wattle_hil.serial_board.bench import BoardBench
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.serial_boards import found, mac
from wattle_testkit.technician import WIFI
from wattle_tools.boards.meter_record import GATEWAY
from wattle_tools.cli import main
from wattle_tools.provision import enrolment

pytestmark = pytest.mark.usefixtures("wifi_password")

THROUGH = f"{sys.executable} -m wattle_gateway"
METER = ("--profile", "sdm630", "--ct", "200/5", "--rating", "138000")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[GatewayProcess]:
    found = GatewayProcess(tmp_path_factory.mktemp("grid") / "gateway", "--site", "substation-7")
    found.start()
    try:
        yield found
    finally:
        found.kill()


def provision(port: str, folder: Path, gateway: GatewayProcess, *options: str) -> int:
    words = ("--port", port, "--output", str(folder), "--site-file", str(gateway.home.bundle))
    return main(["provision", *words, *WIFI, *METER, *options])


def point_of(gateway: GatewayProcess, meter: str) -> Point:
    """The only point of a meter, as the ledger has it."""
    with opened_ledger(gateway.home) as (_, reader):
        found = registry.meters(ledger_rows.load_state(reader))
    [point] = next(row.points for row in found if row.kid.hex() == meter)
    return point


def test_a_meter_is_enrolled_while_it_is_provisioned(
    gateway: GatewayProcess, bench: BoardBench, installed: bytes, tmp_path: Path
) -> None:
    port = bench.add(mac(1), installed)
    through = ("--enrol-through", THROUGH, "--gateway-folder", str(gateway.folder))
    assert provision(port, tmp_path, gateway, *through) == 0
    board = found(port)
    assert board.contents is not None
    record = board.contents.record
    assert record is not None
    assert record.certificate is not None
    assert (record.certificate.issuer, record.certificate.until[:4]) == (GATEWAY, "2049")
    point = point_of(gateway, record.meter)
    assert (point.rating_w, tuple(point.ct), tuple(point.vt)) == (138_000, (200, 5), (1, 1))
    assert main(["audit", "--action", "enrol", "--output", str(tmp_path / "audit.txt")]) == 0
    assert record.meter in (tmp_path / "audit.txt").read_text()


def test_a_meter_is_enrolled_from_its_file_and_given_its_certificate(
    gateway: GatewayProcess,
    bench: BoardBench,
    installed: bytes,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    port = bench.add(mac(2), installed)
    assert provision(port, tmp_path, gateway) == 0
    [file] = tmp_path.glob(f"*{enrolment.SUFFIX}")
    check_proof(json.loads(file.read_text()))
    issued = tmp_path / "tls.pem"
    words = ["--through", THROUGH, "--gateway-folder", str(gateway.folder)]
    assert main(["enrol", str(file), *words, "--certificate", str(issued)]) == 0
    assert f"certificate --mac {mac(2).hex(':')}" in capsys.readouterr().out
    # That of another meter is not taken.
    other = tmp_path / "other.pem"
    clerk = tmp_path / "clerk.enrol"
    clerk.write_bytes(gateway.board("clerk").proof())
    done = command("meters", "enrol", gateway.folder, clerk, "--certificate", other)
    assert done.returncode == 0, done.stderr
    assert main(["certificate", "--port", port, str(other)]) == 1
    assert "not for this board's TLS key" in capsys.readouterr().err
    assert main(["certificate", "--port", port, str(issued), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mac"] == mac(2).hex(":")
    board = found(port)
    assert board.contents is not None
    assert board.contents.record is not None
    assert board.contents.record.certificate is not None
    assert board.contents.record.certificate.until[:4] == "2049"
    der = x509.load_pem_x509_certificate(issued.read_bytes())
    assert der.subject.rfc4514_string() == f"CN={board.contents.record.meter}"
    meter = board.contents.record.meter
    assert main(["retire", meter, *words]) == 7
    assert state_of(gateway, meter) == "enrolled"
    capsys.readouterr()
    assert main(["retire", meter, *words, "--confirm", meter, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["retired"] is True
    assert state_of(gateway, meter) == "revoked"
    capsys.readouterr()
    assert main(["retire", meter, *words, "--confirm", meter]) == 9
    assert "the ledger refused it" in capsys.readouterr().err


def state_of(gateway: GatewayProcess, meter: str) -> str:
    done = command("meters", "list", gateway.folder, "--format", "json")
    [row] = [row for row in json.loads(done.stdout) if row["meter"] == meter]
    return str(row["state"])


def check_proof(row: dict[str, str]) -> None:
    """The proof of possession verifies by a package that shares no code with ours."""
    protected, _, payload, signature = cbor2.loads(bytes.fromhex(row["proof"])).value
    public = cbor2.loads(payload)[1]
    aad = cbor2.dumps(["wattle/1/enrol", bytes.fromhex(row["ledger_id"])])
    message = cbor2.dumps(["Signature1", protected, aad, payload])
    key = VerifyingKey.from_string(public, curve=NIST256p)
    assert key.verify(signature, message, hashfunc=hashlib.sha256, sigdecode=sigdecode_string)
    assert hashlib.sha256(public).hexdigest()[:16] == row["meter"]
