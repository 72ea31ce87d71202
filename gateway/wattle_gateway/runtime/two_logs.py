"""Who signs checkpoints of two logs: of each member the ones that show most (SPEC sections 15, 16).

A member may show its false checkpoint to one gateway and its true one to another only. So false
ones, which are rare, are told to all; whoever holds a true one has the evidence.
"""

import sqlite3

from wattle_gateway.ledger import checkpoint, evidence
from wattle_gateway.ledger.checkpoint import Checkpoint, Note, SignatureLine
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.evidence import TwoCheckpoints
from wattle_gateway.store import archive_rows, base_rows, tree_rows
from wattle_gateway.store.schema import TILE_LEAVES
from wattle_gateway.sync.parcels import SignedCheckpoint


class TwoLogs:
    """By kid the smallest checkpoint that is not of our log, and the largest that is: whichever
    comes first, both together are evidence, and no other checkpoint can hide them."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self._false: dict[bytes, SignedCheckpoint] = {}
        self._true: dict[bytes, SignedCheckpoint] = {}
        # By source and kid what our log has not reached: nobody can push out what another told.
        self._later: dict[tuple[bytes, bytes], SignedCheckpoint] = {}
        # Epoch and kid of those that were shown to lie: the ledger takes evidence of each once.
        self._shown: set[tuple[int, bytes]] = set()
        # By kid what was told last, and who was told of since the minute began: a flood of false
        # checkpoints makes one message to each peer a minute.
        self._told: dict[bytes, SignedCheckpoint] = {}
        self._told_now: set[bytes] = set()

    def differing(self) -> tuple[bytes, ...]:
        """Kids of members that signed a checkpoint which is not of our log, rising."""
        return tuple(sorted(self._false))

    def is_ours(self, size: int, root: bytes, log_size: int) -> bool:
        """Whether our log of `log_size` leaves had this root when it had `size`; of sizes before
        the base or of leaves that have left, too, since who cannot tell accuses nobody."""
        if size > log_size:
            return False
        return self._is_beyond(size) or root == tree_rows.head_root(self._connection, size)

    def ours(self, signed: SignedCheckpoint, epoch: Epoch) -> list[TwoCheckpoints]:
        """A checkpoint of our log; gives the evidence that it completes."""
        known = self._true.get(signed.kid)
        if known is None or known.key != signed.key or known.size < signed.size:
            self._true[signed.kid] = signed
        return self._contradicted(signed.kid, epoch)

    def false(self, signed: SignedCheckpoint, epoch: Epoch) -> list[TwoCheckpoints]:
        """A checkpoint that is not of our log; gives the evidence that it completes."""
        known = self._false.get(signed.kid)
        if known is None or known.key != signed.key or known.size > signed.size:
            self._false[signed.kid] = signed
        elif known.size == signed.size and known.root != signed.root:
            return self._evidence(known, signed, signed.root, (), epoch)
        return self._contradicted(signed.kid, epoch)

    def keep_for_later(self, signed: SignedCheckpoint) -> None:
        """A checkpoint of more leaves than our log has."""
        self._later[signed.source, signed.kid] = signed

    def reached(self, log_size: int, epoch: Epoch) -> list[TwoCheckpoints]:
        """Our log has grown: judge what waited for it."""
        shown = []
        due = [at for at, signed in self._later.items() if signed.size <= log_size]
        for signed in [self._later.pop(at) for at in due]:
            if not self.is_ours(signed.size, signed.root, log_size):
                shown += self.false(signed, epoch)
        return shown

    def new_minute(self) -> None:
        """Each member's false checkpoint may be told again, if it is another by now."""
        self._told_now.clear()

    def to_tell(self, log_size: int) -> list[SignedCheckpoint]:
        """False checkpoints to be told now: those that our log has reached."""
        due = []
        for kid, signed in sorted(self._false.items()):
            if kid in self._told_now or signed.size > log_size or self._told.get(kid) == signed:
                continue
            if self.is_ours(signed.size, signed.root, log_size):
                del self._false[kid]  # it was of our log, which had not come so far
                continue
            self._told[kid] = signed
            self._told_now.add(kid)
            due.append(signed)
        return due

    def _contradicted(self, kid: bytes, epoch: Epoch) -> list[TwoCheckpoints]:
        """Evidence, if this member signed another log than ours as well: a checkpoint of each,
        with the proof of what ours was at the size of the other (SPEC section 10, form 3)."""
        false, true = self._false.get(kid), self._true.get(kid)
        if false is None or true is None or false.key != true.key:
            return []
        if false.size > true.size or self._is_beyond(false.size):
            return []  # it may yet go on from the true one, or nobody here can tell
        root = tree_rows.head_root(self._connection, false.size)
        if root == false.root:
            del self._false[kid]
            return []  # it was of our log, which had not come so far
        proof = tree_rows.consistency_proof(self._connection, false.size, true.size)
        return self._evidence(false, true, root, tuple(proof), epoch)

    def _is_beyond(self, size: int) -> bool:
        """Whether leaves that tell the root at a size are not here: before the base, archived."""
        if size < base_rows.leaves_before(self._connection):
            return True
        # The leaves of the tile that had begun tell.
        return size - size % TILE_LEAVES < archive_rows.leaves_gone(self._connection)

    def _evidence(
        self,
        first: SignedCheckpoint,
        second: SignedCheckpoint,
        root: bytes,
        proof: tuple[bytes, ...],
        epoch: Epoch,
    ) -> list[TwoCheckpoints]:
        if (epoch.number, first.kid) in self._shown:
            return []
        self._shown.add((epoch.number, first.kid))
        self._false.pop(first.kid, None)
        origin = checkpoint.origin(epoch)
        return [evidence.two_checkpoints(_note(first, origin), _note(second, origin), root, proof)]


def _note(signed: SignedCheckpoint, origin: str) -> Note:
    line = SignatureLine(checkpoint.key_id(origin, signed.key), signed.signature)
    return Note(Checkpoint(origin, signed.size, signed.root), (line,))
