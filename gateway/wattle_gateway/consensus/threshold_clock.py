"""The threshold clock: which round is open (rule 10)."""

from wattle_gateway.consensus.dag import Dag
from wattle_gateway.ledger.epoch import Epoch


class ThresholdClock:
    """`round` is the highest one with blocks of q authors in the graph, `opened_ms` the steady
    time at which it came to be so: round + 1 is open since then."""

    def __init__(self, epoch: Epoch) -> None:
        self._quorum = epoch.quorum
        self.round = 0
        self.opened_ms = 0

    def follow(self, dag: Dag, now_ms: int) -> None:
        """The graph may have grown. Equivocators count: a member that went ahead has left rounds
        empty, so that without them a round may never have q."""
        number = dag.top
        while number > self.round:
            if dag.authors_at(number).bit_count() >= self._quorum:
                self.round = number
                self.opened_ms = now_ms
                return
            number -= 1
