"""What `0/cmd` of a committed sample says of orders (D14, D21, D22).

A gateway acts on an `emergency` event's order before it is committed, so a meter's sample may be
committed before the order that it repeats. One such word is kept for each meter until the order
comes; if none comes, the member that the meter belongs to is charged with a setpoint that nobody
ordered. An order that was signed and came to nothing (refused, or one of two under one nonce) is
its signer's affair: the newest of these are kept, so that nobody is charged for having obeyed one.

What charges the home is its meter's word alone. It cannot be more: a command carries a MAC under a
key that meter and gateway share, so either could have made it and it proves nothing to others. The
home answers for its meters and alone may revoke one, so it bears the doubt, but not without a
bound: once a day for each meter, however much that says.
"""

from dataclasses import dataclass, replace

from wattle_wire import cbor, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts import registry, weights
from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.events import rows
from wattle_gateway.contracts.events.rows import EventRow, QuotaRow
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.contracts.reputation import conduct, fault_record
from wattle_gateway.contracts.reputation.fault_record import Shown
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.state import State, key
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.signed_sample import SignedSample
from wattle_gateway.ledger.transaction import DIGEST_BYTES

# An order that is on its way is committed in seconds, and in minutes after a cut; beyond it was
# never given.
UNEXPLAINED_MS = 3_600_000
# Of each member; many more than can be under way at once.
VAIN_MAX = 64
_DAY_MS = 86_400_000
# Nobody falls from the start value to a suspension by one meter in less than the two days after
# its first lie that it takes to find and revoke it.
CHARGE_EVERY_MS = _DAY_MS


@dataclass(frozen=True)
class _Word:
    """`0/cmd` of a sample: `digest` of an order, `reached_w`; newest reading and commit time;
    digest of the `sample` and index of its `commit`."""

    digest: bytes
    reached_w: int
    reading_ms: int
    time_ms: int
    sample: bytes
    commit: int

    @property
    def shown(self) -> Shown:
        """Where it stands."""
        return Shown(fault_record.SAMPLE, self.sample, self.commit)


def take(
    state: State, meter: Meter, signed: SignedSample, market: Market, setting: Setting
) -> None:
    """A sample of a meter has taken effect: what it says of a load that was set."""
    time_ms = setting.time_ms
    kept = _kept(state, meter.kid)
    if kept is not None and kept.time_ms + UNEXPLAINED_MS < time_ms:
        _charge_unless_signed(state, meter, kept, market, setting)
        state.delete(key("unexplained", meter.kid))
        kept = None
    sample = signed.sample
    if sample.command is None:
        return
    digest, reached_w = sample.command
    read_ms = sample.readings[-1].time_ms
    word = _Word(digest, reached_w, read_ms, time_ms, signed.digest, setting.index)
    if rows.order(state, digest) is not None:
        if not _confirm(state, meter, word):
            _charge(state, meter, word, market, setting)
        return
    if word.reading_ms + market.keep_days * _DAY_MS <= time_ms:
        return  # its order may be forgotten
    if kept is not None and kept.digest == digest:
        return  # the first word of it counts
    if kept is not None:
        _charge_unless_signed(state, meter, kept, market, setting)
    _keep(state, meter.kid, word)


def order_came(state: State, digest: bytes, meter_kid: bytes) -> None:
    """An order to loads of a meter (kid) was committed: the meter may have confirmed it before."""
    kept = _kept(state, meter_kid)
    if kept is None or kept.digest != digest:
        return
    meter = registry.meter(state, meter_kid)
    assert meter is not None, "meters stay enrolled for ever"
    _confirm(state, meter, kept)
    state.delete(key("unexplained", meter_kid))


def came_to_nothing(state: State, digest: bytes, signer: bytes) -> None:
    """An authentic transaction of `signer` (kid) that would have been an order had no effect."""
    if rows.order(state, digest) is not None or rows.event(state, digest) is not None:
        return  # it had one when it came first
    kept = [one for one in _vain(state, signer) if one != digest]
    state.put(key("vain", signer), cbor.encode([*kept, digest][-VAIN_MAX:]))


def _confirm(state: State, meter: Meter, word: _Word) -> bool:
    """Note the first word of a load that its order has reached it; whether the order is to any
    load of this meter.

    `0/cmd` names no device: of several loads under one order the first is meant that is at this
    setpoint and silent so far, or else the first that is silent.
    """
    order = rows.order(state, word.digest)
    assert order is not None
    event = rows.event(state, order.event)
    assert event is not None, "an order is forgotten with its event"
    loads = [quota for quota in _loads(state, event, meter) if quota.order == word.digest]
    if not loads:
        return False
    silent = [quota for quota in loads if _awaits(quota, event, word)]
    exact = [quota for quota in silent if quota.setpoint_w == word.reached_w]
    for quota in (exact or silent)[:1]:
        assert quota.ordered_ms is not None
        # No clock makes an answer come before the question, or after it was heard.
        read_ms = max(quota.ordered_ms, min(word.reading_ms, word.time_ms))
        rows.put_quota(state, replace(quota, confirmed_ms=read_ms, confirmed_w=word.reached_w))
    return True


def _awaits(quota: QuotaRow, event: EventRow, word: _Word) -> bool:
    """Whether this could be a load's first answer: what it says after the end of its part is that
    it was released."""
    end_ms = event.end_ms
    if quota.withdrawn_from is not None:
        end_ms = min(end_ms, event.interval_begin_ms(quota.withdrawn_from))
    return quota.confirmed_ms is None and word.reading_ms < end_ms


def _loads(state: State, event: EventRow, meter: Meter) -> list[QuotaRow]:
    found = [rows.quota(state, event, meter.kid, point.device) for point in meter.points]
    return [quota for quota in found if quota is not None]


def _charge_unless_signed(
    state: State, meter: Meter, word: _Word, market: Market, setting: Setting
) -> None:
    if not any(word.digest in _vain(state, member.kid) for member in setting.epoch.everyone):
        _charge(state, meter, word, market, setting)


def _vain(state: State, signer: bytes) -> list[bytes]:
    value = state.get(key("vain", signer))
    if value is None:
        return []
    try:
        found = structure.items(cbor.decode(value), VAIN_MAX, "vain orders")
        return [structure.octets(one, DIGEST_BYTES, "digest") for one in found]
    except WireError as error:
        raise StateError(f"vain orders of {signer.hex()}: {error}") from error


def _charge(state: State, meter: Meter, word: _Word, market: Market, setting: Setting) -> None:
    """Charge the meter's home, unless this meter has cost it a fault less than a day ago."""
    row = key("uncommanded", meter.kid)
    last_ms = _charged_ms(state.get(row), meter.kid)
    if last_ms is not None and setting.time_ms < last_ms + CHARGE_EVERY_MS:
        return
    state.put(row, cbor.encode(setting.time_ms))
    conduct.charge(state, market, meter.home, weights.UNCOMMANDED, word.shown, setting.time_ms)


def _charged_ms(value: bytes | None, meter: bytes) -> int | None:
    if value is None:
        return None
    try:
        return structure.uint(cbor.decode(value), "time_ms")
    except WireError as error:
        raise StateError(f"uncommanded {meter.hex()}: {error}") from error


def _keep(state: State, meter: bytes, word: _Word) -> None:
    row = [
        word.digest,
        word.reached_w,
        word.reading_ms,
        word.time_ms,
        word.sample,
        word.commit,
    ]
    state.put(key("unexplained", meter), cbor.encode(row))


def _kept(state: State, meter: bytes) -> _Word | None:
    value = state.get(key("unexplained", meter))
    if value is None:
        return None
    try:
        row = structure.array(cbor.decode(value), 6, "unexplained")
        return _Word(
            structure.octets(row[0], DIGEST_BYTES, "digest"),
            structure.integer(row[1], "reached_w"),
            structure.uint(row[2], "reading_ms"),
            structure.uint(row[3], "time_ms"),
            structure.octets(row[4], DIGEST_BYTES, "sample"),
            structure.uint(row[5], "commit"),
        )
    except WireError as error:
        raise StateError(f"unexplained word of {meter.hex()}: {error}") from error
