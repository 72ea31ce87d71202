"""How a meter is: what `state` carries beside the presence (SPEC section 7). The reading half.

Nobody signs it and nothing that counts is decided by it: it is there for whoever looks after the
meters.
"""

from wattle_wire import sample, structure
from wattle_wire.errors import MalformedError

# Why a meter started, by the number that stands for it.
RESET_CAUSES = (
    "power",
    "watchdog",
    "software",
    "unknown",
    "asked",
    "sampling stood still",
    "sending stood still",
)
# How reads on the line ended, in the order of their counts.
BUS_OUTCOMES = ("answer", "exception", "timeout", "crc", "frame", "busy", "foreign", "line")
RSSI_DBM_MIN, RSSI_DBM_MAX = -128, 0

_COUNT_MAX = (1 << 53) - 1  # what every JSON reader of a report can hold
_FIELDS = 8


class Health:
    """One health record. All counts are of the life since the newest start, except `resets`.

    `uptime_s`; `heap_free` bytes after a collection; `reset_cause` of the newest start, `resets`
    how often each of RESET_CAUSES; `rssi_dbm` or None without a radio; `waiting` samples that are
    not final, `flash_bytes` of the outbox, `write_failed`, `dropped` samples; `bus` counts by
    BUS_OUTCOMES; `rounds` of readings, `failed_readings`, `missed_slots`, `unsaved` samples,
    `restarts` of tasks; `connections` opened, messages `resent`; `devices` with failures:
    number -> (failed reads, readings of a frozen counter). `record` is the array itself.
    """

    def __init__(self, record: object) -> None:
        """Reads the array of SPEC section 7. Raises MalformedError."""
        self.record = row = structure.array(record, _FIELDS, "health")
        self.uptime_s, self.heap_free = _counts(row[0], 2, "uptime and heap")
        cause, *resets = _counts(row[1], 1 + len(RESET_CAUSES), "resets")
        self.reset_cause = structure.uint(cause, "reset cause", len(RESET_CAUSES) - 1)
        self.resets = resets
        self.rssi_dbm: int | None = None
        if row[2] is not None:
            below = structure.uint(-structure.integer(row[2], "rssi"), "-rssi", -RSSI_DBM_MIN)
            self.rssi_dbm = -below
        outbox = _counts(row[3], 4, "outbox")
        self.waiting, self.flash_bytes, self.write_failed, self.dropped = outbox
        self.bus = _counts(row[4], len(BUS_OUTCOMES), "bus")
        work = _counts(row[5], 5, "work")
        self.rounds, self.failed_readings, self.missed_slots, self.unsaved, self.restarts = work
        self.connections, self.resent = _counts(row[6], 2, "link")
        self.devices: dict[int, tuple[int, int]] = {}
        last = 0
        for item in structure.items(row[7], sample.DEVICE_MAX, "devices"):
            number, failed, frozen = _counts(item, 3, "device")
            if not last < number <= sample.DEVICE_MAX:
                raise MalformedError("device %d behind device %d" % (number, last))
            last = number
            self.devices[number] = (failed, frozen)


def _counts(value: object, length: int, what: str) -> list[int]:
    row = structure.array(value, length, what)
    return [structure.uint(item, what, _COUNT_MAX) for item in row]
