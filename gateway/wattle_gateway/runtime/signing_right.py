"""Whether this gateway may sign blocks now, and which it has signed (rules 12, 31, 32)."""

import sqlite3

from wattle_gateway.ledger.block import Block
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.runtime.errors import StoppedError
from wattle_gateway.store import own_rows


class SigningRight:
    """`active`: own blocks are signed in the epoch in force. Rows are written inside the
    caller's transaction."""

    def __init__(
        self, connection: sqlite3.Connection, kid: bytes, epoch: Epoch, *, follow_only: bool
    ) -> None:
        """At a start, in `epoch`. Raises StoppedError for a ledger that must not go on."""
        self._connection = connection
        self._kid = kid
        self._follow_only = follow_only
        self._mark = own_rows.load(connection)
        if self._mark.stopped is not None:
            raise StoppedError(self._mark.stopped)
        self.active = self._is_alone(epoch)

    @property
    def lost(self) -> bool:
        """Whether nobody knows what the keys signed before this ledger was made."""
        return self._mark.lost

    @property
    def silent_through(self) -> int | None:
        """For a lost ledger: the last epoch in which it signs nothing, once that is known."""
        return self._mark.silent_epoch

    def highest_in(self, epoch: Epoch) -> int:
        """The highest round signed in an epoch, 0 for none."""
        return self._mark.highest_in(epoch.number)

    def enter(self, epoch: Epoch) -> None:
        """An epoch begins. Who signed in the one before goes on at once: enough others had said
        that they are no further than that. Anybody else asks first."""
        is_member = epoch.author_of(self._kid) is not None
        self.active = is_member and (self.active or self._is_alone(epoch))

    def grant(self, epoch: Epoch, above: int | None, through: int | None) -> int | None:
        """What the others say: nothing of ours is above round `above` (None: too few have
        answered); a lost ledger is silent through epoch `through` (None: not known yet).

        Gives the round above which to sign from now on, None as long as there is silence or if
        there is none to end.
        """
        if through is not None and through != self._mark.silent_epoch:
            own_rows.save_silence(self._connection, through)
            self._mark = own_rows.load(self._connection)
        if above is None or self.active or self._follow_only or self._is_behind(epoch):
            return None
        own_rows.raise_to(self._connection, epoch.number, above)
        self._mark = own_rows.load(self._connection)
        self.active = True
        return self.highest_in(epoch)

    def use(self, block: Block) -> None:
        """A block was signed. Raises StoreError if one of its round or later may have been."""
        own_rows.sign(self._connection, block.epoch, block.round)

    def recall(self, block: Block) -> None:
        """A peer has given us a block of ours that we did not remember."""
        own_rows.raise_to(self._connection, block.epoch, block.round)

    def stop(self, why: str) -> None:
        """This ledger is not to be opened again as it is."""
        own_rows.stop(self._connection, why)

    def _is_alone(self, epoch: Epoch) -> bool:
        """Alone there is nobody to ask; but who has lost the ledger has lost the right to sign."""
        if self._mark.lost or self._follow_only or self._is_behind(epoch):
            return False
        return epoch.size == 1 and epoch.author_of(self._kid) is not None

    def _is_behind(self, epoch: Epoch) -> bool:
        """It has signed in a later epoch than its (repaired) ledger has come to."""
        return self._mark.epoch > epoch.number
