"""How often the meter has started, and why; in the store, which outlives every start.

A chip knows that its watchdog bit, not what had stood still: that is noted before it bites.
"""

from wattle_meter.board import (
    RESET_ASKED,
    RESET_CAUSES,
    RESET_POWER,
    RESET_SAMPLING,
    RESET_SENDING,
    Store,
)

# A round of 32 silent devices takes 25 s, a broker that says nothing is left after 20 s: what has
# not got on for longer never will, and the watchdog may bite.
STALLED_MS = 60000

_KEY = "resets"
_NO_NOTE = 255
_COUNT_BYTES = 4
_RECORD_BYTES = 1 + RESET_CAUSES * _COUNT_BYTES


def stalled(now_ms: int, sampled_at: int, sent_at: int) -> int | None:
    """What stands still at the tick `now_ms`, as the cause of a start; None if both got on:
    sampling looked for work at `sampled_at`, sending at `sent_at`.
    """
    if now_ms - sampled_at >= STALLED_MS:
        return RESET_SAMPLING
    return RESET_SENDING if now_ms - sent_at >= STALLED_MS else None


class Resets:
    """`cause` of this start, `counts` of all by cause (board.RESET_..)."""

    def __init__(self, store: Store, cause: int) -> None:
        """Counts this start; `cause` is what the board knows. A damaged record counts as none."""
        record = store.get(_KEY) or b""
        if len(record) != _RECORD_BYTES:
            record = bytes((_NO_NOTE,)) + bytes(RESET_CAUSES * _COUNT_BYTES)
        self._store = store
        self._note = _NO_NOTE
        note = record[0]
        # Power that went after something stood still is what ended that life; whoever asked for
        # an end also took the power, or waited for the watchdog.
        known = note < RESET_CAUSES and (note == RESET_ASKED or cause != RESET_POWER)
        self.cause = note if known else min(cause, RESET_CAUSES - 1)
        self.counts = []
        for at in range(1, _RECORD_BYTES, _COUNT_BYTES):
            self.counts.append(int.from_bytes(record[at : at + _COUNT_BYTES], "big"))
        self.counts[self.cause] += 1
        self._save()

    def note(self, cause: int | None) -> None:
        """If a start follows now, it is because of `cause` (None: not known yet)."""
        number = _NO_NOTE if cause is None else cause
        if number != self._note:
            self._note = number
            self._save()

    def _save(self) -> None:
        record = bytes((self._note,))
        for count in self.counts:
            record += count.to_bytes(_COUNT_BYTES, "big")
        try:
            self._store.set(_KEY, record)
            self._store.commit()
        except OSError:
            pass  # a meter measures on without it
