"""Author sets and leaders of a committee.

A set of authors is an int bitmask (bit = author index): counting distinct authors is a popcount,
so an equivocator's second block can never count twice (consensus rule 22).
"""

from collections.abc import Iterable

from wattle_gateway.ledger.epoch import Epoch


def mask_of(authors: Iterable[int]) -> int:
    """The bitmask of authors."""
    mask = 0
    for author in authors:
        mask |= 1 << author
    return mask


def is_quorum(epoch: Epoch, mask: int) -> bool:
    """Whether the authors of a mask are q or more."""
    return mask.bit_count() >= epoch.quorum


def leader_of(epoch: Epoch, round_number: int) -> int:
    """The author whose slot a round has: round mod n (SPEC section 11)."""
    return round_number % epoch.size
