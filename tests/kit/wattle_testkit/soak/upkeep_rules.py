"""Rules on the program itself: no task fails, nobody starves, and no heap is lost over the day."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wattle_testkit.soak.evidence import Evidence
from wattle_testkit.soak.record import Status

ERROR = 0
STALLED_MS = 62_000  # app.STALLED_MS and a look a second
# Least use in a stretch, because acks, windows and gaps come and go.
STRETCH_SHARE = 8
LIFE_MS_MIN = 150_000
# Lists that have grown once keep their room; a byte a sample would be 80 kB a day.
GROWTH_BYTES_MAX = 4_096


@dataclass(frozen=True)
class HeapUse:
    """Least bytes in use after a collection, at the beginning and the end of a life; the most."""

    begin: int
    end: int
    most: int


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
    return text.startswith(("no sequence number: OSError", "housekeeping failed: OSError"))


def _store_fails(found: Evidence, at_ms: int) -> bool:
    return found.fault_near(frozenset({"store_fails"}), at_ms, 2_000, 2_000)


def watchdog_is_fed(found: Evidence) -> Iterator[str]:
    """A board with a watchdog would not have been reset."""
    for status in found.record.statuses:
        if status.at_ms - status.counters["fed_ms"] > STALLED_MS:
            yield f"at {status.at_ms}: the watchdog was last fed at {status.counters['fed_ms']}"


def heap_does_not_grow(found: Evidence) -> Iterator[str]:
    """In no life is more in use at its end than at its beginning."""
    for number, life in enumerate(found.record.lives):
        statuses = [one for one in found.record.statuses if one.life == number]
        if life.end_ms - life.begin_ms >= LIFE_MS_MIN:
            use = heap_use(statuses)
            if use.end - use.begin > GROWTH_BYTES_MAX:
                yield f"life {number}: {use.begin} bytes in use at first, {use.end} at its end"


def heap_use(statuses: Sequence[Status]) -> HeapUse:
    """Of one life, or of any stretch; `statuses` not empty."""
    used = [one.counters["heap_used"] for one in statuses]
    share = max(1, len(used) // STRETCH_SHARE)
    return HeapUse(min(used[:share]), min(used[-share:]), max(used))
