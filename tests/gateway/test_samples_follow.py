"""`samples --follow`: each reading once, as it is committed."""

import csv
import subprocess
import sys
import time
from pathlib import Path

from wattle_testkit.alliance import reading
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until

DEADLINE_S = 15.0


def test_readings_are_printed_as_they_are_committed(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path / "gateway")
    gateway.start()
    printed = tmp_path / "printed.csv"

    def rows() -> list[dict[str, str]]:
        with printed.open(encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))

    try:
        board = gateway.board("first")
        gateway.enrol(board)
        begin_ms = time.time_ns() // 1_000_000
        first = board.sample(1, [reading(begin_ms, ei=1000)])
        two = [reading(begin_ms + 1_000, ei=1001), reading(begin_ms + 2_000, ei=1002)]
        second = board.sample(2, two, prev=first.digest)
        with PaperMeter(board, gateway) as meter, printed.open("wb") as file:
            meter.send(first)
            meter.await_final(1)
            words = ("samples", str(gateway.folder), "--follow", "--format", "csv")
            follower = subprocess.Popen(
                [sys.executable, "-m", "wattle_gateway", *words], stdout=file
            )
            try:
                until(lambda: len(rows()) == 1, DEADLINE_S, "what was there is printed")
                meter.send(second)
                until(lambda: len(rows()) == 3, DEADLINE_S, "what came is printed")
                assert follower.poll() is None
            finally:
                follower.kill()
                follower.wait()
        all_at_once = command("samples", gateway.folder, "--format", "csv").stdout
    finally:
        gateway.kill()
    assert [row["ei_wh"] for row in rows()] == ["1000", "1001", "1002"]
    assert printed.read_text(encoding="utf-8") == all_at_once


def test_other_formats_cannot_be_followed(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path / "gateway")
    refused = command("samples", gateway.folder, "--follow")
    assert refused.returncode == 2
    assert "--follow prints csv" in refused.stderr
