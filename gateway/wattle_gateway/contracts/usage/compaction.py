"""Intervals become stretches (days): what was fine is kept as energies only (D8).

A stretch is fine until `fine_ms` after its end, by commit time. The point's next sample after
that settles it: one stretch a sample, so that no sample costs more than one. Each meter waits a
while of its own besides: a stretch costs milliseconds, and all meters' would end in one commit.
"""

from dataclasses import replace

from wattle_gateway.contracts.measurement.energy import DAY_MS, Metering, energies
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.contracts.state import State
from wattle_gateway.contracts.usage import rows
from wattle_gateway.contracts.usage.known_metering import bounded, metering
from wattle_gateway.contracts.usage.rows import FineRows, Span, Told
from wattle_gateway.ledger.market import Market

_WAITS_A_STRETCH = 24


def oldest_taken(market: Market, time_ms: int) -> int:
    """The number of the first stretch whose readings still count at commit time `time_ms`."""
    return max(0, (time_ms - market.fine_ms) // rows.stretch_ms(market))


def advance(state: State, meter: Meter, device: int, market: Market, time_ms: int) -> int:
    """Settle the point's oldest stretch if its time has come; gives the number of the first
    stretch whose readings still count."""
    due = oldest_taken(market, time_ms)
    known = rows.span(state, meter.kid, device)
    if known is None or known.interval_s != market.interval_s:
        # Under another length begins another measurement: the two do not fit together.
        rows.delete_all(state, meter.kid, device)
        rows.put_span(state, meter.kid, device, Span(due, market.interval_s))
        return due
    ripe = oldest_taken(market, time_ms - _wait_ms(meter, market))
    if known.fine < ripe:
        fine = _settle_oldest(state, meter, device, market, known.fine, ripe)
        rows.put_span(state, meter.kid, device, Span(fine, market.interval_s))
    return max(due, known.fine)


def _wait_ms(meter: Meter, market: Market) -> int:
    """Up to an hour of a day, by the meter's kid."""
    return int.from_bytes(meter.kid, "big") % (rows.stretch_ms(market) // _WAITS_A_STRETCH)


def _settle_oldest(
    state: State, meter: Meter, device: int, market: Market, fine: int, ripe: int
) -> int:
    """Settle the oldest stretch from `fine` on and below `ripe` that has intervals. Gives the
    number of the first stretch that is fine then."""
    length_ms, stretch_ms = market.interval_ms, rows.stretch_ms(market)
    intervals = rows.FineRows(state, meter.kid, device, length_ms)
    numbers = (begin // stretch_ms for begin in intervals.begins)
    oldest = min((number for number in numbers if fine <= number < ripe), default=None)
    following = ripe if oldest is None else oldest + 1
    if oldest is not None:
        told = replace(metering(state, meter, device), coverage_permille=market.coverage_permille)
        settled = _settled(intervals, oldest, told, stretch_ms)
        rows.put_stretch(state, meter.kid, device, oldest, settled)
        kept_ms = market.keep_days * DAY_MS
        rows.delete_stretches(state, meter.kid, device, following - -(-kept_ms // stretch_ms))
    for begin in intervals.begins:
        # The interval just before shows which registers open the next, and if they were exchanged.
        if begin < following * stretch_ms - length_ms:
            rows.delete_interval(state, meter.kid, device, begin)
    return following


def _settled(intervals: FineRows, number: int, told: Metering, stretch_ms: int) -> list[Told]:
    begins = range(number * stretch_ms, (number + 1) * stretch_ms, intervals.length_ms)
    known = [begin for begin in intervals.known() if begin in begins]
    measured = energies(intervals, known, told, stretch_ms)
    found = {
        begin: rows.of_interval(intervals.get(begin), bounded(energy), told)
        for begin, energy in zip(known, measured, strict=True)
    }
    return [found.get(begin, rows.NOTHING) for begin in begins]
