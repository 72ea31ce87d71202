"""A policy: its file and what is wrong with one, its decisions, and what is never done twice."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from wattle_gateway.contracts.accounts import Asset
from wattle_gateway.contracts.events.rows import EventRow
from wattle_gateway.contracts.offering import StandingOffer
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.errors import ConfigError, StoreError
from wattle_gateway.ledger import crypto, event_bodies, genesis, transaction
from wattle_gateway.ledger.account_bodies import Issue
from wattle_gateway.ledger.event_bodies import Withdraw
from wattle_gateway.ledger.offer_bodies import DOWN, UP, OfferBody, OfferTerms
from wattle_gateway.participation import policy as policies
from wattle_gateway.participation.answers import (
    BY_HAND,
    DECLARED,
    LEFT,
    SENDING,
    Answer,
    Answers,
)
from wattle_gateway.participation.decision import Decision, decide
from wattle_gateway.participation.plan import Given, Planned, plan
from wattle_gateway.participation.policy import Hours, Policy
from wattle_testkit.account_ledger import FACTORY, GRID, AccountLedger
from wattle_testkit.alliance import CREATED_MS, Board
from wattle_testkit.event_ledger import FIXED_PRICE

HOUR_MS = 3_600_000
NOON_MS = CREATED_MS // (24 * HOUR_MS) * 24 * HOUR_MS + 36 * HOUR_MS  # of the day after
TERMS = OfferTerms("north", 0, DOWN, 3_001, "EUR", 9_050, 2_000, 7_200_000, 0, 10_000, 1, 500)
METER = bytes.fromhex("dab1a5856b562aeb")
POINT = "dab1a5856b562aeb/1"
OFFER = StandingOffer(METER, 1, b"o" * 32, FACTORY.kid, FACTORY.kid, 0, TERMS)
BODY = replace(FIXED_PRICE, begin_ms=NOON_MS, select_ms=NOON_MS)
EVENT = EventRow(b"e" * 32, GRID.kid, CREATED_MS, bytes(16), 900, BODY)
EUR = Asset("EUR", 2, GRID.kid, 0, 0)
EVERYTHING = {"points": "all", "least_price": "80.00 EUR"}


def parsed(**rule: object) -> Policy:
    return policies.parse({"answer": [{**EVERYTHING, **rule}]}, "p.toml")


def said(policy: Policy, contract_price: int | None = None, **body: object) -> Decision:
    event = replace(EVENT, body=replace(BODY, **body))  # type: ignore[arg-type]
    return decide(policy, event, OFFER, EUR, contract_price)


def test_a_file_with_everything(tmp_path: Path) -> None:
    text = policies.__doc__ or ""
    example = text[text.index("[[answer]]") :]
    path = tmp_path / "p.toml"
    path.write_text(example, encoding="utf-8")
    (rule,) = policies.load(path).rules
    assert (rule.points, rule.asset) == (frozenset({POINT}), "EUR")
    assert (rule.least_price, rule.share_permille) == (Decimal(80), 800)
    assert rule.hours == (Hours(480, 720), Hours(780, 1200))
    assert (rule.methods, rule.directions) == ({1, 2, 4}, {DOWN})
    assert not rule.emergency
    assert len(rule.excepted) == 2


@pytest.mark.parametrize(
    ("rule", "said_"),
    [
        ({"points": "some"}, "rule 1: points is 'some', expected \"all\" or points such as"),
        ({"points": ["dab1a5856b562aeb"]}, "rule 1: points is"),
        ({"points": []}, "rule 1: points is"),
        ({"least_price": 80}, "rule 1: least_price is 80, expected an amount per MWh and its"),
        ({"least_price": "80"}, "rule 1: least_price is '80', expected"),
        ({"methods": ["realtime"]}, "expected some of cost, fixed, contract, bid, in a list"),
        ({"directions": "down"}, "expected some of down, up, in a list"),
        ({"areas": ["North"]}, "rule 1: areas is"),
        ({"areas": ["north/"]}, "rule 1: areas is"),
        ({"share": "0%"}, "expected a part of the capacity"),
        ({"share": "101%"}, "expected a part of the capacity"),
        ({"hours": ["20:00-08:00"]}, "expected times of the day"),
        ({"hours": ["08:00-24:01"]}, "expected times of the day"),
        ({"timezone": "Middle/Earth"}, "expected a time zone"),
        ({"except": ["24.12.2026"]}, "expected days such as"),
        ({"except": ["2026-12-31..2026-12-24"]}, "expected days such as"),
        ({"emergency": "no"}, "rule 1: emergency is 'no', expected true or false"),
        ({"prize": 1}, "rule 1: prize is not known; known: points, least_price"),
    ],
)
def test_a_bad_rule_is_named(rule: dict[str, object], said_: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parsed(**rule)
    assert str(caught.value).startswith("p.toml: rule 1")
    assert said_ in str(caught.value)


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "p.toml"
    with pytest.raises(ConfigError, match="cannot read the policy"):
        policies.load(path)
    for content, said_ in (
        (b"answer = ", "not TOML"),
        (b"\xff", "not TOML"),
        (b"answer = 1", r"expected tables \[\[answer\]\]"),
        (b"[policy]", "policy is not known"),
        (b"[[answer]]\npoints = 'all'", "least_price is missing"),
    ):
        path.write_bytes(content)
        with pytest.raises(ConfigError, match=said_) as caught:
            policies.load(path)
        assert str(path) in str(caught.value)


def test_the_price_decides() -> None:
    policy = parsed(share="50%", methods=["fixed", "cost", "bid", "contract"])
    assert said(policy) == Decision(1_500, 0, "pays at least 80.00 EUR per MWh")
    assert said(policy, energy_price=7_999).why == "pays less than 80.00 EUR per MWh"
    bid = said(policy, method=event_bodies.BID, energy_price=10_000)
    assert (bid.quota_w, bid.price) == (1_500, 9_050)  # its offer asks more than the policy
    dear = parsed(least_price="95.001 EUR")
    assert said(dear, method=event_bodies.COST, energy_price=9_501).price == 9_501
    assert said(dear, method=event_bodies.COST, energy_price=9_500).quota_w is None
    assert said(policy, method=event_bodies.CONTRACT).why == "no contract with who calls"
    assert said(policy, 7_999, method=event_bodies.CONTRACT).quota_w is None
    assert said(policy, 8_000, method=event_bodies.CONTRACT).quota_w == 1_500
    assert said(parsed(least_price="1 CNY")).why == "paid in EUR, the policy wants CNY"


@pytest.mark.parametrize(
    ("rule", "body", "why"),
    [
        ({"points": ["0000000000000000/1"]}, {}, "no rule of the policy names it"),
        ({"methods": ["bid"]}, {}, "method fixed"),
        ({}, {"method": event_bodies.REALTIME}, "standing offers are called without an answer"),
        ({"directions": ["up"]}, {}, "direction down"),
        ({}, {"direction": UP}, "direction up"),
        ({"areas": ["south"]}, {}, "area north"),
        ({}, {"area": "south"}, "another area than north"),
        ({"emergency": False}, {"emergency": True}, "an emergency"),
        ({}, {"within_ms": 1_999}, "too slow"),
        ({"hours": ["08:00-12:59"]}, {}, "from 12:00 to 13:00"),
        ({"hours": ["08:00-13:00"], "timezone": "Asia/Shanghai"}, {}, "from 20:00 to 21:00"),
    ],
)
def test_what_a_rule_does_not_want(
    rule: dict[str, object], body: dict[str, object], why: str
) -> None:
    assert said(parsed(**rule), **body) == Decision(None, 0, why)


def test_an_area_of_a_policy_has_what_lies_behind_it() -> None:
    behind = replace(OFFER, terms=replace(TERMS, area="north/feeder-7/section-2"))
    event = replace(EVENT, body=replace(BODY, area="north/feeder-7"))
    for area, quota_w in (("north", 3_001), ("north/feeder-7", 3_001), ("north/feeder-70", None)):
        assert decide(parsed(areas=[area]), event, behind, EUR, None).quota_w == quota_w


def test_hours_and_days() -> None:
    assert said(parsed(hours=["12:00-13:00"])).quota_w == 3_001
    assert said(parsed(hours=["20:00-21:00"], timezone="Asia/Shanghai")).quota_w == 3_001
    late_ms = NOON_MS + 11 * HOUR_MS + HOUR_MS // 2
    assert said(parsed(hours=["00:00-24:00"]), begin_ms=late_ms).quota_w == 3_001
    assert said(parsed(hours=["20:00-24:00"]), begin_ms=late_ms).quota_w is None
    day = said(parsed(hours=["01:00-02:00"])).why
    assert day == "from 12:00 to 13:00"
    window = parsed(**{"except": ["2000-01-01..2999-01-01"]})
    assert said(window).why.startswith("on ")


class Factory:
    """A ledger with an event of the grid company, and a factory's offer."""

    def __init__(self) -> None:
        self.ledger = ledger = AccountLedger(rules=genesis.EVENT_RULES)
        ledger.done(GRID, transaction.ISSUE, Issue("EUR", 2, GRID.kid, 10**9).row())
        self.board = Board("factory", ledger.epoch)
        point = replace(self.board.point(1), capacity_w=3_001, owner=FACTORY.kid)
        body = transaction.enrol_body(self.board.enrol(point, home=GRID.kid))
        ledger.done(GRID, transaction.ENROL, body)
        ledger.done(FACTORY, transaction.OFFER, OfferBody(self.board.kid, 1, TERMS).row())
        self.event = ledger.done(GRID, transaction.PUBLISH, BODY.row())

    def plan(self, given: Given, policy: Policy | None = None) -> tuple[Planned, ...]:
        head = self.ledger.chain.head
        setting = Setting(head.time_ms, self.ledger.epoch, head, crypto.verify, lambda _: None)
        chosen = policy or parsed()
        return plan(self.ledger.state, setting, FACTORY.kid, chosen, given).planned


def given(*answers: Answer) -> Given:
    return {(one.event, one.point): one for one in answers}


def test_nothing_is_declared_twice() -> None:
    factory = Factory()
    (planned,) = factory.plan({})
    assert planned.answer.did == SENDING
    assert planned.body is not None
    # A crash after the answer was kept: it is sent, since the ledger has nothing of it.
    sending = given(planned.answer)
    assert factory.plan(sending) == (planned,)
    factory.ledger.done(FACTORY, transaction.DECLARE, planned.body.row())
    (found,) = factory.plan(sending)
    assert (found.answer.did, found.body) == (DECLARED, None)
    assert factory.plan(given(found.answer)) == ()
    # Of what a person has taken back, too.
    body = Withdraw(factory.event, factory.board.kid, 1).row()
    factory.ledger.done(FACTORY, transaction.WITHDRAW, body)
    assert factory.plan(given(found.answer)) == ()


def test_a_person_was_faster() -> None:
    factory = Factory()
    (planned,) = factory.plan({})
    assert planned.body is not None
    factory.ledger.done(FACTORY, transaction.DECLARE, planned.body.row())
    (found,) = factory.plan({})
    assert (found.answer.did, found.body) == (BY_HAND, None)


def test_what_is_left_is_told_once_and_seen_again() -> None:
    factory = Factory()
    dear = parsed(least_price="100 EUR")
    (left,) = factory.plan({}, dear)
    assert (left.answer.did, left.body) == (LEFT, None)
    assert factory.plan(given(left.answer), dear) == ()
    (planned,) = factory.plan(given(left.answer))
    assert planned.answer.did == SENDING


def test_what_the_ledger_would_refuse_is_not_sent() -> None:
    factory = Factory()
    terms = replace(TERMS, period_ms=800_000, resolution_wh=1_000)
    factory.ledger.done(FACTORY, transaction.OFFER, OfferBody(factory.board.kid, 1, terms).row())
    (left,) = factory.plan({})
    assert left.answer.why == "the ledger would refuse it: too_coarse"
    assert left.body is None


def test_answers_outlive_the_process_and_leave_with_their_event(tmp_path: Path) -> None:
    path = tmp_path / "answers.json"
    one = Answer("ab" * 32, POINT, DECLARED, "why", 1, 500, 0)
    other = replace(one, event="cd" * 32)
    Answers(path).note([one, other], [one.event, other.event])
    again = Answers(path)
    assert list(again.by_place.values()) == [one, other]
    again.note([], [other.event])
    assert list(Answers(path).by_place.values()) == [other]
    path.write_text("[1]", encoding="utf-8")
    with pytest.raises(StoreError, match="not the answers of a policy"):
        Answers(path)
