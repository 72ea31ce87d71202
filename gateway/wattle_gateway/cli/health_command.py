"""meters health: how the meters are, for whoever looks after them."""

import argparse
import json
from dataclasses import asdict

from rich.table import Table

from wattle_gateway.admin.channel import ask
from wattle_gateway.cli.folder import home_of, opened_ledger, opened_operation
from wattle_gateway.cli.text import console, shown_age, shown_bytes, shown_time
from wattle_gateway.errors import NotRunningError
from wattle_gateway.reports import meters
from wattle_gateway.reports.health import MeterHealth
from wattle_gateway.reports.meters import ENROLLED, MeterLine

LIVE_DEADLINE_S = 5.0


def show_health(arguments: argparse.Namespace) -> None:
    """Print the newest health record of every meter that is enrolled."""
    home = home_of(arguments.folder)
    try:
        now_ms = ask(home.admin_socket, "live", LIVE_DEADLINE_S)["live"]["clock_ms"]
    except NotRunningError:
        now_ms = None
    with (
        opened_ledger(home) as (first, reader),
        opened_operation(home, first.ledger_id) as operation,
    ):
        found = meters.of_ledger(reader, operation, first, now_ms)
    found = [line for line in found if line.state == ENROLLED]
    if arguments.format == "json":
        rows = [
            {
                "meter": line.meter,
                "protection": line.protection,
                "health": _as_json(line.health),
            }
            for line in found
        ]
        print(json.dumps(rows, indent=2))
    else:
        console().print(health_table(found))


def _as_json(health: MeterHealth | None) -> dict[str, object] | None:
    return None if health is None else asdict(health)


def shown_health(health: MeterHealth | None) -> str:
    """What is wrong with a meter; `well` if nothing, "" if it never said."""
    return "" if health is None else "; ".join(health.complaints) or "well"


def health_table(found: list[MeterLine]) -> Table:
    """The records for people."""
    table = Table(title=f"meters: {len(found)}")
    for name in (
        "meter",
        "key",
        "said",
        "up",
        "started by",
        "free",
        "signal",
        "not final",
        "flash",
    ):
        table.add_column(name)
    table.add_column("failed readings")
    table.add_column("health")
    for line in found:
        health = line.health
        if health is None:
            table.add_row(line.meter, line.protection, "never")
            continue
        table.add_row(
            line.meter,
            line.protection,
            shown_time(health.at_ms),
            shown_age(health.uptime_s * 1000),
            ", ".join(f"{cause} {count}" for cause, count in health.resets.items() if count),
            shown_bytes(health.heap_free),
            "" if health.rssi_dbm is None else f"{health.rssi_dbm} dBm",
            str(health.waiting),
            shown_bytes(health.flash_bytes),
            f"{health.failed_readings} in {health.rounds} rounds",
            shown_health(health),
        )
    return table
