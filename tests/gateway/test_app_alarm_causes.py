"""What may alarm: each cause alone, in a gateway of plain values."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from wattle_gateway.alarms.board import Finding
from wattle_gateway.alarms.catalog import CRITICAL, WARNING
from wattle_gateway.app.alarm_causes import REFUSED_MAX, REFUSED_WINDOW_MS, AlarmCauses
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.metrics.readiness import COMMIT_LATE_MS
from wattle_gateway.resources.growth import DAY_MS, Forecast
from wattle_gateway.resources.usage import MACHINE, MIB, MILLION, CpuUse, DiskUse, MemoryUse, Usage
from wattle_testkit.gateway_process import command

NOW_MS = 1_800_000_000_000
OWN, OTHER, THIRD = b"own.....", b"other...", b"third..."
USAGE = Usage(
    DiskUse(10 * MIB, 90 * MIB, 90 * MIB, 0),
    MemoryUse(60 * MIB, 100 * MIB, 60 * MIB, MACHINE, None),
    CpuUse(950_000, MILLION, MACHINE, None),
)


class PlainLedger:
    """Answers with a driver of plain values."""

    trouble = ""

    def __init__(self) -> None:
        self.driver = SimpleNamespace(
            head=SimpleNamespace(time_ms=NOW_MS),
            epoch=SimpleNamespace(created_ms=0, size=4),
            queue=SimpleNamespace(size=0),
            synchronizer=SimpleNamespace(history=SimpleNamespace(begins_too_late=lambda: None)),
        )

    async def read(self, question: Any) -> Any:
        return question(self.driver)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> GatewayHome:
    """A folder in which nothing is wrong."""
    folder = tmp_path_factory.mktemp("causes") / "gateway"
    assert command("init", folder).returncode == 0
    return GatewayHome(folder)


@pytest.fixture
def gateway(home: GatewayHome) -> SimpleNamespace:
    """All is well: two other voting members, both linked."""
    members = [
        SimpleNamespace(kid=kid, name=kid.decode().strip(".")) for kid in (OWN, OTHER, THIRD)
    ]
    return SimpleNamespace(
        home=home,
        identity=SimpleNamespace(kid=OWN),
        clock=SimpleNamespace(alarmed=False, speed=1, now_ms=lambda: NOW_MS),
        ledger=PlainLedger(),
        broker=SimpleNamespace(running=True, store_failed=False),
        archive=SimpleNamespace(trouble=""),
        link=SimpleNamespace(up=True),
        epoch=SimpleNamespace(members=members),
        peering=SimpleNamespace(links=SimpleNamespace(up=lambda: [OTHER, THIRD])),
        desk=SimpleNamespace(counters={"stored": 5}),
        config=SimpleNamespace(
            ingest=SimpleNamespace(pool_entries_max=1_000), archive=SimpleNamespace(target="")
        ),
        resources=SimpleNamespace(usage=USAGE, levels={}, forecast=Forecast(0, None, None)),
    )


def find(gateway: SimpleNamespace, steady_ms: int = 0) -> dict[str, Finding]:
    return asyncio.run(AlarmCauses(gateway).find(steady_ms))  # type: ignore[arg-type]


def test_nothing_is_wrong(gateway: SimpleNamespace) -> None:
    assert find(gateway) == {}
    gateway.peering = gateway.broker = gateway.archive = None
    gateway.resources.usage = None
    assert find(gateway) == {}


def test_clock_and_ledger(gateway: SimpleNamespace) -> None:
    gateway.clock.alarmed = True
    gateway.ledger.trouble = "the database failed and is not open yet"
    found = find(gateway)
    assert set(found) == {"clock", "ledger"}
    assert found["ledger"] == Finding(CRITICAL, gateway.ledger.trouble)


@pytest.mark.parametrize(
    ("broker", "up", "says"),
    [
        (SimpleNamespace(running=False, store_failed=False), True, "does not run"),
        (SimpleNamespace(running=True, store_failed=True), True, "no room"),
        (SimpleNamespace(running=True, store_failed=False), False, "not connected"),
        (None, False, "not connected"),
    ],
)
def test_the_broker(gateway: SimpleNamespace, broker: Any, up: bool, says: str) -> None:
    gateway.broker, gateway.link.up = broker, up
    found = find(gateway)
    assert list(found) == ["broker"]
    assert says in found["broker"].text


def test_an_archive_that_takes_nothing(gateway: SimpleNamespace) -> None:
    gateway.archive.trouble = "/mnt/archive: no such folder; make it, or mount its disk"
    assert find(gateway) == {"archive": Finding(WARNING, gateway.archive.trouble)}


def test_an_archive_that_is_not_mounted_before_anything_is_due_to_move(
    gateway: SimpleNamespace, tmp_path: Path
) -> None:
    gateway.config.archive.target = str(tmp_path / "mount" / "wattle")
    text = f"archive: {gateway.config.archive.target}: no such folder"
    assert find(gateway) == {"archive": Finding(WARNING, text)}
    (tmp_path / "mount" / "wattle").mkdir(parents=True)
    assert find(gateway) == {}
    gateway.config.archive.target = "s3://bucket"
    assert find(gateway) == {}


def test_peers_are_named(gateway: SimpleNamespace) -> None:
    gateway.peering.links.up = lambda: [OTHER]
    assert find(gateway) == {"peer": Finding(WARNING, "no link to third")}
    gateway.peering.links.up = list
    assert find(gateway)["peer"].text == "no link to other, third"


@pytest.mark.parametrize(("days", "alarms"), [(13, True), (15, False)])
def test_a_disk_that_is_full_soon(gateway: SimpleNamespace, days: int, alarms: bool) -> None:
    gateway.resources.forecast = Forecast(MIB, NOW_MS + days * DAY_MS + 1, None)
    found = find(gateway)
    assert set(found) == ({"disk"} if alarms else set())
    if alarms:
        text = f"90 MiB are left beside 10 MiB of ours, for {days} days at the present growth"
        assert found["disk"] == Finding(WARNING, text)


def test_levels_become_alarms(gateway: SimpleNamespace) -> None:
    gateway.resources.levels = {"disk": 1, "memory": 1, "cpu": 1}
    assert {name: one.severity for name, one in find(gateway).items()} == {
        "disk": WARNING,
        "memory": WARNING,
    }
    gateway.resources.levels = {"disk": 4, "memory": 5, "cpu": 4}
    assert {name: one.severity for name, one in find(gateway).items()} == {
        "disk": CRITICAL,
        "memory": CRITICAL,
        "cpu": WARNING,
    }


def test_no_commit_for_long(gateway: SimpleNamespace) -> None:
    gateway.ledger.driver.head.time_ms = NOW_MS - COMMIT_LATE_MS
    assert find(gateway) == {}
    gateway.ledger.driver.head.time_ms -= 1
    assert find(gateway) == {"finality": Finding(CRITICAL, "no commit for 600 s")}
    gateway.ledger.driver.epoch.size = 1
    assert find(gateway) == {}


def test_a_pool_that_fills(gateway: SimpleNamespace) -> None:
    gateway.ledger.driver.queue.size = 500
    assert find(gateway) == {}
    gateway.ledger.driver.queue.size = 501
    text = "501 entries wait for a block, at most 1000 may"
    assert find(gateway) == {"finality": Finding(WARNING, text)}


def test_refusals_count_within_a_window_and_busy_does_not(gateway: SimpleNamespace) -> None:
    causes = AlarmCauses(gateway)  # type: ignore[arg-type]

    def after(steady_ms: int, **refused: int) -> list[str]:
        gateway.desk.counters.update({f"refused.{name}": count for name, count in refused.items()})
        return list(asyncio.run(causes.find(steady_ms)))

    assert after(0, bad_signature=10_000) == []  # of an earlier life
    assert after(1_000, busy=10_000) == []
    assert after(2_000, bad_signature=10_000 + REFUSED_MAX) == []
    assert after(3_000, malformed=1) == ["quarantine"]
    assert after(3_000 + REFUSED_WINDOW_MS) == []


def test_keys_that_others_may_read_and_a_folder_that_is_gone(
    gateway: SimpleNamespace, tmp_path: Path
) -> None:
    key = gateway.home.key("block")
    key.chmod(0o644)
    try:
        found = find(gateway)
    finally:
        key.chmod(0o600)
    assert list(found) == ["keys"]
    assert found["keys"].severity == CRITICAL
    gateway.home = GatewayHome(tmp_path / "gone")
    assert find(gateway)["keys"].severity == CRITICAL
