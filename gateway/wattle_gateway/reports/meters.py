"""`meters list`: the registry of the ledger, with what each meter has delivered."""

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wattle_wire import cbor, topics

from wattle_gateway.contracts import classes, registry
from wattle_gateway.contracts import waiting as waiting_rows
from wattle_gateway.contracts.registry import Meter
from wattle_gateway.ledger import move_body, transaction
from wattle_gateway.ledger.epoch import Epoch, first_epoch
from wattle_gateway.ledger.genesis import Genesis
from wattle_gateway.reports import health
from wattle_gateway.reports.alliance import Who, who
from wattle_gateway.reports.health import MeterHealth
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.store import operation_rows, pool_rows

ENROLLED = "enrolled"
REVOKED = "revoked"


@dataclass(frozen=True)
class MeterLine:
    """One meter. `last_seq` and `last_ms` (newest reading) None before its first sample;
    `classes` counts of its samples by class name ("valid" for none); `waiting` samples on disk
    that no commit has taken; `firmware` and `version` as its newest birth says, "" and None
    before the first. `orphaned`: its home has no vote any more; `moving` the homes to which moves
    that wait would bring it."""

    meter: str
    eui64: str
    site: str
    home: Who
    further: list[Who]
    orphaned: bool
    moving: list[Who]
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


@dataclass(frozen=True)
class _Told:
    """What is told of meters, by kid: presence, samples by class, how many wait, moves."""

    seen: dict[bytes, operation_rows.Seen]
    counts: dict[bytes, dict[str, int]]
    waiting: dict[bytes, int]
    moves: dict[bytes, list[Who]]


def lines(
    connection: sqlite3.Connection,
    operation: sqlite3.Connection,
    state: Mapping[bytes, bytes],
    epoch: Epoch,
    head_ms: int,
    now_ms: int | None,
) -> list[MeterLine]:
    """Every meter of the registry by rising id, from ledger.db and operation.db.

    `epoch` in force at the newest commit, of time `head_ms`; `now_ms` of a gateway that runs, None:
    nobody listens, so that no silence is told.
    """
    waiting: dict[bytes, int] = {}
    for kid, _seq in pool_rows.seqs(connection):
        waiting[kid] = waiting.get(kid, 0) + 1
    told = _Told(
        operation_rows.load_seen(operation),
        _class_counts(connection),
        waiting,
        _moves(state, epoch, head_ms),
    )
    return [
        _line(connection, state, epoch, meter, told, now_ms) for meter in registry.meters(state)
    ]


def of_ledger(
    connection: sqlite3.Connection,
    operation: sqlite3.Connection,
    first: Genesis,
    now_ms: int | None,
) -> list[MeterLine]:
    """As `lines`, of the newest commit of a ledger that begins with `first`."""
    ledger = ExecutedLedger(connection, first_epoch(first))
    return lines(connection, operation, ledger.state, ledger.epoch, ledger.head.time_ms, now_ms)


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
    epoch: Epoch,
    meter: Meter,
    told: _Told,
    now_ms: int | None,
) -> MeterLine:
    row = connection.execute(
        "SELECT samples, last_seq, last_ms FROM totals WHERE meter = ?", (meter.kid,)
    ).fetchone()
    samples, last_seq, last_ms = row or (0, None, None)
    known = told.seen.get(meter.kid)
    shown = known or operation_rows.Seen(meter.kid)
    born = birth(shown)
    return MeterLine(
        meter=topics.meter_id(meter.kid),
        eui64=meter.eui64.hex(),
        site=meter.site,
        home=who(epoch, meter.home),
        further=[who(epoch, kid) for kid in meter.further],
        orphaned=epoch.author_of(meter.home) is None,
        moving=told.moves.get(meter.kid, []),
        points=points_text(meter),
        protection=meter.protection,
        signing_public=meter.signing_key.hex(),
        first_seq=meter.first_seq,
        final=registry.chain(state, meter.kid, meter.first_seq).final,
        last_seq=last_seq,
        last_ms=last_ms,
        state=ENROLLED if meter.revoked is None else REVOKED,
        samples=samples,
        waiting=told.waiting.get(meter.kid, 0),
        classes=told.counts.get(meter.kid, {}),
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


def _moves(state: Mapping[bytes, bytes], epoch: Epoch, head_ms: int) -> dict[bytes, list[Who]]:
    """Kid of a meter -> the homes that moves which wait name, expired ones left out."""
    found: dict[bytes, list[Who]] = {}
    for one in waiting_rows.everything(state):
        if one.kind == transaction.MOVE and one.until_ms >= head_ms:
            body = move_body.parse_move(one.body)
            found.setdefault(body.meter, []).append(who(epoch, body.home))
    return found


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
