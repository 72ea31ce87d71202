"""What a gateway exports of events and samples, as its commands print them."""

import csv
import json
import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.reports import samples as samples_report
from wattle_gateway.reports.events import EventBook
from wattle_gateway.reports.samples import Wanted


def event_json(
    state: Mapping[bytes, bytes], epoch: Epoch, time_ms: int, event: bytes
) -> dict[str, Any]:
    """`dr event --format json` of an event (digest), read back."""
    book = EventBook(state, epoch, time_ms)
    row = book.find(event.hex())
    settled = book.settlement(row)
    parts = [{**part.as_json(), **settled.parts[part.point]} for part in book.parts(row)]
    content = {**book.line(row).as_json(), **settled.event, "parts": parts}
    found = json.loads(json.dumps(content))
    assert isinstance(found, dict)
    return found


def write_samples(path: Path, connection: sqlite3.Connection, ledger_id: bytes) -> None:
    """`samples --format csv` of all meters."""
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, samples_report.COLUMNS)
        table.writeheader()
        table.writerows(samples_report.rows(connection, ledger_id, Wanted(), raw=False))
