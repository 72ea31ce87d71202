"""Disk, memory, CPU, steps and alarms for people: rows of `status`, lines of `alarms`."""

from collections.abc import Iterator
from typing import Any

from wattle_gateway.cli.text import shown_bytes, shown_time
from wattle_gateway.resources.usage import CPU, DISK, MEMORY

Row = dict[str, Any]
_PPM_OF_PERCENT = 10_000


def rows(resources: Row | None, disk_bytes: int) -> Iterator[tuple[str, str]]:
    """(name, text) of what `status` says; `disk_bytes` where nothing more is known."""
    if resources is None:
        yield "disk", shown_bytes(disk_bytes)
        return
    disk = resources[DISK]
    yield "disk", _level(disk) + _disk(disk)
    yield "growth", _growth(disk)
    memory, cpu = resources[MEMORY], resources[CPU]
    if memory is not None:
        of = f"{shown_bytes(memory['used'])} of {shown_bytes(memory['limit'])}"
        stalled = _stalled(memory)
        yield "memory", f"{_level(memory)}{of} ({memory['source']}){stalled}"
        yield "cpu", "not known yet" if cpu is None else _level(cpu) + _cpu(cpu)
        yield "steps", _steps(resources)


def alarm_lines(alarms: list[Row]) -> Iterator[str]:
    """Two lines an alarm: what, since when; what to do."""
    for alarm in alarms:
        since = shown_time(alarm["since_ms"])
        yield f"{alarm['severity'].upper():<8}  {alarm['alarm']:<11}  {since}  {alarm['text']}"
        yield f"{'':<8}  {'':<11}  -> {alarm['advice']}"


def _level(row: Row) -> str:
    return f"level {row['level']}: " if row["level"] else ""


def _disk(disk: Row) -> str:
    used, room = shown_bytes(disk["used"]), shown_bytes(disk["room"])
    if disk["budget"]:
        return f"{used} of the budget's {shown_bytes(disk['budget'])}, {room} left"
    return f"{used}, {room} left on its file system"


def _growth(disk: Row) -> str:
    if disk["growth"] is None:
        if disk["known_from_ms"] is None:
            return "not known"
        return f"not known yet; from {shown_time(disk['known_from_ms'])} on"
    sign = "-" if disk["growth"] < 0 else ""
    text = f"{sign}{shown_bytes(abs(disk['growth']))} a day"
    if disk["full_ms"] is None:
        return f"{text}; not full within 20 years"
    return f"{text}; full on {shown_time(disk['full_ms'])[:10]}"


def _cpu(cpu: Row) -> str:
    used, limit = cpu["used_ppm"] // _PPM_OF_PERCENT, cpu["limit_ppm"] // _PPM_OF_PERCENT
    return f"{used} % of a core of {limit} % ({cpu['source']}){_stalled(cpu)}"


def _stalled(row: Row) -> str:
    if not row["stalled_ppm"]:
        return ""
    return f", {row['stalled_ppm'] / _PPM_OF_PERCENT:.1f} % of the time waited for"


def _steps(resources: Row) -> str:
    held = [f"{name} ({', '.join(due)})" for name, due in resources["steps"].items()]
    text = ", ".join(held) or "none"
    return f"{text}; archive: {resources['archive']}" if resources["archive"] else text
