"""When the next own block is due (rules 11 and 12)."""

from dataclasses import dataclass

from wattle_gateway.consensus.exchange import Now
from wattle_gateway.consensus.pool import Pool

# Rounds that carry transactions may follow each other this fast,
URGENT_ROUND_MS = 150
# rounds that carry only samples this fast: they are settled in minutes, not in milliseconds;
SAMPLE_ROUND_MS = 2000
# three times as slow where a gateway is short of disk or CPU: a block, its commit and their votes
# cost as much whatever they carry. A sample is final some four rounds later, well within the 60 s
# after which its meter turns to another gateway.
SLOW_SAMPLE_ROUND_MS = 3 * SAMPLE_ROUND_MS
# And with nothing to carry one round a minute shows that the gateway lives.
IDLE_ROUND_MS = 60000


@dataclass
class Pace:
    """Steady times of own blocks: the newest (the start, before the first) and the newest with
    entries. `deadline_ms` (Unix): from then on the ledger has something to do by itself, which
    counts as a transaction that waits; None: nothing. `sample_round_ms` is this gateway's own
    matter: no rule asks when a block is made."""

    deadline_ms: int | None = None
    sample_round_ms: int = SAMPLE_ROUND_MS
    last_round_ms: int | None = None
    last_payload_ms: int | None = None
    _deadline_steady_ms: int | None = None

    def start(self, now: Now) -> None:
        """A step begins. The first one counts as a block, so that a restart is no reason to
        hurry."""
        if self.last_round_ms is None:
            self.last_round_ms = now.steady_ms
        self._deadline_steady_ms = (
            None if self.deadline_ms is None else now.steady_ms + self.deadline_ms - now.unix_ms
        )

    def made(self, now_ms: int, carries: bool) -> None:
        """An own block was made."""
        self.last_round_ms = now_ms
        if carries:
            self.last_payload_ms = now_ms

    def due_ms(self, *, urgent: bool, carries: bool, keeps_step: bool) -> int:
        """Among others: when the round may be made. `urgent` or `carries`: what is uncommitted
        in graph and pool; `keeps_step`: others are ahead."""
        assert self.last_round_ms is not None
        soonest_ms = self.last_round_ms + URGENT_ROUND_MS
        if urgent or keeps_step:
            return soonest_ms
        due_ms = self.last_round_ms + (self.sample_round_ms if carries else IDLE_ROUND_MS)
        return self._not_after_deadline(due_ms, soonest_ms)

    def alone_due_ms(self, pool: Pool, open_payload: bool) -> int:
        """Alone: the rounds that a payload in a block needs follow at once."""
        assert self.last_round_ms is not None
        if open_payload or pool.fills_a_block:
            return self.last_round_ms
        if len(pool):
            due_ms = self.alone_payload_due_ms(pool)
        else:
            due_ms = self.last_round_ms + IDLE_ROUND_MS
        return self._not_after_deadline(due_ms, self.last_round_ms)

    def alone_payload_due_ms(self, pool: Pool) -> int:
        """Alone: from when a block may carry what waits."""
        if self.last_payload_ms is None or pool.fills_a_block:
            return 0
        pace_ms = URGENT_ROUND_MS if pool.has_urgent else self.sample_round_ms
        return self.last_payload_ms + pace_ms

    def _not_after_deadline(self, due_ms: int, soonest_ms: int) -> int:
        """When the round is due, or at the deadline, but not before `soonest_ms`."""
        if self._deadline_steady_ms is None:
            return due_ms
        return min(due_ms, max(soonest_ms, self._deadline_steady_ms))
