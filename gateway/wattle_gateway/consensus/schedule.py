"""The leader schedule by connectivity (rule 28): a function of the epoch and of committed blocks.

Members whose blocks come too late to be named by q others in the next round lose their slots, so
that nobody waits for them, and get them back when their blocks are connected again. Whom the epoch
lets rest has none in it.
"""

from collections.abc import Iterable, Sequence

from wattle_gateway.consensus.committer import ANCHOR_DISTANCE
from wattle_gateway.ledger.block import Block
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.genesis import ANCHOR_RULES


class Schedule:
    """Who leads, and the tally from which the next change is made."""

    def __init__(self, epoch: Epoch, window: Iterable[Sequence[Block]] = ()) -> None:
        """At the start of an epoch, or where `window` leaves it: the blocks of each commit from
        number `first_needed` of the epoch on."""
        self._epoch = epoch
        self._leaders = leaders_after([0] * epoch.size, epoch)
        self._tally = Tally(epoch.size)
        self._commits = 0
        for blocks in window:
            self.take(blocks)

    @property
    def leaders(self) -> tuple[int, ...]:
        """The authors that lead in turn: round r is led by `leaders[r mod len(leaders)]`."""
        return self._leaders

    def take(self, blocks: Sequence[Block]) -> bool:
        """One more commit, with the blocks it took in their order. Whether the schedule changed:
        then every slot above this commit's leader is to be judged anew."""
        if self._epoch.faulty_max == 0:  # nobody may be set aside
            return False
        self._tally.take(blocks)
        self._commits += 1
        if self._commits < self._epoch.constants.leader_commits:
            return False
        before = self._leaders
        self._leaders = leaders_after(self._tally.scores(self._epoch.quorum), self._epoch)
        self._tally = Tally(self._epoch.size)
        self._commits = 0
        return self._leaders != before


class Tally:
    """The blocks that some commits took, and who of them names whom one round below."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._voters: dict[bytes, int] = {}
        self._places: dict[bytes, tuple[int, int]] = {}

    def take(self, blocks: Iterable[Block]) -> None:
        """The blocks of one commit in their order: parents before whoever names them."""
        for block in blocks:
            self._voters[block.digest] = 0
            self._places[block.digest] = (block.author, block.round)
            for parent in block.parents:
                if parent.round == block.round - 1 and parent.digest in self._voters:
                    self._voters[parent.digest] |= 1 << block.author

    def scores(self, quorum: int) -> list[int]:
        """By author: the rounds in which a block of it is named by blocks of the next round of
        `quorum` authors, all of them taken by these commits."""
        connected = {
            self._places[digest]
            for digest, voters in self._voters.items()
            if voters.bit_count() >= quorum
        }
        scores = [0] * self._size
        for author, _ in connected:
            scores[author] += 1
        return scores


def leaders_after(scores: Sequence[int], epoch: Epoch) -> tuple[int, ...]:
    """All authors by rising index without f that rest or are least connected; the best connected
    leads once more where a turn would else have a multiple of three slots (from rules 3 on).

    Set aside are those that rest and, up to f in all, the lowest scores of the others (ties:
    higher index first), each only if it is below `leader_permille` thousandths of the upper median.
    """
    median = sorted(scores)[len(scores) // 2]
    resting = epoch.resting_authors
    least = sorted(set(range(len(scores))) - resting, key=lambda author: (scores[author], -author))
    aside = resting | {
        author
        for author in least[: epoch.faulty_max - len(resting)]
        if scores[author] * 1000 < epoch.constants.leader_permille * median
    }
    leaders = tuple(author for author in range(len(scores)) if author not in aside)
    if epoch.rules >= ANCHOR_RULES and aside and len(leaders) % ANCHOR_DISTANCE == 0:
        # The anchors of a liar's slots would be the slots of the same few, for ever.
        leaders += (max(leaders, key=lambda author: (scores[author], -author)),)
    return leaders


def first_needed(commits: int, leader_commits: int) -> int:
    """Of `commits` commits of an epoch, the number (from 1) of the oldest one that a Schedule
    needs to be rebuilt: the period that made the present leaders, and all since."""
    since_change = commits % leader_commits
    return max(0, commits - since_change - leader_commits) + 1
