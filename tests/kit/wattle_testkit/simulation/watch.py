"""Everything that is checked while a world runs: the news of each step go through here."""

from typing import TYPE_CHECKING

from wattle_gateway.contracts.execute import Executed
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger.commit import Commit
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.sync import messages, reader
from wattle_gateway.sync.parcels import Parcel

from wattle_testkit.simulation.bounds import check_bounds
from wattle_testkit.simulation.checkers import (
    Agreement,
    OneBlockARound,
    Promises,
    ViolationError,
)
from wattle_testkit.simulation.event_count import EventCount
from wattle_testkit.simulation.order_rule import Order
from wattle_testkit.simulation.progress_rule import Progress

if TYPE_CHECKING:
    from wattle_testkit.simulation.gateway import SimGateway


_News = tuple[Commit, Epoch, Executed]


class Watch:
    """The checkers of one world."""

    def __init__(self, ledger_id: bytes, size: int) -> None:
        self.agreement = Agreement()
        self.order = Order()
        self.one_block = OneBlockARound()
        self.promises = Promises()
        self.progress = Progress(size)
        self.events = EventCount()
        self.liars: set[bytes] = set()
        # Members that may be found to have signed twice: liars, and who got an older disk.
        self.suspects: set[bytes] = set()
        self._ledger_id = ledger_id
        self._news: list[_News] = []
        self._unsure: dict[str, list[_News]] = {}

    def executed(self, commit: Commit, epoch: Epoch, executed: Executed) -> None:
        """The gateway whose step runs has executed a commit."""
        self._news.append((commit, epoch, executed))

    def cut(self, gateway: "SimGateway") -> None:
        """The machine lost power in the step under way: its disk will show what of it is true."""
        self._unsure[gateway.address] = self._news
        self._news = []

    def started(self, gateway: "SimGateway") -> None:
        """A gateway goes on from its disk."""
        head = gateway.driver.head
        unsure = self._unsure.pop(gateway.address, [])
        self._news += [news for news in unsure if news[2].head.index <= head.index]
        self.stepped(gateway)
        if gateway.honest:
            self.agreement.started(gateway.address, head)

    def stepped(self, gateway: "SimGateway") -> None:
        """A step is over, and durable."""
        news, self._news = self._news, []
        if not gateway.honest:
            return
        check_bounds(gateway)
        for commit, epoch, executed in news:
            if self.agreement.executed(gateway.address, executed):
                self.order.committed(commit, epoch)
                self.events.executed(executed)
            for kid in executed.cheats:
                if kid not in self.suspects:
                    raise ViolationError(
                        "no honest member accused", f"{kid.hex()} in commit {executed.head.index}"
                    )

    def faulted(self, gateway: "SimGateway", peer: bytes, faults: list[str]) -> None:
        """A gateway ends a link because of what came over it."""
        if gateway.honest and peer not in self.liars:
            raise ViolationError(
                "honest peers get on", f"{gateway.address} blames {peer.hex()[:8]}: {faults}"
            )

    def sent(self, gateway: "SimGateway", parcel: Parcel) -> None:
        """A message leaves a machine."""
        if not gateway.honest or parcel.kind != messages.BLOCK:
            return
        message = reader.parse(parcel.raw)
        assert isinstance(message, messages.OwnBlock)
        header = message.block.header
        block = block_format.parse(header, self._ledger_id)
        if block.kid != gateway.kid:
            raise ViolationError("own blocks only", f"{gateway.address} streams another's block")
        self.one_block.sent(gateway.address, block)
        self.progress.sent(block, self.agreement.newest)
        if gateway.driver.connection.in_transaction:
            raise ViolationError(
                "persisted before sent", f"{gateway.address} sends before its COMMIT"
            )
        row = gateway.driver.connection.execute(
            "SELECT count(*) FROM blocks WHERE epoch = ? AND round = ? AND header = ?",
            (block.epoch, block.round, header),
        ).fetchone()
        if row != (1,):
            raise ViolationError(
                "persisted before sent",
                f"{gateway.address} sends its block of round {block.round} before it is on disk",
            )
