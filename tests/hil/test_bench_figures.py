"""What the bench publishes is what a gateway takes, and what it prints was measured."""

import json
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from wattle_hil import parts
from wattle_hil.bench import openssl, text
from wattle_hil.bench.airtime import airtimes
from wattle_hil.bench.dispatch import DispatchTimes
from wattle_hil.bench.finality import Finality, rank
from wattle_hil.bench.ingest import METERS
from wattle_hil.bench.mqtt_publisher import publish_packet
from wattle_hil.bench.paper_meter import PaperMeter
from wattle_hil.bench.signature import BoardSignatureCost
from wattle_hil.bench.upkeep import Upkeep
from wattle_hil.children.processes import Finished
from wattle_hil.errors import BenchError
from wattle_hil.parts import PartMissingError
from wattle_wire import cose, p256, sample_reader, uplink

LEDGER_ID = bytes(range(16))
DEADLINE_S = 180.0


@pytest.mark.parametrize(
    ("payload", "length"),
    [(100, b"\x6b"), (120, b"\x7f"), (121, b"\x80\x01"), (16_384, b"\x87\x80\x01")],
)
def test_a_packet_is_a_publish_of_mqtt_3_1_1(payload: int, length: bytes) -> None:
    packet = publish_packet("a/b", bytes(payload), 7)
    assert packet == b"\x32" + length + struct.pack(">H", 3) + b"a/b" + b"\x00\x07" + bytes(payload)


def test_a_dispatch_is_told_with_its_limit() -> None:
    quick = [0.5] * 19 + [2.5]
    slow = [0.5] * 18 + [2.5] * 2
    head, kept, not_kept = text.dispatch(DispatchTimes(quick, slow))
    assert "4 loads" in head
    assert "p95  0.50 s, longest  2.50 s of 20; p95 at most 2 s: kept" in kept
    assert not_kept.endswith("NOT KEPT")


def test_paper_meters_sign_chained_samples_and_prove_their_keys() -> None:
    meter = PaperMeter(LEDGER_ID)
    proof = cose.parse_sign1("enrol", LEDGER_ID, meter.enrolment_proof())
    public = uplink.decode_proof(proof.payload)[1]
    p256.verify(public, proof.digest, proof.signature)
    prev = None
    for seq in range(1, 4):
        signed = cose.parse_sign1(
            "sample", LEDGER_ID, meter.sample(1_700_000_000_000 + seq, seq == 3)
        )
        p256.verify(public, signed.digest, signed.signature)
        content = sample_reader.decode(signed.payload)
        assert (content.seq, content.prev) == (seq, prev)
        assert len(content.readings[0].values) == (23 if seq == 3 else 7)
        prev = signed.digest


def test_bytes_on_air_are_those_of_the_packet_and_its_carriers() -> None:
    one_phase, three_phases = airtimes()
    assert (one_phase.device, three_phases.device) == ("SDM120", "SDM630")
    assert one_phase.sample < one_phase.mqtt < one_phase.on_air < three_phases.on_air
    # Topic of 37 characters and its length, packet id, header of 3.
    assert one_phase.mqtt - one_phase.sample == 2 + 37 + 2 + 3


def test_openssl_must_say_a_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "+H:64\n+F4:3:256:70623.255814:23530.588235\n"
    monkeypatch.setattr(openssl, "run", lambda *_: Finished("openssl", 0, said, ""))
    assert openssl.verifications_a_second(1) == pytest.approx(23_530.588)
    monkeypatch.setattr(openssl, "run", lambda *_: Finished("openssl", 0, "nothing", ""))
    with pytest.raises(BenchError, match="printed no result"):
        openssl.verifications_a_second(1)


def test_percentiles_are_values_that_occurred() -> None:
    values = [float(number) for number in range(1, 201)]
    assert (rank(values, 0.50), rank(values, 0.99)) == (100.0, 198.0)
    assert (rank([3.0], 0.50), rank([3.0], 0.99)) == (3.0, 3.0)


def test_what_was_measured_stands_beside_its_limit() -> None:
    found = Finality([0.4] * 98 + [0.8, 3.0], [0.5, 0.6, 2.0], 3_600)
    lines = text.finality(found)
    assert "    p50       0.40 s = 0.40 of 1" in lines
    assert "    p99       0.80 s = 0.32 of 2.5" in lines
    assert "  3 transactions, each after 3600 s without any (0.50, 0.60, 2.00 s)" in lines
    assert "    p50       0.60 s = 0.40 of 1.5" in lines
    idle = Upkeep(300.0, 0, [4.0, 5.0, 3.0, 1.0], [4.5] * 4)
    lines = text.upkeep(idle, Upkeep(300.0, 300, [78.0, 79.0, 70.0, 71.0], [60.0] * 4))
    assert "    disk       5.00 MB a day = 0.25 of 20" in lines
    assert "    disk      79.00 MB a day = 0.99 of 80" in lines
    assert "    wire      60.00 MB a day = 0.50 of 120" in lines


def test_what_a_board_computes_stands_beside_its_limits() -> None:
    cost = BoardSignatureCost(
        10, 9_780_000, 9_840_000, 950_000, 58_260_000, 1_540_000, 49_210_000, 1_540_000
    )
    lines = text.counted_signature(cost)
    assert "  signature           9.78   between yields   0.95 at most" in lines
    assert "  check              58.26   between yields   1.54 at most" in lines
    assert "  dearest signature            9.84 million = 0.82 of 12" in lines
    assert "  longest without yield        1.54 million = 0.51 of 3" in lines


def bench(tmp_path: Path, *words: str) -> tuple[str, dict[str, Any]]:
    """Runs the program; what it printed, and its JSON."""
    figures = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "wattle_hil.bench", *words, "--json", str(figures)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, json.loads(figures.read_text(encoding="utf-8"))


@pytest.mark.slow
def test_signatures_and_ingest_are_measured(tmp_path: Path) -> None:
    try:
        parts.micropython(64)
    except PartMissingError as error:
        pytest.skip(str(error))
    words = ("--only", "signature,ingest", "--rounds", "1", "--samples", "50")
    said, content = bench(tmp_path, *words)
    assert "of one `openssl speed ecdsap256`" in said
    (measured,) = content["ingest"]
    assert measured["samples"] == 50 * METERS
    assert 0 < measured["durable_s"] <= measured["final_s"]
    (cost,) = content["signature"].values()
    assert 0 < cost["sign_us"] <= cost["sign_us_max"]
    assert cost["garbage_bytes"] > 0
    assert cost["verify_garbage_bytes"] > cost["garbage_bytes"]  # it has no table of its key


@pytest.mark.slow
def test_an_alliance_is_measured(tmp_path: Path) -> None:
    words = ("--transactions", "3", "--idle-tries", "0", "--stretch", "10")
    said, content = bench(tmp_path, "--only", "finality,upkeep", *words)
    assert "12 transactions, 4 at a time" in said
    assert "one meter at 1 Hz (10 samples)" in said
    took_s = content["finality"]["busy_s"]
    assert len(took_s) == 12
    assert took_s == sorted(took_s)
    idle, metered = content["upkeep"]["idle"], content["upkeep"]["one_meter"]
    assert metered["samples"] == 10
    for before, after in zip(idle["wire_mb"], metered["wire_mb"], strict=True):
        assert before < after
