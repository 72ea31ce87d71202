"""Resources, steps and alarms as Prometheus metrics. What is not known yet is NaN."""

import math
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.metrics_core import Metric

from wattle_gateway.admin.live_status import LiveStatus
from wattle_gateway.alarms import catalog, webhook
from wattle_gateway.metrics.shapes import counters, gauge, gauges
from wattle_gateway.resources import steps
from wattle_gateway.resources.usage import CPU, DISK, MEMORY, MILLION, RESOURCES

_MS = 1000


def families(live: LiveStatus) -> Iterator[Metric]:
    """Every metric of a look at the machine, and of the alarms."""
    found: Mapping[str, Any] = live.resources or {}
    rows = {name: found.get(name) or {} for name in RESOURCES}
    yield gauges(
        "resource_level",
        "0: well; 1 to 5: how short it is",
        "resource",
        {name: _of(row, "level") for name, row in rows.items()},
    )
    yield from _disk(rows[DISK])
    yield from _memory(rows[MEMORY])
    yield from _cpu(rows[CPU])
    held, taken = found.get("steps", {}), found.get("taken", {})
    yield gauges(
        "step_active", "1 while it is taken", "step", {name: name in held for name in steps.NAMES}
    )
    yield counters(
        "steps_taken", "how often it began", "step", dict.fromkeys(steps.NAMES, 0) | taken
    )
    yield from _alarms(live)


def _disk(row: Mapping[str, Any]) -> Iterator[Metric]:
    yield gauge("disk_room_bytes", "left by budget and file system", _of(row, "room"))
    yield gauge("disk_capacity_bytes", "what the folder may come to", _of(row, "capacity"))
    yield gauge("disk_growth_bytes_per_day", "median growth of the folder", _of(row, "growth"))
    yield gauge(
        "disk_full_timestamp_seconds", "when nothing is left at this rate", _of(row, "full_ms", _MS)
    )


def _memory(row: Mapping[str, Any]) -> Iterator[Metric]:
    yield gauge("memory_used_bytes", "used of the limit", _of(row, "used"))
    yield gauge("memory_limit_bytes", "by budget, control group or machine", _of(row, "limit"))
    yield gauge("memory_resident_bytes", "of all processes of the gateway", _of(row, "resident"))
    yield gauge(
        "memory_stalled_ratio", "share of a minute that waited", _of(row, "stalled_ppm", MILLION)
    )


def _cpu(row: Mapping[str, Any]) -> Iterator[Metric]:
    yield gauge("cpu_used_cores", "mean of the last minute", _of(row, "used_ppm", MILLION))
    yield gauge(
        "cpu_limit_cores", "by budget, control group or machine", _of(row, "limit_ppm", MILLION)
    )
    yield gauge(
        "cpu_stalled_ratio", "share of a minute that waited", _of(row, "stalled_ppm", MILLION)
    )


def _alarms(live: LiveStatus) -> Iterator[Metric]:
    severity = {row["alarm"]: 1 + catalog.SEVERITIES.index(row["severity"]) for row in live.alarms}
    yield gauges(
        "alarm_severity",
        "0: not raised; 1: warning; 2: critical",
        "alarm",
        dict.fromkeys(catalog.NAMES, 0) | severity,
    )
    counts = live.alarm_counts
    yield counters(
        "alarms_raised",
        "alarms raised",
        "alarm",
        dict.fromkeys(catalog.NAMES, 0) | counts["raised"],
    )
    yield counters(
        "webhook_posts",
        "alarms for the webhook",
        "outcome",
        dict.fromkeys(webhook.OUTCOMES, 0) | counts["webhook"],
    )


def _of(row: Mapping[str, Any], name: str, unit: int = 1) -> float:
    """A figure in units of its own, NaN where there is none."""
    value = row.get(name)
    return math.nan if value is None else value / unit
