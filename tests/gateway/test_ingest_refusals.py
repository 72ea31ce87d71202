"""Each kind of bad message over real MQTT: refused or classed by its own name, and harmless."""

import json
import time
from collections.abc import Iterator

import pytest
from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_testkit.alliance import Board, epoch_of, private_key, reading
from wattle_testkit.gateway_process import GatewayProcess, command
from wattle_testkit.paper_meter import PaperMeter
from wattle_testkit.waiting import until
from wattle_wire import cose, downlink, sample
from wattle_wire.sample import SAMPLE_BYTES_MAX, Sample


class Bench:
    """A running gateway and one good meter, whose next seq is `seq`; it began at `now_ms`. (A time
    that is read when the tests are collected is late when they run.)"""

    def __init__(self, gateway: GatewayProcess, meter: PaperMeter) -> None:
        self.gateway = gateway
        self.meter = meter
        self.board = meter.board
        self.seq = 0
        self.now_ms = time.time_ns() // 1_000_000

    def next(self, *, time_ms: int | None = None, **values: int) -> SignedSample:
        """The good meter's next sample, not sent."""
        self.seq += 1
        begin_ms = self.now_ms if time_ms is None else time_ms
        return self.board.sample(self.seq, [reading(begin_ms + self.seq, **values)])

    def refused_once(self, payload: bytes, name: str, topic: str | None = None) -> None:
        """This payload is counted once under this name and under no other."""
        before = self.gateway.refused()
        self.meter.publish(topic or self.meter.topic("sample"), payload)
        expected = {**before, name: before.get(name, 0) + 1}
        until(lambda: self.gateway.refused() != before, 10, f"refused: {name}")
        assert self.gateway.refused() == expected
        self.good_goes_on()

    def good_goes_on(self) -> None:
        """The next good sample becomes durable."""
        self.meter.send(self.next())
        self.meter.await_durable(self.seq)

    def classes(self, board: Board) -> dict[str, int]:
        """Classes counted for a meter, in `status`."""
        (line,) = [
            line for line in self.gateway.status()["meters"] if line["meter"] == board.kid.hex()
        ]
        counts: dict[str, int] = line["classes"]
        return counts


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    gateway = GatewayProcess(tmp_path_factory.mktemp("refusals") / "gateway")
    gateway.start()
    try:
        board = gateway.board("honest")
        gateway.enrol(board)
        with PaperMeter(board, gateway) as meter:
            yield Bench(gateway, meter)
    finally:
        gateway.kill()


def tampered(signed: SignedSample) -> bytes:
    """The sample with one bit of its signature changed."""
    return signed.raw[:-1] + bytes([signed.raw[-1] ^ 1])


def test_garbage(bench: Bench) -> None:
    bench.refused_once(b"garbage", "malformed")
    bench.refused_once(b"", "malformed")
    bench.refused_once(bytes(range(256)) * 8, "malformed")


def test_truncated(bench: Bench) -> None:
    bench.refused_once(bench.board.sample(900).raw[:-10], "malformed")


def test_bytes_behind(bench: Bench) -> None:
    bench.refused_once(bench.board.sample(900).raw + b"\0", "malformed")


def test_a_signature_that_fails(bench: Bench) -> None:
    signed = bench.board.sample(901)
    bench.refused_once(tampered(signed), "bad_signature")
    hints = [pair for ack in bench.meter.acks for pair in ack.refused]
    assert [901, downlink.BAD_SIGNATURE] in hints


def test_who_speaks_for_another_gets_no_hint_sent_to_it(bench: Bench) -> None:
    board = bench.gateway.board("slandered")
    bench.gateway.enrol(board)
    with PaperMeter(board, bench.gateway) as victim:
        bench.refused_once(tampered(board.sample(7)), "bad_signature")
        victim.send(board.sample(1))
        victim.await_durable(1)
        assert not any(ack.refused for ack in victim.acks)


def test_the_malleable_twin_of_a_signature(bench: Bench) -> None:
    signed = bench.board.sample(902)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    high = order - int.from_bytes(signed.raw[-32:], "big")
    bench.refused_once(signed.raw[:-32] + high.to_bytes(32, "big"), "bad_signature")


def test_signed_by_another_key_under_the_meters_kid(bench: Bench) -> None:
    content = Sample(bench.board.eui64, 903, 1, None, "S", [reading(bench.now_ms)])
    payload = sample.encode(content)
    other = Board("another", bench.board.epoch)
    digest = cose.digest("sample", bench.board.epoch.ledger_id, bench.board.kid, payload)
    bench.refused_once(cose.sign1(bench.board.kid, payload, other.sign(digest)), "bad_signature")


def test_signed_for_another_ledger(bench: Bench) -> None:
    foreign = Board("honest", epoch_of())
    bench.refused_once(foreign.sample(904).raw, "bad_signature")


def test_signed_as_another_kind(bench: Bench) -> None:
    signed = bench.board.sample(905)
    payload = sample.encode(signed.sample)
    bench.refused_once(bench.board.signed("birth", payload), "bad_signature")


def test_a_meter_that_is_not_enrolled(bench: Bench) -> None:
    unknown = Board("unknown", bench.board.epoch)
    bench.refused_once(unknown.sample(1).raw, "not_enrolled")


def test_too_large(bench: Bench) -> None:
    bench.refused_once(bytes(SAMPLE_BYTES_MAX + 1), "too_large")


def test_revoked(bench: Bench) -> None:
    board = bench.gateway.board("revoked")
    bench.gateway.enrol(board)
    bench.gateway.ask("revoke", meter=board.kid.hex(), last_seq=5)
    bench.refused_once(board.sample(6).raw, "revoked")
    # Below the last seq that counts it is still carried, whoever brings it.
    before = bench.gateway.counted("stored")
    bench.meter.send(board.sample(5))
    until(lambda: bench.gateway.counted("stored") == before + 1, 10, "carried")


def test_a_replay_counts_once(bench: Bench) -> None:
    signed = bench.next(ei=1)
    bench.meter.send(signed)
    bench.meter.await_final(bench.seq)
    before = bench.gateway.counted("repeat")
    bench.meter.send(signed, signed)
    until(lambda: bench.gateway.counted("repeat") == before + 2, 10, "two repeats")
    bench.good_goes_on()


def test_the_same_content_signed_again_is_a_repeat(bench: Bench) -> None:
    signed = bench.next(ei=1)
    bench.meter.send(signed)
    bench.meter.await_durable(bench.seq)
    before = bench.gateway.counted("repeat")
    key = private_key("honest signing")
    while (again := _signed_at_random(bench.board, key, signed)) == signed.raw:
        pass
    bench.meter.publish(bench.meter.topic("sample"), again)
    until(lambda: bench.gateway.counted("repeat") == before + 1, 10, "a repeat")


def _signed_at_random(board: Board, key: object, signed: SignedSample) -> bytes:
    from cryptography.hazmat.primitives.asymmetric import ec, utils
    from cryptography.hazmat.primitives.hashes import SHA256

    assert isinstance(key, ec.EllipticCurvePrivateKey)
    order = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
    der = key.sign(signed.digest, ec.ECDSA(utils.Prehashed(SHA256())))
    r, s = utils.decode_dss_signature(der)
    signature = r.to_bytes(32, "big") + min(s, order - s).to_bytes(32, "big")
    return bytes(cose.sign1(board.kid, sample.encode(signed.sample), signature))


def test_a_fork_is_shown_on_the_ledger(bench: Bench) -> None:
    board = bench.gateway.board("forker")
    bench.gateway.enrol(board)
    one = board.sample(1, [reading(bench.now_ms, ei=1)])
    other = board.sample(1, [reading(bench.now_ms, ei=2)])
    before, stored = bench.gateway.counted("fork"), bench.gateway.counted("stored")
    bench.meter.send(one)
    until(lambda: bench.gateway.counted("stored") == stored + 1, 10, "the first is held")
    bench.meter.send(other, other)
    until(lambda: bench.gateway.counted("fork") == before + 2, 10, "a fork, told twice")
    until(lambda: bench.gateway.status()["pool"] == 0, 10, "committed")
    assert command("audit", bench.gateway.folder).returncode == 0


def test_under_anothers_topic_it_is_carried_and_counted(bench: Bench) -> None:
    board = bench.gateway.board("visitor")
    bench.gateway.enrol(board)
    before = bench.gateway.counted("foreign_topic")
    bench.meter.send(board.sample(1, [reading(bench.now_ms, ei=1)]))
    until(lambda: bench.classes(board).get("valid") == 1, 10, "committed")
    assert bench.gateway.counted("foreign_topic") == before + 1


def test_the_future_and_the_past_are_classes(bench: Bench) -> None:
    board = bench.gateway.board("time traveller")
    bench.gateway.enrol(board)
    bench.meter.send(
        board.sample(1, [reading(bench.now_ms - 86_400_000, ei=1)]),
        board.sample(2, [reading(bench.now_ms + 86_400_000, ei=2)]),
        board.sample(3, [reading(bench.now_ms, ei=3)], clock="U"),
        board.sample(4, [reading(bench.now_ms, ei=0)]),
        board.sample(5, [reading(bench.now_ms, status="T")]),
        board.sample(6, [reading(bench.now_ms, device=2, ei=0)]),
    )
    until(lambda: sum(bench.classes(board).values()) >= 6, 10, "committed")
    names = bench.classes(board)
    assert {"late", "future", "clock_unsure", "failed", "unknown_point"} <= set(names), names


def test_what_was_refused_can_be_looked_at(bench: Bench) -> None:
    bench.meter.publish(bench.meter.topic("sample"), b"look at me")

    def kept() -> list[dict[str, object]]:
        done = command("quarantine", bench.gateway.folder, "--format", "json")
        return [row for row in json.loads(done.stdout) if row["body"] == b"look at me".hex()]

    (row,) = until(kept, 10, "it is in quarantine")
    assert row["reason"] == "malformed"
    assert row["topic"] == bench.meter.topic("sample")
