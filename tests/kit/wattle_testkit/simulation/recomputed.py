"""Every statement of a run, computed anew by a program that shares no code with the gateway."""

from contextlib import closing
from pathlib import Path

from wattle_gateway.contracts.events import rows
from wattle_gateway.store import connection as database
from wattle_gateway.store import schema
from wattle_hil.settlement_check.checking import check
from wattle_hil.settlement_check.readings import read_samples

from wattle_testkit.event_export import event_json, write_samples
from wattle_testkit.simulation.checkers import ViolationError
from wattle_testkit.simulation.gateway import SimGateway


def check_statements(gateway: SimGateway, folder: Path) -> int:
    """Export a gateway's samples into `folder`, and compute all statements from them and from the
    events alone; gives the number of lines. ViolationError for a unit that differs."""
    driver = gateway.driver
    ledger_id = driver.epoch.ledger_id
    samples = folder / "samples.csv"
    path = gateway.disk.folder / "ledger.db"
    with closing(database.open_reader(path, schema.LEDGER, ledger_id)) as reader:
        write_samples(samples, reader, ledger_id)
    readings = read_samples(samples)
    lines = 0
    for event in rows.events(driver.state):
        if event.version == 0:
            continue
        content = event_json(driver.state, driver.epoch, driver.head.time_ms, event.digest)
        checked = check(content, readings)
        if checked.differences:
            said = "; ".join(map(str, checked.differences[:3]))
            raise ViolationError("statements", f"{len(checked.differences)} differ: {said}")
        lines += checked.lines
    return lines
