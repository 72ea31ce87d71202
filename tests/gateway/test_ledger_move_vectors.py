"""The frozen ledger whose meter gets other gateways, from SPEC.md with cbor2, hashlib and ecdsa
alone: kind 24."""

from wattle_testkit.frozen_ledger import FrozenLedger
from wattle_testkit.spec_reader import sha256

LEDGER = FrozenLedger.named("move")
MEMBERS = {member[1]: sha256(member[2])[:8] for member in LEDGER.genesis[5]}
GRID, WATCHER = MEMBERS[1], MEMBERS[7]
ENROL, MOVE = 1, 24
ROLE_NOT_ALLOWED, METER_UNKNOWN, MEMBER_UNKNOWN = 3, 8, 12
HOME_WITHOUT_VOTE, NOTHING_MOVES = 81, 82
(ENROLLED,) = LEDGER.sent(ENROL)
FIRST, *OTHERS = LEDGER.sent(MOVE)
METER = FIRST.body[0]


def test_the_row_has_the_gateways_of_the_move_and_is_otherwise_the_same() -> None:
    before = LEDGER.states[ENROLLED.commit]["meter", METER]
    assert before[7:9] == ENROLLED.body[2:4] == [GRID, [WATCHER]]
    assert (FIRST.kid, FIRST.verdict, FIRST.body) == (GRID, 0, [METER, GRID, []])
    after = LEDGER.states[FIRST.commit]["meter", METER]
    assert after == [*before[:7], *FIRST.body[1:], *before[9:]]


def test_what_is_refused_leaves_the_row() -> None:
    assert [(sent.kid, sent.verdict, sent.body) for sent in OTHERS] == [
        (GRID, NOTHING_MOVES, [METER, GRID, []]),
        (GRID, HOME_WITHOUT_VOTE, [METER, WATCHER, []]),
        (GRID, MEMBER_UNKNOWN, [METER, GRID, [METER]]),
        (GRID, METER_UNKNOWN, [WATCHER, GRID, []]),
        (WATCHER, ROLE_NOT_ALLOWED, [METER, GRID, [WATCHER]]),
    ]
    rows = [state["meter", METER] for state in LEDGER.states[FIRST.commit :]]
    assert all(row == rows[0] for row in rows)
    assert not any(place[0] == "waiting" for place in LEDGER.states[-1])


def test_epoch_and_state_digests_are_those_of_spec() -> None:
    LEDGER.check_epoch_digest()
    LEDGER.check_state_digests(LEDGER.genesis[4]["state_root_every"])
