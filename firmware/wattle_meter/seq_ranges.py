"""A short list of seq ranges, rising and disjoint; pure."""


class SeqRanges:
    """Which seqs still have to be done, as at most `most` ranges [from, to]."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._ranges: list[list[int]] = []

    def ranges(self) -> list[list[int]]:
        """The ranges [from, to], rising."""
        return self._ranges

    def first(self) -> tuple[int, int] | None:
        """The lowest range (from, to), or None when there is nothing."""
        return (self._ranges[0][0], self._ranges[0][1]) if self._ranges else None

    def add(self, first: int, to: int) -> None:
        """Adds `first` .. `to` (nothing if `first` > `to`).

        Beyond `most` ranges the highest one is dropped: low seqs matter first, and whoever
        wants the others will ask again.
        """
        if first > to:
            return
        result = []
        for low, high in self._ranges:
            if high < first - 1 or low > to + 1:
                result.append([low, high])
            else:
                first = min(first, low)
                to = max(to, high)
        result.append([first, to])
        result.sort()
        self._ranges = result[: self._most]

    def remove(self, first: int, to: int) -> None:
        """Takes `first` .. `to` out. A split beyond `most` ranges drops the highest."""
        result = []
        for low, high in self._ranges:
            if low < first:
                result.append([low, min(high, first - 1)])
            if high > to:
                result.append([max(low, to + 1), high])
        self._ranges = result[: self._most]
