"""The frozen ledger with an event, recomputed from SPEC.md with cbor2, hashlib and ecdsa alone."""

import json
from pathlib import Path
from typing import Any

import cbor2
import pytest
from wattle_testkit.spec_reader import epoch_digest, opened, sha256, tree_root

ROOT = Path(__file__).parents[2]
LEDGER: dict[str, Any] = json.loads((ROOT / "protocol/vectors/ledger.json").read_text())["event"]
GENESIS = cbor2.loads(bytes.fromhex(LEDGER["genesis"]))
LEDGER_ID = sha256(bytes.fromhex(LEDGER["genesis"]))[:16]
MARKET = GENESIS[4]["market"]
AGGREGATOR = sha256(GENESIS[5][0][2])[:8]
PUBLISH, DECLARE, DISPATCH = 15, 16, 18
MW_H = 10**6 * 3_600_000  # W x ms of a MW and hour

State = dict[tuple[Any, ...], Any]


def states() -> list[State]:
    """The state after each commit, decoded."""
    state: State = {}
    found = []
    for commit in LEDGER["commits"]:
        for row, value in commit["changes"]:
            place = tuple(cbor2.loads(bytes.fromhex(row)))
            if value is None:
                del state[place]
            else:
                state[place] = cbor2.loads(bytes.fromhex(value))
        found.append(dict(state))
    return found


def transactions() -> list[tuple[int, int, int, Any, bytes]]:
    """(commit, verdict, kind, body, digest) of each transaction, its signature verified."""
    keys = {AGGREGATOR: GENESIS[5][0][2]}
    for state in states():
        keys |= {place[1]: row[0] for place, row in state.items() if place[0] == "party"}
    found = []
    for number, commit in enumerate(LEDGER["commits"]):
        for raw in commit["leaves"]:
            leaf = cbor2.loads(bytes.fromhex(raw))
            if leaf[0] != 2:
                continue
            message = cbor2.loads(leaf[4])[1]
            kid = cbor2.loads(cbor2.loads(message).value[0])[4]
            payload, digest = opened("tx", LEDGER_ID, message, keys[kid])
            found.append((number, leaf[1], payload[3], payload[4], digest))
    return found


def only(kind: int) -> list[tuple[int, int, Any, bytes]]:
    """(commit, verdict, body, digest) of those of a kind."""
    return [(at, verdict, body, digest) for at, verdict, of, body, digest in transactions()
            if of == kind]  # fmt: skip


def commit_time_ms(number: int) -> int:
    return int(cbor2.loads(bytes.fromhex(LEDGER["commits"][number]["leaves"][-1]))[3])


def test_the_epoch_is_one_of_rules_3() -> None:
    _, _, _, rules, constants, members = GENESIS
    assert rules == 3
    made_of = [members, rules, constants]
    assert epoch_digest(LEDGER_ID, 0, bytes(32), made_of).hex() == LEDGER["epoch_digest"]


def most(w: int, price_mwh: int, availability: int) -> int:
    """What so many W over all intervals together can cost at most, rounded up."""
    w_ms = w * MARKET["interval_s"] * 1000
    parts = w_ms * (availability * 1000 + price_mwh * MARKET["credit_max_permille"])
    return int(-(-parts // (MW_H * 1000)))


def test_a_published_event_reserves_what_it_can_cost() -> None:
    (done, refused) = only(PUBLISH)
    number, verdict, body, digest = done
    assert (verdict, refused[1]) == (0, 26)
    state = states()[number]
    _, _, _, _, _, begin_ms, intervals, quantity_w = body[:8]
    reserved = most(quantity_w * intervals, body[12], body[11])
    market = sha256(cbor2.dumps(MARKET))[:16]
    row = [AGGREGATOR, commit_time_ms(number), market, 900, body, "open", reserved]
    assert state["event", digest] == [*row, None, 0, 0, 0]
    assert state["market", market] == MARKET
    assert state["account", AGGREGATOR, "EUR"] == [10_000 - reserved, reserved, 0]
    end_ms = begin_ms + intervals * 900_000
    assert state["agenda",] == [
        [body[9], 3, digest],
        [end_ms + MARKET["settle_ms"], 4, digest],
        [end_ms + MARKET["dispute_ms"], 5, digest],
    ]
    # The refused one has cost its originator 5 permille, and could have been an order.
    assert state["standing", AGGREGATOR][0] == MARKET["reputation_start"] - 5
    assert state["vain", AGGREGATOR] == [refused[3]]


def test_the_commit_of_the_order_has_selected_before() -> None:
    ((_, _, event, event_digest), _) = only(PUBLISH)
    ((number, verdict, (_, _, loads), order),) = only(DISPATCH)
    assert (verdict, loads) == (0, None)
    leaves = [cbor2.loads(bytes.fromhex(raw)) for raw in LEDGER["commits"][number]["leaves"]]
    assert [leaf[0] for leaf in leaves] == [2, 0]
    state, declared = states()[number], only(DECLARE)
    cheap, dear = sorted(declared, key=lambda one: one[2][3])
    (_, meter, device, price, quotas_w) = cheap[2]
    end_ms = event[5] + event[6] * 900_000
    row = state["quota", event_digest, meter, device]
    owner = row[2]
    assert row == [
        cheap[3], owner, owner, quotas_w, price, "selected", price, None, 300,
        [order, commit_time_ms(number)], None, [merit(event, 0), 1, 0], "chosen",
    ]  # fmt: skip
    other = state["quota", event_digest, meter, dear[2][2]]
    # A section of the feeder that the need is on; another feeder: out to the substation, and back.
    assert event[3] == "north/feeder-7"
    assert state["offer", meter, device][4][0] == "north/feeder-7/section-2"
    assert state["offer", meter, dear[2][2]][4][0] == "north/feeder-9"
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
    assert state["order", order] == [event_digest, commit_time_ms(number), end_ms, 1]
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
    ((_, _, event, event_digest), _) = only(PUBLISH)
    ((at, _, _, order),) = only(DISPATCH)
    before, after = states()[at], states()[-1]
    ((place, row),) = [
        (place, row)
        for place, row in after.items()
        if place[0] == "quota" and before.get(place) != row
    ]
    assert place[1] == event_digest
    # Its reading was two seconds after the selection's second, and nothing else has changed.
    assert row[10] == [event[9] + 1_000 + 2_000, 300]
    assert row[9][0] == order
    assert [*row[:10], None, *row[11:]] == before[place]


@pytest.mark.parametrize("number", range(len(LEDGER["commits"])))
def test_no_money_comes_or_goes(number: int) -> None:
    state = states()[number]
    held = [sum(row[:2]) for place, row in state.items() if place[0] == "account"]
    assert sum(held) == 10_000


def test_state_digests_hold_what_nobody_sent() -> None:
    """The selection has no leaf; the digest of its commit covers it."""
    digest = bytes(32)
    state: dict[bytes, bytes] = {}
    for index, commit in enumerate(LEDGER["commits"], 1):
        changes = [
            (bytes.fromhex(row), None if value is None else bytes.fromhex(value))
            for row, value in commit["changes"]
        ]
        for row, value in changes:
            if value is None:
                del state[row]
            else:
                state[row] = value
        parts = [digest, tree_root([cbor2.dumps(change) for change in changes])]
        if index % 2 == 0:
            parts.append(tree_root([cbor2.dumps([row, state[row]]) for row in sorted(state)]))
        digest = sha256(cbor2.dumps(parts))
        assert digest.hex() == commit["state_digest"]
