"""What the bench publishes is what a gateway takes, and what it prints was measured."""

import json
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from wattle_hil import parts
from wattle_hil.bench import openssl
from wattle_hil.bench.airtime import airtimes
from wattle_hil.bench.ingest import METERS
from wattle_hil.bench.mqtt_publisher import publish_packet
from wattle_hil.bench.paper_meter import PaperMeter
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


@pytest.mark.slow
def test_the_whole_bench_measures_something(tmp_path: Path) -> None:
    try:
        parts.micropython(64)
    except PartMissingError as error:
        pytest.skip(str(error))
    figures = tmp_path / "bench.json"
    words = ("--rounds", "1", "--samples", "50", "--json", str(figures))
    done = subprocess.run(
        [sys.executable, "-m", "wattle_hil.bench", *words],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "of one `openssl speed ecdsap256`" in done.stdout
    content = json.loads(figures.read_text(encoding="utf-8"))
    (measured,) = content["ingest"]
    assert measured["samples"] == 50 * METERS
    assert 0 < measured["durable_s"] <= measured["final_s"]
    (cost,) = content["signature"].values()
    assert 0 < cost["sign_us"] <= cost["sign_us_max"]
    assert cost["garbage_bytes"] > 0
