"""`meters list`: the registry of the ledger, with what each meter has delivered."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wattle_wire import cbor, topics

from wattle_gateway.contracts import classes, registry
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.ledger import transaction
from wattle_gateway.reports import health
from wattle_gateway.reports.health import MeterHealth
from wattle_gateway.store import operation_rows, pool_rows

ENROLLED = "enrolled"
REVOKED = "revoked"


@dataclass(frozen=True)
class MeterLine:
    """One meter. `last_seq` and `last_ms` (newest reading) None before its first sample;
    `classes` counts of its samples by class name ("valid" for none); `waiting` samples on disk
    that no commit has taken; `firmware` and `version` as its newest birth says, "" and None
    before the first."""

    meter: str
    eui64: str
    site: str
    points: str
    protection: str
    signing_public: str
    first_seq: int
    final: int
    last_seq: int | None
    last_ms: int | None
    state: str
    samples: int
    waiting: int
    classes: dict[str, int]
    seen_ms: int | None
    clock: str
    boot: int
    connections: int
    flaps: int
    repeats: int
    health: MeterHealth | None
    firmware: str
    version: int | None


def lines(
    connection: sqlite3.Connection,
    operation: sqlite3.Connection,
    state: Mapping[bytes, bytes],
    now_ms: int | None,
) -> list[MeterLine]:
    """Every meter of the registry by rising id, from ledger.db and operation.db.

    `now_ms` of a gateway that runs, None: nobody listens, so that no silence is told.
    """
    seen = operation_rows.load_seen(operation)
    counts = _class_counts(connection)
    waiting: dict[bytes, int] = {}
    for kid, _seq in pool_rows.seqs(connection):
        waiting[kid] = waiting.get(kid, 0) + 1
    return [
        _line(connection, state, meter, seen, counts, waiting, now_ms)
        for meter in registry.meters(state)
    ]


def points_text(meter: Meter) -> str:
    """The points as people read them: `1 electricity 5750 W (3000 W adjustable)`."""
    return ", ".join(
        f"{point.device} {transaction.COMMODITY_NAMES[point.commodity]} {point.rating_w} W"
        f" ({point.capacity_w} W adjustable)"
        for point in meter.points
    )


def _line(
    connection: sqlite3.Connection,
    state: Mapping[bytes, bytes],
    meter: Meter,
    seen: dict[bytes, operation_rows.Seen],
    counts: dict[bytes, dict[str, int]],
    waiting: dict[bytes, int],
    now_ms: int | None,
) -> MeterLine:
    row = connection.execute(
        "SELECT samples, last_seq, last_ms FROM totals WHERE meter = ?", (meter.kid,)
    ).fetchone()
    samples, last_seq, last_ms = row or (0, None, None)
    known = seen.get(meter.kid)
    shown = known or operation_rows.Seen(meter.kid)
    born = birth(shown)
    return MeterLine(
        meter=topics.meter_id(meter.kid),
        eui64=meter.eui64.hex(),
        site=meter.site,
        points=points_text(meter),
        protection=meter.protection,
        signing_public=meter.signing_key.hex(),
        first_seq=meter.first_seq,
        final=registry.chain(state, meter.kid, meter.first_seq).final,
        last_seq=last_seq,
        last_ms=last_ms,
        state=ENROLLED if meter.revoked is None else REVOKED,
        samples=samples,
        waiting=waiting.get(meter.kid, 0),
        classes=counts.get(meter.kid, {}),
        seen_ms=None if known is None else known.at_ms,
        clock=shown.clock,
        boot=shown.boot,
        connections=shown.connections,
        flaps=shown.flaps,
        repeats=shown.repeats,
        health=health.read(shown, now_ms if meter.revoked is None else None),
        firmware=str(born.get("fw", "")),
        version=born.get("version"),
    )


def birth(seen: operation_rows.Seen) -> dict[str, Any]:
    """The newest birth of a meter, {} before the first; one that an older gateway has kept may
    lack what was added since.
    """
    if seen.birth is None:
        return {}
    row = cbor.decode(seen.birth)
    assert isinstance(row, dict)  # checked before it was kept
    return row


def _class_counts(connection: sqlite3.Connection) -> dict[bytes, dict[str, int]]:
    counts: dict[bytes, dict[str, int]] = {}
    for meter, bit, count in connection.execute(
        "SELECT meter, class, count FROM classes ORDER BY class"
    ):
        counts.setdefault(meter, {})[classes.CLASS_NAMES.get(bit, "valid")] = count
    return counts
