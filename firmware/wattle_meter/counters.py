"""Energy counters only ever rise; one that falls has rolled over or is another one."""

from wattle_wire import cbor, structure
from wattle_wire.errors import WireError
from wattle_wire.quantity import EXCHANGED, OUT_OF_RANGE

from wattle_meter.board import Store

# A counter that fell has rolled over if that makes it a step of at most this part of its range:
# an exchanged device hits that by chance once in as many times.
_STEP_PARTS = 16
# Devices are exchanged while the power is off: the totals of each outlive it.
_KEY = "counters"
_KEPT = ("ei", "ee")
_RECORD_BYTES_MAX = 512  # of the store; 30 devices below 4 GWh


class Counters:
    """The newest value of each energy counter of one device.

    `newest` by quantity; `rollovers` and `exchanges`: how often each was seen.
    """

    def __init__(self) -> None:
        self.newest: dict[str, int] = {}
        self.rollovers = 0
        self.exchanges = 0

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
