"""Which refused transactions of a settlement cost their sender a fault (D14): each clause by what
earns it, and none that somebody else's commit or the time can have brought about."""

from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import replace
from functools import cache
from typing import NamedTuple

import pytest
from wattle_gateway.contracts import classes
from wattle_gateway.contracts.events import agenda
from wattle_gateway.contracts.reputation import fault_record
from wattle_gateway.contracts.reputation.standing import standing
from wattle_gateway.contracts.settlement.transactions import CHARGED
from wattle_gateway.ledger.settlement_bodies import Answer, Contract, Decide, Dispute, Fund
from wattle_gateway.ledger.transaction import (
    ANSWER,
    APPROVE,
    CONTRACT,
    DECIDE,
    DISPUTE,
    FUND,
    KIND_NAMES,
    TRANSFER,
)
from wattle_testkit.account_ledger import (
    AGGREGATOR,
    FACTORY,
    GRID,
    REGULATOR,
    RETAIL,
    AccountLedger,
    Signer,
    User,
)
from wattle_testkit.alliance import Party, digest_of
from wattle_testkit.event_ledger import HOUSE, NEIGHBOUR, THIRD
from wattle_testkit.settled_event import FINAL_MS, MARKET, SETTLE_MS, SettledEvent, fresh
from wattle_testkit.settled_event import fresh_called as called_ledger

NOTHING = bytes(32)
LATER_MS = FINAL_MS + 3_600_000


class Case(NamedTuple):
    """Who sends what to which ledger, when (None: now), valid until when (None: long)."""

    ledger: SettledEvent
    who: Signer
    body: object
    time_ms: int | None = None
    until_ms: int = 2 * LATER_MS


@cache
def _stated(who: Party) -> tuple[SettledEvent, bytes, bytes]:
    made = fresh()
    event = made.call(who=who)
    made.deliver(event, {HOUSE: 800, NEIGHBOUR: 2_400})
    made.commit_at(SETTLE_MS)
    return made, event, made.done(HOUSE, DISPUTE, disputed(made, event))


def stated(who: Party = RETAIL) -> tuple[SettledEvent, bytes, bytes]:
    """A ledger with a stated event of somebody's, and a dispute of HOUSE's: their digests."""
    return deepcopy(_stated(who))


def disputed(ledger: SettledEvent, event: bytes, user: User = HOUSE, index: int = 1) -> object:
    return Dispute(event, ledger.board(user).kid, 1, index, "it was not so").row()


def terms(**changes: object) -> object:
    body = Contract(AGGREGATOR.kid, "EUR", 1, 2, 3, 0, LATER_MS, LATER_MS + 1)
    return replace(body, **changes).row()  # type: ignore[arg-type]


def fund(**changes: object) -> object:
    body = Fund("frost", "EUR", 1, RETAIL.kid, LATER_MS)
    return replace(body, **changes).row()  # type: ignore[arg-type]


def malformed(who: Signer) -> Callable[[], Case]:
    return lambda: Case(fresh(), who, [])


def not_selected() -> Case:
    ledger, event, _ = stated()
    return Case(ledger, THIRD, disputed(ledger, event, THIRD))


def interval_unknown() -> Case:
    ledger, event, _ = stated()
    return Case(ledger, HOUSE, disputed(ledger, event, index=4))


def disputes_anothers() -> Case:
    ledger, event, _ = stated()
    return Case(ledger, NEIGHBOUR, disputed(ledger, event))


def answers_itself() -> Case:
    ledger, _, dispute = stated()
    return Case(ledger, HOUSE, Answer(dispute, "so it was").row())


def decides_its_own() -> Case:
    ledger, _, dispute = stated(GRID)
    return Case(ledger, GRID, Decide(dispute, 1, "mine").row())


FAULTS: dict[tuple[int, int], Callable[[], Case]] = {
    (CONTRACT, classes.MALFORMED_BODY): malformed(GRID),
    (CONTRACT, classes.ASSET_UNKNOWN): lambda: Case(fresh(), GRID, terms(asset="USD")),
    (CONTRACT, classes.TO_ITSELF): lambda: Case(fresh(), GRID, terms(other=GRID.kid)),
    (FUND, classes.MALFORMED_BODY): malformed(GRID),
    (FUND, classes.ASSET_UNKNOWN): lambda: Case(fresh(), GRID, fund(asset="USD")),
    (FUND, classes.ACCOUNT_UNKNOWN): lambda: Case(fresh(), FACTORY, fund()),
    (DISPUTE, classes.MALFORMED_BODY): malformed(HOUSE),
    (DISPUTE, classes.NOT_SELECTED): not_selected,
    (DISPUTE, classes.INTERVAL_UNKNOWN): interval_unknown,
    (DISPUTE, classes.NOT_A_SIDE): disputes_anothers,
    (ANSWER, classes.MALFORMED_BODY): malformed(RETAIL),
    (ANSWER, classes.NOT_A_SIDE): answers_itself,
    (DECIDE, classes.MALFORMED_BODY): malformed(REGULATOR),
    (DECIDE, classes.SIDE_DECIDES): decides_its_own,
}


def expired(who: Signer, body: object) -> Callable[[], Case]:
    """It lay too long at the gateway that was to carry it."""
    return lambda: Case(fresh(), who, body, LATER_MS, LATER_MS - 1)


def role(who: Signer, body: object) -> Callable[[], Case]:
    """An epoch that began meanwhile may have given it."""
    return lambda: Case(fresh(), who, body)


def contracts_full() -> Case:
    """The other side has approved as many meanwhile."""
    ledger = fresh()
    for _ in range(64):
        digest = ledger.done(GRID, CONTRACT, terms())
        ledger.done(AGGREGATOR, APPROVE, [digest])
    return Case(ledger, GRID, terms())


def spent() -> Case:
    """What it had went meanwhile, as the reserve of an event that is selected may."""
    ledger = fresh()
    unlocked = ledger.held(GRID)[0]
    ledger.done(GRID, TRANSFER, ["EUR", RETAIL.kid, unlocked])
    return Case(ledger, GRID, fund(amount=unlocked))


def not_settled_yet() -> Case:
    ledger, event = called_ledger()
    return Case(ledger, HOUSE, disputed(ledger, event))


def final_meanwhile() -> Case:
    """Of an event without an open dispute."""
    ledger, event = called_ledger()
    ledger.deliver(event, {HOUSE: 800, NEIGHBOUR: 2_400})
    ledger.commit_at(SETTLE_MS)
    return Case(ledger, HOUSE, disputed(ledger, event), FINAL_MS)


def window_over() -> Case:
    ledger, event, _ = stated()
    return Case(ledger, HOUSE, disputed(ledger, event), FINAL_MS + 1)


def disputes_full() -> Case:
    ledger, event, _ = stated()
    for _ in range(7):
        ledger.done(RETAIL, DISPUTE, disputed(ledger, event))
    return Case(ledger, HOUSE, disputed(ledger, event))


def answered() -> Case:
    """By the other of two who may."""
    ledger, _, dispute = stated()
    ledger.done(RETAIL, ANSWER, Answer(dispute, "no").row())
    return Case(ledger, RETAIL, Answer(dispute, "no").row())


def too_much() -> Case:
    """More than any line of the event is worth."""
    ledger, _, dispute = stated()
    return Case(ledger, REGULATOR, Decide(dispute, 10**6, "all of it").row())


def decided_meanwhile(who: Signer, kind: int) -> Callable[[], Case]:
    def made() -> Case:
        ledger, _, dispute = stated()
        ledger.done(GRID, DECIDE, Decide(dispute, 0, "it stands").row())
        body = Answer(dispute, "no") if kind == ANSWER else Decide(dispute, 1, "more")
        return Case(ledger, who, body.row())

    return made


RACES: dict[tuple[int, int], Callable[[], Case]] = {
    (CONTRACT, classes.EXPIRED): expired(GRID, terms()),
    (CONTRACT, classes.ROLE_NOT_ALLOWED): role(FACTORY, terms()),
    (CONTRACT, classes.MEMBER_UNKNOWN): lambda: Case(fresh(), GRID, terms(other=bytes(8))),
    (CONTRACT, classes.CONTRACT_WINDOW): lambda: Case(fresh(), GRID, terms(), LATER_MS + 1),
    (CONTRACT, classes.CONTRACTS_FULL): contracts_full,
    (FUND, classes.EXPIRED): expired(GRID, fund()),
    (FUND, classes.ROLE_NOT_ALLOWED): role(REGULATOR, fund()),
    (FUND, classes.EVENTS_FULL): lambda: Case(fresh(), GRID, fund()),
    (FUND, classes.MEMBER_UNKNOWN): lambda: Case(fresh(), GRID, fund(spender=bytes(8))),
    (FUND, classes.FUND_OVER): lambda: Case(fresh(), GRID, fund(), LATER_MS),
    (FUND, classes.BALANCE_SHORT): spent,
    (DISPUTE, classes.EXPIRED): expired(HOUSE, []),
    (DISPUTE, classes.ROLE_NOT_ALLOWED): role(REGULATOR, []),
    (DISPUTE, classes.EVENT_UNKNOWN): lambda: Case(made := fresh(), HOUSE, disputed(made, NOTHING)),
    (DISPUTE, classes.NOT_SETTLED): final_meanwhile,
    (DISPUTE, classes.DISPUTE_CLOSED): window_over,
    (DISPUTE, classes.DISPUTES_FULL): disputes_full,
    (ANSWER, classes.EXPIRED): expired(RETAIL, []),
    (ANSWER, classes.ROLE_NOT_ALLOWED): role(REGULATOR, []),
    (ANSWER, classes.DISPUTE_UNKNOWN): lambda: Case(fresh(), RETAIL, Answer(NOTHING, "no").row()),
    (ANSWER, classes.DISPUTE_CLOSED): decided_meanwhile(RETAIL, ANSWER),
    (ANSWER, classes.ANSWERED_ALREADY): answered,
    (DECIDE, classes.EXPIRED): expired(GRID, []),
    (DECIDE, classes.ROLE_NOT_ALLOWED): role(RETAIL, []),
    (DECIDE, classes.DISPUTE_UNKNOWN): lambda: Case(fresh(), GRID, Decide(NOTHING, 1, "so").row()),
    (DECIDE, classes.DISPUTE_CLOSED): decided_meanwhile(REGULATOR, DECIDE),
    (DECIDE, classes.DECISION_OVER): too_much,
}
# What SPEC section 12 lets each kind be refused with, beside 1 to 3; `kind_unknown` is of rules
# below 3, where nobody is charged.
CLAUSES = {
    CONTRACT: {25, 12, 21, 60, 61},
    FUND: {48, 21, 23, 12, 64, 26},
    DISPUTE: {49, 67, 68, 69, 70, 74, 71},
    ANSWER: {72, 74, 70, 73},
    DECIDE: {72, 74, 75, 90},
}


def named(clause: tuple[int, int]) -> str:
    kind, code = clause
    return f"{KIND_NAMES[kind]}-{classes.REFUSAL_NAMES[code]}"


def sent(kind: int, case: Case) -> tuple[int, dict[str, int], dict[str, int], bytes | None]:
    """The verdict, the sender's faults before and after, and what shows the newest `error`."""
    ledger = case.ledger
    if case.time_ms is not None:
        ledger.commit_at(case.time_ms)
    before = standing(ledger.state, MARKET, case.who.kid, ledger.chain.head.time_ms).faults
    raw = ledger.entry(case.who, kind, case.body, until_ms=case.until_ms)
    verdict = ledger.chain.one(raw).verdict
    after = standing(ledger.state, MARKET, case.who.kid, ledger.chain.head.time_ms)
    record = after.records.get("error")
    shown = None
    if record is not None and record.shown.digest == digest_of(ledger.epoch, raw):
        assert record.shown.what == fault_record.TRANSACTION
        assert record.shown.commit == ledger.chain.head.index
        shown = record.shown.digest
    return verdict, before, after.faults, shown


@pytest.mark.parametrize("clause", FAULTS, ids=named)
def test_what_nobody_honest_sends_is_a_fault(clause: tuple[int, int]) -> None:
    kind, code = clause
    verdict, before, after, shown = sent(kind, FAULTS[clause]())
    assert verdict == code
    assert after == {**before, "error": before.get("error", 0) + 1}
    assert shown is not None


@pytest.mark.parametrize("clause", RACES, ids=named)
def test_what_a_race_explains_is_none(
    clause: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, code = clause
    case = RACES[clause]()
    if code == classes.EVENTS_FULL:
        monkeypatch.setattr(agenda, "has_room", lambda state, entries: False)
    verdict, before, after, shown = sent(kind, case)
    assert verdict == code
    assert (after, shown) == (before, None)


def test_a_dispute_that_came_before_its_statement_is_none() -> None:
    """The time alone makes it right."""
    verdict, before, after, _ = sent(DISPUTE, not_settled_yet())
    assert (verdict, after) == (classes.NOT_SETTLED, before)


def test_the_cases_are_all_that_the_kinds_can_be_refused_with() -> None:
    def codes(cases: Iterable[tuple[int, int]], kind: int) -> set[int]:
        return {code for one, code in cases if one == kind}

    assert {kind: codes(FAULTS, kind) for kind in CHARGED} == CHARGED
    for kind, clauses in CLAUSES.items():
        assert codes(FAULTS, kind) | codes(RACES, kind) == clauses | {1, 2, 3}
        assert not codes(FAULTS, kind) & codes(RACES, kind)


def test_below_rules_3_nobody_is_charged() -> None:
    ledger = AccountLedger(rules=2)
    assert ledger.send(GRID, FUND, []) == classes.KIND_UNKNOWN
