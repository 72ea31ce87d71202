"""The frozen ledger that pays for an event, from SPEC.md with cbor2, hashlib and ecdsa alone: kinds
14, 17 and 19 to 23, the lines of a statement, and where the money goes."""

from typing import Any

import cbor2
import pytest
from wattle_testkit.frozen_ledger import FrozenLedger, Sent
from wattle_testkit.spec_reader import sha256

LEDGER = FrozenLedger.named("settlement")
MARKET = LEDGER.genesis[4]["market"]
STATES = LEDGER.states
MEMBERS = {member[1]: sha256(member[2])[:8] for member in LEDGER.genesis[5]}
AGGREGATOR, WATCHER = MEMBERS[3], MEMBERS[7]
USERS = {row[1]: place[1] for place, row in STATES[-1].items() if place[0] == "party"}
HOUSE, NEIGHBOUR = USERS["house 7"], USERS["house 9"]
APPROVE, OFFER, RETRACT, PUBLISH, DECLARE, WITHDRAW = 4, 13, 14, 15, 16, 17
CONTRACT, FUND, DISPUTE, ANSWER, DECIDE = range(19, 24)
ROLE_NOT_ALLOWED, NOT_ASKED, NOT_SETTLED, NOT_A_SIDE, DISPUTE_CLOSED = 3, 38, 67, 70, 74
MJ_IN_WH = 3_600_000
MJ_IN_MWH = MJ_IN_WH * 10**6
ISSUED = 100_000


def one(kind: int) -> Sent:
    """The accepted transaction of a kind of which there is one."""
    (found,) = (sent for sent in LEDGER.sent(kind) if sent.verdict == 0)
    return found


EVENT = one(PUBLISH)
BEGIN_MS, INTERVALS, QUOTA_W = EVENT.body[5:8]
AVAILABILITY, ENERGY, PENALTY = EVENT.body[11:14]
INTERVAL_S = MARKET["interval_s"]
METER, DEVICE = one(OFFER).body[:2]
RESULT = ("result", EVENT.digest, METER, DEVICE)


def verdicts(kind: int) -> list[tuple[bytes, int]]:
    """(who, verdict) of all transactions of a kind."""
    return [(sent.kid, sent.verdict) for sent in LEDGER.sent(kind)]


def fund_row(number: int) -> list[Any]:
    """left, reserved, spent of the fund after a commit, and whether it is over."""
    row = STATES[number]["fund", one(FUND).digest]
    assert row[:3] == [NEIGHBOUR, "green-peak", "EUR"]
    assert row[6:8] == [AGGREGATOR, one(FUND).body[4]]
    assert row[9] == one(FUND).body[5]
    return [*row[3:6], row[8]]


def counters() -> dict[int, int]:
    """Unix ms -> what the meter's import counter showed (Wh)."""
    found: dict[int, int] = {}
    for number in range(len(STATES)):
        for leaf in LEDGER.leaves(number):
            if leaf[0] == 1:
                payload = cbor2.loads(cbor2.loads(leaf[4])[1]).value[2]
                time_ms = 0
                for record in cbor2.loads(payload):
                    time_ms = int(record[-3] * 1000) if -3 in record else time_ms
                    if record[0] == "1/ei":
                        found[time_ms] = record[2]
    return found


def test_the_epoch_has_a_member_without_a_vote() -> None:
    _, _, _, rules, _, members = LEDGER.genesis
    assert (rules, sorted(member[1] for member in members)) == (3, [3, 7])
    LEDGER.check_epoch_digest()


def test_a_contract_holds_when_the_other_side_agrees() -> None:
    offered = one(CONTRACT)
    assert (offered.kid, offered.body[0]) == (AGGREGATOR, HOUSE)
    assert verdicts(APPROVE) == [(NEIGHBOUR, NOT_ASKED), (HOUSE, 0)]
    assert {sent.body[0] for sent in LEDGER.sent(APPROVE)} == {offered.digest}
    agreed = one(APPROVE)
    row = STATES[agreed.commit]["contract", AGGREGATOR, HOUSE]
    assert row == [[LEDGER.time_ms(agreed.commit), *offered.body[1:]]]
    assert not any(place[0] == "waiting" for place in STATES[agreed.commit])


def test_a_fund_is_locked_and_an_event_speaks_for_it() -> None:
    filled = one(FUND)
    amount = filled.body[2]
    assert fund_row(filled.commit) == [amount, 0, 0, 0]
    before = STATES[filled.commit - 1]["account", NEIGHBOUR, "EUR"][0]
    assert STATES[filled.commit]["account", NEIGHBOUR, "EUR"][:2] == [before - amount, amount]
    assert [filled.body[4] + 1, 1, filled.digest] in STATES[filled.commit]["agenda",]
    promised_mj = QUOTA_W * 1000 * INTERVAL_S * INTERVALS
    most = promised_mj * (AVAILABILITY * 1000 + ENERGY * MARKET["credit_max_permille"])
    reserved = -(-most // (1000 * MJ_IN_MWH))
    assert EVENT.body[16] == filled.digest
    assert fund_row(EVENT.commit) == [amount - reserved, reserved, 0, 0]


def test_an_event_beyond_what_the_fund_is_for_is_refused() -> None:
    """Each of them is the event but for one thing, and each limit has its refusal."""
    methods, area, direction, from_ms, to_ms, availability, energy, amount = one(FUND).body[5]
    body = EVENT.body
    assert body[0] in methods
    assert (area, direction, from_ms) == (body[2], body[4], body[5])
    assert to_ms == BEGIN_MS + INTERVALS * INTERVAL_S * 1000
    assert (availability, energy) == (AVAILABILITY, ENERGY)
    assert amount == fund_row(EVENT.commit)[1]
    *refused, published = LEDGER.sent(PUBLISH)
    assert published == EVENT
    assert [sent.verdict for sent in refused] == list(range(83, 90))
    for sent, place in zip(refused, (0, 2, 4, 6, 11, 12, 7), strict=True):
        changed = [at for at, item in enumerate(sent.body) if item != body[at]]
        assert changed == [place]
    row = STATES[EVENT.commit]["standing", AGGREGATOR]
    # Window and amount are of the market's interval and credit, too, which an epoch may change.
    charged = [sent.digest for sent in refused if sent.verdict not in (86, 89)]
    newest = [len(charged), LEDGER.time_ms(EVENT.commit), 1, charged[-1], EVENT.commit + 1]
    assert row[2] == {"error": newest}


def test_before_the_selection_a_declaration_is_taken_back_for_nothing() -> None:
    withdrawn = one(WITHDRAW)
    first, second = LEDGER.sent(DECLARE)
    assert [sent.verdict for sent in (first, second)] == [0, 0]
    assert first.commit == withdrawn.commit < second.commit
    assert withdrawn.body == [EVENT.digest, METER, DEVICE]
    place = ("quota", EVENT.digest, METER, DEVICE)
    assert place not in STATES[withdrawn.commit]
    assert (
        STATES[withdrawn.commit]["event", EVENT.digest]
        == STATES[EVENT.commit]["event", EVENT.digest]
    )
    assert STATES[second.commit][place][0] == second.digest
    before = STATES[EVENT.commit]["standing", AGGREGATOR]
    assert STATES[second.commit]["standing", AGGREGATOR] == before


def test_an_offer_that_is_retracted_is_gone() -> None:
    gone = one(RETRACT)
    assert (gone.kid, gone.body) == (HOUSE, [METER, DEVICE])
    place = ("offer", METER, DEVICE)
    assert place in STATES[gone.commit - 1]
    assert STATES[gone.commit].get(place) is None


def test_the_first_statement_says_what_the_registers_say() -> None:
    """Of a baseline that is the mean of the five minutes before."""
    shown = counters()
    step_ms = INTERVAL_S * 1000
    baseline_mj = (shown[BEGIN_MS] - shown[BEGIN_MS - 5 * step_ms]) * MJ_IN_WH // 5
    promised_mj = QUOTA_W * 1000 * INTERVAL_S
    expected = []
    for index in range(INTERVALS):
        used_wh = shown[BEGIN_MS + (index + 1) * step_ms] - shown[BEGIN_MS + index * step_ms]
        adjusted_mj = baseline_mj - used_wh * MJ_IN_WH
        highest_mj = promised_mj * MARKET["credit_max_permille"] // 1000
        free_mj = promised_mj * MARKET["deadband_permille"] // 1000
        credited_mj = max(0, min(adjusted_mj, highest_mj))
        missing_mj = max(0, promised_mj - max(adjusted_mj, -highest_mj) - free_mj)
        amounts = [AVAILABILITY * promised_mj, ENERGY * credited_mj, PENALTY * missing_mj]
        line = [0, baseline_mj, 0, used_wh * 1000]
        expected.append((line, [amount // MJ_IN_MWH for amount in amounts]))
    first = next(number for number, state in enumerate(STATES) if RESULT in state)
    assert LEDGER.time_ms(first) >= BEGIN_MS + INTERVALS * step_ms + MARKET["settle_ms"]
    row = STATES[first][RESULT]
    assert (row[0], row[3]) == (1, [AVAILABILITY, ENERGY, PENALTY, 700])
    assert [(line[:4], line[6:]) for line in row[6]] == expected
    assert [amounts for _, amounts in expected] == [[1_000, 10_000, 0], [1_000, 6_000, 1_750]]


def test_a_line_is_disputed_answered_and_decided() -> None:
    opened, answered, decided = one(DISPUTE), one(ANSWER), one(DECIDE)
    assert verdicts(DISPUTE) == [(HOUSE, 0), (HOUSE, NOT_SETTLED)]
    assert verdicts(ANSWER) == [(HOUSE, NOT_A_SIDE), (AGGREGATOR, 0)]
    assert verdicts(DECIDE) == [
        (AGGREGATOR, ROLE_NOT_ALLOWED),
        (WATCHER, 0),
        (WATCHER, DISPUTE_CLOSED),
    ]
    assert opened.body[:4] == [EVENT.digest, METER, DEVICE, 1]
    assert {sent.body[0] for sent in (answered, decided)} == {opened.digest}
    row: list[Any] = [*opened.body[:4], [HOUSE, opened.body[4], LEDGER.time_ms(opened.commit)]]
    place = ("dispute", opened.digest)
    assert STATES[opened.commit][place] == [*row, None, None]
    assert STATES[opened.commit][RESULT][8] == [opened.digest]
    row.append([AGGREGATOR, answered.body[1], LEDGER.time_ms(answered.commit)])
    assert STATES[answered.commit][place] == [*row, None]
    _, amount, text = decided.body
    row.append([amount, WATCHER, text, LEDGER.time_ms(decided.commit)])
    assert STATES[-1][place] == row


def test_only_a_refusal_that_no_race_explains_is_a_fault() -> None:
    """Who answers its own dispute errs; who comes too late, or has another role by now, does not.
    The load that kept half of its word has no fault of delivery by then."""
    own, _ = LEDGER.sent(ANSWER)
    assert (own.kid, own.verdict) == (HOUSE, NOT_A_SIDE)
    record = [1, LEDGER.time_ms(own.commit), 1, own.digest, own.commit + 1]
    assert STATES[own.commit]["standing", HOUSE][2] == {"error": record}
    assert ("standing", HOUSE) not in STATES[own.commit - 1]
    assert STATES[-1]["standing", HOUSE][2] == {"error": record}
    # Too late, or of a role that an epoch may have taken: the aggregator's decision cost nothing.
    before = STATES[EVENT.commit]["standing", AGGREGATOR]
    assert STATES[-1]["standing", AGGREGATOR][2]["error"] == before[2]["error"]


def test_the_last_statement_is_paid_out_of_the_fund() -> None:
    last = next(number for number, state in enumerate(STATES) if state.get(RESULT, [0])[0] == 3)
    row = STATES[last][RESULT]
    net = sum(line[6] + line[7] - line[8] for line in row[6]) + one(DECIDE).body[1]
    user = net * row[3][3] // 1000
    assert (net, user) == (16_000, 11_200)
    for kid, share in ((HOUSE, user), (AGGREGATOR, net - user)):
        assert STATES[-1]["paid", EVENT.digest, kid] == [share, 0, share]
        before = STATES[last - 1].get(("account", kid, "EUR"), [0, 0, 0])
        assert STATES[-1]["account", kid, "EUR"] == [before[0] + share, *before[1:]]
    # Over by then: what it has left is its filler's again.
    assert fund_row(len(STATES) - 1) == [0, 0, net, 1]
    before = STATES[one(FUND).commit - 1]["account", NEIGHBOUR, "EUR"][0]
    assert STATES[-1]["account", NEIGHBOUR, "EUR"][:2] == [before - net, 0]
    assert not any(place[0] == "carried" for place in STATES[-1])


@pytest.mark.parametrize("number", range(len(STATES)))
def test_no_money_comes_or_goes(number: int) -> None:
    held = [sum(row[:2]) for place, row in STATES[number].items() if place[0] == "account"]
    assert sum(held) == ISSUED


def test_state_digests_hold_what_nobody_sent() -> None:
    """Statements and payments have no leaf; the digests of their commits cover them."""
    LEDGER.check_state_digests(LEDGER.genesis[4]["state_root_every"])
