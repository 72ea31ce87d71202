"""A ledger of rules 1 takes rules 2 by a change of its members; history keeps its rules."""

from dataclasses import replace

from wattle_gateway.contracts import accounts, classes
from wattle_gateway.contracts.execute import RECORDED
from wattle_gateway.contracts.state import key
from wattle_gateway.ledger import genesis, transaction
from wattle_gateway.ledger.account_bodies import Issue, Open
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.market import Market, market_map
from wattle_gateway.ledger.transaction import Approve, Change
from wattle_testkit.account_ledger import ALONE, GRID, RETAIL, AccountLedger
from wattle_testkit.alliance import Party, digest_of, following
from wattle_wire import cbor

ISSUE = Issue("CNY", 2, GRID.kid, 1).row()


OTHER = replace(Market(), interval_s=300)


def change(
    ledger: AccountLedger, rules: int, *parties: Party, constants: Constants = ALONE
) -> bytes:
    """The entry by which GRID proposes an epoch of these parties under other rules."""
    then = replace(following(*parties, constants=constants), rules=rules)
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


def test_a_change_to_rules_3_is_one_that_rules_2_can_read() -> None:
    """Who knows no newer rules comes to the same state, and stops where the epoch begins."""
    ledger = AccountLedger(GRID, rules=2)
    executed = ledger.chain.commit(change(ledger, 3, GRID))
    assert [found.verdict for found in executed.outcomes] == [classes.ACCEPTED]
    row = cbor.decode(ledger.state[key("epoch", 1)])
    assert isinstance(row, list)
    assert (row[2], row[3]) == (3, genesis.constants_map(ALONE))
    assert ledger.epoch.rules == genesis.EVENT_RULES
    assert ledger.epoch.constants == replace(ALONE, market=Market())


def test_rules_2_read_no_market() -> None:
    ledger = AccountLedger(GRID, rules=2)
    raw = change(ledger, 3, GRID, constants=replace(ALONE, market=OTHER))
    executed = ledger.chain.commit(raw)
    assert [found.verdict for found in executed.outcomes] == [classes.MALFORMED_BODY]
    assert [row for row, _ in executed.changes] == [key("nonce", GRID.kid, 0)]


def test_a_market_changes_with_the_epoch() -> None:
    ledger = AccountLedger(GRID, rules=3)
    constants = replace(ALONE, market=OTHER)
    ledger.chain.commit(change(ledger, 3, GRID, constants=constants))
    assert (ledger.epoch.number, ledger.epoch.constants) == (1, constants)
    row = cbor.decode(ledger.state[key("epoch", 1)])
    assert isinstance(row, list)
    assert row[3] == {**genesis.constants_map(ALONE), "market": market_map(OTHER)}
    ledger.chain.commit(change(ledger, 3, GRID))
    assert ledger.epoch.constants.market == Market()
    ledger.chain.commit(change(ledger, 2, GRID))
    assert ledger.epoch.constants.market is None


def test_a_change_that_names_the_market_of_a_new_ledger_is_malformed() -> None:
    ledger = AccountLedger(GRID, rules=3)
    then = following(GRID, constants=ALONE)
    named = {**genesis.constants_map(ALONE), "market": market_map(Market())}
    members = [genesis.member_row(member) for member in then.members]
    body = [0, members, 3, named, []]
    assert ledger.send(GRID, transaction.CHANGE, body) == classes.MALFORMED_BODY
