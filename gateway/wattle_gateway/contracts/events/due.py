"""What the ledger does by itself at the beginning of each commit (D23).

Nobody asks for it and nothing of it has a leaf: whoever executes the commit does the same, and its
state digest says so.
"""

from wattle_gateway.contracts.events import agenda, expiry, rows, selecting
from wattle_gateway.contracts.events.agenda import Due, Step
from wattle_gateway.contracts.events.rows import EventState
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.settlement import course, funds, parameters
from wattle_gateway.contracts.state import State


def run(state: State, setting: Setting) -> None:
    """Do everything that the commit's time has reached, in the order of D23. What that plans for
    a time that has passed is the next commit's."""
    for due in agenda.take(state, setting.time_ms):
        _do(state, due, setting)


def _do(state: State, due: Due, setting: Setting) -> None:
    if due.step == Step.RELEASE:
        funds.expire(state, due.digest, setting.time_ms)
        return
    if due.step == Step.EXPIRE:
        expiry.expire(state)
        return
    event = rows.event(state, due.digest)
    assert event is not None, "an event is forgotten when nothing is planned of it"
    if event.state is EventState.FAILED:
        return  # by a step of this commit, which had been taken already with the ones that follow
    market = parameters.market_of(state, event)
    if due.step == Step.SELECT:
        selecting.select(state, event, market, setting)
    elif due.step == Step.SETTLE:
        course.compute(state, event, market, setting)
    else:
        assert due.step == Step.FINALISE, due
        course.finalise(state, event, market, setting)
