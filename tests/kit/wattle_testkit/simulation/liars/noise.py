"""Bytes that nobody asked for: far rounds, wrong indices, old messages."""

from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from wattle_gateway.ledger.block import Block, BlockRef
from wattle_gateway.sync import messages
from wattle_gateway.sync.framing import join
from wattle_gateway.sync.packed import PackedBlock
from wattle_gateway.sync.parcels import Parcel
from wattle_wire import cbor, cose

from wattle_testkit.simulation import cheap_keys
from wattle_testkit.simulation.liars.vice import Vice

if TYPE_CHECKING:
    from wattle_testkit.simulation.gateway import SimGateway

FLOOD_BLOCKS = 6
REPLAYS_KEPT = 300
MALFORMED_PERMILLE = 150


class Floods(Vice):
    """With each block come blocks of rounds far above, whose parents do not exist."""

    def says(self, parcel: Parcel) -> list[Parcel]:
        """The block and its false successors."""
        said = self.own_block(parcel)
        if said is None:
            return [parcel]
        block = self.header(said)
        made = [self._false_block(block) for _ in range(FLOOD_BLOCKS)]
        return [parcel, *(self._to(parcel, false) for false in made)]

    def _false_block(self, block: Block) -> Block:
        """A header at a far round; its own parent alone is of our making."""
        random, epoch = self._random, self._gateway.driver.epoch
        far = block.round + random.choice((1, 2, 3, 50, 1_000, 1 << 40))
        others = [author for author in range(epoch.size) if author != block.author]
        parents = [
            BlockRef(far - 1, author, random.randbytes(32))
            for author in (block.author, *others[: epoch.quorum])
        ]
        made = self.signed_again(
            block, time_ms=block.time_ms, parents=parents, entries=(), round_number=far
        )
        return block if made is None else made.block

    @staticmethod
    def _to(parcel: Parcel, block: Block) -> Parcel:
        raw = messages.OwnBlock(PackedBlock(block.raw, ())).encode()
        return Parcel(parcel.to, raw, messages.BLOCK)


class Malformed(Vice):
    """Beside what it should say: indices out of every range, cut bytes, any bytes."""

    def says(self, parcel: Parcel) -> list[Parcel]:
        """The message and, now and then, something that is none."""
        if self._random.randrange(1_000) >= MALFORMED_PERMILLE:
            return [parcel]
        return [parcel, Parcel(parcel.to, self._any(parcel), parcel.kind)]

    def _any(self, parcel: Parcel) -> bytes:
        random = self._random
        epoch = self._gateway.driver.epoch
        far = random.choice((epoch.size, 31, 32, 255, 1 << 31, (1 << 53) - 1, 1 << 62))
        digest = random.randbytes(32)
        choices = (
            lambda: self._block([epoch.number, far, 1, 0, [[0, far, epoch.digest]]]),
            lambda: self._block([epoch.number, 0, 1, 0, [[0, far, epoch.digest]]]),
            lambda: self._block([epoch.number, 0, far, 0, [[far, 0, digest]]]),
            lambda: self._block([far, 0, 1, 0, [[0, 0, epoch.digest]]]),
            lambda: _message(messages.HOLDINGS, [epoch.number, [far] * 40, far]),
            lambda: _message(messages.HOLDINGS, [epoch.number, [0], 0]),
            lambda: _message(messages.FETCH, [1, epoch.number, [[far, far, digest]], [far]]),
            lambda: _message(messages.FETCH, [1, far, [[1, 0, digest]] * 33, []]),
            lambda: _message(messages.SUBSCRIBE, [epoch.number, far]),
            lambda: _message(messages.COMMITS, [1, far]),
            lambda: _message(messages.ASK_LAST, [digest[:8], far]),
            lambda: _message(messages.EVIDENCE, [], digest),
            lambda: parcel.raw[: random.randrange(len(parcel.raw))],
            lambda: random.randbytes(random.randrange(200)),
        )
        return random.choice(choices)()

    def _block(self, row: list[object]) -> bytes:
        epoch, kid = self._gateway.driver.epoch, self._gateway.kid
        payload = cbor.encode([*row, [0, epoch.digest], None])
        sign = cheap_keys.signer(self._gateway.member.block_key)
        signature = sign(cose.digest("block", epoch.ledger_id, kid, payload))
        return _message(messages.BLOCK, [], cose.sign1(kid, payload, signature))


class Replays(Vice):
    """Says again what it said long ago, to anybody, also in later epochs."""

    def __init__(self, gateway: "SimGateway", random: Random) -> None:
        super().__init__(gateway, random)
        self._said: list[Parcel] = []

    def says(self, parcel: Parcel) -> list[Parcel]:
        """The message and an old one."""
        random = self._random
        if len(self._said) < REPLAYS_KEPT:
            self._said.append(parcel)
        else:
            self._said[random.randrange(REPLAYS_KEPT)] = parcel
        old = random.choice(self._said)
        return [parcel, Parcel(parcel.to, old.raw, old.kind)]


class Malleates(Vice):
    """Passes on what others signed, and what it signed itself, under another valid signature."""

    def says(self, parcel: Parcel) -> list[Parcel]:
        """The digest stays the same, the bytes do not."""
        if parcel.kind not in (messages.BLOCK, messages.BLOCKS):
            return [parcel]
        message = self.read(parcel.raw)
        if isinstance(message, messages.OwnBlock):
            message = messages.OwnBlock(self._changed(message.block))
        elif isinstance(message, messages.Blocks):
            message = replace(message, blocks=tuple(map(self._changed, message.blocks)))
        return [parcel] if message is None else [Parcel(parcel.to, message.encode(), parcel.kind)]

    def _changed(self, block: PackedBlock) -> PackedBlock:
        header = bytearray(block.header)
        header[len(header) - cose.SIGNATURE_BYTES + cheap_keys.FREE_BYTE] = self._random.randrange(
            256
        )
        return PackedBlock(bytes(header), block.entries)


def _message(kind: int, head: list[object], *parts: bytes) -> bytes:
    return join(kind, (cbor.encode(head), *parts))
