"""Energy counters only ever rise; one that falls has rolled over or is another one, and one that
stands still while power flows is frozen.
"""

from wattle_wire import cbor, structure
from wattle_wire.errors import WireError
from wattle_wire.quantity import EXCHANGED, OUT_OF_RANGE

from wattle_meter.board import Store

# A counter that fell has rolled over if that makes it a step of at most this part of its range:
# an exchanged device hits that by chance once in as many times.
_STEP_PARTS = 16
# A counter is frozen when power has flowed for this much, and for so many of its steps. The
# smallest rise seen is taken for a step; before the first, one of a large device (1 kWh).
FROZEN_WH = 1000
_FROZEN_STEPS = 10
_STEP_WH_MAX = 1000
_DECIWATT_SECONDS = 36000  # in a Wh
# Devices are exchanged while the power is off: the totals of each outlive it.
_KEY = "counters"
_KEPT = ("ei", "ee")
_RECORD_BYTES_MAX = 512  # of the store; 30 devices below 4 GWh


class Counters:
    """The newest value of each energy counter of one device.

    `newest` by quantity; `rollovers` and `exchanges`: how often each was seen; `frozen`: readings
    in which a counter stood still.
    """

    def __init__(self) -> None:
        self.newest: dict[str, int] = {}
        self.rollovers = 0
        self.exchanges = 0
        self.frozen = 0
        # By counter: its value, its smallest rise in Wh, what flowed since it moved in 0.1 Ws.
        self._flows: dict[str, tuple[int, int, int]] = {}
        self._power: tuple[int, int] | None = None  # time and 0.1 W of the last reading
        self._span_ms = 0

    def judge(self, name: str, value: int, wrap: int | None) -> str | None:
        """The OCMF letter that marks the device's reading: O for a counter that rolled over,
        X for a device that was exchanged or reset, None for one that rose.

        `value` is in the wire's unit, `wrap` where the counter starts again, None if unknown.
        """
        before = self.newest.get(name)
        self.newest[name] = value
        if before is None or value >= before:
            return None
        if wrap is not None and before < wrap and (value + wrap - before) * _STEP_PARTS <= wrap:
            self.rollovers += 1
            return OUT_OF_RANGE
        self.exchanges += 1
        return EXCHANGED

    def is_frozen(self, values: dict[str, int | str], time_ms: int) -> bool:
        """Whether a counter in `values` has stood still although the power beside it says that it
        must have moved. `values` are those of one reading, taken at `time_ms`.
        """
        power = values.get("p")
        before, self._power = self._power, None
        if not isinstance(power, int):
            return False
        self._power = (time_ms, power)
        least, span_ms = power, 0
        if before is not None:
            # The shorter of two spans: when the clock is set, only one of them is wrong.
            spans_ms = (self._span_ms, time_ms - before[0])
            self._span_ms = spans_ms[1]
            span_ms = max(0, min(spans_ms))
            least = before[1]
        frozen = False
        for name, sign in (("ei", 1), ("ee", -1)):
            value = values.get(name)
            if isinstance(value, int):
                flow = max(0, min(sign * power, sign * least)) * span_ms // 1000
                frozen = self._stands(name, value, flow) or frozen
        self.frozen += frozen
        return frozen

    def _stands(self, name: str, value: int, flow: int) -> bool:
        known, step, flowed = self._flows.get(name, (None, _STEP_WH_MAX, 0))
        if value != known:
            flowed = flow = 0
            if known is not None and value > known:
                step = min(step, value - known)
        enough = _DECIWATT_SECONDS * max(FROZEN_WH, _FROZEN_STEPS * step)
        flowed = min(flowed + flow, enough)
        self._flows[name] = (value, step, flowed)
        return flowed == enough


def save(store: Store, devices: dict[int, Counters]) -> None:
    """Sets the record of the totals of all `devices` (by number); the caller commits.

    What does not fit into a record is left out, last numbers first. Raises OSError.
    """
    rows: list[list[object]] = []
    for number in sorted(devices):
        newest = devices[number].newest
        rows.append([number] + [newest.get(name) for name in _KEPT])
    while len(cbor.encode(rows)) > _RECORD_BYTES_MAX:
        rows.pop()
    store.set(_KEY, cbor.encode(rows))


def load(store: Store, devices: dict[int, Counters]) -> None:
    """Gives `devices` what was saved of them. A damaged record counts as none."""
    record = store.get(_KEY)
    try:
        rows = structure.items(cbor.decode(record), cbor.ITEMS_MAX, "counters") if record else []
        for row in rows:
            number, *totals = structure.array(row, 1 + len(_KEPT), "counters")
            known = devices.get(structure.integer(number, "device"))
            for name, total in zip(_KEPT, totals):
                if known is not None and total is not None:
                    known.newest[name] = structure.integer(total, name)
    except WireError:
        return
