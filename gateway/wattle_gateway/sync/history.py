"""Catching up by commits: q votes prove a chain of commit leaves, its blocks come along.

Who is far behind asks one peer for the commits after its own. What a peer gives is believed
only as far as q authors of the epoch have signed blocks whose commit votes name commits of that
chain at or above the last one given with blocks (SPEC section 15): a vote names a commit's
digest, the digest covers all before it, so at least n - 2f honest members executed them all.
The blocks themselves are tied to their leader by hashes; that a commit takes exactly these is
for the engine to see.
"""

from wattle_gateway.sync.intake import Intake
from wattle_gateway.sync.messages import COMMITS, Commits, History
from wattle_gateway.sync.parcels import Parcel, ProvedCommit
from wattle_gateway.sync.peer import Links, Peer
from wattle_gateway.sync.proof import prove
from wattle_gateway.sync.shelf import Shelf

# An answer is 1 MiB: at 100 kB/s ten seconds.
HISTORY_TIMEOUT_MS = 15000
# Whoever gave a false history, or none in time, is left alone for so long.
HISTORY_DISTRUST_MS = 60000


class HistoryClient:
    """Asks for commits while this gateway is far behind; one request is out at a time."""

    def __init__(self, links: Links, shelf: Shelf) -> None:
        self._links = links
        self._shelf = shelf
        self._out: tuple[bytes, int, int, int] | None = None  # kid, id, first, deadline
        self._handed_index = 0
        self._again_ms: int | None = None

    @property
    def next_tick_ms(self) -> int | None:
        """When the request runs out of time, or another peer is to be asked."""
        return self._again_ms if self._out is None else self._out[3]

    def far_behind(self, steady_ms: int) -> bool:
        """Whether so many claim to be far ahead that an honest one is among them.

        f + 1 of the voting members, or all that are linked if they are fewer. Nobody is counted
        who has nothing more to prove: the last commits of an epoch come as blocks.
        """
        if self._executing:
            return True
        ahead = self._ahead(steady_ms)
        if not ahead:
            return False
        author_of = self._links.epoch.author_of
        claims = [peer for peer in self._links.members() if peer.claim is not None]
        voting = [peer for peer in claims if author_of(peer.kid) is not None]
        if voting:
            claims = voting
            ahead = [peer for peer in ahead if author_of(peer.kid) is not None]
        return len(ahead) >= min(self._links.epoch.faulty_max + 1, len(claims))

    def begins_too_late(self) -> int | None:
        """If nobody who is ahead has the commit after the own head any more: the lowest at which
        the history of one of them begins. Then only a snapshot helps."""
        head_index = self._shelf.head.index
        ahead = [
            peer.begins
            for peer in self._links.members()
            if peer.claim is not None and peer.claim.index > head_index
        ]
        lowest = min(ahead, default=0)
        return lowest if lowest > head_index + 1 else None

    def plan(self, steady_ms: int) -> list[Parcel]:
        """The request to make now, if any; none while commits that were given are executed."""
        if self._executing:
            return []
        self._again_ms = None
        if self._out is not None:
            kid, _id, _first, deadline_ms = self._out
            if steady_ms < deadline_ms:
                return []
            self.refuse(kid, steady_ms)
            self._again_ms = None
        for peer in self._ahead(steady_ms)[:1]:
            first = self._shelf.head.index + 1
            request_id = self._links.new_id()
            self._out = (peer.kid, request_id, first, steady_ms + HISTORY_TIMEOUT_MS)
            return [Parcel(peer.kid, Commits(request_id, first).encode(), COMMITS)]
        return []

    def gone(self, kid: bytes) -> None:
        """A link is gone, its request with it."""
        if self._out is not None and self._out[0] == kid:
            self._out = None

    def new_epoch(self) -> None:
        """An answer that is still out is of the epoch that ended."""
        self._out = None
        self._handed_index = 0

    def refuse(self, kid: bytes, steady_ms: int) -> None:
        """A peer gave a false history or none: others are asked for a while."""
        self.gone(kid)
        self._handed_index = 0
        self._again_ms = steady_ms
        peer = self._links.get(kid)
        if peer is not None:
            peer.distrusted_ms = steady_ms + HISTORY_DISTRUST_MS

    def answered(
        self, peer: Peer, message: History, intake: Intake, steady_ms: int
    ) -> tuple[ProvedCommit, ...]:
        """The commits of an answer that follow the own head, proved; none if it was not asked
        for. Raises UnprovedHistoryError or LedgerError for a lie."""
        if self._out is None or self._out[:3] != (peer.kid, message.id, message.first):
            return ()
        self._out = None
        head = self._shelf.head
        if message.begins is not None:
            peer.begins = message.begins  # others are asked for what lies before
            peer.begins_told_ms = steady_ms
            return ()
        peer.begins = 1
        if not message.commits:
            peer.proves_no_more = True
            return ()
        # Commits decided meanwhile by the rules are skipped, the rest must follow them.
        skipped = head.index + 1 - message.first
        commits = message.commits[skipped:]
        if not commits:
            return ()
        proved = prove(commits, message.tail, message.votes, head.vote, intake, peer.kid)
        self._handed_index = proved[-1].index
        return proved

    @property
    def _executing(self) -> bool:
        """Commits that were handed over are being adopted, one by one."""
        return self._shelf.head.index < self._handed_index

    def _ahead(self, steady_ms: int) -> list[Peer]:
        """The linked members that claim to be far ahead and may have commits to give."""
        head_index = self._shelf.head.index
        far = head_index + self._links.epoch.constants.gc_depth // 2
        return [
            peer
            for peer in self._links.members()
            if peer.claim is not None
            and peer.claim.index > far
            and (peer.begins <= head_index + 1 or peer.may_reach_further(steady_ms))
            and not peer.proves_no_more
            and not peer.distrusted(steady_ms)
        ]
