"""The commit rule: what the graph says about a leader slot (SPEC section 11).

    round r    the leader's block: a proposal
    round r+1  a block with it as parent: a vote
    round r+2  a block whose parents include votes of q authors: a certificate
    certificates of q authors: committed

Rule numbers are those of the rule's 27-point form: 13 to 19, 22, 23. Slots are decided in order;
an undecided one stops those behind it. The indirect rule (20) and the skip (18) decide slots
whose leader was slow or silent; a committee of one has neither, and they come with larger ones.
"""

from wattle_gateway.consensus import committee
from wattle_gateway.consensus.dag import Dag
from wattle_gateway.consensus.errors import SafetyError
from wattle_gateway.ledger.block import Block, BlockRef
from wattle_gateway.ledger.epoch import Epoch


def voters(dag: Dag, candidate: BlockRef) -> int:
    """Mask of authors with a block of the next round that has the candidate as a parent."""
    return committee.mask_of(
        block.author for block in dag.at(candidate.round + 1) if candidate in block.parents
    )


def is_certificate(dag: Dag, epoch: Epoch, block: Block, candidate: BlockRef) -> bool:
    """Whether this block of round r+2 certifies the candidate by its own parents (rule 17)."""
    votes = committee.mask_of(
        ref.author
        for ref in block.parents
        if ref.round == candidate.round + 1 and candidate in dag.get(ref).parents
    )
    return committee.is_quorum(epoch, votes)


def certifiers(dag: Dag, epoch: Epoch, candidate: BlockRef) -> int:
    """Mask of authors with a certificate for the candidate."""
    return committee.mask_of(
        block.author
        for block in dag.at(candidate.round + 2)
        if is_certificate(dag, epoch, block, candidate)
    )


def decide_directly(dag: Dag, epoch: Epoch, round_number: int) -> Block | None:
    """The block that a round's slot commits by the direct rule (19), None while undecided.

    Raises SafetyError if two blocks of the slot have a certificate (rule 23).
    """
    slot = dag.slot(round_number, committee.leader_of(epoch, round_number))
    certified = [(block, mask) for block in slot if (mask := certifiers(dag, epoch, block.ref))]
    if len(certified) > 1:
        raise SafetyError(
            f"two blocks of author {slot[0].author} in round {round_number} have certificates: "
            f"more than {epoch.faulty_max} members are faulty"
        )
    for block, mask in certified:
        if committee.is_quorum(epoch, mask):
            return block
    return None
