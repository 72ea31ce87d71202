"""What a round waits for, and how long (rule 11).

Whoever goes on with the first q blocks of a round may hold those of liars instead of slower honest
ones, and then has neither the leader's block to vote for nor the votes to certify the one before.
Only time tells who is slow: so the wait is short, and grows as long as nothing commits.
"""

from wattle_gateway.consensus.committer import leader_of
from wattle_gateway.consensus.dag import Dag
from wattle_gateway.consensus.sequencer import Sequencer
from wattle_gateway.ledger.epoch import Epoch

# Twice the delay of a slow link in one country and what a gateway needs to check a block.
LEADER_WAIT_MS = 250
# It doubles with each two turns of leaders without a commit, up to what no link exceeds that
# is of any use: fixed, it would let liars stop an alliance whose links are slower than it says.
LEADER_WAIT_MAX_MS = 8000


def wait_ms(epoch: Epoch, rounds: int) -> int:
    """How long to wait for others, `rounds` after that of the newest commit's leader. It may lie
    above, where a commit was taken over from others: then nothing has waited yet."""
    doublings = max(0, rounds) // (2 * epoch.size)
    return min(LEADER_WAIT_MAX_MS, LEADER_WAIT_MS << min(doublings, 16))


def lacks(dag: Dag, sequencer: Sequencer, epoch: Epoch, round_number: int, ignored: int) -> bool:
    """Whether blocks of a round that has q authors are still worth waiting for: the leader's, to
    vote for it, or those without which no q votes for the leader's block below are here, to
    certify it. Of the authors in the mask `ignored` (the own one too) nothing is waited for."""
    if round_number == 0:
        return False
    here = dag.authors_at(round_number) | ignored
    leaders = sequencer.leaders
    if not here >> leader_of(leaders, round_number) & 1:
        return True
    absent = ((1 << epoch.size) - 1) & ~here
    if not absent:
        return False
    below = leader_of(leaders, round_number - 1)
    if ignored >> below & 1:
        return False
    votes = [vertex.voters for vertex in dag.slot(round_number - 1, below)]
    return any(mask.bit_count() < epoch.quorum <= (mask | absent).bit_count() for mask in votes)
