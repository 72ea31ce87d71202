"""Progress after healing: the alliance decides again within a stated number of rounds."""

from wattle_gateway.ledger.block import Block

from wattle_testkit.simulation.checkers import ViolationError

# Rounds under way when the network heals may lack the leader's block everywhere, and a slot that
# the direct rule leaves open waits for an anchor three rounds above (rule 20).
_UNDER_WAY = 8
# Everything is told to everybody, executed, and the members that were cut off have caught up.
SETTLE_MS = 240_000


def progress_rounds(size: int) -> int:
    """Rounds in which n members must commit once nothing is lost any more.

    As n > 3f, every turn of n leaders has a stretch of three honest ones in a row, which commits
    the first of them. One turn may be spoilt by what the schedule still holds of the time before,
    the second may not.
    """
    return 2 * size + _UNDER_WAY


class Progress:
    """Counts rounds by the blocks that honest members send, commits by what they execute."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._highest = (0, 0)
        self._since: tuple[int, int] | None = None
        self._commit_at_healing = 0

    def healed(self, newest_commit: int) -> None:
        """From now on no message is lost."""
        self._since = self._highest
        self._commit_at_healing = newest_commit

    def sent(self, block: Block, newest_commit: int) -> None:
        """An honest member sent a block; `newest_commit` anybody has executed."""
        self._highest = max(self._highest, (block.epoch, block.round))
        if self._since is None:
            return
        if newest_commit > self._commit_at_healing or block.epoch > self._since[0]:
            self._since = None
            return
        allowed = progress_rounds(self._size)
        if block.epoch == self._since[0] and block.round > self._since[1] + allowed:
            raise ViolationError(
                "progress",
                f"no commit in {allowed} rounds after healing in round {self._since[1]}",
            )
