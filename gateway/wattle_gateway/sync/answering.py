"""Peers' requests for blocks and commits, within what each may ask for.

What has left for an archive is not looked for here: such a request is handed on, to be answered
from another thread, or as before by what is here (`Answerer.here`).
"""

from wattle_gateway.sync import messages as m
from wattle_gateway.sync import serving
from wattle_gateway.sync.framing import ANSWER_BYTES
from wattle_gateway.sync.intake import Intake
from wattle_gateway.sync.parcels import ArchiveRequest, Parcel, Received
from wattle_gateway.sync.peer import Peer
from wattle_gateway.sync.shelf import Shelf

# What a request costs of a peer's budget even if the answer is small: the look-ups behind it.
REQUEST_COST_BYTES = 16 << 10
COMMITS_COST_BYTES = 128 << 10
# An answer out of the archive may decode a whole part, whatever its own size.
ARCHIVE_COST_BYTES = ANSWER_BYTES


class Answerer:
    """Answers from one shelf."""

    def __init__(self, shelf: Shelf, intake: Intake) -> None:
        self._shelf = shelf
        self._intake = intake

    def fetch(self, peer: Peer, message: m.Fetch, steady_ms: int) -> Received:
        """Blocks that a peer asks for. Raises PeerMessageError for a request that is none."""
        if not peer.budget.allows(steady_ms):
            return Received()
        if self._shelf.has_left(message):
            return self._hand_on(peer, message)
        parcel = self.here(ArchiveRequest(peer.kid, message))
        peer.budget.spend(REQUEST_COST_BYTES + len(parcel.raw))
        return Received([parcel])

    def commits(self, peer: Peer, message: m.Commits, steady_ms: int) -> Received:
        """Commits that a peer asks for."""
        if not peer.budget.allows(steady_ms):
            return Received()
        if self._shelf.has_left(message):
            return self._hand_on(peer, message)
        parcel = self.here(ArchiveRequest(peer.kid, message))
        peer.budget.spend(COMMITS_COST_BYTES + len(parcel.raw))
        return Received([parcel])

    def here(self, request: ArchiveRequest) -> Parcel:
        """The answer out of what is here. Raises PeerMessageError for a request that is none."""
        message = request.message
        if isinstance(message, m.Fetch):
            raw = serving.answer_fetch(self._shelf, message).encode()
            return Parcel(request.kid, raw, m.BLOCKS)
        raw = serving.answer_commits(self._shelf, message, self._intake).encode()
        return Parcel(request.kid, raw, m.HISTORY)

    def _hand_on(self, peer: Peer, message: m.Commits | m.Fetch) -> Received:
        peer.budget.spend(ARCHIVE_COST_BYTES)
        return Received(archived=(ArchiveRequest(peer.kid, message),))
