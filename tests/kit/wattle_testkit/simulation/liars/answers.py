"""False answers to what peers ask."""

from dataclasses import replace

from wattle_gateway.ledger import leaf
from wattle_gateway.ledger.leaf import CommitLeaf
from wattle_gateway.sync import messages
from wattle_gateway.sync.parcels import Parcel

from wattle_testkit.simulation.liars.vice import Vice


class FalseHoldings(Vice):
    """Claims to hold what nobody has made, or nothing."""

    def says(self, parcel: Parcel) -> list[Parcel]:
        """Rounds and commits from the air."""
        if parcel.kind not in (messages.HOLDINGS, messages.HELLO):
            return [parcel]
        message = self.read(parcel.raw)
        far = self._random.choice((0, 7, 500, 1 << 40))
        if isinstance(message, messages.Holdings):
            rounds = tuple(far for _ in message.rounds)
            message = replace(message, rounds=rounds, index=message.index + far)
        elif isinstance(message, messages.Hello):
            message = replace(message, index=message.index + far, epoch=message.epoch + far % 2)
        return [parcel] if message is None else [Parcel(parcel.to, message.encode(), parcel.kind)]


class FalseLast(Vice):
    """Tells a member that comes back that it never made a block."""

    def says(self, parcel: Parcel) -> list[Parcel]:
        """Round 0, whatever it knows."""
        message = self.read(parcel.raw) if parcel.kind == messages.LAST else None
        if not isinstance(message, messages.Last):
            return [parcel]
        nothing = messages.Last(message.nonce, message.epoch, 0, None)
        return [Parcel(parcel.to, nothing.encode(), parcel.kind)]


class FalseHistory(Vice):
    """Gives those who catch up a ledger that never was."""

    def says(self, parcel: Parcel) -> list[Parcel]:
        """A history with one thing wrong."""
        message = self.read(parcel.raw) if parcel.kind == messages.HISTORY else None
        if not isinstance(message, messages.History) or not message.commits:
            return [parcel]
        at = self._random.randrange(len(message.commits))
        commits = list(message.commits)
        wrong = self._random.randrange(8)
        if wrong == 0:
            leaf = bytearray(commits[at].leaf)
            leaf[self._random.randrange(len(leaf))] ^= 1
            commits[at] = replace(commits[at], leaf=bytes(leaf))
        elif wrong == 1:
            commits[at] = replace(commits[at], blocks=commits[at].blocks[1:])
        elif wrong == 2:
            del commits[at]
        elif wrong == 3:
            commits.reverse()
        else:
            return [Parcel(parcel.to, self._forged(message, at).encode(), parcel.kind)]
        false = replace(message, commits=tuple(commits))
        return [Parcel(parcel.to, false.encode(), parcel.kind)]

    def _forged(self, message: messages.History, at: int) -> messages.History:
        """A chain without a flaw up to a commit that left another state: only votes lack."""
        last = message.commits[at]
        row = leaf.decode(last.leaf)
        assert isinstance(row, CommitLeaf)
        false = replace(row, state_digest=self._random.randbytes(32)).encode()
        commits = (*message.commits[:at], replace(last, leaf=false))
        return replace(message, commits=commits, tail=())
