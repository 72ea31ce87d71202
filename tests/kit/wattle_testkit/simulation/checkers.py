"""What must hold after every step of a world, each checked from the step's own news only."""

from collections.abc import Collection
from dataclasses import dataclass, field

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
        if known != head:
            raise ViolationError(
                "agreement",
                f"commit {head.index} of {who} has digest {head.digest.hex()[:12]} and state "
                f"{head.state_digest.hex()[:12]}, expected {known.digest.hex()[:12]} and "
                f"{known.state_digest.hex()[:12]}",
            )
        return False

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


@dataclass
class Promises:
    """What honest gateways told meters to be durable: it is in the log in the end."""

    _durable: dict[str, dict[bytes, int]] = field(default_factory=dict)

    def made(self, who: str, meter: bytes, durable: int) -> None:
        """A gateway sent an ack."""
        of_gateway = self._durable.setdefault(who, {})
        of_gateway[meter] = max(of_gateway.get(meter, 0), durable)

    def voided(self, who: str) -> None:
        """The gateway lost its disk: so may a gateway do; the meters keep what is not final."""
        self._durable.pop(who, None)

    def check(self, meter: bytes, logged: set[tuple[bytes, int]], excused: Ranges) -> None:
        """Raise unless every promised sample of a meter is logged, or excused."""
        for who, of_gateway in sorted(self._durable.items()):
            for seq in range(1, of_gateway.get(meter, 0) + 1):
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
