"""kill -9 in the middle of traffic: what was acknowledged is there, nothing is there twice."""

import csv
import io
import os
import random
import threading
import time
from pathlib import Path

import pytest
from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_testkit.alliance import Board, reading
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until

SAMPLES = 120
KILLS = 4


def chain_of(board: Board, count: int) -> list[SignedSample]:
    """`count` linked samples, a second apart."""
    begin_ms = time.time_ns() // 1_000_000
    samples: list[SignedSample] = []
    for seq in range(1, count + 1):
        prev = samples[-1].digest if samples else None
        readings = [reading(begin_ms + 1000 * seq, ei=1000 + seq)]
        samples.append(board.sample(seq, readings, prev=prev))
    return samples


class Sender(threading.Thread):
    """Sends what is not durable yet, again and again, as a meter does."""

    def __init__(self, meter: PaperMeter, samples: list[SignedSample]) -> None:
        super().__init__(daemon=True)
        self._meter = meter
        self._samples = samples
        self._ended = threading.Event()

    def run(self) -> None:
        while not self._ended.is_set():
            durable = self.durable()
            if durable >= len(self._samples):
                return
            for signed in self._samples[durable : durable + 10]:
                if self._meter.client.is_connected():
                    self._meter.client.publish(self._meter.topic("sample"), signed.raw, qos=1)
            self._ended.wait(0.02)

    def durable(self) -> int:
        return max((ack.durable for ack in self._meter.acks), default=0)

    def stop(self) -> None:
        self._ended.set()
        self.join()


@pytest.mark.slow
def test_nothing_durable_is_lost_by_kills(tmp_path: Path) -> None:
    chance = random.Random(20261120)
    gateway = GatewayProcess(tmp_path / "gateway")
    gateway.start()
    board = gateway.board("survivor")
    gateway.enrol(board)
    samples = chain_of(board, SAMPLES)
    try:
        with PaperMeter(board, gateway) as meter:
            sender = Sender(meter, samples)
            sender.start()
            for _ in range(KILLS):
                goal = sender.durable() + chance.randint(1, SAMPLES // (KILLS + 2))
                until(lambda goal=goal: sender.durable() >= goal, 20, f"durable {goal}")
                promised = sender.durable()
                gateway.kill()
                gateway.start()
                assert gateway.ask("ping")["pid"] == gateway.pid
                until(meter.client.is_connected, 20, "the meter is connected again")
                acks = len(meter.acks)
                meter.say_online()
                until(lambda acks=acks: len(meter.acks) > acks, 20, "an ack after the restart")
                assert meter.acks[-1].durable >= promised
            until(lambda: sender.durable() == SAMPLES, 20, "all durable")
            sender.stop()
            meter.await_final(SAMPLES)
        audit = command("audit", gateway.folder)
        assert audit.returncode == 0, audit.stdout
        printed = command("samples", gateway.folder, "--format", "csv", "--raw")
    finally:
        gateway.kill()
    rows = list(csv.DictReader(io.StringIO(printed.stdout)))
    assert [(int(row["seq"]), row["raw"]) for row in rows] == [
        (signed.sample.seq, signed.raw.hex()) for signed in samples
    ]


def test_a_killed_gateway_leaves_no_process_behind(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path / "gateway")
    gateway.start()
    children = _descendants(gateway.pid)
    assert len(children) >= 2, "a broker and workers"
    gateway.kill()
    until(lambda: not any(map(_is_alive, children)), 10, "broker and workers are gone")


def _descendants(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *_descendants(int(child))]
    return found


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return "zombie" not in Path(f"/proc/{pid}/status").read_text()
