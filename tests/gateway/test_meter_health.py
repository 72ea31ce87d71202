"""What a meter says of itself, and what an operator is shown of it."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from wattle_gateway.reports import health
from wattle_gateway.reports.health import complaints_of
from wattle_gateway.store.operation_rows import Seen
from wattle_testkit import waiting
from wattle_testkit.alliance import Board
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.paper_meter import PaperMeter
from wattle_wire import cbor, topics, uplink
from wattle_wire.health import Health

DEADLINE_S = 20.0
# An hour after power came back, and all is well.
WELL: list[Any] = [
    [3_600, 20_480],
    [0, 3, 0, 0, 0, 0, 0, 0],
    -67,
    [2, 0, 0, 0],
    [7_200, 0, 0, 0, 0, 0, 0, 0],
    [3_600, 0, 0, 0, 0],
    [1, 0],
    [],
]


def record(at: int, value: object) -> list[Any]:
    """WELL, but for one item."""
    return [*WELL[:at], value, *WELL[at + 1 :]]


SICK = {
    "memory: 6000 bytes free": record(0, [3_600, 6_000]),
    "started anew 60 min ago: watchdog (2 times)": record(1, [1, 3, 2, 0, 0, 0, 0, 0]),
    "started anew 60 min ago: sending stood still (1 times)": record(1, [6, 3, 0, 0, 0, 0, 0, 1]),
    "weak signal: -86 dBm": record(2, -86),
    "601 samples not final": record(3, [601, 0, 0, 0]),
    "1 writes to flash failed": record(3, [0, 0, 1, 0]),
    "4 samples lost: outbox full": record(3, [0, 0, 0, 4]),
    "another master on the line": record(4, [7_200, 0, 0, 0, 0, 0, 1, 0]),
    "line gone": record(4, [7_200, 0, 0, 0, 0, 0, 0, 9]),
    "200 of 3800 slots missed": record(5, [3_600, 0, 200, 0, 0]),
    "3 samples not kept": record(5, [3_600, 0, 0, 3, 0]),
    "2 tasks failed": record(5, [3_600, 0, 0, 0, 2]),
    "device 7: 181 reads failed in 3600 rounds": record(7, [[1, 180, 0], [7, 181, 0]]),
    "device 2: counter stands still": record(7, [[2, 0, 1]]),
}


@pytest.mark.parametrize("complaint", SICK)
def test_what_is_wrong_is_said_in_words(complaint: str) -> None:
    assert complaints_of(Health(SICK[complaint]), None) == [complaint]


def test_a_meter_that_is_well_has_no_complaint() -> None:
    assert complaints_of(Health(WELL), None) == []
    assert complaints_of(Health(record(2, None)), None) == []
    asked = record(1, [4, 3, 0, 0, 0, 9, 0, 0])
    assert complaints_of(Health(asked), None) == []
    long_ago = [[100_000, 20_480], [1, 3, 2, 0, 0, 0, 0, 0], *WELL[2:]]
    assert complaints_of(Health(long_ago), None) == []


@pytest.mark.parametrize("complaint", SICK)
def test_what_has_not_changed_since_an_earlier_record_is_past(complaint: str) -> None:
    sick = SICK[complaint]
    later = [[sick[0][0] + 600, *sick[0][1:]], *sick[1:]]
    counted = sick[0] == WELL[0] and sick[1] == WELL[1] and sick[2] == WELL[2]
    lasting = "not final" in complaint or not counted
    assert bool(complaints_of(Health(later), Health(sick))) == lasting


def test_a_record_of_another_life_is_not_compared_with() -> None:
    before = [[9_000, 20_480], *record(5, [9_000, 0, 0, 50, 0])[1:]]
    after = record(5, [3_600, 0, 0, 3, 0])
    assert complaints_of(Health(after), Health(before)) == ["3 samples not kept"]


def test_silence_is_told_while_somebody_listens() -> None:
    seen = Seen(bytes(8), health_ms=1_000_000, health=cbor.encode(WELL))
    assert health.read(Seen(bytes(8)), 0) is None
    for now_ms, complaints in (
        (1_000_000 + health.SILENT_MS - 1, []),
        (1_000_000 + health.SILENT_MS, ["said nothing for 15 min"]),
        (None, []),
    ):
        found = health.read(seen, now_ms)
        assert found is not None
        assert found.complaints == complaints


@dataclass
class Shown:
    """A gateway with one meter that says how it is."""

    gateway: GatewayProcess
    board: Board
    meter: PaperMeter

    def says(self, content: list[Any], connection: bytes | None = None) -> None:
        state = uplink.encode_state(connection or self.meter.connection, True, None, content)
        self.meter.publish(self.meter.topic(topics.STATE), state, retain=True)

    def health(self) -> dict[str, Any] | None:
        done = command("meters", "health", self.gateway.folder, "--format", "json")
        assert done.returncode == 0, done.stderr
        [row] = json.loads(done.stdout)
        assert (row["meter"], row["protection"]) == (self.board.kid.hex(), "file")
        found: dict[str, Any] | None = row["health"]
        return found

    def await_health(self, name: str, value: object) -> dict[str, Any]:
        return waiting.until(
            lambda: (found := self.health()) and found[name] == value and found,
            DEADLINE_S,
            f"{name} {value}",
        )


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    gateway = GatewayProcess(tmp_path_factory.mktemp("health") / "gateway")
    gateway.start()
    try:
        board = gateway.board("patient")
        gateway.enrol(board)
        with PaperMeter(board, gateway) as meter:
            made = Shown(gateway, board, meter)
            assert made.health() is None
            yield made
    finally:
        gateway.kill()


def test_an_operator_sees_a_sick_meter(shown: Shown) -> None:
    shown.says(WELL)
    found = shown.await_health("uptime_s", 3_600)
    assert found["complaints"] == []
    assert (found["rssi_dbm"], found["heap_free"], found["reset_cause"]) == (-67, 20_480, "power")
    work = [3_900, 300, 0, 0, 0]
    shown.says([[3_900, 5_000], *WELL[1:5], work, WELL[6], [[2, 300, 0]]])
    found = shown.await_health("uptime_s", 3_900)
    assert found["complaints"] == [
        "memory: 5000 bytes free",
        "device 2: 300 reads failed in 300 rounds",
    ]
    for words in (("meters", "health"), ("status",)):
        done = command(*words, shown.gateway.folder)
        assert "device 2: 300 reads failed" in " ".join(done.stdout.split()), done.stdout
        # Wherever a meter stands, it is said what its key is worth.
        assert re.search(rf"{shown.board.kid.hex()}.* file ", done.stdout), done.stdout


def test_health_survives_a_restart_and_nonsense_changes_nothing(shown: Shown) -> None:
    shown.says([[4_200, 20_480], *WELL[1:]])
    shown.await_health("uptime_s", 4_200)
    shown.says([[4_500, 20_480], *WELL[1:7], [[2, 1]]])
    shown.says([[4_800, 20_480], *WELL[1:7]])
    waiting.until(
        lambda: shown.gateway.status()["counters"].get("state.refused") == 2, DEADLINE_S, "refusals"
    )
    found = shown.health()
    assert found is not None
    assert found["uptime_s"] == 4_200
    shown.gateway.kill()
    shown.gateway.start()
    found = shown.health()
    assert found is not None
    assert found["uptime_s"] == 4_200
