"""Every statement of a run, computed anew by a program that shares no code with the gateway."""

import csv
import json
from contextlib import closing
from pathlib import Path

from wattle_gateway.reports import samples as samples_report
from wattle_gateway.reports.events import EventBook
from wattle_gateway.reports.samples import Wanted
from wattle_gateway.store import connection as database
from wattle_gateway.store import schema
from wattle_hil.settlement_check.checking import check
from wattle_hil.settlement_check.readings import read_samples

from wattle_testkit.simulation.checkers import ViolationError
from wattle_testkit.simulation.gateway import SimGateway


def check_statements(gateway: SimGateway, folder: Path) -> int:
    """Export a gateway's samples and events into `folder`, as its commands would, and compute all
    statements from that alone; gives the number of lines. ViolationError for a unit that differs.
    """
    driver = gateway.driver
    ledger_id = driver.epoch.ledger_id
    samples = folder / "samples.csv"
    path = gateway.disk.folder / "ledger.db"
    with (
        closing(database.open_reader(path, schema.LEDGER, ledger_id)) as reader,
        samples.open("w", encoding="utf-8", newline="") as file,
    ):
        table = csv.DictWriter(file, samples_report.COLUMNS)
        table.writeheader()
        table.writerows(samples_report.rows(reader, ledger_id, Wanted(), raw=False))
    readings = read_samples(samples)
    book = EventBook(driver.state, driver.epoch, driver.head.time_ms)
    lines = 0
    for event in book.lines(None, None):
        if event.row.version == 0:
            continue
        checked = check(json.loads(json.dumps(_content(book, event.row.digest))), readings)
        if checked.differences:
            said = "; ".join(map(str, checked.differences[:3]))
            raise ViolationError("statements", f"{len(checked.differences)} differ: {said}")
        lines += checked.lines
    return lines


def _content(book: EventBook, digest: bytes) -> dict[str, object]:
    """What `dr event --format json` prints."""
    row = book.find(digest.hex())
    settled = book.settlement(row)
    parts = [{**part.as_json(), **settled.parts[part.point]} for part in book.parts(row)]
    return {**book.line(row).as_json(), **settled.event, "parts": parts}
