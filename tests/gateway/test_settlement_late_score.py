"""Which statement of an event a score is made with (D31)."""

from wattle_gateway.contracts.reputation.standing import standing
from wattle_gateway.contracts.settlement import lines, results
from wattle_testkit.event_ledger import BEGIN_MS, HOUSE, INTERVAL_MS, NEIGHBOUR
from wattle_testkit.settled_event import FINAL_MS, INTERVALS, MARKET, SETTLE_MS, USUAL_W, fresh
from wattle_wire.sample import Reading


def test_who_left_something_unmeasured_is_judged_with_the_last_statement() -> None:
    """Or readings of bad intervals would be sent when the score is made without them."""
    ledger = fresh()
    event = ledger.call()
    given = dict.fromkeys(range(INTERVALS), 400)
    ledger.measured(HOUSE, given, confirms=ledger.order, without=(1,))
    ledger.deliver(event, {NEIGHBOUR: 2_400})
    ledger.commit_at(SETTLE_MS)
    assert ledger.result(event, HOUSE).lines[0].status == lines.UNMEASURED
    assert ledger.result(event, HOUSE).score is None
    assert ledger.result(event, NEIGHBOUR).score is not None
    shown = {"ei": 10_000 + 4 * USUAL_W // 4 + 100, "p": 4_000}
    ledger.sample(HOUSE, [Reading(1, BEGIN_MS + INTERVAL_MS, "G", shown)])
    ledger.commit_at(SETTLE_MS + 1)
    revised = ledger.result(event, HOUSE)
    assert {line.status for line in revised.lines} == {lines.CALLED}
    assert (revised.version, revised.score) == (results.REVISED, None)
    ledger.commit_at(FINAL_MS)
    score = ledger.result(event, HOUSE).score
    assert score is not None
    assert (score.accuracy, score.availability) == (1_000, 1_000)
    found = standing(ledger.state, MARKET, HOUSE.kid, FINAL_MS)
    assert dict(found.faults) == {}
