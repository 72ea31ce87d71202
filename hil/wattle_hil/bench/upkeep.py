"""What an alliance of four real gateways costs a day, idle and with one meter at 1 Hz.

Disk: bytes of all files of a gateway's folder after a clean stop, before and after a stretch of
time. Wire: bytes at the sockets of its links to the other gateways (TCP payload, TLS included),
sent and received, over the same stretch. Both are scaled to a day. Of what the meter costs, the
bytes of its samples are taken off: once on disk; on the wire as often as they had to pass.
"""

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from wattle_hil.bench.alliance import GATEWAYS, BenchAlliance, bench_alliance
from wattle_hil.bench.finality import POINTS
from wattle_hil.bench.mqtt_publisher import Publisher, publish_packet
from wattle_hil.bench.paper_meter import PaperMeter
from wattle_hil.children.deadline import Deadline
from wattle_hil.clock import host_ms
from wattle_hil.errors import BenchError
from wattle_hil.runs.gateway_control import GatewayControl
from wattle_hil.runs.gateways import SITE

IDLE_LIMIT_MB = 20.0
METER_DISK_LIMIT_MB, METER_WIRE_LIMIT_MB = 80.0, 120.0
_DAY_S = 86_400
# The first pages of each table are there before the stretch begins.
_WARM_UP_S = 5
_FINAL_DEADLINE_S = 60.0
_POLL_S = 0.5
# [1, body]: head of the array, kind, head of a byte string of more than 255 bytes.
_ENTRY_BYTES = 5


@dataclass(frozen=True)
class Upkeep:
    """Megabytes (10^6 bytes) a day of each gateway, in one order; what the samples themselves
    take is not in them. stretch_s: how long was measured."""

    stretch_s: float
    samples: int
    disk_mb: Sequence[float]
    wire_mb: Sequence[float]


def measure_upkeep(command: Sequence[str], stretch_s: float) -> tuple[Upkeep, Upkeep]:
    """Two alliances side by side for so long: one idle, one with a meter at its first gateway.

    Raises the bench's errors.
    """
    with bench_alliance(command) as idle, bench_alliance(command) as metered:
        meter = _Meter(metered.gateways.first.control)
        with idle.running(), metered.running():
            meter.enrol()
            with meter.connected():
                meter.publish_for(_WARM_UP_S)
                meter.wait_until_final()
        disk = _disk(idle), _disk(metered)
        with idle.running(), metered.running(), meter.connected():
            wire = _wire(idle), _wire(metered)
            before, before_bytes = meter.published, meter.published_bytes
            meter.publish_for(stretch_s)
            meter.wait_until_final()
            wire_grown = _grown(wire[0], _wire(idle)), _grown(wire[1], _wire(metered))
        disk_grown = _grown(disk[0], _disk(idle)), _grown(disk[1], _disk(metered))
    own_bytes = meter.published_bytes - before_bytes
    # Every gateway stores a sample once. The meter's sends it to all others, who receive it.
    passes = [GATEWAYS - 1] + [1] * (GATEWAYS - 1)
    return (
        Upkeep(stretch_s, 0, _a_day(disk_grown[0], stretch_s), _a_day(wire_grown[0], stretch_s)),
        Upkeep(
            stretch_s,
            meter.published - before,
            _a_day([grown - own_bytes for grown in disk_grown[1]], stretch_s),
            _a_day(
                [
                    grown - times * own_bytes
                    for grown, times in zip(wire_grown[1], passes, strict=True)
                ],
                stretch_s,
            ),
        ),
    )


def _disk(alliance: BenchAlliance) -> list[int]:
    """Bytes of the folder of each gateway, stopped."""
    return [int(gateway.control.status()["disk_bytes"]) for gateway in alliance.gateways.each]


def _wire(alliance: BenchAlliance) -> list[int]:
    """Bytes at the sockets of each gateway's links so far."""
    return [
        sum(peer["sent_bytes"] + peer["received_bytes"] for peer in gateway.live()["peers"])
        for gateway in alliance.gateways.each
    ]


def _grown(before: Sequence[int], after: Sequence[int]) -> list[int]:
    return [later - earlier for earlier, later in zip(before, after, strict=True)]


def _a_day(grown_bytes: Sequence[int], stretch_s: float) -> list[float]:
    return [grown / stretch_s * _DAY_S / 1_000_000 for grown in grown_bytes]


class _Meter:
    """One paper meter at a gateway, a sample a second."""

    def __init__(self, control: GatewayControl) -> None:
        self._control = control
        self._publisher: Publisher | None = None
        self.published_bytes = 0
        self.published = 0

    def enrol(self) -> None:
        """Puts it on the ledger. Raises BenchError."""
        control, folder = self._control, self._control.folder.parent
        self._meter = PaperMeter(bytes.fromhex(str(control.status()["ledger_id"])))
        proof = self._meter.enrolment_proof().hex()
        answer = control.ask("enrol", proof=proof, site=None, carry=0, points=POINTS)
        if not answer.get("ok"):
            raise BenchError(f"enrol: {answer.get('message', 'no answer')}")
        self._certificate, self._key = folder / "meter.pem", folder / "meter.key"
        self._certificate.write_text(answer["certificate"], encoding="ascii")
        self._key.write_bytes(self._meter.tls_key_pem())

    @contextmanager
    def connected(self) -> Iterator[None]:
        """It is connected to its gateway's broker. Raises BenchError."""
        site = json.loads((self._control.folder / "site.json").read_text(encoding="utf-8"))
        authority = self._control.folder.with_name("authority.pem")
        authority.write_text(site["authority_pem"], encoding="ascii")
        port = int(site["broker"]["port"])
        self._publisher = Publisher(port, authority, self._certificate, self._key)
        try:
            yield
        finally:
            self._publisher.close()

    def publish_for(self, seconds: float) -> None:
        """A sample a second for so long. Raises BenchError."""
        began = time.monotonic()
        for number in range(1, int(seconds) + 1):
            self._publish()
            time.sleep(max(0.0, began + number - time.monotonic()))

    def _publish(self) -> None:
        assert self._publisher is not None
        raw = self._meter.sample(host_ms())
        topic = f"wattle/1/{SITE}/{self._meter.meter_id}/sample"
        self._publisher.publish([publish_packet(topic, raw, self.published % 65_535 + 1)])
        self.published += 1
        self.published_bytes += len(raw) + _ENTRY_BYTES

    def wait_until_final(self) -> None:
        """Returns when all it has published is in the ledger. Raises DeadlineError."""

        def is_final() -> bool:
            (line,) = self._control.status()["meters"]
            return int(line["final"]) == self.published

        Deadline(_FINAL_DEADLINE_S).wait_for(is_final, "all samples are in the ledger", _POLL_S)
