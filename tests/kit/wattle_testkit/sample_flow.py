"""A meter of a driven alliance that sends a sample a second, to its members in turn."""

from wattle_gateway.ledger import transaction

from wattle_testkit.alliance import Board, sample_entry
from wattle_testkit.driven_alliance import DrivenAlliance


class SampleFlow:
    """The enrolled meter; `sent` the seq of its newest sample."""

    def __init__(self, alliance: DrivenAlliance, home: str) -> None:
        self.board = Board("meter", alliance.epoch)
        self.sent = 0
        self._alliance = alliance
        alliance.transact(home, transaction.ENROL, transaction.enrol_body(self.board.enrol()))

    def __call__(self, seconds: int, *names: str) -> None:
        """So many seconds go by; the samples go to the members of these names."""
        for second in range(seconds):
            self.sent += 1
            sample = sample_entry(self.board.sample(self.sent))
            self._alliance.add(names[second % len(names)], sample)
            self._alliance.run(1000)
