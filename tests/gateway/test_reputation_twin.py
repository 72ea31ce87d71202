"""Reputations against a dumb twin that follows SPEC section 12, "Standing", word by word."""

from dataclasses import dataclass

from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.contracts.reputation import conduct
from wattle_gateway.contracts.reputation.standing import standing
from wattle_gateway.contracts.scoring.score import Score
from wattle_gateway.contracts.state import State
from wattle_gateway.ledger.market import FAULTS, Market
from wattle_testkit.shown_fault import SHOWN

ANA = bytes(8)
DAY_MS = 86_400_000
MARKET = Market(probation_ms=10 * DAY_MS, rate_permille=300, history_events=3)
ALL_OFF = ("double_signing", "self_dealing")


@dataclass
class Twin:
    """The row as a person would keep it."""

    reputation: int = MARKET.reputation_start
    suspended: int | None = None
    last_fault: int = 0

    def look(self, now: int) -> None:
        """Whoever has been suspended long enough is not any more."""
        if self.suspended is not None:
            latest = max(self.suspended, self.last_fault)
            if now - latest >= MARKET.probation_ms:
                self.suspended = None
                self.reputation = max(self.reputation, MARKET.suspend_permille)

    def moved(self, now: int) -> None:
        if self.reputation < MARKET.suspend_permille and self.suspended is None:
            self.suspended = now

    def fault(self, name: str, now: int) -> None:
        self.look(now)
        weight = dict(MARKET.weights)[name].reputation
        self.reputation = 0 if name in ALL_OFF else max(0, self.reputation - weight)
        self.last_fault = now
        self.moved(now)

    def score(self, mark: int, now: int) -> None:
        self.look(now)
        steps = abs(mark - self.reputation) * MARKET.rate_permille // 1000
        self.reputation += steps if mark > self.reputation else -steps
        self.moved(now)


words = st.one_of(
    st.sampled_from(sorted(FAULTS)).map(lambda name: ("fault", name)),
    st.integers(0, 1000).map(lambda mark: ("score", mark)),
    st.integers(0, 1000).map(lambda mark: ("day", mark)),
    st.just(("look", 0)),
)
stories = st.lists(st.tuples(st.integers(0, 12), words), max_size=40)


@given(stories)
def test_the_row_is_what_the_specification_says(
    story: list[tuple[int, tuple[str, str | int]]],
) -> None:
    state, twin, now = State({}), Twin(), DAY_MS
    marks: list[int] = []
    counts: dict[str, int] = {}
    for days, (what, value) in story:
        now += days * DAY_MS
        if what == "fault":
            conduct.charge(state, MARKET, ANA, str(value), SHOWN, now)
            twin.fault(str(value), now)
            counts[str(value)] = counts.get(str(value), 0) + 1
        elif what == "score":
            mark = int(value)
            found = Score(mark, mark, mark, mark, 500, 500, mark)
            conduct.rate(state, MARKET, ANA, bytes(32), found, now)
            twin.score(mark, now)
            marks.insert(0, mark)
        elif what == "day":
            conduct.rate_connection(state, MARKET, ANA, int(value), now)
            twin.score(int(value), now)
        twin.look(now)
        row = standing(state, MARKET, ANA, now)
        assert (row.reputation, row.suspended_ms) == (twin.reputation, twin.suspended)
        assert 0 <= row.reputation <= 1000
        assert (row.history, dict(row.faults)) == (tuple(marks[:3]), counts)
