"""A backlog in one burst: checked by several workers, admitted in the order it came."""

from pathlib import Path

from wattle_testkit.alliance import reading
from wattle_testkit.gateway_process import GatewayProcess
from wattle_testkit.paper_meter import PaperMeter

SAMPLES = 450  # more chunks than workers


def test_a_backlog_shows_no_holes_on_the_way(tmp_path: Path) -> None:
    gateway = GatewayProcess(tmp_path / "gateway")
    gateway.start()
    try:
        board = gateway.board("returning")
        gateway.enrol(board)
        samples = [
            # Odd chunks are slow to check: 60 readings instead of one.
            board.sample(
                seq,
                [
                    reading(1_700_000_000_000 + 60_000 * seq + at, ei=seq)
                    for at in range(60 if seq // 100 % 2 else 1)
                ],
            )
            for seq in range(1, SAMPLES + 1)
        ]
        with PaperMeter(board, gateway) as meter:
            for signed in samples:
                meter.client.publish(meter.topic("sample"), signed.raw, qos=1)
            meter.await_final(SAMPLES)
            assert not [ack.missing for ack in meter.acks if ack.missing]
            assert [ack.durable for ack in meter.acks] == sorted(ack.durable for ack in meter.acks)
        assert gateway.counted("repeat") == 0
    finally:
        gateway.kill()
