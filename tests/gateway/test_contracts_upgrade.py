"""A ledger of rules 1 takes rules 2 by a change of its members; history keeps its rules."""

from dataclasses import replace

from wattle_gateway.contracts import accounts, classes
from wattle_gateway.contracts.execute import RECORDED
from wattle_gateway.ledger import genesis, transaction
from wattle_gateway.ledger.account_bodies import Issue, Open
from wattle_gateway.ledger.transaction import Approve, Change
from wattle_testkit.account_ledger import ALONE, GRID, RETAIL, AccountLedger
from wattle_testkit.alliance import Party, digest_of, following

ISSUE = Issue("CNY", 2, GRID.kid, 1).row()


def change(ledger: AccountLedger, rules: int, *parties: Party) -> bytes:
    """The entry by which GRID proposes an epoch of these parties under other rules."""
    then = replace(following(*parties, constants=ALONE), rules=rules)
    body = transaction.change_body(Change(ledger.epoch.number, then, ()))
    return ledger.entry(GRID, transaction.CHANGE, body)


def test_kinds_of_rules_2_begin_with_the_epoch_that_names_them() -> None:
    ledger = AccountLedger(GRID, RETAIL, rules=1)
    assert ledger.send(GRID, transaction.ISSUE, ISSUE) == classes.KIND_UNKNOWN
    proposed = change(ledger, 2, GRID, RETAIL)
    agreed = transaction.approve_body(Approve(digest_of(ledger.epoch, proposed)))
    approved = ledger.entry(RETAIL, transaction.APPROVE, agreed)
    # What comes in the same commit behind the last approval is still of the old epoch.
    behind = ledger.entry(RETAIL, transaction.OPEN, Open("CNY").row())
    executed = ledger.chain.commit(proposed, approved, behind)
    assert executed.ended is not None
    assert [(found.effect, found.verdict) for found in executed.outcomes] == [
        (RECORDED, classes.ACCEPTED),
        (RECORDED, classes.ACCEPTED),
        (RECORDED, classes.KIND_UNKNOWN),
    ]
    assert ledger.epoch.rules == genesis.ACCOUNT_RULES
    assert ledger.send(RETAIL, transaction.OPEN, Open("CNY").row()) == classes.ASSET_UNKNOWN


def test_back_under_rules_1_what_the_newer_ones_wrote_rests() -> None:
    ledger = AccountLedger(GRID)
    ledger.declare()
    ledger.chain.commit(change(ledger, 1, GRID))
    assert ledger.epoch.rules == 1
    assert ledger.send(GRID, transaction.ISSUE, ISSUE) == classes.KIND_UNKNOWN
    assert accounts.account(ledger.state, GRID.kid, "CNY") is not None
