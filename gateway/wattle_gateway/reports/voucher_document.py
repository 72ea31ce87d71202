"""A voucher as a JSON document, and back to the question that it answers."""

import json
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any

from wattle_wire import topics
from wattle_wire.errors import WireError

from wattle_gateway.contracts import classes
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import transaction
from wattle_gateway.reports import voucher_tariff
from wattle_gateway.reports.voucher import AsOf, Question, Section, Stretch, Voucher
from wattle_gateway.reports.voucher_readings import SignedReading
from wattle_gateway.reports.voucher_registers import Boundary, CounterPart, Registers

FORMAT = "wattle/1/voucher"
Json = dict[str, Any]
_NUMBER_MAX = (1 << 53) - 1  # times of the ledger, and sizes that a JSON reader can hold


def as_json(voucher: Voucher) -> Json:
    """The document without proofs; energies in mWh, amounts in the asset's smallest unit."""
    question, tariff = voucher.question, voucher.question.tariff
    return {
        "format": FORMAT,
        "ledger": {"name": voucher.ledger_name, "id": voucher.ledger_id.hex()},
        "as_of": _as_of(voucher.as_of),
        "provisional": voucher.provisional,
        "question": {
            "point": None if question.point is None else _point_name(*question.point),
            "party": None if question.party is None else question.party.hex(),
            "from_ms": question.from_ms,
            "to_ms": question.to_ms,
            "period_ms": question.period_ms,
        },
        "tariff": None if tariff is None else dict(tariff.table),
        # From what is signed to what follows from it: a check names the first difference.
        "readings": [_reading(*row) for row in readings(voucher)],
        "sections": [_section(section, voucher.as_of) for section in voucher.sections],
        "total": total(voucher),
    }


def question_of(document: Mapping[str, Any]) -> Question:
    """The question that a document says it answers. UsageError if it is none of ours."""
    if document.get("format") != FORMAT:
        raise UsageError(f"format {document.get('format')!r}, expected {FORMAT!r}")
    asked = _field(document, "question", dict)
    point, party = asked.get("point"), asked.get("party")
    period_ms = asked.get("period_ms")
    tariff = document.get("tariff")
    if (point is None) == (party is None):
        raise UsageError("question: expected either a point or a party")
    if period_ms is not None and (type(period_ms) is not int or period_ms < 1):
        raise UsageError(f"question.period_ms: {period_ms!r}, expected a time in ms or null")
    if tariff is not None and not isinstance(tariff, dict):
        raise UsageError("tariff: expected a table or null")
    return Question(
        None if point is None else _point_of(point),
        None if party is None else _kid_of(party),
        _field(asked, "from_ms", int),
        _field(asked, "to_ms", int),
        None if tariff is None else voucher_tariff.parse(tariff, "tariff"),
        period_ms,
        _field(_field(document, "as_of", dict), "size", int),
    )


def total(voucher: Voucher) -> Json:
    """Energy of all sections by commodity, and what it costs: the sums of the lines' amounts."""
    energies: dict[str, list[Registers]] = {}
    for section in voucher.sections:
        name = transaction.COMMODITY_NAMES[section.point.commodity]
        energies.setdefault(name, []).append(section.energy)
    found: Json = {
        "energy": {
            name: {
                "import_mwh": _known(energy.imported_mwh for energy in energies[name]),
                "export_mwh": _known(energy.exported_mwh for energy in energies[name]),
            }
            for name in sorted(energies)
        },
        "unmeasured_ms": sum(
            line.unmeasured_ms for section in voucher.sections for line in section.lines
        ),
    }
    tariff = voucher.question.tariff
    if tariff is not None:
        lines = [line for section in voucher.sections for line in section.lines]
        imported = _known(line.import_amount for line in lines)
        exported = _known(line.export_amount for line in lines)
        found |= {
            "asset": tariff.asset,
            "decimals": tariff.decimals,
            "import_amount": imported,
            "export_amount": exported,
            "net_amount": (imported or 0) - (exported or 0),
        }
    return found


def readings(voucher: Voucher) -> list[tuple[str, SignedReading]]:
    """(point, reading) of all that registers and counters rest on, each once, by ledger index."""
    found: set[tuple[str, SignedReading]] = set()
    for section in voucher.sections:
        rest_on = [boundary.readings for boundary in section.boundaries]
        rest_on += [part.readings for part in section.counters]
        found |= {(section.name, one) for readings in rest_on for one in readings}
    return sorted(found, key=lambda row: (row[1].leaf, row[0], row[1].time_ms))


def _section(section: Section, as_of: AsOf) -> Json:
    meter, point = section.meter, section.point
    revoked = meter.revoked
    if revoked is not None and revoked.time_ms > as_of.time_ms:
        revoked = None
    return {
        "point": section.name,
        "commodity": transaction.COMMODITY_NAMES[point.commodity],
        "owner": section.owner.hex(),
        "owner_name": section.owner_name,
        "handover_indexes": list(section.handover_leaves),
        "begin_ms": section.begin_ms,
        "end_ms": section.end_ms,
        "meter": {
            "signing_key": meter.signing_key.hex(),
            "eui64": meter.eui64.hex(),
            "enrolled_index": section.enrolled_leaf,
            "revoked": None
            if revoked is None
            else {"time_ms": revoked.time_ms, "last_seq": revoked.last_seq},
        },
        "ratio": {"ct": list(point.ct), "vt": list(point.vt), "orient": point.orient},
        "period_ms": section.period_ms,
        "registers": [_boundary(boundary) for boundary in section.boundaries],
        "stretches": [_stretch(stretch) for stretch in section.stretches],
        "counters": [_counter(part) for part in section.counters],
        "unmeasured": [
            {"from_ms": hole.from_ms, "to_ms": hole.to_ms, "why": hole.why}
            for hole in section.holes
        ],
        "gaps": [
            {"from_ms": gap.from_ms, "to_ms": gap.to_ms, "statuses": gap.statuses}
            for gap in section.gaps
        ],
        "substituted_readings": section.substitutes,
        "lines": [
            {
                "period": line.period,
                **_energy(line.energy),
                "apportioned_import_mwh": line.apportioned.imported_mwh,
                "apportioned_export_mwh": line.apportioned.exported_mwh,
                "unmeasured_ms": line.unmeasured_ms,
                "import_amount": line.import_amount,
                "export_amount": line.export_amount,
            }
            for line in section.lines
        ],
        "total": _energy(section.energy),
    }


def _boundary(boundary: Boundary) -> Json:
    return {
        "at_ms": boundary.at_ms,
        "how": boundary.how,
        "counter": boundary.counter,
        "period_ms": boundary.period_ms,
        **_energy(boundary.registers),
        "import_off_mwh": boundary.off.imported_mwh,
        "export_off_mwh": boundary.off.exported_mwh,
        "readings": [
            {
                "ledger_index": one.leaf,
                "time_ms": one.time_ms,
                "distance_ms": one.time_ms - boundary.at_ms,
            }
            for one in boundary.readings
        ],
    }


def _stretch(stretch: Stretch) -> Json:
    return {
        "begin_ms": stretch.opening.at_ms,
        "end_ms": stretch.closing.at_ms,
        "period": stretch.period,
        **_energy(stretch.energy),
        "how": stretch.how,
        "unmeasured_ms": stretch.unmeasured_ms,
    }


def _counter(part: CounterPart) -> Json:
    return {
        "counter": part.number,
        "opening": {"at_ms": part.opening_ms, **_energy(part.opening)},
        "closing": {"at_ms": part.closing_ms, **_energy(part.closing)},
        **_energy(part.counted),
    }


def _reading(point: str, one: SignedReading) -> Json:
    return {
        "ledger_index": one.leaf,
        "point": point,
        "time_ms": one.time_ms,
        "seq": one.seq,
        "digest": one.digest.hex(),
        "ei_wh": one.imported_wh,
        "ee_wh": one.exported_wh,
        "status": one.status,
        "clock": one.clock,
        "classes": classes.class_names(one.verdict),
    }


def _energy(registers: Registers) -> Json:
    return {"import_mwh": registers.imported_mwh, "export_mwh": registers.exported_mwh}


def _as_of(as_of: AsOf) -> Json:
    return {
        "commit": as_of.commit,
        "time_ms": as_of.time_ms,
        "commit_digest": as_of.commit_digest.hex(),
        "size": as_of.size,
    }


def _known(numbers: Iterable[int | None]) -> int | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _field(table: Mapping[str, Any], name: str, kind: type) -> Any:
    value = table.get(name)
    if type(value) is not kind:
        raise UsageError(f"{name}: {value!r}, expected {kind.__name__}")
    if isinstance(value, int) and not 0 <= value <= _NUMBER_MAX:
        raise UsageError(f"{name}: {value}, expected 0 to {_NUMBER_MAX}")
    return value


def _point_name(meter: bytes, device: int) -> str:
    return f"{topics.meter_id(meter)}/{device}"


def _point_of(text: object) -> tuple[bytes, int]:
    meter, _, device = text.partition("/") if isinstance(text, str) else ("", "", "")
    try:
        if device.isascii() and device.isdigit() and len(device) < 4:
            return topics.kid_of_meter(meter), int(device)
    except WireError as error:
        raise UsageError(f"question.point: {error}") from error
    raise UsageError(f"question.point: {text!r}, expected METER/D")


def _kid_of(text: object) -> bytes:
    try:
        kid = bytes.fromhex(text) if isinstance(text, str) else b""
    except ValueError:
        kid = b""
    if len(kid) != 8:
        raise UsageError(f"question.party: {text!r}, expected 16 hex digits")
    return kid


def digest(document: Mapping[str, Any]) -> str:
    """SHA-256 (hex) of a document without its proofs, keys sorted, no blanks: what a printed
    voucher and a file of it have in common."""
    content = {key: value for key, value in document.items() if key != "proofs"}
    raw = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return sha256(raw.encode()).hexdigest()
