"""The ledger with a paid event in `protocol/vectors/ledger.json`: kinds 14, 17 and 19 to 23.

An aggregator alone, two users whom it hosts, an observer. Aggregator and user agree on a split, the
other user fills a fund for the aggregator's events; one of these calls the user's load, which is
declared, withdrawn and declared again, and keeps half of its word. The user disputes a line, the
aggregator answers, the observer decides, and the fund pays; the load's offer is retracted.
`make_ledger_vectors.py` drives it and writes it.
"""

from dataclasses import replace

from account_vectors import Accounts
from alliance_vectors import example_members, pair, signed_by_meter
from make_vectors import EUI64, TIME_MS
from wattle_gateway.contracts.baseline import rule_form
from wattle_gateway.contracts.baseline.rule import Method, Rule, Window
from wattle_gateway.ledger import crypto, entry, event_bodies, genesis, transaction
from wattle_gateway.ledger.account_bodies import Issue, Open, Transfer
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.event_bodies import Declare, Dispatch, Publish, Withdraw
from wattle_gateway.ledger.fund_limits import FundLimits
from wattle_gateway.ledger.genesis import Constants
from wattle_gateway.ledger.market import Market
from wattle_gateway.ledger.offer_bodies import DOWN, UP, OfferBody, OfferTerms, Retract
from wattle_gateway.ledger.settlement_bodies import Answer, Contract, Decide, Dispute, Fund
from wattle_gateway.ledger.transaction import Enrol, Point
from wattle_wire import cose, sample, uplink
from wattle_wire.sample import Reading, Sample

HOUSE, NEIGHBOUR, WATCHER = "house 7", "house 9", "watcher"
MINUTE_MS = 60_000
BEGIN_MS = (TIME_MS // MINUTE_MS + 8) * MINUTE_MS
SELECT_MS = BEGIN_MS - MINUTE_MS
END_MS = BEGIN_MS + 2 * MINUTE_MS
MARKET = Market(interval_s=60, settle_ms=10_000, dispute_ms=120_000, decide_ms=600_000)
QUOTA_W = 6_000
# Energy in each minute from five before the event on: 12 kW, then half of it, then too much.
MINUTES_WH = (200, 200, 200, 200, 200, 100, 140)
# What the event is, to the unit: whatever is one more of anything is not what the fund is for.
LIMITS = FundLimits(
    (event_bodies.COST, event_bodies.FIXED),
    "north",
    DOWN,
    BEGIN_MS,
    END_MS,
    10_000_000,
    100_000_000,
    26_000,
)
TERMS = OfferTerms(
    "north", 0, DOWN, 8_000, "EUR", 90_000_000, 2_000, 3_600_000, 0, 5_000, 1, QUOTA_W
)


def example_genesis() -> genesis.Genesis:
    """A ledger of an aggregator and an observer under rules 3."""
    members = example_members(
        ("aggregator", genesis.AGGREGATOR, "block"), ("regulator", genesis.OBSERVER, WATCHER)
    )
    constants = Constants(state_root_every=2, enrol_approvals=1, market=MARKET)
    return genesis.create("settlement.wattle", TIME_MS - 60_000, members, constants, rules=3)


class Settled(Accounts):
    """What the four and a meter send, each with the time of its commit."""

    def __init__(self, epoch: Epoch) -> None:
        super().__init__(epoch)
        self._kids[WATCHER] = cose.kid_of(crypto.public_of(pair(WATCHER)))
        self._previous: bytes | None = None
        self._seq = 0

    def timed(self) -> list[tuple[int, list[bytes]]]:
        """(Unix ms, the entries of a block); what a party signs has its nonce in this order."""
        brought = [self._register(HOUSE), self._register(NEIGHBOUR), *self._money()]
        meter, enrol = self._enrol(self._kids[HOUSE])
        offer = self._built(HOUSE, transaction.OFFER, OfferBody(meter, 1, TERMS).row())
        agreed, fund = self._agreement(), self._fund()
        called_for = event(self._digest(fund))
        beyond = [
            self._built("", transaction.PUBLISH, body.row()) for body in beyond_purpose(called_for)
        ]
        publish = self._built("", transaction.PUBLISH, called_for.row())
        called = self._digest(publish)
        less = Declare(called, meter, 1, 0, (QUOTA_W, 1_000))
        thought_better = [
            self._built("", transaction.DECLARE, less.row()),
            self._built("", transaction.WITHDRAW, Withdraw(called, meter, 1).row()),
        ]
        body = Declare(called, meter, 1, 0, (QUOTA_W, QUOTA_W)).row()
        declare = self._built("", transaction.DECLARE, body)
        order = self._built("", transaction.DISPATCH, Dispatch(called, 0, None).row())
        body = Dispute(called, meter, 1, 1, "the meter was exchanged").row()
        dispute = self._built(HOUSE, transaction.DISPUTE, body)
        return [
            (TIME_MS, brought),
            (TIME_MS + 2_000, [enrol, offer]),
            (TIME_MS + 4_000, agreed),
            (TIME_MS + 6_000, [fund]),
            (TIME_MS + 8_000, [*beyond, publish]),
            (TIME_MS + 10_000, thought_better),
            (TIME_MS + 12_000, [declare]),
            (SELECT_MS + 1_000, [order]),
            (BEGIN_MS + 1_000, [self._sample(-5, 0, self._digest(order))]),
            (END_MS + 1_000, [self._sample(1, 2, None)]),
            (END_MS + 11_000, [dispute]),
            (END_MS + 13_000, self._answers(self._digest(dispute))),
            (END_MS + 15_000, self._decisions(self._digest(dispute))),
            (END_MS + 121_000, [self._built(HOUSE, transaction.DISPUTE, body)]),
            (END_MS + 123_000, [self._built(HOUSE, transaction.RETRACT, Retract(meter, 1).row())]),
        ]

    def _money(self) -> list[bytes]:
        issue = Issue("EUR", 2, self._kids[""], 100_000)
        return [
            self._entry("", transaction.ISSUE, issue),
            self._entry(NEIGHBOUR, transaction.OPEN, Open("EUR")),
            self._entry("", transaction.TRANSFER, Transfer("EUR", self._kids[NEIGHBOUR], 40_000)),
        ]

    def _agreement(self) -> list[bytes]:
        """The aggregator offers a split, and the user agrees; nobody else can."""
        terms = ("EUR", 0, 0, 0, 700, TIME_MS + 60_000, TIME_MS + 3_600_000)
        body = Contract(self._kids[HOUSE], *terms).row()
        offered = self._built("", transaction.CONTRACT, body)
        return [offered, self._approve(NEIGHBOUR, offered), self._approve(HOUSE, offered)]

    def _fund(self) -> bytes:
        body = Fund("green-peak", "EUR", 30_000, self._kids[""], END_MS + 60_000, LIMITS).row()
        return self._built(NEIGHBOUR, transaction.FUND, body)

    def _answers(self, dispute: bytes) -> list[bytes]:
        """Who opened it is not the other side."""
        return [
            self._built(HOUSE, transaction.ANSWER, Answer(dispute, "it was").row()),
            self._built("", transaction.ANSWER, Answer(dispute, "it was not").row()),
        ]

    def _decisions(self, dispute: bytes) -> list[bytes]:
        """Not by the aggregator; and once."""
        return [
            self._built(who, transaction.DECIDE, Decide(dispute, amount, text).row())
            for who, amount, text in (
                ("", 1_000, "ours"),
                (WATCHER, -250, "a part of it"),
                (WATCHER, 250, "and back"),
            )
        ]

    def _enrol(self, owner: bytes) -> tuple[bytes, bytes]:
        keys = [crypto.public_of(pair(name)) for name in ("meter", "meter link", "meter tls")]
        proof = uplink.encode_proof(EUI64, keys[0], keys[1], keys[2], 1, "file")
        message = signed_by_meter(self._epoch.ledger_id, "enrol", proof)
        point = Point(1, transaction.ELECTRICITY, 20_000, 8_000, (1, 1), (1, 1), 1, owner)
        body = transaction.enrol_body(Enrol(message, "demo", self._kids[""], (), 0, (point,)))
        return cose.kid_of(keys[0]), self._built("", transaction.ENROL, body)

    def _sample(self, first: int, last: int, order: bytes | None) -> bytes:
        """The register at the minutes `first` to `last` of the event."""
        readings = [
            Reading(
                1,
                BEGIN_MS + minute * MINUTE_MS,
                "G",
                {"ei": 5_000 + sum(MINUTES_WH[: minute + 5]), "p": 60_000},
            )
            for minute in range(first, last + 1)
        ]
        self._seq += 1
        command = None if order is None else (order, QUOTA_W)
        content = Sample(EUI64, self._seq, 1, self._previous, "S", readings, command=command)
        payload = sample.encode(content)
        kid = cose.kid_of(crypto.public_of(pair("meter")))
        self._previous = cose.digest("sample", self._epoch.ledger_id, kid, payload)
        raw = signed_by_meter(self._epoch.ledger_id, "sample", payload)
        return entry.encode(entry.SAMPLE, raw, self._epoch.constants.entry_bytes_max)


def beyond_purpose(called_for: Publish) -> list[Publish]:
    """The same event with one thing each that its fund does not pay, in the order of the limits."""
    longer = replace(called_for, intervals=3)
    return [
        replace(called_for, method=event_bodies.BID),
        replace(called_for, area="north2"),
        replace(called_for, direction=UP),
        longer,
        replace(called_for, availability_price=10_000_001),
        replace(called_for, energy_price=100_000_001),
        replace(called_for, quantity_w=QUOTA_W + 1),
    ]


def event(fund: bytes) -> Publish:
    """6 kW for two minutes, at a fixed price that makes a Wh worth a unit, paid by the fund."""
    rule = Rule("five minutes before", method=Method.SAME_DAY, window=Window(5, 0))
    return Publish(
        event_bodies.FIXED,
        False,
        "north",
        "",
        DOWN,
        BEGIN_MS,
        2,
        QUOTA_W,
        0,
        SELECT_MS,
        5_000,
        10_000_000,
        100_000_000,
        50_000_000,
        rule_form.encode(rule),
        "EUR",
        fund,
    )
