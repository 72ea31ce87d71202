"""Late samples: which statements they change (D39).

A sample is taken into the intervals of its points in the middle of a commit. Which resources of
which events it touched is noted there; their statements are computed anew once, by the next commit.
"""

from wattle_wire.sample import Sample

from wattle_gateway.contracts.events import agenda, rows
from wattle_gateway.contracts.events.agenda import Due, Step
from wattle_gateway.contracts.events.rows import EventRow, EventState, QuotaRow
from wattle_gateway.contracts.registry import Meter, Rows
from wattle_gateway.contracts.settlement import slicing
from wattle_gateway.contracts.state import State, key
from wattle_gateway.ledger.epoch import Epoch

_NOTED = b"\x00"  # the encoding of 0


def note(state: State, meter: Meter, sample: Sample, time_ms: int, epoch: Epoch) -> None:
    """A sample took effect at commit time `time_ms`: the statements that its readings change are
    due. Nothing below rules 3."""
    market = epoch.constants.market
    if market is None:
        return
    # A statement is made `settle_ms` after its event; a reading up to half an interval beside the
    # event changes it (D7).
    latest_ms = time_ms - market.settle_ms + market.interval_ms // 2
    late: dict[int, list[int]] = {}
    for reading in sample.readings:
        if reading.time_ms <= latest_ms:
            late.setdefault(reading.device, []).append(reading.time_ms)
    for device in sorted(late):
        _note(state, meter.kid, device, late[device], time_ms)


def _note(state: State, meter: bytes, device: int, late: list[int], time_ms: int) -> None:
    for call in rows.calls(state, meter, device):
        event = rows.event(state, call.event)
        if event is None or not _is_stated(state, event):
            continue
        beside_ms = event.interval_ms // 2
        if any(call.begin_ms - beside_ms <= at_ms <= call.end_ms + beside_ms for at_ms in late):
            state.put(key("stale", call.event, meter, device), _NOTED)
            agenda.add(state, Due(time_ms, Step.SETTLE, call.event))


def _is_stated(state: State, event: EventRow) -> bool:
    """Whether an event has statements that may change, or some of its first ones."""
    if event.state is EventState.SELECTED:
        return slicing.position(state, event.digest) > 0
    return event.state is EventState.SETTLED


def take_note(state: State, quota: QuotaRow) -> bool:
    """Whether late samples have touched a resource; it is not noted any more."""
    if not is_noted(state, quota):
        return False
    state.delete(key("stale", quota.event, quota.meter, quota.device))
    return True


def is_noted(state: Rows, quota: QuotaRow) -> bool:
    """Whether late samples have touched a resource since its statement."""
    return state.get(key("stale", quota.event, quota.meter, quota.device)) is not None
