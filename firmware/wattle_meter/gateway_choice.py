"""Which gateway of the list to talk to; pure, times are real milliseconds.

`final` is the only proof that a gateway passes on what it gets. If it stands still below a
sample of ours, whatever else the gateway says, the next one gets its chance.
"""

STANDSTILL_MS = 60000  # DESIGN section 3
RETRY_MS = 600000  # DESIGN section 3: after one vain round
VISIT_EVERY_MS = 86400000  # DESIGN section 3: a gateway that keeps samples to itself is found out


class GatewayChoice:
    """`index` (0 .. count - 1) is the gateway to use now; 0 is preferred."""

    def __init__(
        self,
        count: int,
        now_ms: int,
        standstill_ms: int = STANDSTILL_MS,
        retry_ms: int = RETRY_MS,
        visit_every_ms: int = VISIT_EVERY_MS,
    ) -> None:
        self.index = 0
        self._count = count
        self._standstill_ms = standstill_ms
        self._retry_ms = retry_ms
        self._visit_every_ms = visit_every_ms
        self._waiting_since: int | None = None
        self._tried = 1  # gateways tried since final moved
        self._arrived_at = now_ms
        self._visited_at = now_ms
        self._visit_next = 1
        self._is_visit = False
        self._seen_to = False  # a visit in which `final` has moved

    def visit_within(self, outbox_ms: int) -> None:
        """Visits come twice in the time that the outbox covers, if that is less than two days: what
        a gateway keeps to itself is still here when it is found out.
        """
        self._visit_every_ms = min(self._visit_every_ms, outbox_ms // 2)

    def final_moved(self, now_ms: int) -> None:
        """`final` rose: whoever we are at does its work."""
        self._tried = 1
        self._seen_to = self._is_visit
        if self._waiting_since is not None:
            self._waiting_since = now_ms

    def decide(self, samples_wait: bool, now_ms: int) -> bool:
        """True if another gateway (or a new connection to the only one) is to be used now.

        `samples_wait`: whether some sample is above `final`, sent or not: that a gateway cannot
        be reached at all is no reason to stay with it.
        """
        if not samples_wait:
            self._waiting_since = None
        elif self._waiting_since is None:
            self._waiting_since = now_ms
        elif now_ms - self._waiting_since >= self._patience_ms():
            self._tried += 1
            return self._go((self.index + 1) % self._count, now_ms)
        if self._count == 1:
            return False
        if self.index and (self._seen_to or now_ms - self._arrived_at >= self._retry_ms):
            return self._go(0, now_ms)
        if not self.index and now_ms - self._visited_at >= self._visit_every_ms:
            self._visited_at = now_ms
            at = self._visit_next
            self._visit_next = at % (self._count - 1) + 1
            self._go(at, now_ms)
            self._is_visit = True
            return True
        return False

    def _patience_ms(self) -> int:
        return self._standstill_ms if self._tried < self._count else self._retry_ms

    def _go(self, index: int, now_ms: int) -> bool:
        self.index = index
        self._is_visit = self._seen_to = False
        self._arrived_at = now_ms
        if self._waiting_since is not None:
            self._waiting_since = now_ms
        return True
