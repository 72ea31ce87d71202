"""Two blocks of one round: one for some peers, one for the others."""

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

from wattle_gateway.ledger.block import Block, BlockRef, VerifiedBlock
from wattle_gateway.sync import messages
from wattle_gateway.sync.packed import pack
from wattle_gateway.sync.parcels import Parcel

from wattle_testkit.simulation.liars.vice import Vice, block_parcel

if TYPE_CHECKING:
    from wattle_testkit.simulation.gateway import SimGateway

# Who tells everybody all the time is found out at once; who does it now and then is worse.
TWIN_PERMILLE = 500


class Equivocates(Vice):
    """Signs a second block of its round, with another time and no payload."""

    def __init__(self, gateway: "SimGateway", random: Random) -> None:
        super().__init__(gateway, random)
        self._twins: dict[BlockRef, VerifiedBlock] = {}
        self._of: dict[bytes, VerifiedBlock | None] = {}

    def says(self, parcel: Parcel) -> list[Parcel]:
        """Half of the peers get the twin; some get both."""
        said = self.own_block(parcel)
        if said is None:
            return [parcel]
        block = self.header(said)
        if block.digest not in self._of:
            self._of[block.digest] = self._make(block, said.block.entries)
        twin = self._of[block.digest]
        if twin is None:
            return [parcel]
        other = block_parcel(parcel.to, twin)
        return self._random.choice(([parcel], [other], [other], [parcel, other]))

    def hears(self, peer: bytes, raw: bytes) -> bool:
        """Twins are served: what has been said must be found by who asks for it."""
        message = self.read(raw)
        if isinstance(message, messages.Fetch):
            wanted = [self._twins[ref] for ref in message.refs if ref in self._twins]
            if wanted:
                answer = messages.Blocks(message.id, tuple(map(pack, wanted))).encode()
                self._gateway.send(Parcel(peer, answer, messages.BLOCKS))
        return True

    def _make(self, block: Block, entries: Sequence[bytes]) -> VerifiedBlock | None:
        if self._random.randrange(1_000) >= TWIN_PERMILLE:
            return None
        twin = self.twin(block, entries)
        if twin is not None:
            self._twins[twin.block.ref] = twin
        return twin

    def twin(self, block: Block, entries: Sequence[bytes]) -> VerifiedBlock | None:
        """The second block of the round."""
        return self.signed_again(
            block, time_ms=block.time_ms + 1, parents=block.parents, entries=()
        )


class SplitsVotes(Equivocates):
    """Votes for a block before some, blames its slot before the others."""

    def twin(self, block: Block, entries: Sequence[bytes]) -> VerifiedBlock | None:
        """The same block without one of its parents of the round below."""
        below = [ref for ref in block.parents[1:] if ref.round == block.round - 1]
        spare = sum(ref.round == block.round - 1 for ref in block.parents)
        if not below or spare <= self._gateway.driver.epoch.quorum:
            return None
        left_out = self._random.choice(below)
        return self.signed_again(
            block,
            time_ms=block.time_ms,
            parents=[ref for ref in block.parents if ref != left_out],
            entries=entries,
        )
