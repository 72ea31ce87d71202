"""Cost of one sample, from readings to the outbox, in the heap of a running meter; on the emulated
board, linked as a board's program is. Prints one line of JSON:

    {"samples": how many were made, "record_us": median, "record_us_max": .., "sign_us": median of
     the signature alone, "sign_us_max": .., "slice_us_max": longest time between two yields,
     "heap_used": bytes after a collection, "heap_free": ..}

All of the firmware is in the heap, as it is in a meter: its classes and functions, and as many
bytes of small objects (`ballast_bytes`) as buffers, queues and connections have there.
"""

import gc
import hashlib
import json
import time

from wattle_meter import app
from wattle_meter.board import Clock, Files, Store
from wattle_meter.journal import Journal
from wattle_meter.keys import Pair
from wattle_meter.outbox import Outbox
from wattle_meter.signer import SoftwareSigner
from wattle_wire.downlink import Ack
from wattle_wire.sample import Reading

_PRIVATE = bytes(31) + b"\x05"  # protects nothing
_OUTBOX_BYTES = 65536
_T0_MS = 1700000000000
_PAIR_BYTES = 32  # of a list of two small numbers, with its place in the list of all


class MemoryStore(Store):
    """A store that a cut would empty."""

    def __init__(self) -> None:
        self._rows: dict[str, bytes] = {}

    def get(self, key: str) -> bytes | None:
        return self._rows.get(key)

    def set(self, key: str, value: bytes) -> None:
        self._rows[key] = value

    def commit(self) -> None:
        pass


class NoFiles(Files):
    """A directory that stays empty: while samples become final they stay in memory."""

    def names(self) -> list[str]:
        return []


class YieldClock(Clock):
    """Notes the longest time between two yields; its own time stands still."""

    def __init__(self) -> None:
        self.longest_us = 0
        self.last_us = time.ticks_us()

    def ticks_ms(self) -> int:
        return 0

    async def sleep_ms(self, ms: int) -> None:
        now_us = time.ticks_us()
        self.longest_us = max(self.longest_us, time.ticks_diff(now_us, self.last_us))
        self.last_us = now_us


def measure(count: int, ballast_bytes: int) -> dict[str, int]:
    """Records `count` samples of one device with seven quantities."""
    kept = (app.Meter, [[at, at] for at in range(ballast_bytes // _PAIR_BYTES)])
    gc.collect()
    gc.threshold(app.COLLECT_EVERY_BYTES)
    clock = YieldClock()
    signer = SoftwareSigner(Pair(_PRIVATE))
    journal = Journal(bytes(8), bytes(16), signer, MemoryStore(), Outbox(NoFiles(), _OUTBOX_BYTES))
    record_us = [0] * count
    sign_us = [0] * count
    for number in range(count):
        values = {"ee": 7, "ei": 5 + number, "f": 5000, "i": 1200, "p": 276, "q": 3, "u": 2301}
        reading = Reading(1, _T0_MS + 1000 * number, "G", values)
        clock.last_us = start_us = time.ticks_us()
        _drain(journal.record([reading], "S", clock, True))
        record_us[number] = time.ticks_diff(time.ticks_us(), start_us)
        journal.acked(Ack(journal.newest, journal.newest, [], [], number + 1, bytes(32)))
        digest = hashlib.sha256(b"%d" % number).digest()
        start_us = time.ticks_us()
        for _ in signer.steps(digest):
            pass
        sign_us[number] = time.ticks_diff(time.ticks_us(), start_us)
    gc.collect()
    record_us.sort()
    sign_us.sort()
    assert kept[0] is app.Meter
    return {
        "samples": count,
        "record_us": record_us[count // 2],
        "record_us_max": record_us[-1],
        "sign_us": sign_us[count // 2],
        "sign_us_max": sign_us[-1],
        "slice_us_max": clock.longest_us,
        "heap_used": gc.mem_alloc(),
        "heap_free": gc.mem_free(),
    }


def _drain(coroutine) -> None:  # type: ignore[no-untyped-def]
    """Runs a coroutine whose waiting takes no time."""
    try:
        while True:
            coroutine.send(None)
    except StopIteration:
        return


def main() -> None:
    """The program of the image; `wattle_hil.bench` gives the numbers by a file in it."""
    with open("/rom/recording.json") as file:
        count, ballast_bytes = json.load(file)
    print(json.dumps(measure(count, ballast_bytes)))
