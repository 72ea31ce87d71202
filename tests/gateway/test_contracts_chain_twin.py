"""The chain against a twin that keeps one fact for each seq and knows no runs at all."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.contracts import chain as rules
from wattle_gateway.contracts.chain import Arrival, Chain
from wattle_gateway.contracts.errors import RunsFullError

FIRST_SEQ = 3
SEQ_LAST = 30
OPEN_MS = 100
FOREVER = 10**6  # a limit that is never reached


@dataclass
class Twin:
    """seq -> link and digest of a settled seq (None, None for a closed gap); seq -> time at which
    an open gap was declared."""

    settled: dict[int, tuple[bytes | None, bytes | None]] = field(default_factory=dict)
    open_ms: dict[int, int] = field(default_factory=dict)

    def expire(self, time_ms: int) -> None:
        for seq in [seq for seq, opened in self.open_ms.items() if opened + OPEN_MS < time_ms]:
            del self.open_ms[seq]
            self.settled[seq] = (None, None)

    def admit(self, arrival: Arrival, time_ms: int) -> tuple[bool, bool] | None:
        """(late, forked), None for a repeat."""
        seq = arrival.seq
        if seq in self.settled:
            return None
        late = self.open_ms.pop(seq, None) is not None
        below = self.settled.get(seq - 1, (None, None))[1]
        above = self.settled.get(seq + 1, (None, None))[0]
        forked = (below is not None and arrival.prev is not None and below != arrival.prev) or (
            above is not None and above != arrival.digest
        )
        self.settled[seq] = (arrival.prev, arrival.digest)
        for first, last in arrival.declares:
            for lost in range(max(first, FIRST_SEQ), last + 1):
                if lost not in self.settled and lost not in self.open_ms:
                    self.open_ms[lost] = time_ms
        return late, forked

    def final(self) -> int:
        seq = FIRST_SEQ - 1
        while seq + 1 in self.settled or seq + 1 in self.open_ms:
            seq += 1
        return seq


def check_same(chain: Chain, twin: Twin) -> None:
    """The chain says of every seq what the twin says, in one form."""
    settled = [seq for run in chain.runs for seq in range(run.first, run.last + 1)]
    assert settled == sorted(twin.settled)
    gaps = [(seq, gap.opened_ms) for gap in chain.gaps for seq in range(gap.first, gap.last + 1)]
    assert gaps == sorted(twin.open_ms.items())
    assert chain.final == twin.final()
    for run in chain.runs:
        assert (run.prev, run.digest) == (twin.settled[run.first][0], twin.settled[run.last][1])
        assert run.last + 1 not in twin.settled
    for low, high in zip(chain.gaps, chain.gaps[1:], strict=False):
        assert low.last + 1 < high.first or low.opened_ms != high.opened_ms


def digest(seq: int, variant: int) -> bytes:
    return bytes([seq, variant]) + bytes(30)


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[Arrival, int]:
    """(sample, time passed before it): mostly honest links, some absent, some of a fork."""
    seq = draw(st.integers(FIRST_SEQ, SEQ_LAST))
    variant = draw(st.sampled_from([0, 0, 0, 1]))
    prev = draw(st.sampled_from([digest(seq - 1, 0)] * 3 + [digest(seq - 1, 1), None]))
    declares = []
    if seq > 2:
        edges = draw(st.lists(st.integers(1, seq - 1), max_size=6, unique=True))
        edges.sort()
        declares = list(zip(edges[::2], edges[1::2], strict=False))
    passed_ms = draw(st.sampled_from([0, 0, 1, 30, OPEN_MS]))
    return Arrival(seq, prev, digest(seq, variant), tuple(declares)), passed_ms


@given(st.lists(arrivals(), max_size=40))
def test_chain_is_its_twin(samples: list[tuple[Arrival, int]]) -> None:
    chain, twin, time_ms = rules.new_chain(FIRST_SEQ), Twin(), 0
    for arrival, passed_ms in samples:
        time_ms += passed_ms
        chain = rules.expire(chain, time_ms, OPEN_MS)
        twin.expire(time_ms)
        admitted = rules.admit(chain, FIRST_SEQ, arrival, time_ms, FOREVER, gaps_open=True)
        expected = twin.admit(arrival, time_ms)
        if admitted is None:
            assert expected is None
        else:
            assert expected == (admitted.late, admitted.forked)
            chain = admitted.chain
        check_same(chain, twin)
        assert rules.decode(rules.encode(chain)) == chain


@given(st.lists(arrivals(), max_size=40))
def test_closing_gaps_late_changes_nothing_for_anybody(
    samples: list[tuple[Arrival, int]],
) -> None:
    """Gaps are closed when the meter is next touched (rule 5); closing them at once, as time
    passes, gives the same verdicts and the same chain."""
    lazy = eager = rules.new_chain(FIRST_SEQ)
    time_ms = 0
    for arrival, passed_ms in samples:
        for _ in range(passed_ms):
            time_ms += 1
            eager = rules.expire(eager, time_ms, OPEN_MS)
        found = [
            rules.admit(
                rules.expire(chain, time_ms, OPEN_MS),
                FIRST_SEQ,
                arrival,
                time_ms,
                8,
                gaps_open=True,
            )
            if can_hold(chain, arrival, time_ms)
            else None
            for chain in (lazy, eager)
        ]
        assert found[0] == found[1]
        if found[0] is not None:
            lazy = eager = found[0].chain
        assert lazy.final == eager.final


def can_hold(chain: Chain, arrival: Arrival, time_ms: int) -> bool:
    try:
        rules.admit(
            rules.expire(chain, time_ms, OPEN_MS), FIRST_SEQ, arrival, time_ms, 8, gaps_open=True
        )
    except RunsFullError:
        return False
    return True


@given(st.lists(arrivals(), max_size=60), st.integers(2, 6))
def test_limits_hold_final_never_falls_and_nothing_counts_twice(
    samples: list[tuple[Arrival, int]], runs_max: int
) -> None:
    chain, time_ms = rules.new_chain(FIRST_SEQ), 0
    counted: set[int] = set()
    for arrival, passed_ms in samples:
        time_ms += passed_ms
        try:
            admitted = rules.admit(
                rules.expire(chain, time_ms, OPEN_MS),
                FIRST_SEQ,
                arrival,
                time_ms,
                runs_max,
                gaps_open=True,
            )
        except RunsFullError:
            assert arrival.seq != chain.final + 1
            continue
        if admitted is None:
            continue
        assert arrival.seq not in counted
        counted.add(arrival.seq)
        assert admitted.chain.final >= chain.final
        chain = admitted.chain
        assert len(chain.runs) + len(chain.gaps) <= runs_max + 1
        assert all(rules.settled(chain, seq) for seq in counted)


@given(st.permutations(range(FIRST_SEQ, FIRST_SEQ + 20)))
def test_every_order_of_honest_samples_ends_in_one_run(order: list[int]) -> None:
    chain = rules.new_chain(FIRST_SEQ)
    for seq in order:
        arrival = Arrival(seq, digest(seq - 1, 0), digest(seq, 0))
        admitted = rules.admit(chain, FIRST_SEQ, arrival, 0, FOREVER, gaps_open=True)
        assert admitted is not None
        assert not admitted.forked
        chain = admitted.chain
    assert len(chain.runs) == 1
    assert chain.final == FIRST_SEQ + 19
