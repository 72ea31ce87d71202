"""What the next sample says about the meter's earlier ones: prev, gaps, seen; pure.

Gap records heal by themselves: one that is lost with memory comes back as soon as a gateway
names its seqs missing. So nothing here needs to survive a restart.
"""

from wattle_wire.sample import GAPS_MAX, Reading, Sample

# What is declared at once waits here for `final`. Eight go into each sample, lowest first, and
# `final` can only pass the lowest; more than this would only be holes made by a hostile gateway
# that names single seqs missing.
PENDING_GAPS_MAX = 4 * GAPS_MAX


class Chain:
    """The meter's end of its own chain.

    `eui64` 8 bytes, `boot` the boot counter, `last` (seq, digest 32 bytes) of the newest sample
    made before a clean stop, or None.
    """

    def __init__(self, eui64: bytes, boot: int, last: tuple[int, bytes] | None = None) -> None:
        self._eui64 = eui64
        self._boot = boot
        self._last = last
        self._gaps: list[list[int]] = []
        self._seen: tuple[int, bytes] | None = None
        self.final = 0

    @property
    def last(self) -> tuple[int, bytes] | None:
        """(seq, digest) of the newest sample, or None before the first."""
        return self._last

    @property
    def commit_index(self) -> int:
        """Index of the newest commit shown, 0 before the first."""
        return 0 if self._seen is None else self._seen[0]

    @property
    def gaps(self) -> list[list[int]]:
        """The gaps [from, to, reason] that `final` has not passed, rising and disjoint."""
        return self._gaps

    def sample(self, seq: int, clock: str, readings: list[Reading]) -> Sample:
        """The next sample, `seq` above all before it; `clock` its state U, I, S or R."""
        prev = None
        if self._last is not None and self._last[0] == seq - 1:
            prev = self._last[1]
        gaps = [(gap[0], gap[1], gap[2]) for gap in self._gaps[:GAPS_MAX]]
        return Sample(self._eui64, seq, self._boot, prev, clock, readings, self._seen, gaps)

    def signed(self, seq: int, digest: bytes) -> None:
        """Sample `seq` was signed; `digest` (32 bytes) is what the next one points to."""
        self._last = (seq, digest)

    def declare(self, first: int, to: int, reason: int) -> int:
        """Has every further sample say that `first` .. `to` will not come, until `final` does.

        What is declared already keeps its first reason. Gives the number of seqs added; those
        for which there is no room are left out and come back when a gateway misses them.
        """
        first = max(first, self.final + 1)
        added = 0
        for gap in self._gaps:
            if gap[1] < first:
                continue
            if gap[0] > to:
                break
            if first < gap[0]:
                added += self._insert(first, gap[0] - 1, reason)
            first = gap[1] + 1
        if first <= to:
            added += self._insert(first, to, reason)
        return added

    def passed(self, final: int) -> None:
        """Every seq up to `final` is in the ledger or closed there: no need to declare it."""
        if final <= self.final:
            return
        self.final = final
        self._gaps = [gap for gap in self._gaps if gap[1] > final]
        if self._gaps and self._gaps[0][0] <= final:
            self._gaps[0][0] = final + 1

    def shown(self, commit_index: int, commit_digest: bytes) -> None:
        """A gateway showed the commit `commit_index`, digest 32 bytes; older ones are ignored."""
        if commit_index and (self._seen is None or commit_index > self._seen[0]):
            self._seen = (commit_index, commit_digest[:16])

    def _insert(self, first: int, to: int, reason: int) -> int:
        """Adds a range that overlaps none; joins it to neighbours of the same reason."""
        at = 0
        while at < len(self._gaps) and self._gaps[at][0] < first:
            at += 1
        below = self._gaps[at - 1] if at else None
        above = self._gaps[at] if at < len(self._gaps) else None
        if below and below[1] == first - 1 and below[2] == reason:
            below[1] = to
            if above and above[0] == to + 1 and above[2] == reason:
                below[1] = above[1]
                self._gaps = self._gaps[:at] + self._gaps[at + 1 :]
        elif above and above[0] == to + 1 and above[2] == reason:
            above[0] = first
        elif len(self._gaps) < PENDING_GAPS_MAX:
            self._gaps = self._gaps[:at] + [[first, to, reason]] + self._gaps[at:]
        else:
            return 0
        return to - first + 1
