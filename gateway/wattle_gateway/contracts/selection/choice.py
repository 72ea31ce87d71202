"""A choice with its reasons (D26)."""

from collections.abc import Sequence
from dataclasses import dataclass

from wattle_gateway.contracts.selection import covering
from wattle_gateway.contracts.selection.covering import Load
from wattle_gateway.contracts.selection.offers import Need, Offer, Weights, cost, merit, unfit

CHOSEN = "chosen"
DEARER = "dearer"


@dataclass(frozen=True)
class Reason:
    """Of one offer: `why` it is chosen or not (`chosen`, `dearer`, or why it is unfit); of a fit
    one its merit (1 to 1000), the cost that it was counted at, and its rank by cost per watt from
    1 on."""

    offer: Offer
    why: str
    merit: int | None = None
    cost: int | None = None
    rank: int | None = None


@dataclass(frozen=True)
class Choice:
    """`reached_w` together; `enough` whether that is the need; if not, everything fit is chosen.
    `reasons` for each offer: fit ones by rank, then the others by digest."""

    need: Need
    reached_w: int
    enough: bool
    reasons: tuple[Reason, ...]

    @property
    def chosen(self) -> tuple[Offer, ...]:
        """The offers to call, cheapest per watt first."""
        return tuple(reason.offer for reason in self.reasons if reason.why == CHOSEN)


def choose(offers: Sequence[Offer], need: Need, weights: Weights) -> Choice:
    """Which offers answer the need at the least cost. Digests are told apart; pure."""
    fit: dict[bytes, tuple[Offer, int]] = {}
    unable: list[Reason] = []
    for offer in offers:
        why = unfit(offer, need, weights)
        if why is None:
            fit[offer.digest] = offer, merit(offer, need, weights)
        else:
            unable.append(Reason(offer, why))
    unable.sort(key=lambda reason: reason.offer.digest)
    loads = covering.ranked(
        Load(offer.quota_w, cost(offer, worth), digest) for digest, (offer, worth) in fit.items()
    )
    found = covering.cover(loads, need.quota_w)
    taken = {load.digest for load in (loads if found is None else found)}
    reasons = [
        Reason(offer, CHOSEN if load.digest in taken else DEARER, worth, load.cost, rank)
        for rank, load in enumerate(loads, 1)
        for offer, worth in (fit[load.digest],)
    ]
    reached_w = sum(fit[digest][0].quota_w for digest in taken)
    return Choice(need, reached_w, found is not None, (*reasons, *unable))
