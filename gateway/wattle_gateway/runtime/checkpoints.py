"""Checkpoints: the own signature each minute, those of the others, and who signs a false one.

SPEC section 16. Everything but the finished notes is in memory only: after a restart the next
minute begins a new one.
"""

import sqlite3
from dataclasses import dataclass, field

from wattle_gateway.ledger import checkpoint, evidence
from wattle_gateway.ledger.checkpoint import Checkpoint, Note, SignatureLine, SignText
from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.evidence import TwoCheckpoints
from wattle_gateway.ledger.merkle import RightEdge
from wattle_gateway.store import checkpoint_rows, tree_rows
from wattle_gateway.sync.parcels import CheckpointShare

MINUTE_MS = 60_000
# Shares come within seconds of a minute's end. Older checkpoints are finished or never will be;
# what lies ahead is kept until this gateway has executed as far.
OPEN_MAX = 8


@dataclass
class _Open:
    """A checkpoint of our own log; `signatures` by author, verified."""

    epoch: Epoch
    text: Checkpoint
    signatures: dict[int, bytes] = field(default_factory=dict)
    finished: bool = False


@dataclass(frozen=True)
class _Seen:
    """A member's share that its checkpoint key of that epoch has signed."""

    key: bytes
    share: CheckpointShare


class CheckpointDesk:
    """Signs and gathers checkpoints of the commits that enter a new minute."""

    def __init__(
        self, connection: sqlite3.Connection, kid: bytes, sign_text: SignText | None
    ) -> None:
        """`sign_text` signs with the member's checkpoint key; None: this gateway only gathers."""
        self._connection = connection
        self._kid = kid
        self._sign_text = sign_text
        self._open: dict[int, _Open] = {}
        self._ahead: dict[bytes, list[CheckpointShare]] = {}
        # By kid the smallest share that is not of our log, and the largest that is: whichever
        # comes first, both together are evidence, and no other share can hide them.
        self._false: dict[bytes, _Seen] = {}
        self._true: dict[bytes, _Seen] = {}
        # Epoch and kid of those that were shown to lie: the ledger takes evidence of each once.
        self._shown: set[tuple[int, bytes]] = set()

    def executed(
        self, before: CommitHead, head: CommitHead, epoch: Epoch, edge: RightEdge
    ) -> tuple[CheckpointShare | None, list[TwoCheckpoints]]:
        """A commit of `epoch` was executed; `edge` is the tree's after it.

        Gives the own signature to be sent to all, if one is due and this gateway has a vote, and
        what the shares that waited for this commit show.
        """
        if head.time_ms // MINUTE_MS <= before.time_ms // MINUTE_MS:
            return None, []
        text = Checkpoint(checkpoint.origin(epoch), edge.size, edge.root())
        self._open[head.index] = _Open(epoch, text)
        while len(self._open) > OPEN_MAX:
            del self._open[min(self._open)]
        share = self._sign(head.index)
        shown = []
        for kid, waiting in list(self._ahead.items()):
            self._ahead[kid] = [late for late in waiting if late.commit_index > head.index]
            for late in waiting:
                if late.commit_index == head.index:
                    shown += self.take(late, head.index)
        return share, shown

    def take(self, share: CheckpointShare, executed: int) -> list[TwoCheckpoints]:
        """A member's share; `executed` the index of our newest commit. Gives the evidence that it
        completes. A share of somebody else, or badly signed, changes nothing."""
        if share.commit_index > executed:
            waiting = self._ahead.setdefault(share.kid, [])
            waiting.append(share)
            del waiting[:-OPEN_MAX]
            return []
        found = self._open.get(share.commit_index)
        author = None if found is None else found.epoch.author_of(share.kid)
        if found is None or author is None:
            return []
        said = Checkpoint(found.text.origin, share.size, share.root)
        key = found.epoch.members[author].checkpoint_key
        line = SignatureLine(checkpoint.key_id(said.origin, key), share.signature)
        try:
            checkpoint.verify_line(said, line, key)
        except LedgerError:
            return []
        seen = _Seen(key, share)
        if said == found.text:
            self._keep(self._true, seen, largest=True)
            self._count(share.commit_index, found, author, share.signature)
        elif not self._is_of_our_log(share, found.text.size):
            self._keep(self._false, seen, largest=False)
        return self._contradicted(share.kid, found.epoch)

    def differing(self) -> tuple[bytes, ...]:
        """Kids of members that signed a checkpoint which is not of our log, rising."""
        return tuple(sorted(self._false))

    def _sign(self, index: int) -> CheckpointShare | None:
        found = self._open[index]
        author = found.epoch.author_of(self._kid)
        if self._sign_text is None or author is None:
            return None
        signature = self._sign_text(found.text.text())
        self._count(index, found, author, signature)
        return CheckpointShare(self._kid, index, found.text.size, found.text.root, signature)

    def _count(self, index: int, found: _Open, author: int, signature: bytes) -> None:
        if found.finished:
            return
        found.signatures[author] = signature
        note = checkpoint.cosigned(found.text, found.signatures, found.epoch)
        if note is not None:
            checkpoint_rows.insert(self._connection, index, note.encode())
            found.finished = True

    def _root(self, size: int) -> bytes:
        """The root of our log at a size that it has had."""
        return tree_rows.head_root(self._connection, size)

    def _is_of_our_log(self, share: CheckpointShare, size: int) -> bool:
        """Whether a share is of our log (of at least `size` leaves), if not after the commit that
        it names."""
        return share.size <= size and share.root == self._root(share.size)

    @staticmethod
    def _keep(kept: dict[bytes, _Seen], seen: _Seen, *, largest: bool) -> None:
        """Keep one share of each member: under another key the new one, else by size."""
        known = kept.get(seen.share.kid)
        if (
            known is None
            or known.key != seen.key
            or (known.share.size < seen.share.size) is largest
        ):
            kept[seen.share.kid] = seen

    def _contradicted(self, kid: bytes, epoch: Epoch) -> list[TwoCheckpoints]:
        """Evidence, if this member signed another log than ours as well: a checkpoint of each,
        with the proof of what ours was at the size of the other (SPEC section 10, form 3)."""
        false, true = self._false.get(kid), self._true.get(kid)
        if false is None or true is None or false.key != true.key:
            return []
        if (epoch.number, kid) in self._shown:
            return []
        size = false.share.size
        if size > true.share.size:
            return []  # it may yet go on from the true one
        del self._false[kid]
        root = self._root(size)
        if root == false.share.root:
            return []  # it was of our log, which had not come so far
        self._shown.add((epoch.number, kid))
        origin = checkpoint.origin(epoch)
        proof = tree_rows.consistency_proof(self._connection, size, true.share.size)
        first, second = (
            Note(
                Checkpoint(origin, seen.share.size, seen.share.root),
                (SignatureLine(checkpoint.key_id(origin, seen.key), seen.share.signature),),
            )
            for seen in (false, true)
        )
        return [evidence.two_checkpoints(first, second, root, tuple(proof))]
