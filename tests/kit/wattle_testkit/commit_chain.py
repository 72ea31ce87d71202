"""A ledger grown commit by commit, without consensus: entries in, what execution says out."""

from wattle_gateway.contracts import alliance
from wattle_gateway.contracts.execute import Executed, Outcome, execute
from wattle_gateway.contracts.state import Change, StateRows, key
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import crypto
from wattle_gateway.ledger.block import VerifiedBlock
from wattle_gateway.ledger.commit import Commit, CommitHead, first_head
from wattle_gateway.ledger.epoch import Epoch, next_epoch

from wattle_testkit.alliance import Party

# What the ledger itself writes behind the entries of a commit (rules 3): how its gateways are
# connected, and the change that it proposes.
_OWN_ROWS = (key("connected"), key("change", alliance.CONTRACT))


def changes_by_entries(executed: Executed) -> tuple[Change, ...]:
    """The changes of a commit without those that the ledger makes whatever the entries are."""
    return tuple(change for change in executed.changes if change[0] not in _OWN_ROWS)


class CommitChain:
    """State, head and epoch after the commits so far; every commit is one block of author 0."""

    def __init__(self, epoch: Epoch, *parties: Party) -> None:
        self.epoch = epoch
        self.state = StateRows()
        self.head: CommitHead = first_head(epoch)
        self.leaves: list[bytes] = []
        self.digests = [self.head.digest]
        self._sign = {party.kid: party.sign for party in parties}

    def commit(self, *entries: bytes, time_ms: int | None = None) -> Executed:
        """Execute entries in one commit, by default at the time of the one before."""
        commit, block = self.prepare(*entries, time_ms=time_ms)
        executed = execute(
            self.state, self.head, commit, [block], self.epoch, crypto.verify, self.digest_of
        )
        self.head = executed.head
        self.digests.append(self.head.digest)
        self.leaves.extend(executed.leaves)
        for row, value in executed.changes:
            if value is None:
                del self.state[row]
            else:
                self.state[row] = value
        if executed.ended is not None:
            self.epoch = next_epoch(self.epoch, executed.ended, self.head)
        return executed

    def digest_of(self, index: int) -> bytes | None:
        """The digest of a commit so far; that of epoch 0 for 0."""
        return self.digests[index] if index < len(self.digests) else None

    def prepare(self, *entries: bytes, time_ms: int | None = None) -> tuple[Commit, VerifiedBlock]:
        """The next commit and its block, not executed."""
        time_ms = self.head.time_ms if time_ms is None else time_ms
        number = self.head.index + 1
        made = block_format.build(
            self.epoch,
            0,
            self._sign[self.epoch.members[0].kid],
            round_number=number,
            time_ms=time_ms,
            parents=[block_format.round_zero(self.epoch, 0)],
            commit_vote=self.head.vote,
            entries=entries,
        )
        commit = Commit(self.epoch.number, number, made.block.ref, (made.block,), time_ms)
        return commit, made

    def one(self, entry: bytes, time_ms: int | None = None) -> Outcome:
        """What becomes of one entry in a commit of its own."""
        (outcome,) = self.commit(entry, time_ms=time_ms).outcomes
        return outcome
