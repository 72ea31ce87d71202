"""A committed sample goes into the intervals of its points (D7)."""

from wattle_wire.sample import Reading, Sample

from wattle_gateway.contracts.measurement.interval import begin_of
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.contracts.state import State
from wattle_gateway.contracts.usage import compaction, rows
from wattle_gateway.ledger.epoch import Epoch


def take(
    state: State, meter: Meter, sample: Sample, verdict: int, time_ms: int, epoch: Epoch
) -> None:
    """Let the readings of a sample that took effect at commit time `time_ms`, with this verdict,
    count for its points that have an adjustable capacity. Nothing below rules 3.

    Which readings are too old is told by the commit time alone, so what the intervals hold does
    not depend on the order of samples.
    """
    market = epoch.constants.market
    if market is None:
        return
    latest_ms = time_ms + epoch.constants.future_ms
    stretch_ms = rows.stretch_ms(market)
    for device, readings in _by_device(meter, sample).items():
        oldest = compaction.advance(state, meter, device, market, time_ms)
        inside: dict[int, list[Reading]] = {}
        for reading in readings:
            if oldest * stretch_ms <= reading.time_ms <= latest_ms:
                begin_ms = begin_of(reading.time_ms, market.interval_ms)
                inside.setdefault(begin_ms, []).append(reading)
        for begin_ms, found in inside.items():
            row = rows.interval(state, meter.kid, device, begin_ms, market.interval_ms)
            rows.put_interval(state, meter.kid, device, row.taking(found, verdict))


def _by_device(meter: Meter, sample: Sample) -> dict[int, list[Reading]]:
    adjustable = {point.device for point in meter.points if point.capacity_w}
    found: dict[int, list[Reading]] = {}
    for reading in sample.readings:
        if reading.device in adjustable:
            found.setdefault(reading.device, []).append(reading)
    return found
