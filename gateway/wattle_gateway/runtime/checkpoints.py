"""Checkpoints: the own signature each minute, those of the others, and who signs a false one.

SPEC section 16. Everything but the finished notes is in memory only: after a restart the next
minute begins a new one.
"""

import sqlite3
from dataclasses import dataclass, field

from wattle_gateway.ledger import checkpoint
from wattle_gateway.ledger.checkpoint import Checkpoint, SignatureLine, SignText
from wattle_gateway.ledger.commit import CommitHead
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.evidence import TwoCheckpoints
from wattle_gateway.runtime.executed_ledger import ExecutedLedger
from wattle_gateway.runtime.two_logs import TwoLogs
from wattle_gateway.store import checkpoint_rows
from wattle_gateway.sync.parcels import CheckpointShare, Received, SignedCheckpoint

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


@dataclass
class CheckpointNews:
    """What came of a commit or of others' checkpoints: the `own` share to be sent to all, `false`
    checkpoints of others to be told, `shown` evidence."""

    own: CheckpointShare | None = None
    false: list[SignedCheckpoint] = field(default_factory=list)
    shown: list[TwoCheckpoints] = field(default_factory=list)


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
        self._logs = TwoLogs(connection)

    def executed(self, before: CommitHead, ledger: ExecutedLedger, epoch: Epoch) -> CheckpointNews:
        """A commit of `epoch` was executed, after `before`: the own signature, if one is due and
        this gateway has a vote, and what the shares that waited for this commit show."""
        head, size = ledger.head, ledger.edge.size
        news = CheckpointNews(shown=self._logs.reached(size, epoch))
        if head.time_ms // MINUTE_MS > before.time_ms // MINUTE_MS:
            self._logs.new_minute()
            text = Checkpoint(checkpoint.origin(epoch), size, ledger.edge.root())
            self._open[head.index] = _Open(epoch, text)
            while len(self._open) > OPEN_MAX:
                del self._open[min(self._open)]
            news.own = self._sign(head.index)
            for kid, waiting in list(self._ahead.items()):
                self._ahead[kid] = [late for late in waiting if late.commit_index > head.index]
                for late in waiting:
                    if late.commit_index == head.index:
                        news.shown += self._share(late, head.index, size)
        news.false = self._logs.to_tell(size)
        return news

    def take(self, received: Received, ledger: ExecutedLedger) -> CheckpointNews:
        """What a peer sent: its own shares, not verified yet, and what it says is not of its log.
        A badly signed share changes nothing. Nor does one of our log that was told as false: the
        sender's ledger may have gone wrong, which it finds out by its links to us."""
        news = CheckpointNews()
        size = ledger.edge.size
        for share in received.checkpoints:
            news.shown += self._share(share, ledger.head.index, size)
        for signed in received.contested:
            if signed.size > size:
                self._logs.keep_for_later(signed)
            elif not self._logs.is_ours(signed.size, signed.root, size):
                news.shown += self._logs.false(signed, ledger.epoch)
        news.false = self._logs.to_tell(size)
        return news

    def differing(self) -> tuple[bytes, ...]:
        """Kids of members that signed a checkpoint which is not of our log, rising."""
        return self._logs.differing()

    def _share(self, share: CheckpointShare, executed: int, size: int) -> list[TwoCheckpoints]:
        """A member's share; `executed` the index of our newest commit, `size` the leaves of our
        log. Gives the evidence that it completes."""
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
        signed = SignedCheckpoint(
            share.kid, key, share.size, share.root, share.signature, share.kid
        )
        if said == found.text:
            self._count(share.commit_index, found, author, share.signature)
        elif not self._logs.is_ours(share.size, share.root, size):
            return self._logs.false(signed, found.epoch)
        return self._logs.ours(signed, found.epoch)

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
