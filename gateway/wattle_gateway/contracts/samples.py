"""Execution of a sample (SPEC section 12)."""

from collections.abc import Callable

from wattle_wire.sample import Sample

from wattle_gateway.contracts import chain as chain_rules
from wattle_gateway.contracts import classes, plausibility, registry, usage
from wattle_gateway.contracts.chain import Arrival
from wattle_gateway.contracts.plausibility import Register
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.contracts.settlement import touching
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger import genesis
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.signed_sample import SignedSample

ParseSample = Callable[[bytes, bytes], SignedSample]
"""(sample bytes, ledger id) -> SignedSample; raises LedgerError."""

# What a device calls a value that it did not measure (OCMF 1.4, field ST).
_SUBSTITUTE = "S"


def execute_sample(
    state: State, meter: Meter, signed: SignedSample, time_ms: int, epoch: Epoch
) -> int | None:
    """Let a verified sample of `meter` take effect at commit time `time_ms`.

    Gives its verdict, None if it has no effect because its seq is settled or cannot count any
    more. Raises RunsFullError if it has none for now. Without effect the state is unchanged.
    """
    sample, constants = signed.sample, epoch.constants
    if not meter.counts(sample.seq, time_ms, constants.gap_open_ms):
        return None
    before = registry.chain(state, meter.kid, meter.first_seq)
    admitted = chain_rules.admit(
        chain_rules.expire(before, time_ms, constants.gap_open_ms),
        meter.first_seq,
        Arrival(
            sample.seq,
            sample.prev,
            signed.digest,
            tuple((first, last) for first, last, _ in sample.gaps),
        ),
        time_ms,
        constants.runs_max,
        gaps_open=meter.revoked is None,
    )
    if admitted is None:
        return None
    registry.put_chain(state, meter.kid, admitted.chain)
    verdict = classes.FORKED if admitted.forked else 0
    if admitted.late:
        verdict |= classes.LATE
    verdict |= _stated_classes(meter, sample, time_ms, epoch)
    verdict = _judge_registers(state, meter, sample, verdict, epoch)
    usage.take(state, meter, sample, verdict, time_ms, epoch)
    touching.note(state, meter, sample, time_ms, epoch)
    return verdict


def _stated_classes(meter: Meter, sample: Sample, time_ms: int, epoch: Epoch) -> int:
    """The classes that follow from what the sample says and the commit time."""
    constants = epoch.constants
    verdict = 0
    if time_ms - sample.readings[-1].time_ms > constants.late_ms:
        verdict |= classes.LATE
    if sample.readings[-1].time_ms - time_ms > constants.future_ms:
        verdict |= classes.FUTURE
    if sample.clock in ("U", "R"):
        verdict |= classes.CLOCK_UNSURE
    if sample.eui64 != meter.eui64:
        verdict |= classes.MISNAMED
    if sample.gaps:
        verdict |= classes.GAP
    for reading in sample.readings:
        if reading.status != "G":
            verdict |= classes.FAILED
        if reading.status == _SUBSTITUTE and epoch.rules >= genesis.EVENT_RULES:
            verdict |= classes.SUBSTITUTED
        if meter.point(reading.device) is None:
            verdict |= classes.UNKNOWN_POINT
    return verdict


def _judge_registers(state: State, meter: Meter, sample: Sample, verdict: int, epoch: Epoch) -> int:
    """The verdict with plausibility in it; moves the registers of a plausible sample."""
    before: dict[int, Register] = {}
    after: dict[int, Register] = {}
    for reading in sample.readings:
        point = meter.point(reading.device)
        if point is None:
            continue
        device = point.device
        if device not in after:
            before[device] = after[device] = registry.register(state, meter.kid, device)
        found, after[device] = plausibility.judge(
            after[device],
            reading,
            point,
            epoch.constants.rating_margin_permille,
            timed=sample.clock != "U",
            rules=epoch.rules,
        )
        verdict |= found
    if not verdict & classes.IMPLAUSIBLE:
        for device in sorted(after):
            if after[device] != before[device]:
                registry.put_register(state, meter.kid, device, after[device])
    return verdict
