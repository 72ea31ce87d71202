"""Finds the block of one model in a SunSpec device, one small read at a time; pure.

A SunSpec map begins with "SunS" at one of few addresses; blocks follow one another, each with its
model number and its length in its first two registers; the number 0xFFFF ends the list.
"""

from wattle_meter.profile import Profile

MARKER = [0x5375, 0x6E53]  # "SunS"
_HEAD_WORDS = 2
_END = 0xFFFF
# A chain of blocks longer than any device has: one that leads in a circle ends here.
_BLOCKS_MAX = 64


class Discovery:
    """Where the block of one of the profile's models begins in one device.

    `base`: address of its ID register, None until found. `rounds`: how often the whole search
    was in vain. Ask what `question` says, then tell what came.
    """

    def __init__(self, profile: Profile) -> None:
        self._models = profile.models
        self._bases = profile.bases
        self._words = max(register.span()[1] for register in profile.registers.values())
        self.rounds = 0
        self.restart()

    def restart(self) -> None:
        """Forgets what was found: the device answers no more as it did."""
        self.base: int | None = None
        self._at = 0
        self._block: int | None = None
        self._blocks = 0

    def question(self) -> tuple[int, int]:
        """(address, number of registers) to read next."""
        if self._block is None:
            return self._bases[self._at], len(MARKER) + _HEAD_WORDS
        return self._block, _HEAD_WORDS

    def answered(self, words: list[int]) -> None:
        """Takes what was read as `question` said."""
        if self._block is None:
            if words[: len(MARKER)] != MARKER:
                self.refused()
                return
            self._block = self._bases[self._at] + len(MARKER)
            self._blocks = 0
            words = words[len(MARKER) :]
        model, length = words
        self._blocks += 1
        if model in self._models and length + _HEAD_WORDS >= self._words:
            self.base = self._block
            return
        self._block += _HEAD_WORDS + length
        if model == _END or self._blocks >= _BLOCKS_MAX or self._block + _HEAD_WORDS > _END:
            self.refused()

    def refused(self) -> None:
        """The device has nothing there: the search goes on at the next of its bases."""
        self._block = None
        self._at += 1
        if self._at == len(self._bases):
            self._at = 0
            self.rounds += 1
