"""Members that are known to have signed two blocks of one round."""

from collections.abc import Iterable

from wattle_gateway.ledger.epoch import Epoch


class Equivocators:
    """Known equivocators of an epoch, in the order in which they became known."""

    def __init__(self, epoch: Epoch, known: Iterable[int] = ()) -> None:
        self._faulty_max = epoch.faulty_max
        self._known = list(known)

    @property
    def known(self) -> frozenset[int]:
        """Their author indices."""
        return frozenset(self._known)

    @property
    def ignored(self) -> int:
        """Mask of those that own blocks name no more (rule 12): at most f, since q others must
        be left to go on with; nobody if no faults are expected."""
        mask = 0
        for author in self._known[: self._faulty_max]:
            mask |= 1 << author
        return mask

    def add(self, author: int) -> bool:
        """Note one; whether it was not known."""
        if author in self._known:
            return False
        self._known.append(author)
        return True
