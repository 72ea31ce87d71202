"""The regulator's report for people, and its tables as CSV."""

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from wattle_gateway.cli.text import console, plain_name, shown_name, shown_time
from wattle_gateway.cli.voucher_text import kwh
from wattle_gateway.reports.samples import decimal

Json = dict[str, Any]
_DIGITS = 12
# What each table has, by keys of the report.
TABLES: Mapping[str, tuple[str, ...]] = {
    "events": (
        "event", "publisher", "method", "area", "near", "direction", "begin_ms", "end_ms",
        "state", "version", "asset", "energy_price", "uniform_price", "paid_per_mwh", "quantity_w",
        "reached_w", "declared", "selected", "called", "confirmed", "delivered_mwh",
        "availability", "energy", "penalty", "decided", "corrected", "paid", "reserved", "fund",
    ),
    "prices": (
        "asset", "method", "events", "published_lowest", "published_highest", "uniform_lowest",
        "uniform_highest", "delivered_mwh", "energy", "paid_per_mwh",
    ),
    "payments": ("payer", "payer_kid", "payee", "payee_kid", "asset", "earned", "paid"),
    "fines": (
        "bearer", "bearer_kid", "payer", "payer_kid", "asset", "amount", "intervals", "events",
    ),
    "debts": ("payer", "payer_kid", "payee", "payee_kid", "asset", "owed"),
    "funds": (
        "fund", "purpose", "filler", "spender", "asset", "free", "reserved", "spent", "until_ms",
        "over", "events",
    ),
    "providers": (
        "provider", "provider_kid", "asset", "delivered_mwh", "amount", "delivered_permille",
        "amount_permille",
    ),
    "concentration": (
        "asset", "providers", "largest", "largest_kid", "largest_permille", "index",
    ),
    "parties": (
        "party", "party_kid", "role", "gateway", "reputation", "grade", "suspended_ms", "back_ms",
        "event_faults", "faults_on_record", "refused",
    ),
    "disputes": (
        "dispute", "event", "point", "interval", "by", "opened_ms", "reason", "answer", "asset",
        "decided", "decision", "decided_by",
    ),
    "refused": ("party", "party_kid", "ledger_index", "time_ms", "kind", "why"),
}  # fmt: skip
_AMOUNTS = {
    "energy_price", "uniform_price", "paid_per_mwh", "availability", "energy", "penalty",
    "decided", "corrected", "paid", "reserved", "published_lowest", "published_highest",
    "uniform_lowest", "uniform_highest", "earned", "amount", "free", "spent", "owed",
}  # fmt: skip
_TITLES = {
    "events": "events",
    "prices": "energy prices per MWh",
    "payments": "payments of final events",
    "fines": "penalties and who bears them",
    "debts": "carried into the next payment (below 0: the payee owes)",
    "funds": "funds",
    "providers": "providers",
    "concentration": "concentration (of energy delivered)",
    "parties": "parties and gateways",
    "disputes": "disputes",
    "refused": "refused transactions",
}
# What people see: the columns of a table that fits a terminal.
_SHOWN: Mapping[str, tuple[str, ...]] = {
    **TABLES,
    "events": (
        "event", "publisher", "method", "begin_ms", "state", "asset", "energy_price",
        "paid_per_mwh", "reached_w", "delivered_mwh", "availability", "energy", "penalty",
        "decided", "paid",
    ),
    "payments": ("payer", "payee", "asset", "earned", "paid"),
    "fines": ("bearer", "payer", "asset", "amount", "intervals", "events"),
    "debts": ("payer", "payee", "asset", "owed"),
    "funds": (
        "fund", "purpose", "filler", "spender", "asset", "free", "reserved", "spent", "until_ms",
    ),
    "providers": (
        "provider", "asset", "delivered_mwh", "delivered_permille", "amount", "amount_permille",
    ),
    "concentration": ("asset", "providers", "largest", "largest_permille", "index"),
    "parties": (
        "party", "role", "reputation", "grade", "suspended_ms", "event_faults",
        "faults_on_record", "refused",
    ),
    "disputes": ("event", "point", "interval", "by", "reason", "answer", "decided", "decided_by"),
    "refused": ("party", "ledger_index", "time_ms", "kind", "why"),
}  # fmt: skip


def cells(report: Json, name: str) -> Iterator[list[str]]:
    """The rows of a table as text, every digit of every number."""
    for row in report[name] or ():
        yield [_cell(report, row, column) for column in TABLES[name]]


def print_report(report: Json) -> None:
    """The report for people; tables without rows are left out."""
    as_of = report["as_of"]
    print(f"as of         commit {as_of['commit']} of {shown_time(as_of['time_ms'])} UTC")
    print(f"state         {as_of['state_digest']}")
    begin, end = (shown_time(report[name]) or "any time" for name in ("from_ms", "to_ms"))
    print(f"events that begin from {begin} to {end}: {len(report['events'])}")
    if report["forgotten_events"]:
        print(
            f"{report['forgotten_events']} earlier events are not in the state any more: a "
            "snapshot of an earlier commit has them (--snapshot)"
        )
    for name, title in _TITLES.items():
        if report[name]:
            console().print(_table(report, name, title))


def _table(report: Json, name: str, title: str) -> Table:
    table = Table(title=title)
    for column in _SHOWN[name]:
        is_number = column in _AMOUNTS or column.endswith(("_mwh", "_w", "_permille"))
        table.add_column(_head(column), justify="right" if is_number else "left")
    for row in report[name]:
        table.add_row(*(shown_name(_shown(report, row, column)) for column in _SHOWN[name]))
    return table


def _head(column: str) -> str:
    """A column's name with its unit as people write it."""
    if column == "paid_per_mwh":
        return "paid per MWh"
    for end, unit in (("_ms", ""), ("_mwh", " kWh"), ("_w", " W")):
        if column.endswith(end):
            column = column.removesuffix(end) + unit
    return column.replace("_", " ")


def _shown(report: Json, row: Json, column: str) -> str:
    """As `cells` have it, but times and energies for people and digests cut short."""
    value = row.get(column)
    if column == "delivered_mwh":
        return kwh(value)
    if column.endswith("_ms"):
        return shown_time(value)
    text = _cell(report, row, column)
    return text[:_DIGITS] if column in ("event", "fund", "dispute") else text


def _cell(report: Json, row: Json, column: str) -> str:
    value = row["published_prices"]["energy"] if column == "energy_price" else row[column]
    if value is None:
        return ""
    if column in _AMOUNTS and row.get("asset") in report["assets"]:
        return decimal(value, -report["assets"][row["asset"]])
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(f"{name} {count}" for name, count in value.items())
    if isinstance(value, list):
        return " ".join(str(inner) for inner in value)
    return plain_name(str(value))
