"""meters, samples and audit on a running gateway, as an operator meets them."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from wattle_gateway.cli import meter_commands, text
from wattle_gateway.errors import UsageError
from wattle_gateway.reports import samples as sample_report
from wattle_testkit.alliance import Board, epoch_of, reading
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.paper_meter import PaperMeter

DAY_MS = 1_790_000_000_000


@dataclass
class Office:
    """A running gateway; `board` is enrolled and has sent three samples of two readings."""

    gateway: GatewayProcess
    board: Board
    samples: list[bytes]

    def proof_file(self, board: Board, folder: Path) -> Path:
        path = folder / f"{board.name}.enrol"
        path.write_bytes(board.proof())
        return path

    def rows(self, *words: str) -> list[dict[str, str]]:
        done = command("samples", self.gateway.folder, "--format", "csv", *words)
        assert done.returncode == 0, done.stderr
        return list(csv.DictReader(io.StringIO(done.stdout)))


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    gateway = GatewayProcess(tmp_path_factory.mktemp("office") / "gateway")
    gateway.start()
    try:
        board = gateway.board("clerk")
        gateway.enrol(board, site="desk-3")
        with PaperMeter(board, gateway, site="desk-3") as meter:
            prev, sent = None, []
            for seq in (1, 2, 3):
                at_ms = DAY_MS + 10_000 * seq
                readings = [
                    reading(at_ms, ei=5000 + seq, p=-7 * seq, i=1, u=2300, f=5001),
                    reading(at_ms, device=2, status="T", ei1="T", q=-105),
                ]
                signed = board.sample(seq, readings, prev=prev)
                prev = signed.digest
                sent.append(signed.raw)
                meter.send(signed)
            meter.await_final(3)
        yield Office(gateway, board, sent)
    finally:
        gateway.kill()


class TestEnrol:
    def test_a_meter_gets_its_certificate(self, office: Office, tmp_path: Path) -> None:
        board = office.gateway.board("newcomer", first_seq=7)
        proof = office.proof_file(board, tmp_path)
        words = ("--site", "desk-4", "--rating", "3000", "--points", "1,3:11000:500")
        out = tmp_path / "certificate.der"
        done = command(
            "meters", "enrol", office.gateway.folder, proof, *words, "--certificate", out
        )
        assert (done.returncode, done.stderr) == (0, "")
        meter = board.kid.hex()
        assert done.stdout == f"meter {meter} enrolled at site desk-4\n"
        certificate = x509.load_der_x509_certificate(out.read_bytes())
        assert certificate.subject.rfc4514_string() == f"CN={meter}"
        assert certificate.not_valid_before_utc.year == 2000
        listed = json.loads(
            command("meters", "list", office.gateway.folder, "--format", "json").stdout
        )
        (line,) = [line for line in listed if line["meter"] == meter]
        assert (line["site"], line["first_seq"], line["final"]) == ("desk-4", 7, 6)
        assert line["last_seq"] is None
        assert line["points"] == (
            "1 electricity 3000 W (0 W adjustable), 3 electricity 11000 W (500 W adjustable)"
        )
        # Once more: no transaction, the same certificate, now as PEM.
        again = command(
            "meters", "enrol", office.gateway.folder, proof, "--certificate", tmp_path / "c.pem"
        )
        assert again.stdout == f"meter {meter} was enrolled already at site desk-4\n"
        assert x509.load_pem_x509_certificate((tmp_path / "c.pem").read_bytes()) == certificate

    def test_the_ledger_says_no_and_why(self, office: Office, tmp_path: Path) -> None:
        clerk = office.board
        other_keys = Board("clerk", clerk.epoch, first_seq=2)
        proof = office.proof_file(other_keys, tmp_path)
        done = command("meters", "enrol", office.gateway.folder, proof)
        assert done.returncode == 7
        said = "already_enrolled: the ledger has, or had, this meter"
        assert done.stderr == f"wattle-gateway: the ledger refused it: {said}\n"

    @pytest.mark.parametrize("name", ["foreign", "tampered", "garbage", "empty", "large"])
    def test_a_proof_that_proves_nothing(self, office: Office, tmp_path: Path, name: str) -> None:
        good = office.gateway.board("candidate").proof()
        path = tmp_path / "proof"
        path.write_bytes(
            {
                "foreign": Board("candidate", epoch_of()).proof(),
                "tampered": good[:-1] + bytes([good[-1] ^ 1]),
                "garbage": b"garbage",
                "empty": b"",
                "large": bytes(5000),
            }[name]
        )
        done = command("meters", "enrol", office.gateway.folder, path)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1
        assert "proof" in done.stderr

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            (("--points", "1,1"), "points [1, 1] are not at least one, rising"),
            (("--points", "0"), "point of device 0, expected 1 to 32"),
            (("--points", "one"), "'one' is not D[:RATING[:CAPACITY]]"),
            (("--points", "1:2:3:4"), "'1:2:3:4' is not D[:RATING[:CAPACITY]]"),
            (("--rating", "0"), "rating_w is 0, expected at least 1"),
            (("--site", "No"), "site 'No', expected only a-z, 0-9 and -"),
        ],
    )
    def test_arguments_that_cannot_be(
        self, office: Office, tmp_path: Path, words: tuple[str, ...], says: str
    ) -> None:
        proof = office.proof_file(office.gateway.board("candidate"), tmp_path)
        done = command("meters", "enrol", office.gateway.folder, proof, *words)
        assert done.returncode == 2
        assert says in done.stderr

    def test_no_gateway_runs(self, tmp_path: Path) -> None:
        gateway = GatewayProcess(tmp_path / "g")
        (tmp_path / "proof").write_bytes(gateway.board("early").proof())
        done = command("meters", "enrol", gateway.folder, tmp_path / "proof")
        assert done.returncode == 5
        assert "start it with `wattle-gateway run`" in done.stderr


class TestList:
    def test_csv_is_for_programs(self, office: Office) -> None:
        done = command("meters", "list", office.gateway.folder, "--format", "csv")
        rows = {row["meter"]: row for row in csv.DictReader(io.StringIO(done.stdout))}
        row = rows[office.board.kid.hex()]
        assert row["eui64"] == office.board.eui64.hex()
        assert row["signing_public"] == office.board.signing_key.hex()
        assert row["protection"] == "file"
        assert (row["first_seq"], row["final"], row["last_seq"]) == ("1", "3", "3")
        assert row["last_ms"] == str(DAY_MS + 30_000)
        assert row["state"] == "enrolled"

    def test_the_table_is_for_people(self, office: Office) -> None:
        text = command("meters", "list", office.gateway.folder).stdout
        assert office.board.kid.hex() in text
        assert "2026-09-21 14:13:50" in text


class TestRevoke:
    def test_by_default_the_newest_sample_still_counts(
        self, office: Office, tmp_path: Path
    ) -> None:
        board = office.gateway.board("leaver")
        proof = office.proof_file(board, tmp_path)
        command("meters", "enrol", office.gateway.folder, proof)
        meter = board.kid.hex()
        done = command("meters", "revoke", office.gateway.folder, meter)
        assert done.stdout == f"meter {meter} revoked; its last sample that counts is 0\n"
        again = command("meters", "revoke", office.gateway.folder, meter)
        assert again.returncode == 7
        assert "already_revoked" in again.stderr
        back = command("meters", "enrol", office.gateway.folder, proof)
        assert back.returncode == 7
        assert "already_enrolled" in back.stderr, "a revoked key stays on the ledger for ever"
        crl = x509.load_pem_x509_crl(office.gateway.home.revocations.read_bytes())
        path = office.gateway.home.meter_certificates / f"{meter}.pem"
        serial = x509.load_pem_x509_certificate(path.read_bytes()).serial_number
        assert crl.get_revoked_certificate_by_serial_number(serial) is not None

    def test_not_below_what_is_final(self, office: Office) -> None:
        done = command(
            "meters", "revoke", office.gateway.folder, office.board.kid.hex(), "--last-seq", "2"
        )
        assert done.returncode == 7
        assert "last_seq_below_final" in done.stderr

    @pytest.mark.parametrize(
        ("meter", "says"),
        [("0" * 16, "is not enrolled"), ("xyz", "expected 16 hex digits"), ("A" * 16, "lower")],
    )
    def test_no_such_meter(self, office: Office, meter: str, says: str) -> None:
        done = command("meters", "revoke", office.gateway.folder, meter)
        assert done.returncode == 2
        assert says in done.stderr


class TestSamples:
    def test_every_reading_is_a_row_of_exact_numbers(self, office: Office) -> None:
        rows = office.rows("--raw")
        assert [(row["seq"], row["device"]) for row in rows] == [
            (str(seq), device) for seq in (1, 2, 3) for device in ("1", "2")
        ]
        first, failed = rows[:2]
        assert first["ei_wh"] == "5001"
        assert first["p_w"] == "-0.7"
        assert first["i_a"] == "0.001"
        assert first["u_v"] == "230.0"
        assert first["f_hz"] == "50.01"
        assert first["ee_wh"] == ""
        assert (failed["st"], failed["ei1_wh"], failed["q_var"]) == ("T", "T", "-10.5")
        assert failed["classes"] == "late failed unknown_point"
        assert [row["raw"] for row in rows[::2]] == [raw.hex() for raw in office.samples]
        assert rows[0]["raw"] == rows[1]["raw"]
        assert list(first) == [*sample_report.COLUMNS, "raw"]

    def test_without_raw_there_is_no_such_column(self, office: Office) -> None:
        assert "raw" not in office.rows()[0]

    def test_by_time_the_begin_is_in_and_the_end_is_out(self, office: Office) -> None:
        begin, end = str(DAY_MS + 20_000), str(DAY_MS + 30_000)
        assert {row["seq"] for row in office.rows("--from", begin, "--to", end)} == {"2"}
        assert {row["seq"] for row in office.rows("--from", "2026-09-21T14:13:40")} == {"2", "3"}
        assert office.rows("--to", "2026-09-21T16:13:30+02:00") == []

    def test_by_meter(self, office: Office) -> None:
        assert len(office.rows("--meter", office.board.kid.hex())) == 6
        assert office.rows("--meter", "0" * 16) == []

    def test_json_is_the_same(self, office: Office) -> None:
        done = command("samples", office.gateway.folder, "--format", "json", "--raw")
        found = json.loads(done.stdout)
        cells = [{name: str(value) for name, value in row.items()} for row in found]
        wanted = [
            {name: value for name, value in row.items() if value != ""}
            for row in office.rows("--raw")
        ]
        assert cells == wanted

    def test_json_of_nothing(self, office: Office) -> None:
        done = command("samples", office.gateway.folder, "--format", "json", "--to", "0")
        assert json.loads(done.stdout) == []

    def test_the_table_leaves_out_what_nobody_has(self, office: Office) -> None:
        text = command("samples", office.gateway.folder).stdout
        assert "ei_wh" in text
        assert "u3_v" not in text

    @pytest.mark.parametrize(
        ("words", "says"),
        [
            (("--meter", "nonsense"), "meter id 'nonsense', expected 16 hex digits"),
            (("--from", "yesterday"), "time 'yesterday', expected Unix ms or ISO 8601"),
            (("--to", "2026-13-01"), "time '2026-13-01', expected"),
            (("--from", "5", "--to", "5"), "--from 5 is not before --to 5"),
        ],
    )
    def test_what_cannot_be_asked(self, office: Office, words: tuple[str, ...], says: str) -> None:
        done = command("samples", office.gateway.folder, *words)
        assert done.returncode == 2
        assert says in done.stderr


class TestAudit:
    def test_beside_a_running_gateway(self, office: Office) -> None:
        done = command("audit", office.gateway.folder)
        assert done.returncode == 0, done.stdout
        assert "every byte is accounted for" in done.stdout
        report = json.loads(command("audit", office.gateway.folder, "--format", "json").stdout)
        status = office.gateway.status()
        assert report["ok"]
        assert report["counts"]["samples"] == 3
        assert report["root"] == status["root"]
        assert report["state_digest"] == status["state_digest"]

    def test_a_difference_is_exit_code_1(self, tmp_path: Path) -> None:
        gateway = GatewayProcess(tmp_path / "g")
        bundle = json.loads(gateway.home.bundle.read_text())
        bundle["ledger_id"] = "00" * 16
        gateway.home.bundle.write_text(json.dumps(bundle))
        done = command("audit", gateway.folder)
        assert done.returncode == 1
        assert "DIFFERENCE    site.json names another genesis" in done.stdout
        gateway.home.genesis.write_bytes(b"\x80")
        done = command("audit", gateway.folder, "--format", "json")
        assert done.returncode == 1
        assert not json.loads(done.stdout)["ok"]

    def test_a_file_that_is_no_database_cannot_be_audited(self, tmp_path: Path) -> None:
        gateway = GatewayProcess(tmp_path / "g")
        gateway.home.database.write_bytes(b"x" * 5000)
        done = command("audit", gateway.folder)
        assert done.returncode == 2
        assert "the audit cannot run" in done.stderr


@pytest.mark.parametrize(
    ("value", "exponent", "printed"),
    [
        (0, 0, "0"),
        (-7, 0, "-7"),
        (0, -1, "0.0"),
        (5, -1, "0.5"),
        (-5, -1, "-0.5"),
        (-1234, -3, "-1.234"),
        (7, -3, "0.007"),
        (10**18, -2, "10000000000000000.00"),
    ],
)
def test_decimals_are_exact(value: int, exponent: int, printed: str) -> None:
    assert sample_report.decimal(value, exponent) == printed


def test_times_are_read_as_they_are_written() -> None:
    assert text.parsed_time("0") == 0
    assert text.parsed_time("1790000000123") == 1_790_000_000_123
    assert text.parsed_time("2026-09-21T14:13:20.123Z") == 1_790_000_000_123
    assert text.shown_time(1_790_000_000_123) == "2026-09-21 14:13:20"
    assert text.shown_time(1 << 53) == str(1 << 53)


def test_points_take_the_defaults_that_are_not_given() -> None:
    rows = meter_commands.points_rows("1,2:20,3:30:3", 10, 1, "electricity")
    assert [row[:1] + row[2:4] for row in rows] == [[1, 10, 1], [2, 20, 1], [3, 30, 3]]
    with pytest.raises(UsageError):
        meter_commands.points_rows("", 10, 1, "electricity")
