"""What every vice has: it changes what goes out, and may keep what comes in from the gateway."""

from collections.abc import Sequence
from random import Random
from typing import TYPE_CHECKING

from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger.block import Block, BlockRef, VerifiedBlock
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.sync import messages, reader
from wattle_gateway.sync.errors import PeerMessageError
from wattle_gateway.sync.packed import pack
from wattle_gateway.sync.parcels import Parcel

from wattle_testkit.simulation import cheap_keys

if TYPE_CHECKING:
    from wattle_testkit.simulation.gateway import SimGateway


class Vice:
    """One way of not keeping the rules; by itself it keeps them."""

    def __init__(self, gateway: "SimGateway", random: Random) -> None:
        self._gateway = gateway
        self._random = random

    def says(self, parcel: Parcel) -> list[Parcel]:
        """What goes out instead of a message."""
        return [parcel]

    def hears(self, peer: bytes, raw: bytes) -> bool:
        """Whether the gateway is told of a message of a peer."""
        return True

    def own_block(self, parcel: Parcel) -> messages.OwnBlock | None:
        """The block of our own that a parcel streams, None if it is anything else: another vice
        may have had its turn."""
        if parcel.kind != messages.BLOCK:
            return None
        message = self.read(parcel.raw)
        if not isinstance(message, messages.OwnBlock):
            return None
        try:
            return message if self.header(message).kid == self._gateway.kid else None
        except LedgerError:
            return None

    @staticmethod
    def read(raw: bytes) -> messages.Message | None:
        """The message in a peer's bytes, None if it is none: another liar's."""
        try:
            return reader.parse(raw)
        except PeerMessageError:
            return None

    def header(self, said: messages.OwnBlock) -> Block:
        """The header of a streamed block."""
        return block_format.parse(said.block.header, self._gateway.driver.epoch.ledger_id)

    def signed_again(
        self,
        block: Block,
        *,
        time_ms: int,
        parents: Sequence[BlockRef],
        entries: Sequence[bytes],
        round_number: int | None = None,
    ) -> VerifiedBlock | None:
        """A block like this one, signed by us; None if its epoch is over, or if another vice has
        made it of no author of ours."""
        epoch = self._gateway.driver.epoch
        if block.epoch != epoch.number or block.author != epoch.author_of(self._gateway.kid):
            return None
        return block_format.build(
            epoch,
            block.author,
            cheap_keys.signer(self._gateway.member.block_key),
            round_number=block.round if round_number is None else round_number,
            time_ms=time_ms,
            parents=parents,
            commit_vote=block.commit_vote,
            entries=entries,
        )


class Mouthpiece:
    """All vices of one liar, one behind the other."""

    def __init__(self, vices: Sequence[Vice]) -> None:
        self._vices = vices

    def says(self, parcel: Parcel) -> list[Parcel]:
        """What goes out instead of a message."""
        said = [parcel]
        for vice in self._vices:
            said = [changed for one in said for changed in vice.says(one)]
        return said

    def hears(self, peer: bytes, raw: bytes) -> bool:
        """Whether the gateway is told."""
        told = [vice.hears(peer, raw) for vice in self._vices]  # each of them hears everything
        return all(told)


def block_parcel(to: bytes, block: VerifiedBlock) -> Parcel:
    """A message that streams a block."""
    return Parcel(to, messages.OwnBlock(pack(block)).encode(), messages.BLOCK)
