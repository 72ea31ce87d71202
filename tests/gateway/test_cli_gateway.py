"""init, run, status and broker-config, as an operator meets them."""

import json
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cryptography import x509
from wattle_gateway.cli import doctor_command
from wattle_gateway.cli.main import EXIT_CODES, exit_code, main
from wattle_gateway.consensus.errors import PoolFullError
from wattle_gateway.errors import GatewayError
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.ledger.errors import FormatError
from wattle_testkit.gateway_process import GatewayProcess, command, program


def run(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    code = main([str(word) for word in words])
    said = capsys.readouterr()
    return code, said.out, said.err


Capture = pytest.CaptureFixture[str]


class TestInit:
    def test_it_makes_what_run_and_meters_need(self, tmp_path: Path, capsys: Capture) -> None:
        words = ("--name", "alpha.test", "--site", "yard-1", "--host", "gw.example")
        code, out, err = run(
            capsys, "init", tmp_path / "g", *words, "--host", "10.1.2.3", "--port", "1883"
        )
        assert (code, err) == (0, "")
        home = GatewayHome(tmp_path / "g")
        bundle = json.loads(home.bundle.read_text())
        assert bundle["ledger_id"] in out
        assert bundle["ledger_name"] == "alpha.test"
        assert bundle["site"] == "yard-1"
        assert bundle["broker"] == {"host": "gw.example", "port": 1883}
        broker = x509.load_pem_x509_certificate(home.certificate("broker").read_bytes())
        names = broker.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert names.get_values_for_type(x509.DNSName) == ["gw.example", "localhost"]
        assert [str(ip) for ip in names.get_values_for_type(x509.IPAddress)] == [
            "10.1.2.3",
            "127.0.0.1",
            "::1",
        ]

    def test_keys_are_nobody_elses(self, tmp_path: Path, capsys: Capture) -> None:
        run(capsys, "init", tmp_path / "g")
        home = GatewayHome(tmp_path / "g")
        assert stat.S_IMODE(home.folder.stat().st_mode) == 0o700
        private = sorted(home.keys.iterdir())
        assert [path.stem for path in private] == [
            "authority",
            "block",
            "broker",
            "checkpoint",
            "gateway",
            "link",
            "peer",
        ]
        assert {stat.S_IMODE(path.stat().st_mode) for path in private} == {0o600}
        assert "PRIVATE" not in home.bundle.read_text() + home.config.read_text()

    def test_an_empty_folder_will_do(self, tmp_path: Path, capsys: Capture) -> None:
        (tmp_path / "g").mkdir()
        assert run(capsys, "init", tmp_path / "g")[0] == 0

    def test_a_folder_with_something_in_it_is_left_alone(
        self, tmp_path: Path, capsys: Capture
    ) -> None:
        (tmp_path / "g").mkdir()
        (tmp_path / "g" / "mine").write_text("precious")
        code, _, err = run(capsys, "init", tmp_path / "g")
        assert code == 4
        assert err.strip().endswith("exists and is not empty; expected a new folder")
        assert [path.name for path in tmp_path.rglob("*")] == ["g", "mine"]

    @pytest.mark.parametrize(
        ("words", "code", "says"),
        [
            (("--name", "No Spaces"), 2, "--name 'No Spaces', expected"),
            (("--site", "UPPER"), 2, "--site: site 'UPPER', expected"),
            (("--host", "exämple"), 2, "host 'exämple': expected a DNS name or an IP address"),
            (("--port", "0"), 3, "broker.port is 0, expected an integer 1 to 65535"),
            (("--bench-clock", "none.json"), 3, "cannot read the bench clock"),
        ],
    )
    def test_what_cannot_be_used_leaves_nothing_behind(
        self, tmp_path: Path, capsys: Capture, words: tuple[str, ...], code: int, says: str
    ) -> None:
        found, _, err = run(capsys, "init", tmp_path / "g", *words)
        assert found == code
        assert says in err
        assert list(tmp_path.iterdir()) == []

    def test_a_ledger_can_begin_at_the_benchs_time(self, tmp_path: Path, capsys: Capture) -> None:
        clock = tmp_path / "clock.json"
        base_ms = 1_170_000_000_000
        anchor_ms = time.time_ns() // 1_000_000
        clock.write_text(json.dumps({"base_ms": base_ms, "anchor_ms": anchor_ms, "speed": 1}))
        run(capsys, "init", tmp_path / "g", "--bench-clock", clock)
        _, out, _ = run(capsys, "status", tmp_path / "g", "--format", "json")
        assert base_ms <= json.loads(out)["commit_ms"] < base_ms + 60_000


class TestExitCodes:
    def test_each_kind_has_its_own(self) -> None:
        codes = list(EXIT_CODES.values())
        # What was asked for cannot be (2), a damaged ledger (9), one that must not go on (12).
        assert {code for code in codes if codes.count(code) > 1} == {2, 9, 12}

    def test_they_stand_in_the_packages_description(self) -> None:
        import wattle_gateway.cli

        described = {
            int(line.split()[0])
            for line in (wattle_gateway.cli.__doc__ or "").splitlines()
            if line.startswith("    ") and line.split()[0].isdigit()
        }
        examined = doctor_command.EXIT_CODES.values()
        assert described == {0, 1, 70, 130, *EXIT_CODES.values(), *examined}

    def test_an_error_has_the_code_of_its_nearest_class(self) -> None:
        assert exit_code(FormatError("x")) == 9
        assert exit_code(PoolFullError("x")) == 70
        assert exit_code(GatewayError("x")) == 70

    def test_no_command(self) -> None:
        done = program()
        assert done.returncode == 2
        assert "usage: wattle-gateway" in done.stderr

    @pytest.mark.parametrize("name", ["status", "samples", "audit", "quarantine", "run"])
    def test_no_gateways_folder(self, tmp_path: Path, capsys: Capture, name: str) -> None:
        code, out, err = run(capsys, name, tmp_path)
        assert code == (2 if name == "audit" else 4)
        assert out == ""
        assert err.count("\n") == 1
        assert "is not a gateway's folder" in err

    def test_a_database_that_is_none(self, tmp_path: Path, capsys: Capture) -> None:
        run(capsys, "init", tmp_path / "g")
        GatewayHome(tmp_path / "g").database.write_bytes(b"not a database" * 1000)
        for name in ("status", "samples", "run"):
            code, _, err = run(capsys, name, tmp_path / "g")
            assert code == 9, name
            assert "ledger.db" in err.splitlines()[-1]

    def test_a_wrong_configuration(self, tmp_path: Path, capsys: Capture) -> None:
        run(capsys, "init", tmp_path / "g")
        GatewayHome(tmp_path / "g").config.write_text('[gateway]\nsite = "a"\n[broker]\nprot = 1\n')
        code, _, err = run(capsys, "run", tmp_path / "g")
        assert code == 3
        assert "config.toml: broker.prot is not known" in err

    @pytest.mark.parametrize(
        ("file", "says"),
        [
            ("keys/block.pem", "not a private key"),
            ("keys/link.pem", "not a private key"),
            ("keys/authority.pem", "not a private key"),
            ("certificates/authority.pem", "not a certificate"),
            ("genesis.cbor", "damaged"),
        ],
    )
    def test_a_damaged_file_is_named(
        self, tmp_path: Path, capsys: Capture, file: str, says: str
    ) -> None:
        run(capsys, "init", tmp_path / "g")
        (tmp_path / "g" / file).write_bytes(b"damaged")
        code, _, err = run(capsys, "run", tmp_path / "g")
        assert code == 4
        assert file in err
        assert says in err

    def test_another_gateways_keys(self, tmp_path: Path, capsys: Capture) -> None:
        run(capsys, "init", tmp_path / "g")
        run(capsys, "init", tmp_path / "h")
        for name in ("block", "link"):
            own, other = (GatewayHome(tmp_path / which).key(name) for which in "gh")
            before = own.read_bytes()
            own.write_bytes(other.read_bytes())
            code, _, err = run(capsys, "run", tmp_path / "g")
            assert code == 4
            assert f"keys/{name}.pem" in err
            own.write_bytes(before)

    def test_a_reader_that_goes_away_is_no_error(self, tmp_path: Path, capsys: Capture) -> None:
        run(capsys, "init", tmp_path / "g")
        words = [sys.executable, "-m", "wattle_gateway", "status", str(tmp_path / "g")]
        with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            assert process.stderr.read() == b""
            assert process.wait(20) == 0


class TestRun:
    def test_a_second_one_is_refused_and_names_the_first(self, tmp_path: Path) -> None:
        gateway = GatewayProcess(tmp_path / "g")
        gateway.start()
        try:
            done = program("run", gateway.folder)
            assert done.returncode == 6
            assert f"(process {gateway.pid})" in done.stderr
            assert gateway.ask("ping")["pid"] == gateway.pid
        finally:
            assert gateway.stop() == 0

    def test_it_stops_cleanly_and_starts_again(self, tmp_path: Path, capsys: Capture) -> None:
        gateway = GatewayProcess(tmp_path / "g")
        for _ in range(2):
            gateway.start()
            assert gateway.stop() == 0
        assert not gateway.home.admin_socket.exists()
        assert not (gateway.home.broker / "nats.pid").exists()
        assert gateway.log.read_text().count("stopped") == 2
        assert "Traceback" not in gateway.log.read_text()

    def test_its_log_holds_no_secrets_and_one_event_a_line(self, tmp_path: Path) -> None:
        gateway = GatewayProcess(tmp_path / "g")
        gateway.start()
        gateway.stop()
        lines = gateway.log.read_text().splitlines()
        assert all(line[:4].isdigit() and line[23] == "Z" for line in lines), lines
        assert "PRIVATE" not in gateway.log.read_text()


class TestStatus:
    def test_running_and_stopped(self, tmp_path: Path) -> None:
        gateway = GatewayProcess(tmp_path / "g")
        gateway.start()
        try:
            running = gateway.status()
            text = command("status", gateway.folder).stdout
        finally:
            gateway.stop()
        assert running["running"]
        assert running["live"]["broker_running"]
        assert running["live"]["link_up"]
        assert not running["live"]["clock_alarm"]
        assert f"running (process {running['live']['pid']})" in text
        assert "embedded, running, 0 restarts; connected" in text
        stopped = gateway.status()
        assert not stopped["running"]
        assert stopped["live"] is None
        assert stopped["ledger_id"] == running["ledger_id"]
        assert "stopped" in command("status", gateway.folder).stdout


def test_broker_config_without_a_mosquitto(tmp_path: Path, capsys: Capture) -> None:
    run(capsys, "init", tmp_path / "g", "--broker", "external", "--port", "18883")
    code, out, err = run(capsys, "broker-config", tmp_path / "g", "--out", tmp_path / "m")
    assert (code, err) == (0, "")
    assert out == f"start it with: mosquitto -c {tmp_path / 'm' / 'mosquitto.conf'}\n"
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "m").iterdir()}
    assert files == {
        "mosquitto.conf": 0o644,
        "acl": 0o600,
        "authority.pem": 0o644,
        "broker.pem": 0o644,
        "broker.key": 0o600,
        "revoked.pem": 0o644,
    }
    assert "listener 18883 127.0.0.1" in (tmp_path / "m" / "mosquitto.conf").read_text()
    crl = x509.load_pem_x509_crl((tmp_path / "m" / "revoked.pem").read_bytes())
    assert len(crl) == 0


def test_broker_config_says_what_is_still_to_be_set(tmp_path: Path, capsys: Capture) -> None:
    run(capsys, "init", tmp_path / "g")
    _, _, err = run(capsys, "broker-config", tmp_path / "g", "--out", tmp_path / "m")
    assert 'broker.kind is "embedded"; set it to "external"' in err
