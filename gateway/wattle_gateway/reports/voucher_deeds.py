"""The transactions that a voucher's meters and owners rest on, by their ledger indexes.

Nothing in the store finds a transaction by what it is about. Each search walks the log from a
place that the transaction cannot be far from, and ends where it finds it.
"""

import sqlite3
from collections.abc import Iterator

from wattle_gateway.contracts.registry import Meter
from wattle_gateway.errors import StoreError
from wattle_gateway.ledger import account_bodies, entry, transaction
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.transaction import Transaction
from wattle_gateway.sealing import row_seal

# An entry is [kind, body]: with these two bytes begins every transaction.
_ACCEPTED = (
    "SELECT leaf, body FROM leaves JOIN entries ON entries.id = entry "
    "WHERE leaf >= ? AND leaf < ? AND verdict = 0 AND substr(body, 1, 2) = x'8202' "
    "AND instr(body, ?) > 0 ORDER BY leaf "
)


class Deeds:
    """The accepted transactions among the first `size` leaves."""

    def __init__(self, connection: sqlite3.Connection, ledger_id: bytes, size: int) -> None:
        self._connection = connection
        self._ledger_id = ledger_id
        self._size = size

    def enrolment(self, meter: Meter) -> int | None:
        """Of the transaction that enrolled a meter with its points: the newest before its first
        sample. None for a meter without samples. Raises StoreError."""
        (first,) = self._connection.execute(
            "SELECT min(leaf) FROM main.samples AS samples WHERE samples.meter = ? AND leaf < ?",
            (row_seal.of(self._connection).alias(meter.kid), self._size),
        ).fetchone()
        if first is None:
            return None
        # Walks down from the first sample: whoever is enrolled measures soon.
        for leaf, told in self._accepted(0, first, meter.signing_key, down=True):
            if told.kind == transaction.ENROL:
                enrol = transaction.parse_enrol(told.body)
                if enrol.points == meter.points:
                    return leaf
        return None

    def handover(self, meter: bytes, device: int, owner: bytes, from_ms: int) -> tuple[int, ...]:
        """Of the `assign` by which a point of a meter (kid) is `owner`'s (kid) from a time on, and
        of the new owner's `approve`; none if they are not there yet. Raises StoreError."""
        # Nothing is backdated: both stand before the first commit after that time.
        (end,) = self._connection.execute(
            "SELECT min(leaf) FROM commits WHERE time_ms > ?", (from_ms,)
        ).fetchone()
        end = self._size if end is None else min(end, self._size)
        for leaf, told in self._accepted(0, end, meter, down=True):
            if told.kind != transaction.ASSIGN:
                continue
            body = account_bodies.parse_assign(told.body)
            if (body.meter, body.device, body.owner, body.from_ms) == (
                meter, device, owner, from_ms,
            ):  # fmt: skip
                for later, answer in self._accepted(leaf, end, told.digest):
                    if answer.kind == transaction.APPROVE and answer.kid == owner:
                        return leaf, later
        return ()

    def _accepted(
        self, first: int, end: int, part: bytes, *, down: bool = False
    ) -> Iterator[tuple[int, Transaction]]:
        """(ledger index, transaction) of those with these bytes in them, from one end on."""
        query = _ACCEPTED + ("DESC" if down else "ASC")
        for leaf, body in self._connection.execute(query, (first, end, part)):
            try:
                yield int(leaf), transaction.parse(entry.decode(body).body, self._ledger_id)
            except LedgerError as error:
                raise StoreError(f"leaf {leaf} is damaged ({error}); run the audit") from error
