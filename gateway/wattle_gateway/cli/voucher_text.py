"""Vouchers for people, and as CSV."""

import csv
import sys
from collections.abc import Sequence

from rich.table import Table

from wattle_gateway.cli.text import console, plain_name, shown_age, shown_name, shown_time
from wattle_gateway.contracts.baseline.local_days import Zone
from wattle_gateway.interval_data import times
from wattle_gateway.ledger import transaction
from wattle_gateway.reports import voucher_document
from wattle_gateway.reports.samples import decimal
from wattle_gateway.reports.voucher import Section, Voucher
from wattle_gateway.reports.voucher_registers import Boundary

GAPS_SHOWN = 10
_KWH_EXPONENT = -6  # energies are mWh
_DIGITS_MIN = 3
_DIGEST_DIGITS = 16  # the whole of it stands in the JSON
LINE_COLUMNS = (
    "point", "commodity", "owner", "owner_name", "begin", "end", "period",
    "import_kwh", "export_kwh", "apportioned_import_kwh", "apportioned_export_kwh",
    "unmeasured_s", "asset", "import_amount", "export_amount",
    "opening_import_kwh", "opening_export_kwh", "opening_read", "opening_how", "opening_entries",
    "closing_import_kwh", "closing_export_kwh", "closing_read", "closing_how", "closing_entries",
)  # fmt: skip
STRETCH_COLUMNS = (
    "point", "owner", "begin", "end", "period", "import_kwh", "export_kwh", "how", "unmeasured_s",
    "opening_import_kwh", "opening_export_kwh", "opening_read", "opening_how", "opening_entries",
    "closing_import_kwh", "closing_export_kwh", "closing_read", "closing_how", "closing_entries",
)  # fmt: skip


def kwh(energy_mwh: int | None) -> str:
    """Every digit of an energy in kWh, three or more after the point; "" for None."""
    if energy_mwh is None:
        return ""
    whole, _, part = decimal(energy_mwh, _KWH_EXPONENT).partition(".")
    return f"{whole}.{part.rstrip('0').ljust(_DIGITS_MIN, '0')}"


def print_lines_csv(voucher: Voucher) -> None:
    """A row for each section and tariff period, with the section's registers."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(LINE_COLUMNS)
    zone = _zone(voucher)
    tariff = voucher.question.tariff
    for section in voucher.sections:
        ends = _ends(section.boundaries[0], section.boundaries[-1], zone)
        for line in section.lines:
            writer.writerow(
                (
                    section.name,
                    transaction.COMMODITY_NAMES[section.point.commodity],
                    section.owner.hex(),
                    plain_name(section.owner_name),
                    _local(section.begin_ms, zone),
                    _local(section.end_ms, zone),
                    line.period,
                    kwh(line.energy.imported_mwh),
                    kwh(line.energy.exported_mwh),
                    kwh(line.apportioned.imported_mwh),
                    kwh(line.apportioned.exported_mwh),
                    decimal(line.unmeasured_ms, -3),
                    "" if tariff is None else tariff.asset,
                    _amount(line.import_amount, voucher),
                    _amount(line.export_amount, voucher),
                    *ends,
                )
            )


def print_stretches_csv(voucher: Voucher) -> None:
    """A row for each stretch between two boundaries, with its registers."""
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(STRETCH_COLUMNS)
    zone = _zone(voucher)
    for section in voucher.sections:
        for stretch in section.stretches:
            writer.writerow(
                (
                    section.name,
                    section.owner.hex(),
                    _local(stretch.opening.at_ms, zone),
                    _local(stretch.closing.at_ms, zone),
                    stretch.period,
                    kwh(stretch.energy.imported_mwh),
                    kwh(stretch.energy.exported_mwh),
                    stretch.how,
                    decimal(stretch.unmeasured_ms, -3),
                    *_ends(stretch.opening, stretch.closing, zone),
                )
            )


def print_text(voucher: Voucher, digest: str) -> None:
    """The voucher for people."""
    zone, as_of = _zone(voucher), voucher.as_of
    begin, end = _local(voucher.question.from_ms, zone), _local(voucher.question.to_ms, zone)
    print(f"voucher       {begin} to {end}")
    print(f"ledger        {voucher.ledger_name} {voucher.ledger_id.hex()}")
    print(
        f"as of         commit {as_of.commit} of {shown_time(as_of.time_ms)} UTC, "
        f"{as_of.size} ledger entries"
    )
    if voucher.provisional:
        print("PROVISIONAL   the ledger does not reach beyond this time yet")
    tariff = voucher.question.tariff
    if tariff is not None:
        print(f"tariff        {tariff.name or 'without a name'}, {tariff.zone_name}")
    print(f"digest        {digest}")
    for section in voucher.sections:
        _print_section(section, voucher, zone)
    _print_total(voucher)


def _print_section(section: Section, voucher: Voucher, zone: Zone) -> None:
    point, meter = section.point, section.meter
    commodity = transaction.COMMODITY_NAMES[point.commodity]
    print(f"\npoint         {section.name}, {commodity}")
    deeds = " and ".join(str(leaf) for leaf in section.handover_leaves)
    by = f", by entries {deeds}" if deeds else ""
    print(f"owner         {plain_name(section.owner_name)} {section.owner.hex()}{by}")
    print(f"from          {_local(section.begin_ms, zone)}")
    print(f"to            {_local(section.end_ms, zone)}")
    turned = ", the wrong way round" if point.orient < 0 else ""
    enrolled = (
        "" if section.enrolled_leaf is None else f", enrolled by entry {section.enrolled_leaf}"
    )
    print(
        f"transformers  current {point.ct[0]}/{point.ct[1]}, voltage {point.vt[0]}/{point.vt[1]}"
        f"{turned}{enrolled}"
    )
    if meter.revoked is not None and meter.revoked.time_ms <= voucher.as_of.time_ms:
        print(
            f"revoked       {shown_time(meter.revoked.time_ms)} UTC, last sample "
            f"{meter.revoked.last_seq}"
        )
    console().print(_registers_table(section, zone))
    console().print(_lines_table(section, voucher))
    for hole in section.holes:
        print(
            f"UNMEASURED    {_local(hole.from_ms, zone)} to {_local(hole.to_ms, zone)}: "
            f"{_WHY[hole.why]}"
        )
    for gap in section.gaps[:GAPS_SHOWN]:
        why = f"failed readings {gap.statuses}" if gap.statuses else "no readings"
        print(f"gap           {_local(gap.from_ms, zone)} to {_local(gap.to_ms, zone)}: {why}")
    if len(section.gaps) > GAPS_SHOWN:
        print(f"              and {len(section.gaps) - GAPS_SHOWN} more gaps (--format json)")
    if section.substitutes:
        print(f"substituted   {section.substitutes} readings, by the meter's own word")


_WHY = {
    "first": "before the first reading",
    "last": "after the last reading",
    "exchanged": "between two counters",
    "missing": "there is no reading at all",
}


def _registers_table(section: Section, zone: Zone) -> Table:
    table = Table(title="registers behind the transformers")
    for name in ("", "import kWh", "export kWh", "how", "read", "sample", "entry", "digest .."):
        table.add_column(name, justify="right" if "kWh" in name else "left")
    for name, boundary in (
        ("opening", section.boundaries[0]),
        ("closing", section.boundaries[-1]),
    ):
        registers = boundary.registers
        how = " ".join([boundary.how, *_marks(boundary)])
        head = (name, kwh(registers.imported_mwh), kwh(registers.exported_mwh), how)
        for at, one in enumerate(boundary.readings):
            away_ms = one.time_ms - boundary.at_ms
            table.add_row(
                *(head if at == 0 else ("", "", "", "")),
                f"{_local(one.time_ms, zone)} ({decimal(away_ms, -3)} s)",
                str(one.seq),
                str(one.leaf),
                one.digest.hex()[:_DIGEST_DIGITS],
            )
        if not boundary.readings:
            table.add_row(*head, "", "", "", "")
    if len(section.counters) > 1:
        for part in section.counters:
            counted = part.counted
            table.add_row(
                f"counter {part.number + 1}",
                kwh(counted.imported_mwh),
                kwh(counted.exported_mwh),
                "counted",
                f"{_local(part.opening_ms, zone)} to {_local(part.closing_ms, zone)}",
                *("" for _ in range(3)),
            )
    return table


def _marks(boundary: Boundary) -> list[str]:
    """What is unusual about its readings: status letters, clocks that no gateway has set."""
    letters = sorted({one.status for one in boundary.readings} - {"G"})
    clocks = sorted({one.clock for one in boundary.readings} - {"S"})
    return [f"(status {letter})" for letter in letters] + [f"(clock {clock})" for clock in clocks]


def _lines_table(section: Section, voucher: Voucher) -> Table:
    tariff = section.tariff
    table = Table(title="energy")
    columns = ["period", "import kWh", "export kWh", "of it apportioned", "unmeasured"]
    if tariff is not None:
        columns += [f"import {tariff.asset}", f"export {tariff.asset}"]
    for name in columns:
        table.add_column(name, justify="left" if name == "period" else "right")
    for line in section.lines:
        row = [
            shown_name(line.period) or "all",
            kwh(line.energy.imported_mwh),
            kwh(line.energy.exported_mwh),
            " / ".join(
                part
                for part in (kwh(line.apportioned.imported_mwh), kwh(line.apportioned.exported_mwh))
                if part
            ),
            shown_age(line.unmeasured_ms) if line.unmeasured_ms else "",
        ]
        if tariff is not None:
            row += [_amount(line.import_amount, voucher), _amount(line.export_amount, voucher)]
        table.add_row(*row)
    return table


def _print_total(voucher: Voucher) -> None:
    total = voucher_document.total(voucher)
    print()
    for name, energy in total["energy"].items():
        words = [
            f"{word} {kwh(energy[f'{word}_mwh'])} kWh"
            for word in ("import", "export")
            if energy[f"{word}_mwh"] is not None
        ]
        print(f"total         {name}: {', '.join(words) or 'nothing measured'}")
    if "asset" in total:
        imported, exported, net = (
            _amount(total[f"{word}_amount"], voucher) or "-" for word in ("import", "export", "net")
        )
        print(f"amount        import {imported}, export {exported}, net {net} {total['asset']}")


def _ends(opening: Boundary, closing: Boundary, zone: Zone) -> Sequence[str]:
    return (*_end(opening, zone), *_end(closing, zone))


def _end(boundary: Boundary, zone: Zone) -> tuple[str, ...]:
    registers = boundary.registers
    return (
        kwh(registers.imported_mwh),
        kwh(registers.exported_mwh),
        " ".join(_local(one.time_ms, zone) for one in boundary.readings),
        boundary.how,
        " ".join(str(one.leaf) for one in boundary.readings),
    )


def _amount(amount: int | None, voucher: Voucher) -> str:
    tariff = voucher.question.tariff
    return "" if amount is None or tariff is None else decimal(amount, -tariff.decimals)


def _zone(voucher: Voucher) -> Zone:
    """Times are shown as the tariff's clock shows them, else in UTC."""
    question = voucher.question
    if question.tariff is None:
        return Zone()
    return question.tariff.zone(question.from_ms, question.to_ms)


def _local(time_ms: int, zone: Zone) -> str:
    shown = times.shown_local(time_ms // 1_000, zone)
    rest_ms = time_ms % 1_000
    return f"{shown[:19]}.{rest_ms:03}{shown[19:]}" if rest_ms else shown
