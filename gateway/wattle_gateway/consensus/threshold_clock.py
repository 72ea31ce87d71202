"""The threshold clock: which round is open (rule 10)."""

from wattle_gateway.consensus.dag import Dag
from wattle_gateway.ledger.epoch import Epoch


class ThresholdClock:
    """`round` is the highest one with blocks of q authors in the graph, `opened_ms` the steady
    time at which it came to be so: round + 1 is open since then."""

    def __init__(self, epoch: Epoch) -> None:
        self._quorum = epoch.quorum
        self._ignored = 0
        self.round = 0
        self.opened_ms = 0

    def follow(self, dag: Dag, ignored: int, now_ms: int) -> None:
        """The graph may have grown. Blocks of `ignored` authors (a mask) are not counted: an own
        block would not name them, and needs q parents all the same."""
        lowest = self.round
        if ignored != self._ignored:
            self._ignored = ignored
            lowest = 0
        number = dag.top
        while number > lowest:
            if (dag.authors_at(number) & ~ignored).bit_count() >= self._quorum:
                break
            number -= 1
            if number <= dag.floor:
                number = lowest
        if number != self.round:
            self.round = number
            self.opened_ms = now_ms
