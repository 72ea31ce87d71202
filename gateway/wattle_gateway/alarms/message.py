"""An alarm as JSON, for MQTT and webhooks alike (SPEC section 8 fixes it)."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wattle_gateway.alarms.board import Alarm, Event

VERSION = 1


@dataclass(frozen=True)
class Sender:
    """Who says it: ledger id and kid in hex, the member's name ("" before it is one), its site."""

    ledger: str
    gateway: str
    name: str
    site: str


def encode(
    sender: Sender, what: str, event: Event | None, active: Sequence[Alarm], ms: int
) -> bytes:
    """The message of an event, or of the state at a start (`event` None), at Unix ms `ms`."""
    document = {
        "version": VERSION,
        "ledger": sender.ledger,
        "gateway": sender.gateway,
        "name": sender.name,
        "site": sender.site,
        "time_ms": ms,
        "event": what,
        "alarm": None if event is None else row(event.alarm),
        "active": [row(alarm) for alarm in active],
    }
    return json.dumps(document).encode()


def row(alarm: Alarm) -> dict[str, Any]:
    """One alarm, as `alarms --format json` shows it, too."""
    return {
        "alarm": alarm.name,
        "severity": alarm.severity,
        "since_ms": alarm.since_ms,
        "text": alarm.text,
        "advice": alarm.advice,
    }
