"""When a gateway may sign again (rules 31 and 32).

A member that starts cannot be sure what it has signed: its disk may be a copy that is older than
its last block. So it asks the others which of its blocks
is the newest they know, and stays silent until q - 1 of them have said so who are in the same
epoch. Any quorum that could have built on a forgotten block shares f + 1 members with these and
the member itself. Who is in an earlier epoch cannot know, who is in a later one says that this
one is over: neither counts.

A gateway that has lost its ledger ("wiped") cannot rely on that when members may lie (f >= 1):
it stays silent in every epoch that may have begun before its loss. Those are the epochs up to
the highest that q others name when asked after its start, the lowest q counting. As it is one
of the f itself, q others are honest and answer; and of the q - 1 that shared an epoch with its
former life more than f - 1 are among any q others, so an honest one names that epoch.
"""

from collections.abc import Collection
from hashlib import sha256

from wattle_gateway.ledger.block import Block
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import BlockError
from wattle_gateway.sync.intake import Intake
from wattle_gateway.sync.messages import NONCE_BYTES, Last
from wattle_gateway.sync.peer import Links, Peer
from wattle_gateway.sync.shelf import Shelf

# How often who has not answered is asked again.
ASK_AGAIN_MS = 2000
# The own newest block should be in the graph, to be named as parent. Whoever told of it holds
# it; if nobody gives it for so long, the next block goes above its round without it, which is
# as safe.
NEWEST_WAIT_MS = 30000


class Recovery:
    """The silence of one member in one epoch."""

    def __init__(self, epoch: Epoch, author: int, seed: bytes, silence: "Silence") -> None:
        """`seed` random bytes of this start: nobody can answer before he was asked."""
        self.nonce = sha256(seed + epoch.number.to_bytes(8, "big")).digest()[:NONCE_BYTES]
        self._epoch = epoch
        self._author = author
        self._silence = silence
        self._answers: dict[bytes, int] = {}
        self._epochs_said: dict[bytes, int] = {}
        self._newest: Block | None = None
        self._newest_from = b""
        self._enough_ms: int | None = None
        self._above: int | None = None

    @property
    def resume_above(self) -> int | None:
        """The round above which this member may sign, None while it must not."""
        return self._above

    @property
    def wanted(self) -> tuple[Block, bytes] | None:
        """The own newest block and a peer that knows it, while it is waited for."""
        if self._newest is None or self._enough_ms is None or self._above is not None:
            return None
        return self._newest, self._newest_from

    def not_needed(self) -> None:
        """The member may sign in the epoch that has just ended: when it was told so, q - 1 others
        were in that one, too few for any second round of this one. It goes on at once."""
        self._above = 0

    def to_ask(self, links: Links, steady_ms: int) -> list[Peer]:
        """Voting members to ask now; notes that they were."""
        if self._above is not None:
            return []
        asked = []
        for _author, peer in links.voting():
            if peer.kid in self._answers:
                continue
            if peer.asked_last_ms is None or steady_ms >= peer.asked_last_ms + ASK_AGAIN_MS:
                peer.asked_last_ms = steady_ms
                asked.append(peer)
        return asked

    def next_tick_ms(self, links: Links) -> int | None:
        """When somebody is asked again, or waiting for the newest block ends."""
        if self._above is not None:
            return None
        times = [
            peer.asked_last_ms + ASK_AGAIN_MS
            for _author, peer in links.voting()
            if peer.kid not in self._answers and peer.asked_last_ms is not None
        ]
        if self._newest is not None and self._enough_ms is not None:
            times.append(self._enough_ms + NEWEST_WAIT_MS)
        return min(times, default=None)

    def answered(self, kid: bytes, message: Last, intake: Intake) -> None:
        """A voting member's answer. Raises LedgerError if the block it shows is none of ours."""
        if message.nonce != self.nonce or self._above is not None:
            return
        if message.header is not None:
            header = intake.signed_header(message.header)
            if (header.author, header.round) != (self._author, message.round):
                raise BlockError(
                    f"last: a block of author {header.author}, round {header.round}, expected "
                    f"author {self._author}, round {message.round}"
                )
            if self._newest is None or self._newest.round < header.round:
                self._newest, self._newest_from = header, kid
        self._epochs_said[kid] = message.epoch
        if message.epoch == self._epoch.number:
            self._answers[kid] = message.round

    def step(self, shelf: Shelf, steady_ms: int, *, far_behind: bool) -> None:
        """See whether the silence ends. Who is far behind does not wait for its newest block
        yet: it comes with the history."""
        if self._above is not None:
            return
        self._silence.told(self._epoch, self._epochs_said.values())
        if len(self._answers) < self._epoch.quorum - 1 or not self._silence.ends_in(self._epoch):
            return
        if self._enough_ms is None or far_behind:
            self._enough_ms = None if far_behind else steady_ms
        newest = self._newest
        if (
            newest is None
            or shelf.accepted(newest.ref)
            or (self._enough_ms is not None and steady_ms >= self._enough_ms + NEWEST_WAIT_MS)
        ):
            self._above = 0 if newest is None else newest.round
            self._silence.over(self._epoch)


class Silence:
    """What a lost ledger means for signing, over all epochs of a start (rule 32)."""

    def __init__(self, wiped: bool, through: int | None) -> None:
        """`wiped`: the store was made for keys that existed; `through` what was found before."""
        self._wiped = wiped
        self.through = through

    def told(self, epoch: Epoch, epochs_said: Collection[int]) -> None:
        """The epochs that other voting members say they are in. Any q of them settle it, so the
        lowest do: as more come in, a liar's drops out."""
        if self._wiped and epoch.faulty_max and len(epochs_said) >= epoch.quorum:
            said = max(epoch.number, sorted(epochs_said)[epoch.quorum - 1])
            self.through = said if self.through is None else min(self.through, said)

    def ends_in(self, epoch: Epoch) -> bool:
        """Whether enough answers allow signing in this epoch."""
        if not self._wiped:
            return True
        if self.through is not None:
            return epoch.number > self.through
        return epoch.faulty_max == 0 and epoch.size > 1

    def over(self, epoch: Epoch) -> None:
        """The member signs in this epoch, so it has forgotten nothing of the next ones."""
        if self._wiped and self.through is None:
            self.through = epoch.number - 1
