"""What must hold after every step of a world, each checked from the step's own news only."""

from collections.abc import Collection

from wattle_gateway.contracts.execute import RECORDED, Executed
from wattle_gateway.ledger import entry
from wattle_gateway.ledger.block import Block
from wattle_gateway.ledger.commit import CommitHead

Ranges = Collection[tuple[int, int]]


class ViolationError(AssertionError):
    """A rule of the alliance was broken; `rule` is its short name."""

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(f"{rule}: {detail}")
        self.rule = rule


class Agreement:
    """One sequence of commits, of states and of log contents for all who follow the rules."""

    def __init__(self) -> None:
        self.heads: dict[int, CommitHead] = {}
        self.samples: set[tuple[bytes, int]] = set()
        self.transactions: set[bytes] = set()
        self.newest = 0

    def executed(self, who: str, executed: Executed) -> bool:
        """A gateway executed a commit; True if it is the first to do so."""
        head = executed.head
        known = self.heads.get(head.index)
        if known is None:
            self.heads[head.index] = head
            self.newest = max(self.newest, head.index)
            self._record(who, executed)
            return True
        _check_same(who, head, known)
        return False

    def started(self, who: str, head: CommitHead) -> None:
        """A gateway goes on from this head, which its disk gave it."""
        if head.index:
            _check_same(who, head, self.heads[head.index])

    def _record(self, who: str, executed: Executed) -> None:
        for outcome in executed.outcomes:
            if outcome.effect != RECORDED:
                continue
            if outcome.kind == entry.SAMPLE:
                assert outcome.meter is not None
                assert outcome.seq is not None
                place = (outcome.meter, outcome.seq)
                if place in self.samples:
                    raise ViolationError(
                        "accepted once",
                        f"sample {outcome.seq} of {outcome.meter.hex()} a second time in commit "
                        f"{executed.head.index} of {who}",
                    )
                self.samples.add(place)
            elif outcome.kind == entry.TRANSACTION:
                assert outcome.digest is not None
                if outcome.digest in self.transactions:
                    raise ViolationError(
                        "accepted once",
                        f"transaction {outcome.digest.hex()[:12]} a second time in commit "
                        f"{executed.head.index} of {who}",
                    )
                self.transactions.add(outcome.digest)


def _check_same(who: str, head: CommitHead, known: CommitHead) -> None:
    if known != head:
        raise ViolationError(
            "agreement",
            f"commit {head.index} of {who} has digest {head.digest.hex()[:12]} and state "
            f"{head.state_digest.hex()[:12]}, expected {known.digest.hex()[:12]} and "
            f"{known.state_digest.hex()[:12]}",
        )


class OneBlockARound:
    """No member that follows the rules signs two blocks for a round, as the wire shows it."""

    def __init__(self) -> None:
        self._signed: dict[tuple[bytes, int, int], bytes] = {}
        self._excused: set[bytes] = set()
        self.broken_by_excused = 0

    def excuse(self, kid: bytes) -> None:
        """Somebody gave this member an older copy of its disk: from now on it counts as one of
        the f that may sign twice (CONSENSUS rule 31 makes it unlikely, not impossible)."""
        self._excused.add(kid)

    def sent(self, who: str, block: Block) -> None:
        """A member sent a block of its own."""
        place = (block.kid, block.epoch, block.round)
        if self._signed.setdefault(place, block.digest) == block.digest:
            return
        if block.kid in self._excused:
            self.broken_by_excused += 1
            return
        raise ViolationError(
            "one block a round",
            f"{who} signed two blocks for round {block.round} of epoch {block.epoch}",
        )


class Promises:
    """What honest gateways told meters to be durable: it is in the log in the end.

    `durable` of an ack also covers what the ledger has, or has as declared lost; a promise is
    only what the gateway has stored by itself.
    """

    def __init__(self) -> None:
        self._stored: dict[tuple[str, bytes], set[int]] = {}
        self._promised: dict[tuple[str, bytes], set[int]] = {}

    def stored(self, who: str, meter: bytes, seq: int) -> None:
        """A gateway has a new sample on disk."""
        self._stored.setdefault((who, meter), set()).add(seq)

    def made(self, who: str, meter: bytes, durable: int) -> None:
        """A gateway sent an ack."""
        waiting = self._stored.get((who, meter))
        if waiting:
            told = {seq for seq in waiting if seq <= durable}
            waiting -= told
            self._promised.setdefault((who, meter), set()).update(told)

    def stopped(self, who: str) -> None:
        """A gateway lost power: what it had not told yet may or may not be on its disk."""
        for place in [place for place in self._stored if place[0] == who]:
            del self._stored[place]

    def voided(self, who: str) -> None:
        """The gateway lost its disk or its vote: so may happen, and the meters keep what is not
        final."""
        for kept in (self._stored, self._promised):
            for place in [place for place in kept if place[0] == who]:
                del kept[place]

    def check(self, meter: bytes, logged: set[tuple[bytes, int]], excused: Ranges) -> None:
        """Raise unless every promised sample of a meter is logged, or excused."""
        for (who, kid), seqs in sorted(self._promised.items()):
            for seq in sorted(seqs) if kid == meter else ():
                if (meter, seq) not in logged and not _stands_in(excused, seq):
                    raise ViolationError(
                        "durable is kept",
                        f"{who} acknowledged sample {seq} of {meter.hex()} as durable, and it is "
                        "not in the log",
                    )


def check_nothing_undeclared(
    meter: bytes, newest: int, logged: set[tuple[bytes, int]], declared: Ranges
) -> None:
    """Every sample of an honest meter is in the log or was declared lost by the meter."""
    for seq in range(1, newest + 1):
        if (meter, seq) not in logged and not _stands_in(declared, seq):
            raise ViolationError(
                "nothing lost undeclared", f"sample {seq} of {meter.hex()}: of {newest}"
            )


def _stands_in(ranges: Ranges, seq: int) -> bool:
    return any(first <= seq <= last for first, last in ranges)
