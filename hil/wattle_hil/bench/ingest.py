"""How many samples a second a gateway takes: real signed samples, through its broker, to disk.

Measured from the first byte that is published until the gateway counts the last sample as stored,
which is when it may tell the meter so: TLS, broker, decoding, signature, chain, fsync. Then until
every sample is in a commit. Each round stands beside OpenSSL's rate before and after it.
"""

import json
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from wattle_hil.bench import openssl
from wattle_hil.bench.mqtt_publisher import Publisher, publish_packet
from wattle_hil.bench.paper_meter import PaperMeter
from wattle_hil.children.deadline import Deadline
from wattle_hil.children.free_port import free_ports
from wattle_hil.children.processes import Process, ProcessGroup
from wattle_hil.clock import host_ms
from wattle_hil.errors import BenchError
from wattle_hil.runs.gateway_control import GatewayControl
from wattle_hil.runs.gateways import SITE, START_DEADLINE_S, STOP_DEADLINE_S

METERS = 4
_HOST = "127.0.0.1"
_OPENSSL_S = 1
# Close enough not to be `late`, far enough apart for a plausible power.
_SAMPLE_STEP_MS = 100
_ROUND_DEADLINE_S = 120.0
_POLL_S = 0.01
_PACKET_IDS = 65_535


@dataclass(frozen=True)
class Round:
    """samples: published. broker_s, durable_s, final_s: until the broker had taken all, until all
    were stored, and in the ledger. openssl_a_second: verifications of one process, mean of before
    and after.
    """

    samples: int
    broker_s: float
    durable_s: float
    final_s: float
    openssl_a_second: float

    @property
    def broker_a_second(self) -> float:
        return self.samples / self.broker_s

    @property
    def durable_a_second(self) -> float:
        return self.samples / self.durable_s

    @property
    def final_a_second(self) -> float:
        return self.samples / self.final_s

    @property
    def ratio(self) -> float:
        """Samples a second to OpenSSL's verifications a second."""
        return self.durable_a_second / self.openssl_a_second


def measure_ingest(gateway: Sequence[str], rounds: int, samples: int) -> list[Round]:
    """`rounds` rounds of `samples` samples of each of METERS meters, on a gateway of its own.

    Raises BenchError, ProcessError or DeadlineError.
    """
    with tempfile.TemporaryDirectory(prefix="wattle-bench-") as folder:
        bench = _IngestBench(GatewayControl(gateway, Path(folder) / "gateway"))
        with bench.running():
            return list(bench.rounds(rounds, samples))


class _IngestBench:
    def __init__(self, control: GatewayControl) -> None:
        self._control = control
        (self._port,) = free_ports(1)
        self._meters: list[PaperMeter] = []
        self._publishers: list[Publisher] = []
        self._published = 0

    @contextmanager
    def running(self) -> Iterator[None]:
        """A gateway with METERS enrolled and connected meters."""
        control = self._control
        control.call("init", "--name", SITE, "--site", SITE, "--port", str(self._port))
        command = control.run_command("run", "--log-level", "warning")
        process = Process("gateway", command, control.folder / "bench.log")
        with ProcessGroup() as group:
            group.start(process)
            control.wait_until_running(process, Deadline(START_DEADLINE_S))
            ledger_id = bytes.fromhex(str(control.status()["ledger_id"]))
            self._meters = [PaperMeter(ledger_id) for _ in range(METERS)]
            self._publishers = [self._connect(meter) for meter in self._meters]
            try:
                yield
            finally:
                for publisher in self._publishers:
                    publisher.close()
            process.stop(STOP_DEADLINE_S)

    def rounds(self, count: int, samples: int) -> Iterator[Round]:
        """One round after the other; samples are signed before the clock starts."""
        before = openssl.verifications_a_second(_OPENSSL_S)
        for _ in range(count):
            packets = [self._packets(meter, samples) for meter in self._meters]
            broker_s, durable_s, final_s = self._round(packets)
            after = openssl.verifications_a_second(_OPENSSL_S)
            openssl_a_second = (before + after) / 2
            yield Round(METERS * samples, broker_s, durable_s, final_s, openssl_a_second)
            before = after

    def _connect(self, meter: PaperMeter) -> Publisher:
        folder = self._control.folder
        proof, key = folder / f"{meter.meter_id}.cbor", folder / f"{meter.meter_id}.key"
        certificate = folder / f"{meter.meter_id}.pem"
        proof.write_bytes(meter.enrolment_proof())
        key.write_bytes(meter.tls_key_pem())
        words = ("--points", "1", "--certificate", str(certificate))
        self._control.call("meters", "enrol", str(proof), *words)
        site = json.loads((folder / "site.json").read_text(encoding="utf-8"))
        authority = folder / "bench-authority.pem"
        authority.write_text(site["authority_pem"], encoding="utf-8")
        return Publisher(self._port, authority, certificate, key)

    def _packets(self, meter: PaperMeter, count: int) -> list[bytes]:
        topic = f"wattle/1/{SITE}/{meter.meter_id}/sample"
        first_ms = host_ms() - count * _SAMPLE_STEP_MS
        return [
            publish_packet(
                topic,
                meter.sample(first_ms + number * _SAMPLE_STEP_MS),
                number % _PACKET_IDS + 1,
            )
            for number in range(count)
        ]

    def _round(self, packets: Sequence[Sequence[bytes]]) -> tuple[float, float, float]:
        """Publishes all meters' packets at once; seconds until the broker has acknowledged them,
        until they are durable, and until they are final."""
        self._published += sum(len(part) for part in packets)
        deadline = Deadline(_ROUND_DEADLINE_S)
        began = time.monotonic()

        def publish(publisher: Publisher, part: Sequence[bytes]) -> float:
            publisher.publish(part)
            return time.monotonic() - began

        with ThreadPoolExecutor(METERS) as pool:
            publishing = pool.map(publish, self._publishers, packets)
            deadline.wait_for(self._all_stored, "all samples are stored", _POLL_S)
            durable_s = time.monotonic() - began
            broker_s = max(publishing)
        deadline.wait_for(self._all_final, "all samples are in the ledger", _POLL_S)
        return broker_s, durable_s, time.monotonic() - began

    def _all_stored(self) -> bool:
        stored = int(self._control.live().get("counters", {}).get("stored", 0))
        if stored > self._published:
            raise BenchError(f"{stored} samples stored of {self._published}")
        return stored == self._published

    def _all_final(self) -> bool:
        return int(self._control.status()["pool"]) == 0
