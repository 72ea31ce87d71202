"""The whole path once: a meter's sample becomes a ledger entry that `samples` prints."""

import csv
import io
import time
from pathlib import Path

from wattle_testkit.alliance import reading
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.paper_meter import PaperMeter


def test_a_sample_is_committed_acknowledged_and_printed(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path / "gateway")
    gateway.start()
    try:
        board = gateway.board("first")
        gateway.enrol(board)
        begin_ms = time.time_ns() // 1_000_000
        first = board.sample(1, [reading(begin_ms, ei=1000, p=5000, f=4998)])
        second = board.sample(2, [reading(begin_ms + 1000, ei=1001, p=-5)], prev=first.digest)
        with PaperMeter(board, gateway) as meter:
            meter.send(first, second)
            assert meter.await_durable(2).missing == []
            ack = meter.await_final(2)
        printed = command("samples", gateway.folder, "--format", "csv", "--raw")
        rows = list(csv.DictReader(io.StringIO(printed.stdout)))
    finally:
        gateway.kill()
    assert [row["seq"] for row in rows] == ["1", "2"]
    assert [row["raw"] for row in rows] == [first.raw.hex(), second.raw.hex()]
    assert [row["p_w"] for row in rows] == ["500.0", "-0.5"]
    assert rows[0]["f_hz"] == "49.98"
    assert {row["commit"] for row in rows} == {str(ack.commit_index)}
