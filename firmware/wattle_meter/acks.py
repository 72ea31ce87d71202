"""What to send next to one gateway, and what its acks change (SPEC section 8); pure.

The broker's PUBACK proves nothing, so only `durable` ends retransmission to this gateway and
only `final` lets the outbox forget. The newest sample goes first on each connection, and new
ones as they are made: whoever watches sees how things stand now. What piled up before (the
backlog) follows at a limited rate, oldest first, and so does everything sent again.
"""

from wattle_wire.downlink import BUSY, MISSING_MAX, NOT_ENROLLED, REVOKED, Ack

from wattle_meter.seq_ranges import SeqRanges

# Samples sent but not durable. One of four devices takes about 1 kB, so a gateway that comes
# back has at most 64 kB of each meter to swallow at once.
LIVE_WINDOW = 32
BACKLOG_WINDOW = 32
WINDOW_BYTES = 65536
# 40 a second: an hour of samples at 1 Hz is caught up in 90 s if the gateway keeps up. Where many
# meters catch up together it does not, and the windows above slow each of them down.
BACKLOG_INTERVAL_MS = 25
# A gateway writes to disk and acks within a second; after a commit round of an idle ledger
# (2 s) and some slack the samples, or the ack, are lost.
RETRY_MS = 15000
RETRY_MAX_MS = 600000
# A gateway acks as soon as it sees us; what it holds need not be sent again.
FIRST_ACK_MS = 2000
# A missing seq that was sent less than this ago is on its way rather than lost.
ON_ITS_WAY_MS = 5000
# Refused samples remembered; there is no list of more in one ack.
REFUSED_KEPT_MAX = 16
_WAITING_RANGES_MAX = 2 * MISSING_MAX


class Held:
    """What the sender needs to know about the outbox; the outbox has these."""

    def next_held(self, seq: int) -> int | None:
        """The lowest seq that is held and at least `seq`, or None."""
        raise NotImplementedError


class Delivery:
    """Samples to one gateway over one connection.

    `final`: the newest the meter knows; `commit_index`: the newest commit it was shown;
    `newest`: highest seq made so far. All times are real milliseconds.
    """

    def __init__(
        self,
        final: int,
        commit_index: int,
        newest: int,
        now_ms: int,
        retry_ms: int = RETRY_MS,
        backlog_interval_ms: int = BACKLOG_INTERVAL_MS,
    ) -> None:
        self.final = final
        self.commit_index = commit_index
        self.durable = final
        self.sent_high = 0
        self.absent: list[tuple[int, int]] = []
        self.suspects: list[int] = []
        self.counts = {"sent": 0, "backlog": 0, "stale_acks": 0, "retries": 0}
        self._retry_base_ms = retry_ms
        self._retry_ms = retry_ms
        self._backlog_interval_ms = backlog_interval_ms
        self._live_next = max(newest, final + 1)
        self._waiting = SeqRanges(_WAITING_RANGES_MAX)
        self._waiting.add(final + 1, newest - 1)
        self._flying: dict[int, tuple[int, int]] = {}  # seq: (sent at, bytes), above durable
        self._refused: dict[int, int] = {}  # seq: how often, of those refused for good
        self._progress_at = now_ms
        self._backlog_at = now_ms + FIRST_ACK_MS
        self._paused_until = 0

    def next(self, held: Held, newest: int, now_ms: int) -> tuple[int | None, int]:
        """(seq to send now or None, ms after which to ask again unless something happens).

        `newest`: highest seq made so far. What turns out not to be held is added to `absent`,
        a list of (from, to) that the caller empties.
        """
        self._retry(now_ms)
        seq = self._live(held, newest)
        if seq is not None:
            return seq, 0
        wait_ms = max(self._backlog_at, self._paused_until) - now_ms
        if wait_ms > 0:
            return None, wait_ms
        seq = self._backlog(held, newest)
        if seq is not None:
            return seq, 0
        return None, self._idle_ms(now_ms)

    def sent(self, seq: int, size: int, now_ms: int) -> None:
        """Sample `seq` of `size` bytes was handed to the broker."""
        self.counts["sent"] += 1
        if seq >= self._live_next:
            self._live_next = seq + 1
        else:
            self.counts["backlog"] += 1
            self._waiting.remove(seq, seq)
            self._backlog_at = now_ms + self._backlog_interval_ms
        if not self._flying:
            self._progress_at = now_ms
        if seq > self.durable:
            self._flying[seq] = (now_ms, size)
        self.sent_high = max(self.sent_high, seq)

    def lost(self, seq: int) -> None:
        """Sample `seq` cannot be sent: it is damaged. Not asked for again."""
        if seq >= self._live_next:
            self._live_next = seq + 1
        self._waiting.remove(seq, seq)

    def acked(self, ack: Ack, newest: int, now_ms: int) -> bool:
        """Takes an authentic ack; False if it was ignored because it goes back.

        Refused samples whose stored bytes the caller must check are added to `suspects`, a list
        of seqs that the caller empties: each once.
        """
        if ack.final < self.final or ack.commit_index < self.commit_index or ack.final > newest:
            self.counts["stale_acks"] += 1
            return False
        if ack.final > self.final or ack.durable > self.durable:
            self._forget_older(now_ms - ON_ITS_WAY_MS)
            self._progress_at = now_ms
            self._retry_ms = self._retry_base_ms
        self.final = ack.final
        self.commit_index = ack.commit_index
        # Nobody can hold what was never made: a higher value would stop us from sending it.
        self.durable = max(self.durable, min(ack.durable, newest))
        self._live_next = max(self._live_next, self.durable + 1)
        self._waiting.remove(0, self.durable)
        self._backlog_at = min(self._backlog_at, now_ms + self._backlog_interval_ms)
        self._forget_held(ack)
        for seq, code in ack.refused:
            self._refusal(seq, code, now_ms)
        for first, to in ack.missing:
            self._miss(max(first, self.durable + 1), min(to, self._live_next - 1), now_ms)
        return True

    def progress(self) -> tuple[int, int, int]:
        """Rises over the meter's life when an ack brings anything new."""
        return self.commit_index, self.final, self.durable

    def flows(self, now_ms: int) -> bool:
        """Whether what was sent becomes durable in time."""
        if self._retry_ms > self._retry_base_ms:
            return False
        return not self._flying or now_ms - self._progress_at < self._retry_ms

    def resend(self, first: int, to: int) -> None:
        """A gateway asks for `first` .. `to` again, whatever it had acked."""
        self._waiting.add(max(1, first), min(to, self._live_next - 1))

    def _live(self, held: Held, newest: int) -> int | None:
        while self._live_next <= newest:
            seq = held.next_held(self._live_next)
            if seq is None or seq > newest:
                self.absent.append((self._live_next, newest))
                self._live_next = newest + 1
                return None
            if seq > self._live_next:
                self.absent.append((self._live_next, seq - 1))
                self._live_next = seq
            return seq if self._room(LIVE_WINDOW + BACKLOG_WINDOW) else None
        return None

    def _backlog(self, held: Held, newest: int) -> int | None:
        if not self._room(BACKLOG_WINDOW):
            return None
        while True:
            span = self._waiting.first()
            if span is None:
                return None
            first, to = span
            seq = held.next_held(first)
            if seq is None or seq > to:
                self.absent.append((first, to))
                self._waiting.remove(first, to)
            elif seq > first:
                self.absent.append((first, seq - 1))
                self._waiting.remove(first, seq - 1)
            elif self._refused.get(seq, 0) > 1:
                self._waiting.remove(seq, seq)
            else:
                return seq

    def _room(self, most: int) -> bool:
        size = 0
        for seq in self._flying:
            size += self._flying[seq][1]
        return len(self._flying) < most and size < WINDOW_BYTES

    def _retry(self, now_ms: int) -> None:
        """Go-back: durable did not move for `_retry_ms` although something above it was sent."""
        if not self._flying or now_ms - self._progress_at < self._retry_ms:
            return
        self.counts["retries"] += 1
        self._flying = {}
        self._waiting.add(self.durable + 1, self.sent_high)
        self._progress_at = now_ms
        self._retry_ms = min(2 * self._retry_ms, RETRY_MAX_MS)

    def _idle_ms(self, now_ms: int) -> int:
        if not self._flying:
            return self._retry_ms
        return max(1, self._progress_at + self._retry_ms - now_ms)

    def _forget_older(self, sent_ms: int) -> None:
        """Drops from the window what was sent up to `sent_ms`, to a gateway that gets on.

        An ack names no sample above the highest hole as held: without this, new samples that are
        sent while a long backlog drains would fill the window and stop it.
        """
        for seq in list(self._flying):
            if self._flying[seq][0] <= sent_ms:
                del self._flying[seq]

    def _forget_held(self, ack: Ack) -> None:
        """Drops from the window what this gateway holds, also beyond a hole."""
        holes_end = ack.missing[-1][1] + 1 if ack.missing else 0
        for seq in list(self._flying):
            held = seq <= holes_end and not any(first <= seq <= to for first, to in ack.missing)
            if seq <= self.durable or held:
                del self._flying[seq]

    def _miss(self, first: int, to: int, now_ms: int) -> None:
        for seq in sorted(self._flying):
            if first <= seq <= to:
                if now_ms - self._flying[seq][0] >= ON_ITS_WAY_MS:
                    del self._flying[seq]
                    continue
                self._waiting.add(first, seq - 1)
                first = seq + 1
        self._waiting.add(first, to)

    def _refusal(self, seq: int, code: int, now_ms: int) -> None:
        if code in (BUSY, NOT_ENROLLED):  # for now only: nothing is wrong with the sample
            self._paused_until = now_ms + self._retry_base_ms
            return
        if seq <= self.durable or seq >= self._live_next:
            return
        if seq not in self._refused and len(self._refused) >= REFUSED_KEPT_MAX:
            del self._refused[min(self._refused)]
        if code == REVOKED:
            self._refused[seq] = 2
            return
        times = self._refused.get(seq, 0)
        if times and seq in self._flying:
            sent_at = self._flying[seq][0]
            if now_ms - sent_at < ON_ITS_WAY_MS:
                return  # the refusal of the first sending, told again
        self._refused[seq] = min(2, times + 1)
        if not times:
            self._flying.pop(seq, None)
            self.suspects.append(seq)
