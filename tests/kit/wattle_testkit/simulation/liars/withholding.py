"""Keeping to oneself what others need."""

from random import Random
from typing import TYPE_CHECKING

from wattle_gateway.ledger.block import BlockRef, VerifiedBlock
from wattle_gateway.sync import messages
from wattle_gateway.sync.packed import PackedBlock, pack
from wattle_gateway.sync.parcels import Parcel

from wattle_testkit.simulation.liars.vice import Vice, block_parcel

if TYPE_CHECKING:
    from wattle_testkit.simulation.gateway import SimGateway


class Silent(Vice):
    """Says nothing at all, and hears everything."""

    def says(self, parcel: Parcel) -> list[Parcel]:
        """Nothing."""
        return []


class WithholdsBlocks(Vice):
    """Streams its blocks to some, and serves none to those who ask."""

    def __init__(self, gateway: "SimGateway", random: Random) -> None:
        super().__init__(gateway, random)
        self._told: dict[bytes, bool] = {}

    def says(self, parcel: Parcel) -> list[Parcel]:
        """Whom it likes is drawn once."""
        if parcel.kind == messages.BLOCKS:
            return []
        if parcel.kind == messages.BLOCK:
            likes = self._told.setdefault(parcel.to, self._random.random() < 0.5)
            return [parcel] if likes else []
        return [parcel]


class WithholdsPayload(Vice):
    """Shows headers without what they announce."""

    def says(self, parcel: Parcel) -> list[Parcel]:
        """The entries stay here, half of the time."""
        said = self.own_block(parcel)
        if said is None or not said.block.entries or self._random.random() < 0.5:
            return [parcel]
        bare = messages.OwnBlock(PackedBlock(said.block.header, ()))
        return [Parcel(parcel.to, bare.encode(), parcel.kind)]


class WithholdsParents(Vice):
    """Names as few parents as the rules allow, and never the same ones: so that as little as
    possible of what others made gets into the order through it."""

    def __init__(self, gateway: "SimGateway", random: Random) -> None:
        super().__init__(gateway, random)
        self._instead: dict[bytes, VerifiedBlock | None] = {}
        self._made: dict[BlockRef, VerifiedBlock] = {}

    def says(self, parcel: Parcel) -> list[Parcel]:
        """The same changed block for everybody: it is no equivocation."""
        said = self.own_block(parcel)
        if said is None:
            return [parcel]
        block = self.header(said)
        if block.digest not in self._instead:
            quorum = self._gateway.driver.epoch.quorum
            own = self._own_parent(block.parents[0])
            below = [ref for ref in block.parents[1:] if ref.round == block.round - 1]
            needed = quorum - (own.round == block.round - 1)
            kept = sorted(
                self._random.sample(below, min(needed, len(below))), key=lambda ref: ref.author
            )
            made = self.signed_again(
                block, time_ms=block.time_ms, parents=[own, *kept], entries=said.block.entries
            )
            self._instead[block.digest] = made
            if made is not None:
                self._made[made.block.ref] = made
        changed = self._instead[block.digest]
        return [parcel] if changed is None else [block_parcel(parcel.to, changed)]

    def hears(self, peer: bytes, raw: bytes) -> bool:
        """What others know as its blocks is served."""
        message = self.read(raw)
        if isinstance(message, messages.Fetch):
            wanted = [self._made[ref] for ref in message.refs if ref in self._made]
            if wanted:
                answer = messages.Blocks(message.id, tuple(map(pack, wanted))).encode()
                self._gateway.send(Parcel(peer, answer, messages.BLOCKS))
        return True

    def _own_parent(self, ref: BlockRef) -> BlockRef:
        """What the others know the own parent as."""
        changed = self._instead.get(ref.digest)
        return ref if changed is None else changed.block.ref
