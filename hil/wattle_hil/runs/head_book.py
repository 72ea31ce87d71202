"""Which gateway was seen with which commit: two digests under one index are a broken promise."""

from wattle_hil.runs.live_view import DIFFERS

# Commits are compared within seconds; what is older has been.
KEPT = 1_000


class HeadBook:
    """Commit digests by index, as the gateways of an alliance showed them."""

    def __init__(self) -> None:
        self._seen: dict[int, dict[str, str]] = {}
        self._newest: dict[str, int] = {}

    def note(self, gateway: str, index: int, digest: str) -> None:
        """A gateway says that this is its newest commit."""
        self._seen.setdefault(index, {})[gateway] = digest
        self._newest[gateway] = index
        while len(self._seen) > KEPT:
            del self._seen[min(self._seen)]

    @property
    def differences(self) -> list[int]:
        """The commits of which different digests were seen."""
        return [index for index, seen in self._seen.items() if len(set(seen.values())) > 1]

    def verdict(self, gateway: str) -> str:
        """`yes`: another one showed the same for this one's newest commit; `DIFFERS`; `N behind`
        the one that is farthest; or `first` to have it."""
        index = self._newest[gateway]
        seen = self._seen.get(index, {})
        if len(set(seen.values())) > 1:
            return DIFFERS
        behind = max(self._newest.values()) - index
        if len(seen) > 1:
            return f"yes, {behind} behind" if behind else "yes"
        return f"{behind} behind" if behind else "first"
