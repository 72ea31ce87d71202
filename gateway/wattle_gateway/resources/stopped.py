"""The disk of a gateway that does not run: its history goes on counting."""

import os
import sqlite3
from dataclasses import asdict
from typing import Any

from wattle_gateway import config as configuration
from wattle_gateway.errors import ConfigError
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.resources import growth
from wattle_gateway.resources.folder_size import disk_bytes
from wattle_gateway.resources.usage import CPU, DISK, MEMORY, MIB, disk_use
from wattle_gateway.store import archive_rows, disk_rows


def row(
    home: GatewayHome, ledger: sqlite3.Connection, operation: sqlite3.Connection, now_ms: int
) -> dict[str, Any] | None:
    """As `steward.as_row` with the disk alone, without a level; None if it does not answer. A
    configuration that cannot be read has no budget."""
    try:
        found = os.statvfs(home.folder)
    except OSError:
        return None
    try:
        budget = configuration.load(home.config).resources.disk_mib * MIB
    except ConfigError:
        budget = 0
    reusable = archive_rows.free_bytes(ledger)
    used = max(0, disk_bytes(home.folder) - reusable)
    disk = disk_use(used, found.f_bavail * found.f_frsize + reusable, budget)
    forecast = growth.forecast(disk_rows.load(operation), budget, now_ms)
    return {
        DISK: {**asdict(disk), "capacity": disk.capacity, "level": None, **asdict(forecast)},
        MEMORY: None,
        CPU: None,
        "steps": {},
        "taken": {},
        "archive": "",
    }
