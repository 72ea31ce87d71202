"""A ledger of one grows to two and four members by its operators' commands; no sample is lost."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_testkit.alliance import Board, reading
from wattle_testkit.alliance_commands import (
    approve,
    await_asking,
    founder,
    joined,
    member_names,
    show,
)
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until

BEGIN_MS = 1_800_000_000_000
SAMPLE_EVERY_S = 0.4
DEADLINE_S = 60.0


class FlowingMeter:
    """Sends a sample every now and then, in a thread of its own, until it is stopped."""

    def __init__(self, board: Board, gateway: GatewayProcess) -> None:
        self._meter = PaperMeter(board, gateway)
        self._board = board
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.sent = 0

    def start(self) -> None:
        """Begin to send."""
        self._meter.connect()
        self._thread.start()

    def stop(self) -> None:
        """Send no more, and wait until everything is final."""
        self._stop.set()
        self._thread.join()
        self.await_final()
        self._meter.close()

    def await_final(self) -> None:
        """Wait until all that was sent so far is final."""
        seq, acks = self.sent, self._meter.acks
        until(lambda: any(ack.final >= seq for ack in acks), DEADLINE_S, f"final {seq}")

    def _run(self) -> None:
        prev = None
        while not self._stop.wait(SAMPLE_EVERY_S):
            seq = self.sent + 1
            sample = self._board.sample(seq, [reading(BEGIN_MS + 1000 * seq)], prev=prev)
            self._meter.send(sample)
            prev, self.sent = sample.digest, seq


@pytest.fixture
def gateways(tmp_path: Path) -> Iterator[list[GatewayProcess]]:
    started = [founder(tmp_path / "founder")]
    yield started
    for gateway in started:
        gateway.kill()


def committed(gateway: GatewayProcess) -> list[str]:
    """Meter and seq of each committed sample, in the ledger's order."""
    done = command("samples", gateway.folder, "--format", "csv")
    assert done.returncode == 0, done.stderr
    return [",".join(row.split(",")[:2]) for row in done.stdout.splitlines()[1:]]


def test_one_two_four_with_samples_flowing(gateways: list[GatewayProcess]) -> None:
    (first,) = gateways
    first.start()
    board = first.board("meter")
    first.enrol(board)
    meter = FlowingMeter(board, first)
    meter.start()
    try:
        until(lambda: meter.sent, DEADLINE_S, "a sample")
        meter.await_final()
        _grow_to_two(gateways)
        meter.await_final()
        _grow_to_four(gateways)
        meter.await_final()
    finally:
        meter.stop()
    expected = [f"{board.kid.hex()},{seq}" for seq in range(1, meter.sent + 1)]
    for gateway in gateways:
        until(lambda at=gateway: committed(at) == expected, DEADLINE_S, "all samples, each once")
    for gateway in gateways:
        assert gateway.stop() == 0
        done = command("audit", gateway.folder)
        assert done.returncode == 0, done.stdout + done.stderr
    assert len({gateway.epoch.ledger_id for gateway in gateways}) == 1


def _grow_to_two(gateways: list[GatewayProcess]) -> None:
    first = gateways[0]
    second = joined(first, "second")
    gateways.append(second)
    second.start()
    await_asking(first, ["second"])
    (decision,) = approve(first, "second")
    assert (decision["decided"], decision["epoch"]) == (True, 1)
    until(lambda: member_names(second) == ["founder", "second"], DEADLINE_S, "it is a member")
    found = show(first)
    assert (found["size"], found["quorum"], found["asking"]) == (2, 2, [])
    assert "bear no absence" in found["warning"]


def _grow_to_four(gateways: list[GatewayProcess]) -> None:
    first, second = gateways
    for name in ("third", "fourth"):
        gateway = joined(first, name)
        gateways.append(gateway)
        gateway.start()
    await_asking(first, ["third", "fourth"])
    (decision,) = approve(first, "third", "fourth")
    assert (decision["decided"], decision["approvals"], decision["needed"]) == (False, 1, 2)
    assert decision["missing"] == ["second"]
    until(lambda: show(second)["changes"], DEADLINE_S, "the second sees the change")
    (change,) = show(second)["changes"]
    assert sorted(who["name"] for who in change["joins"]) == ["fourth", "third"]
    assert [who["name"] for who in change["missing"]] == ["second"]
    (decision,) = approve(second, change["digest"][:12])
    assert (decision["decided"], decision["epoch"]) == (True, 2)
    names = sorted(["founder", "second", "third", "fourth"])
    for gateway in gateways:
        until(lambda at=gateway: member_names(at) == names, DEADLINE_S, "all see all")
    assert (show(first)["size"], show(first)["warning"]) == (4, "")
