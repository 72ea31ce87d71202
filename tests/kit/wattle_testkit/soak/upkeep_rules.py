"""Rules on the program itself: no task fails, nobody starves, and no heap is lost over the day."""

from collections.abc import Iterator, Sequence

from wattle_testkit.soak.evidence import Evidence
from wattle_testkit.soak.record import Status

ERROR = 0
STALLED_MS = 62_000  # resets.STALLED_MS and a look a second
# Least use in a stretch, because acks, windows and gaps come and go.
STRETCH_SHARE = 8
UNDER_WAY = 3  # samples between two commits
# The first minute fills the queues that a meter has; a few figures say nothing.
SETTLED_MS, STATUSES_MIN = 30_000, 40
LIFE_MS_MIN = 150_000
# Lists that have grown once keep their room; a byte a sample would be 80 kB a day.
GROWTH_BYTES_MAX = 3_072
# What the outbox keeps of each file on flash. There are at most 64, and they stay until it is full.
SEGMENT_HEAP_BYTES, SEGMENT_BYTES_MIN, SEGMENTS_MAX = 112, 8_192, 64


def no_task_fails(found: Evidence) -> Iterator[str]:
    """Nothing is logged as an error, and no start fails, but by a store that fails."""
    for at_ms, level, text in found.record.log:
        if level == ERROR and not (_is_of_store(text) and _store_fails(found, at_ms)):
            yield f"at {at_ms}: {text}"
    for number, life in enumerate(found.record.lives):
        if life.end == "unstarted" and not _store_fails(found, life.begin_ms):
            yield f"life {number} could not begin"


def _is_of_store(text: str) -> bool:
    """The house keeper ends with the store's error, and is started again."""
    begins = ("no sequence number", "housekeeping failed", "time and counters are not stored")
    return text.startswith(tuple(f"{begin}: OSError" for begin in begins))


def _store_fails(found: Evidence, at_ms: int) -> bool:
    return found.fault_near(frozenset({"store_fails"}), at_ms, 2_000, 2_000)


def watchdog_is_fed(found: Evidence) -> Iterator[str]:
    """A board with a watchdog would not have been reset."""
    for status in found.record.statuses:
        if status.at_ms - status.counters["fed_ms"] > STALLED_MS:
            yield f"at {status.at_ms}: the watchdog was last fed at {status.counters['fed_ms']}"


def heap_does_not_grow(found: Evidence) -> Iterator[str]:
    """When nothing waits, no more is in use at the end of a life, or of the day, than at first."""
    rest = at_rest(found)
    stretches = [("the whole soak", rest)]
    stretches += [
        (f"life {number}", [one for one in rest if one.life == number])
        for number, life in enumerate(found.record.lives)
        if life.end_ms - life.begin_ms >= LIFE_MS_MIN
    ]
    for name, statuses in stretches:
        if len(statuses) >= STATUSES_MIN:
            begin, end = heap_use(statuses, found.record.outbox_bytes)
            if end - begin > GROWTH_BYTES_MAX:
                yield f"{name}: {begin} bytes in use at first, {end} at its end"


def at_rest(found: Evidence) -> list[Status]:
    """When samples became final as they came, so that none was kept."""
    record = found.record
    return [
        one
        for one in record.statuses
        if one.at_ms >= record.lives[one.life].begin_ms + SETTLED_MS
        and one.counters["seq"] - one.counters["final"] <= UNDER_WAY
        and not one.counters["gaps"]
    ]


def heap_use(statuses: Sequence[Status], outbox_bytes: int) -> tuple[int, int]:
    """Least bytes in use after a collection in the first eighth and in the last, without what
    belongs to files of the outbox; `statuses` not empty.
    """
    file_bytes = max(SEGMENT_BYTES_MIN, outbox_bytes // SEGMENTS_MAX)
    used = [
        one.counters["heap_used"]
        - SEGMENT_HEAP_BYTES * (-(-one.counters["outbox_flash_bytes"] // file_bytes))
        for one in statuses
    ]
    share = max(1, len(used) // STRETCH_SHARE)
    return min(used[:share]), min(used[-share:])
