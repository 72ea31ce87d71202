"""What happened at the gateway's door: counters, refused messages, when each meter was seen.

Kept in memory and written once a second: a crash loses the last second of statistics and never a
sample.
"""

import sqlite3
from collections import deque
from dataclasses import replace

from wattle_wire import downlink

from wattle_gateway.store import operation_rows
from wattle_gateway.store.operation_file import Write
from wattle_gateway.store.operation_rows import Quarantined, Seen

FLUSH_EVERY_S = 1.0
# A meter that connects again this soon is flapping: two boards with one certificate, a bad line.
FLAP_MS = 10_000


class Desk:
    """Counts and remembers; `flush` gives what is to be written."""

    def __init__(
        self,
        counters: dict[str, int],
        seen: dict[bytes, Seen],
        entries_max: int,
        bytes_max: int,
    ) -> None:
        """`counters`, `seen` as stored; `entries_max`, `bytes_max` of the quarantine."""
        self.counters = counters
        self.seen = seen
        self._entries_max = entries_max
        self._bytes_max = bytes_max
        self._refused: deque[Quarantined] = deque(maxlen=entries_max)
        self._refused_bytes = 0
        self._counted: set[str] = set()
        self._changed: set[bytes] = set()

    def count(self, name: str, by: int = 1) -> None:
        """Add to a counter."""
        self.counters[name] = self.counters.get(name, 0) + by
        self._counted.add(name)

    def refuse(self, reason: int, at_ms: int, topic: str, body: bytes) -> None:
        """Count a refusal of SPEC section 13 and keep its bytes; those of `busy` come again."""
        self.count(f"refused.{downlink.REFUSAL_NAMES[reason]}")
        if reason == downlink.BUSY or self._entries_max == 0 or len(body) > self._bytes_max:
            return
        if len(self._refused) == self._entries_max:
            self._refused_bytes -= len(self._refused[0].body)
        self._refused.append(Quarantined(at_ms, reason, topic, body))
        self._refused_bytes += len(body)
        while self._refused_bytes > self._bytes_max:
            self._refused_bytes -= len(self._refused.popleft().body)

    def of(self, meter: bytes) -> Seen:
        """What is known of a meter."""
        return self.seen.get(meter) or Seen(meter)

    def note(self, changed: Seen) -> None:
        """Remember what a meter showed."""
        self.seen[changed.meter] = changed
        self._changed.add(changed.meter)

    def connected(self, meter: bytes, at_ms: int, previous_ms: int | None) -> None:
        """A new connection of a meter; `previous_ms` on the steady clock since the last one."""
        known = self.of(meter)
        flapped = previous_ms is not None and previous_ms < FLAP_MS
        if flapped:
            self.count("connections.flapped")
        self.note(
            replace(
                known,
                at_ms=at_ms,
                connections=known.connections + 1,
                flaps=known.flaps + flapped,
            )
        )

    def flush(self) -> Write | None:
        """What writes everything new, None if there is nothing; it counts as written."""
        counters = {name: self.counters[name] for name in self._counted}
        seen = [self.seen[meter] for meter in self._changed]
        refused = list(self._refused)
        if not (counters or seen or refused):
            return None
        self._counted.clear()
        self._changed.clear()
        self._refused.clear()
        self._refused_bytes = 0

        def write(connection: sqlite3.Connection) -> None:
            operation_rows.save_counters(connection, counters)
            operation_rows.save_seen(connection, seen)
            if refused:
                operation_rows.add_quarantine(
                    connection, refused, self._entries_max, self._bytes_max
                )

        return write
