"""Two blocks of one round: one for some peers, one for the others."""

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

from wattle_gateway.consensus.committer import leader_of
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
        twin = self._twin_of(block, said.block.entries)
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

    def _twin_of(self, block: Block, entries: Sequence[bytes]) -> VerifiedBlock | None:
        """The same one for everybody who is shown one."""
        if block.digest not in self._of:
            tempted = self._random.randrange(1_000) < TWIN_PERMILLE
            self._of[block.digest] = self._keep(self.twin(block, entries) if tempted else None)
        return self._of[block.digest]

    def _keep(self, twin: VerifiedBlock | None) -> VerifiedBlock | None:
        if twin is not None:
            self._twins[twin.block.ref] = twin
        return twin

    def twin(self, block: Block, entries: Sequence[bytes]) -> VerifiedBlock | None:
        """The second block of the round."""
        return self.signed_again(
            block, time_ms=block.time_ms + 1, parents=block.parents, entries=()
        )


class SplitsVotes(Equivocates):
    """Votes for the leader's block before some, and blames its slot before others, twice."""

    def says(self, parcel: Parcel) -> list[Parcel]:
        """Two blocks that blame and one that votes: whoever counts blocks counts too many."""
        said = self.own_block(parcel)
        if said is None:
            return [parcel]
        block = self.header(said)
        first = self._twin_of(block, said.block.entries)
        if first is None:
            return [parcel]
        if first.block.digest not in self._of:
            self._of[first.block.digest] = self._keep(
                self.signed_again(
                    block, time_ms=block.time_ms + 2, parents=first.block.parents, entries=()
                )
            )
        second = self._of[first.block.digest]
        blames = [block_parcel(parcel.to, made) for made in (first, second) if made is not None]
        return self._random.choice(([parcel], blames, [*blames, parcel], [parcel, *blames]))

    def twin(self, block: Block, entries: Sequence[bytes]) -> VerifiedBlock | None:
        """The same block without the leader's block of the round below among its parents."""
        driver = self._gateway.driver
        leader = leader_of(driver.engine.leaders, block.round - 1)
        below = [ref for ref in block.parents if ref.round == block.round - 1]
        left_out = [ref for ref in below if ref.author == leader != block.author]
        if not left_out or len(below) <= driver.epoch.quorum:
            return None
        return self.signed_again(
            block,
            time_ms=block.time_ms + 1,
            parents=[ref for ref in block.parents if ref not in left_out],
            entries=entries,
        )
