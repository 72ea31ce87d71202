"""What the ledger would say to a transaction as it is now, before anything is sent: a slip of the
hand should cost nobody a fault."""

import argparse
from collections.abc import Collection, Mapping

from wattle_gateway.admin import refusal_words
from wattle_gateway.cli.folder import home_of, opened_ledger
from wattle_gateway.cli.sending import own_kid
from wattle_gateway.contracts import classes, parties, transactions
from wattle_gateway.contracts.events import transactions as event_transactions
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.settlement import transactions as settlement_transactions
from wattle_gateway.contracts.state import State
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import crypto, transaction
from wattle_gateway.ledger.epoch import first_epoch
from wattle_gateway.ledger.transaction import DIGEST_BYTES, Transaction
from wattle_gateway.runtime.executed_ledger import ExecutedLedger

_EVENTS = event_transactions.CHARGED
# Kind -> refusals with which it is not sent: those that waiting does not mend.
HOPELESS: Mapping[int, Collection[int]] = {
    **settlement_transactions.CHARGED,
    **_EVENTS,
    transaction.PUBLISH: _EVENTS[transaction.PUBLISH]
    | {classes.FUND_OVER, classes.FUND_WINDOW, classes.FUND_EVENT_AMOUNT},
    transaction.DECIDE: settlement_transactions.CHARGED[transaction.DECIDE]
    | {classes.DECISION_OVER},
}


def check(arguments: argparse.Namespace, kind: int, row: object) -> None:
    """UsageError if the ledger in `arguments.folder` would refuse a transaction of one of the kinds
    in HOPELESS, with this body and of whoever sends it, whatever happens before it comes. What else
    it may be refused with, the ledger says."""
    kid = own_kid(arguments)
    with opened_ledger(home_of(arguments.folder)) as (first, reader):
        ledger = ExecutedLedger(reader, first_epoch(first))
        epoch, head = ledger.epoch, ledger.head
        party = parties.party(ledger.state, epoch, kid)
        if epoch.constants.market is None or party is None:
            return
        # Nobody asks for its signature, and its place is the next.
        told = Transaction(b"", kid, bytes(DIGEST_BYTES), b"", 0, 0, head.time_ms, kind, row)
        setting = Setting(head.time_ms, epoch, head, crypto.verify, ledger.digest_of)
        view = State(ledger.state)
        verdict = transactions.execute_transaction(view, told, party, setting).verdict
    if verdict in HOPELESS[kind]:
        raise UsageError(f"nothing was sent: {refusal_words.told(verdict)}")
