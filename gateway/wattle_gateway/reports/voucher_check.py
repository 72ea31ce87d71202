"""`voucher --verify`: whether a document says what the ledger says."""

import sqlite3
from collections.abc import Mapping
from typing import Any

from wattle_gateway.errors import UsageError
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.reports import voucher as voucher_report
from wattle_gateway.reports import voucher_document, voucher_proofs
from wattle_gateway.reports.voucher_tariff import Tariff

PROOFS = "proofs"
# Names are their bearers' own choice and change; parties are known by their kids.
_OPEN = frozenset({"owner_name"})


def check(
    connection: sqlite3.Connection,
    first: Epoch,
    document: Mapping[str, Any],
    tariff: Tariff | None = None,
) -> str | None:
    """Recompute a document from the ledger as it was then; `first` is epoch 0. `tariff`: the one
    by which it should be, None to take what it says.

    Gives the first difference in words, None if there is none. Raises UsageError for a document
    that asks nothing which can be answered (damaged, of another ledger, newer than this one).
    """
    ledger = document.get("ledger")
    if not isinstance(ledger, dict) or ledger.get("id") != first.ledger_id.hex():
        raise UsageError(f"the voucher is not of this ledger, {first.ledger_id.hex()}")
    question = voucher_document.question_of(document)
    if tariff is not None:
        found = _difference("tariff", document.get("tariff"), dict(tariff.table))
        if found is not None:
            return found
    made = voucher_report.build(connection, first, question)
    said = {key: value for key, value in document.items() if key != PROOFS}
    difference = _difference("", said, voucher_document.as_json(made))
    if difference is None and PROOFS in document:
        try:
            voucher_proofs.check(connection, first, made, document[PROOFS])
        except UsageError as error:
            return str(error)
    return difference


def _difference(where: str, said: object, ours: object) -> str | None:
    """The first place at which two JSON values differ, depth first in our order."""
    if isinstance(ours, dict) and isinstance(said, dict):
        for key in (*ours, *said):
            inside = f"{where}.{key}".lstrip(".")
            if key not in said:
                return f"{inside}: missing"
            if key not in ours:
                return f"{inside}: not expected"
            found = None if key in _OPEN else _difference(inside, said[key], ours[key])
            if found is not None:
                return found
        return None
    if isinstance(ours, list) and isinstance(said, list):
        if len(ours) != len(said):
            return f"{where}: {len(said)} of them in the file, {len(ours)} by the ledger"
        pairs = enumerate(zip(said, ours, strict=True))
        return next(
            (
                found
                for at, (one, other) in pairs
                if (found := _difference(f"{where}[{at}]", one, other))
            ),
            None,
        )
    if type(ours) is not type(said) or ours != said:
        return f"{where}: {said!r} in the file, {ours!r} by the ledger"
    return None
