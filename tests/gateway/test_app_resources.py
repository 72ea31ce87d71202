"""Real gateways that are short: of a budget, of memory, and of a disk that is full."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from wattle_gateway.errors import ShortageError
from wattle_testkit.alliance import reading
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until
from wattle_testkit.watched_gateway import configure, fetch, scrape, value, watch

DEADLINE_S = 20.0
KIT = Path(__file__).resolve().parents[1] / "kit"
# Its own mounts, as a user that is root only there.
NAMESPACE = ("unshare", "--user", "--map-root-user", "--mount")


def sample_of(board: Any, seq: int, prev: bytes | None = None) -> Any:
    at_ms = time.time_ns() // 1_000_000
    return board.sample(seq, [reading(at_ms, ei=seq, p=1)], prev=prev)


def test_a_gateway_without_room_keeps_what_it_has_and_takes_nothing_new(tmp_path: Path) -> None:
    """Budgets below what it needs at all: nothing new is acknowledged, and nothing is lost."""
    gateway = GatewayProcess(tmp_path / "gateway")
    port = watch(gateway)
    board, other = gateway.board("known"), gateway.board("new")
    gateway.start()
    try:
        gateway.enrol(board)
        first = sample_of(board, 1)
        with PaperMeter(board, gateway) as meter:
            meter.send(first)
            meter.await_final(1)
        assert gateway.stop() == 0
        configure(gateway, "resources", disk_mib=1, memory_mib=1)
        gateway.start()
        with PaperMeter(board, gateway) as meter:
            second = sample_of(board, 2, first.digest)
            meter.send(second)
            ack = until(
                lambda: next((ack for ack in meter.acks if ack.refused), None),
                DEADLINE_S,
                "the meter is told to keep it",
            )
            assert ack is not None
            assert (ack.final, ack.durable, ack.refused) == (1, 1, [[2, 6]])
        with pytest.raises(ShortageError, match="short of disk and memory: not now"):
            gateway.enrol(other)
        gateway.enrol(board)  # a known one gets its certificate again
        answer = fetch(port, "/readyz")
        assert answer.status == 503
        assert set(answer.json()["reasons"]) == {"disk", "memory"}
        shown = scrape(port)
        assert value(shown, "wattle_step_active", step="refuse_samples") == 1
        for resource in ("disk", "memory"):
            assert value(shown, "wattle_alarm_severity", alarm=resource) == 2
        told = command("alarms", gateway.folder)
        assert told.returncode == 16
        assert told.stdout.startswith("CRITICAL  disk ")
        assert "\nCRITICAL  memory " in told.stdout
        status = command("status", gateway.folder).stdout
        assert "level 5" in status
        assert "refuse_samples (disk, memory)" in status
        assert gateway.stop() == 0
        configure(gateway, "resources", disk_mib=0, memory_mib=0)
        gateway.start()
        with PaperMeter(board, gateway) as meter:
            meter.send(second)
            meter.await_final(2)
        assert command("alarms", gateway.folder).stdout == "no alarms\n"
    finally:
        gateway.kill()


def can_mount(folder: Path) -> bool:
    """Whether this machine lets us have a file system of our own."""
    words = [*NAMESPACE, "mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)]
    try:
        return subprocess.run(words, capture_output=True, timeout=10, check=False).returncode == 0
    except OSError:
        return False


def test_a_full_disk_costs_no_acknowledged_sample_and_is_over_by_itself(tmp_path: Path) -> None:
    if not can_mount(tmp_path):
        pytest.skip("no file system can be mounted here")
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        [*NAMESPACE, sys.executable, "-m", "wattle_testkit.full_disk", str(disk)],
        capture_output=True,
        text=True,
        timeout=600,
        env=os.environ | {"PYTHONPATH": str(KIT)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    seen = json.loads(done.stdout)
    assert seen["final_before"] == 4
    assert set(seen["steps"]) == {
        "archive",
        "shed_observers",
        "slow_pace",
        "refuse_meters",
        "refuse_samples",
    }
    status, reasons = seen["readyz"]
    assert status == 503
    assert "disk" in reasons
    code, text = seen["alarms"]
    assert code == 16
    assert "CRITICAL  disk" in text
    # What was acknowledged as durable stays so, through the full disk and after it.
    assert seen["finals"] == sorted(seen["finals"])
    assert seen["finals"][-1] == 12 >= seen["acknowledged_while_full"]
    assert seen["taken"]["refuse_samples"] == 1
    code, text = seen["audit"]
    assert code == 0, text
    assert seen["exit"] == 0
    assert "alarm raised" in seen["log"]
    assert "Traceback" not in seen["log"]
    _judge_start(seen["started_full"], seen["log"])


def _judge_start(seen: dict[str, Any], log: str) -> None:
    """Started while nothing was left: it said so everywhere, took in nothing, and went on."""
    assert "the disk is full: waiting for room" in log
    assert "there is room: starting" in log
    assert seen["answers"]["/healthz"][0] == 200
    status, body = seen["answers"]["/readyz"]
    assert status == 503
    assert {"ledger", "disk", "broker"} <= set(json.loads(body)["reasons"])
    metrics = seen["answers"]["/metrics"][1]
    assert 'wattle_alarm_severity{alarm="disk"} 2.0' in metrics
    assert 'wattle_not_ready{reason="disk"} 1.0' in metrics
    # What is not known is left out: a counter that falls to 0 and returns looks like a burst.
    assert "wattle_samples_total" not in metrics
    assert seen["alarms"] == [["disk", "critical"]]
    assert seen["said"]["status"][0] == 0
    assert "WAITS FOR ROOM" in seen["said"]["status"][1]
    code, text = seen["said"]["alarms"]
    assert code == 16
    assert "it goes on by itself once 8 MiB are free" in text
    code, text = seen["said"]["doctor"]
    assert code == 16
    assert "waits for room" in text
    assert "repair" not in text  # nothing is damaged, and it would need room, too
    code, text = seen["said"]["meters"]
    assert code == 20
    assert "waits for room" in text
    assert seen["final"] == 13
    assert (seen["waits_after"], seen["exit"]) == ("", 0)
