"""What became of the events of a run, read off the changes that commits make."""

from collections import Counter

from wattle_gateway.contracts.events import rows
from wattle_gateway.contracts.events.rows import EventState
from wattle_gateway.contracts.execute import Executed
from wattle_gateway.contracts.state import prefix
from wattle_gateway.ledger.transaction import DIGEST_BYTES

_EVENTS = prefix("event", 1)


class EventCount:
    """The newest state of each event that any commit has shown."""

    def __init__(self) -> None:
        self._states: dict[bytes, EventState] = {}

    def executed(self, executed: Executed) -> None:
        """The first gateway has executed a commit."""
        for row, value in executed.changes:
            if row.startswith(_EVENTS) and value is not None:
                digest = row[-DIGEST_BYTES:]
                self._states[digest] = rows.decode_event(digest, value).state

    @property
    def published(self) -> int:
        """How many there were."""
        return len(self._states)

    @property
    def final(self) -> int:
        """How many came to a final statement."""
        return Counter(self._states.values())[EventState.FINAL]

    @property
    def under_way(self) -> int:
        """How many are not over yet."""
        over = (EventState.FINAL, EventState.FAILED)
        return sum(state not in over for state in self._states.values())
