"""A bundle from its making to the meter that runs it: two gateways, a real board, all commands."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_hil.children.processes import Process, ProcessGroup
from wattle_hil.clock import host_ms
from wattle_hil.devices.line import Line
from wattle_testkit.alliance_processes import AllianceProcesses
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.meter_site import FIRMWARE, emulated_sdm120
from wattle_testkit.update_sender import program_image
from wattle_testkit.waiting import until
from wattle_tools import cli as tool
from wattle_wire import bundle, update

SAMPLES_S = 60.0
WAIT_S = "120"
EXIT_USAGE, EXIT_REFUSED = 2, 13

pytestmark = pytest.mark.slow


@pytest.fixture
def alliance(tmp_path: Path) -> Iterator[AllianceProcesses]:
    made = AllianceProcesses(tmp_path / "alliance", voting=2)
    try:
        made.start()
        yield made
    finally:
        made.kill()


def ok(*words: str | Path) -> str:
    done = command(*words)
    assert done.returncode == 0, done.stderr
    return done.stdout


def tooled(*words: str | Path) -> None:
    assert tool.main([str(word) for word in words]) == 0


def shown(folder: Path) -> dict[str, object]:
    (row,) = json.loads(ok("meters", "list", folder, "--format", "json"))
    assert isinstance(row, dict)
    return row


def test_a_bundle_reaches_a_meter(alliance: AllianceProcesses, tmp_path: Path) -> None:
    one, two = alliance
    board, made = tmp_path / "board", tmp_path / "new.bundle"
    micropython = parts.micropython(64)
    with (
        Line(tmp_path / "line", [emulated_sdm120(host_ms() - 1_000)], host_ms) as line,
        ProcessGroup() as group,
    ):
        tooled(
            *("provision", board, "--site-file", one.home.bundle, "--port", line.link),
            *("--profile", "sdm120", "--micropython", micropython),
        )
        members = json.loads((board / "config.json").read_bytes())["members"]
        assert members == [gateway.member.block_key.hex() for gateway in by_kid(alliance)]
        pem = tmp_path / "tls.pem"
        meter = ok("meters", "enrol", one.folder, board / "enrol.cbor", "--certificate", pem)
        meter = meter.split()[1]
        tooled("certificate", board, pem)
        main = FIRMWARE / "boards" / "linux" / "main.py"
        words = (str(micropython), str(main), str(board), "--log", "3")
        group.start(Process("meter", words, tmp_path / "meter.log"))
        until(lambda: shown(one.folder)["last_seq"], SAMPLES_S, "samples on the ledger")
        assert (shown(one.folder)["firmware"], shown(one.folder)["version"]) == ("0.1.0", 0)
        site = ("--site-file", one.home.bundle)
        tooled("update", "make", made, *site, "--board", "linux", "--alliance", "--version", "7")
        unsigned = command("meters", "update", one.folder, meter, made)
        assert unsigned.returncode == EXIT_USAGE
        assert "signed by nobody; expected 2 members" in unsigned.stderr
        assert "1 more member has to" in ok("update", "sign", one.folder, made)
        assert "it can be sent" in ok("update", "sign", two.folder, made)
        said = ok("meters", "update", one.folder, meter, made, "--wait", WAIT_S)
        assert "version 7 runs and has proved itself" in said
        assert shown(one.folder)["version"] == 7
        assert shown(one.folder)["update"] == [7, update.CONFIRMED, 0]
        assert "7 confirmed" in ok("meters", "list", one.folder)
        again = command("meters", "update", one.folder, meter, made, "--wait", WAIT_S)
        assert again.returncode == EXIT_USAGE
        assert "the bundle has version 7, the meter runs 7; expected a higher one" in again.stderr
        # One that does not start: the meter goes back by itself, and says so.
        image = program_image(tmp_path, "def main(arguments):\n    raise ValueError('broken')\n")
        broken = bundle.make(one.epoch.ledger_id, 8, "broken", "linux", [(update.FIRMWARE, image)])
        made.write_bytes(broken.encode())
        for gateway in alliance:
            ok("update", "sign", gateway.folder, made)
        ended = command("meters", "update", one.folder, meter, made, "--wait", WAIT_S)
        assert ended.returncode == EXIT_REFUSED
        assert "the meter went back to the version before" in ended.stderr
        until(lambda: shown(one.folder)["version"] == 7, SAMPLES_S, "the birth of the one before")


def by_kid(alliance: AllianceProcesses) -> list[GatewayProcess]:
    return sorted(alliance, key=lambda gateway: gateway.member.kid)
