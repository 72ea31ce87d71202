"""How many bytes a sample takes on its way: counted on real samples and packets."""

from dataclasses import dataclass

from wattle_hil.bench.mqtt_publisher import publish_packet
from wattle_hil.bench.paper_meter import PaperMeter

# A second of a sampled day; any time of these years has as many bytes.
_TIME_MS = 1_700_000_000_000
# TLS 1.3 record: header 5, content type 1, tag 16 (RFC 8446 sections 5.1, 5.2).
TLS_RECORD_BYTES = 22
# IPv4 20, TCP 20 and its time stamps 12 (RFC 791, RFC 9293, RFC 7323).
TCP_IP_BYTES = 52


@dataclass(frozen=True)
class Airtime:
    """Bytes of one sample with one reading: payload and signature, and what carries it."""

    device: str
    sample: int
    mqtt: int

    @property
    def on_air(self) -> int:
        """One TCP segment with one TLS record with one PUBLISH."""
        return self.mqtt + TLS_RECORD_BYTES + TCP_IP_BYTES


def airtimes() -> list[Airtime]:
    """Of the device types that the firmware has profiles of, all quantities."""
    found = []
    for device, three_phases in (("SDM120", False), ("SDM630", True)):
        meter = PaperMeter(bytes(16))
        meter.sample(_TIME_MS)  # the first of a chain lacks the link to the one before
        raw = meter.sample(_TIME_MS + 1_000, three_phases)
        packet = publish_packet(f"wattle/1/site/{meter.meter_id}/sample", raw, 1)
        found.append(Airtime(device, len(raw), len(packet)))
    return found
