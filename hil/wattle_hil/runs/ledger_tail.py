"""Readings as they enter the ledger, from what `wattle-gateway samples --follow` prints."""

import csv
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from wattle_hil.runs.ledger_rows import LedgerRow, parse_rows

# What is printed between two looks is far less; the rest is read at the next one.
_READ_BYTES = 1 << 20


@dataclass
class PointTail:
    """What has come of one point so far."""

    newest: LedgerRow | None = None
    readings: int = 0
    failed: int = 0
    classes: Counter[str] = field(default_factory=Counter)


class LedgerTail:
    """Follows a growing CSV file. points: by (meter id, device). samples, commit: so far."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._offset = 0
        self._columns: list[str] = []
        self._seen: dict[str, int] = {}
        self.points: dict[tuple[str, int], PointTail] = {}
        self.samples = 0
        self.commit = 0

    def read_new(self) -> list[LedgerRow]:
        """Takes the whole lines that were appended since the last call."""
        try:
            with self._path.open("rb") as file:
                file.seek(self._offset)
                data = file.read(_READ_BYTES)
        except OSError:
            return []
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        lines = list(csv.reader(whole.decode("utf-8").splitlines()))
        if lines and not self._columns:
            self._columns = lines.pop(0)
        rows = list(parse_rows(dict(zip(self._columns, line, strict=True)) for line in lines))
        for row in rows:
            self._note(row)
        return rows

    def has_all(self, points: Iterable[tuple[str, int]], time_ms: int) -> bool:
        """Whether each of these points has a reading of Unix ms or later."""
        newest = [self.points[point].newest if point in self.points else None for point in points]
        return all(row is not None and row.time_ms >= time_ms for row in newest)

    def _note(self, row: LedgerRow) -> None:
        point = self.points.setdefault((row.meter, row.device), PointTail())
        if point.newest is None or row.time_ms > point.newest.time_ms:
            point.newest = row
        point.readings += 1
        point.failed += row.status != "G"
        point.classes.update(row.classes)
        if self._seen.get(row.meter) != row.seq:
            self._seen[row.meter] = row.seq
            self.samples += 1
        self.commit = max(self.commit, row.commit)
