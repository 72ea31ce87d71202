"""The frozen ledger with an event, recomputed from SPEC.md with cbor2, hashlib and ecdsa alone."""

from typing import Any

import cbor2
import pytest
from wattle_testkit.frozen_ledger import FrozenLedger
from wattle_testkit.spec_reader import sha256

LEDGER = FrozenLedger.named("event")
MARKET = LEDGER.genesis[4]["market"]
AGGREGATOR = sha256(LEDGER.genesis[5][0][2])[:8]
PUBLISH, DECLARE, DISPATCH = 15, 16, 18
MW_H = 10**6 * 3_600_000  # W x ms of a MW and hour


def test_the_epoch_is_one_of_rules_3() -> None:
    assert LEDGER.genesis[3] == 3
    LEDGER.check_epoch_digest()


def most(w: int, price_mwh: int, availability: int) -> int:
    """What so many W over all intervals together can cost at most, rounded up."""
    w_ms = w * MARKET["interval_s"] * 1000
    parts = w_ms * (availability * 1000 + price_mwh * MARKET["credit_max_permille"])
    return int(-(-parts // (MW_H * 1000)))


def test_a_published_event_reserves_what_it_can_cost() -> None:
    done, dear, unknown = LEDGER.sent(PUBLISH)
    number, body, digest = done.commit, done.body, done.digest
    assert (done.verdict, dear.verdict, unknown.verdict) == (0, 26, 21)
    state = LEDGER.states[number]
    _, _, _, _, _, begin_ms, intervals, quantity_w = body[:8]
    reserved = most(quantity_w * intervals, body[12], body[11])
    market = sha256(cbor2.dumps(MARKET))[:16]
    row = [AGGREGATOR, LEDGER.time_ms(number), market, 900, body, "open", reserved]
    assert state["event", digest] == [*row, None, 0, 0, 0]
    assert state["market", market] == MARKET
    assert state["account", AGGREGATOR, "EUR"] == [10_000 - reserved, reserved, 0]
    end_ms = begin_ms + intervals * 900_000
    assert state["agenda",] == [
        [body[9], 3, digest],
        [end_ms + MARKET["settle_ms"], 4, digest],
        [end_ms + MARKET["dispute_ms"], 5, digest],
    ]
    # An asset that there is not has cost its originator 5 permille, an account that holds less than
    # it takes nothing; both could have been orders.
    faults = {"error": [1, LEDGER.time_ms(number), 1, unknown.digest, number + 1]}
    start = MARKET["reputation_start"]
    assert state["standing", AGGREGATOR] == [start - 5, None, faults, []]
    assert state["vain", AGGREGATOR] == [dear.digest, unknown.digest]


def test_the_commit_of_the_order_has_selected_before() -> None:
    event, event_digest = LEDGER.sent(PUBLISH)[0][-2:]
    (sent,) = LEDGER.sent(DISPATCH)
    number, order = sent.commit, sent.digest
    assert (sent.verdict, sent.body[2]) == (0, None)
    assert [leaf[0] for leaf in LEDGER.leaves(number)] == [2, 0]
    state = LEDGER.states[number]
    cheap, dear = sorted(LEDGER.sent(DECLARE), key=lambda one: int(one.body[3]))
    (_, meter, device, price, quotas_w) = cheap.body
    end_ms = event[5] + event[6] * 900_000
    row = state["quota", event_digest, meter, device]
    owner = row[2]
    assert row == [
        cheap.digest, owner, owner, quotas_w, price, "selected", price, None, 300,
        [order, LEDGER.time_ms(number)], None, [merit(event, 0), 1, 0], "chosen",
    ]  # fmt: skip
    other = state["quota", event_digest, meter, dear.body[2]]
    # A section of the feeder that the need is on; another feeder: out to the substation, and back.
    assert event[3] == "north/feeder-7"
    assert state["offer", meter, device][4][0] == "north/feeder-7/section-2"
    assert state["offer", meter, dear.body[2]][4][0] == "north/feeder-9"
    assert other[3] == [1_500]  # one for all that are alike
    assert other[5:] == [
        "released",
        None,
        None,
        None,
        None,
        None,
        [merit(event, 2), 2, 2],
        "dearer",
    ]
    assert state["order", order] == [event_digest, LEDGER.time_ms(number), end_ms, 1]
    assert state["called", meter, device] == [[event_digest, event[5], end_ms]]
    reserved = most(sum(quotas_w), price, event[11])
    found = state["event", event_digest]
    assert found[5:] == ["selected", reserved, price, 0, min(quotas_w), 2]
    assert state["account", AGGREGATOR, "EUR"] == [10_000 - reserved, reserved, 0]


def merit(event: list[Any], lines: int) -> int:
    """Of a load of which nothing is known: score and reputation as at the start, 2 of 5 s left
    over, so many lines from the need, rested for ever."""
    start = MARKET["reputation_start"]
    names = ("score", "reputation", "speed", "nearness", "rest")
    weights = [MARKET[f"select_{name}"] for name in names]
    far = MARKET["select_far"]
    near = 1000 * (far - lines) // far
    parts = [start, start, 1000 * (event[10] - 2_000) // event[10], near, 1000]
    total = sum(weight * part for weight, part in zip(weights, parts, strict=True))
    return int(total // sum(weights))


def test_the_sample_that_repeats_the_order_confirms_it() -> None:
    event, event_digest = LEDGER.sent(PUBLISH)[0][-2:]
    (sent,) = LEDGER.sent(DISPATCH)
    before, after = LEDGER.states[sent.commit], LEDGER.states[-1]
    ((place, row),) = [
        (place, row)
        for place, row in after.items()
        if place[0] == "quota" and before.get(place) != row
    ]
    assert place[1] == event_digest
    # Its reading was two seconds after the selection's second, and nothing else has changed.
    assert row[10] == [event[9] + 1_000 + 2_000, 300]
    assert row[9][0] == sent.digest
    assert [*row[:10], None, *row[11:]] == before[place]


@pytest.mark.parametrize("number", range(len(LEDGER.commits)))
def test_no_money_comes_or_goes(number: int) -> None:
    state = LEDGER.states[number]
    held = [sum(row[:2]) for place, row in state.items() if place[0] == "account"]
    assert sum(held) == 10_000


def test_state_digests_hold_what_nobody_sent() -> None:
    """The selection has no leaf; the digest of its commit covers it."""
    LEDGER.check_state_digests(2)
