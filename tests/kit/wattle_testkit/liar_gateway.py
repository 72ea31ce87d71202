"""A gateway that is a liar: the command line of the real one, and a vice before it.

    python -m wattle_testkit.liar_gateway equivocates run DIR ..   signs two blocks of a round
    python -m wattle_testkit.liar_gateway garbles run DIR ..       sends bytes that mean nothing

It has its own keys and nobody else's. The honest ones must find it out and go on.
"""

import sys
from collections.abc import Callable
from typing import Any

from wattle_gateway.app.peering import Peering
from wattle_gateway.cli.main import main
from wattle_gateway.ledger import block as block_format
from wattle_gateway.ledger import crypto
from wattle_gateway.peers.links import PeerLinks
from wattle_gateway.sync import messages, reader
from wattle_gateway.sync.messages import OwnBlock
from wattle_gateway.sync.packed import pack

# An honest round now and then, so that it is a member whose blocks the others build on.
TWIN_EVERY_ROUNDS = 3
# Turns heads of CBOR into such as are not allowed.
NOISE = 0x5A


def equivocate(links: PeerLinks, peering: Peering, to: bytes, raw: bytes) -> bytes:
    """Of some rounds, the peer with the lowest kid gets a block that the others do not get."""
    identity, epoch = peering._identity, peering._epoch
    said = reader.parse(raw) if raw[:1] == bytes([messages.BLOCK]) else None
    if not isinstance(said, OwnBlock) or to != min(set(links.up()) | {to}):
        return raw
    block = block_format.parse(said.block.header, epoch.ledger_id)
    if block.kid != identity.kid or block.round % TWIN_EVERY_ROUNDS:
        return raw
    twin = block_format.build(
        epoch,
        block.author,
        crypto.signer(identity.block_key),
        round_number=block.round,
        time_ms=block.time_ms + 1,
        parents=block.parents,
        commit_vote=block.commit_vote,
        entries=(),
    )
    return OwnBlock(pack(twin)).encode()


def garble(_links: PeerLinks, _peering: Peering, _to: bytes, raw: bytes) -> bytes:
    """A message of a known kind in which nothing else means anything."""
    return raw[:1] + bytes(octet ^ NOISE for octet in raw[1:])


VICES: dict[str, Callable[[PeerLinks, Peering, bytes, bytes], bytes]] = {
    "equivocates": equivocate,
    "garbles": garble,
}


def become(vice: str) -> None:
    """From now on every gateway of this process has the vice."""
    says, init, send = VICES[vice], Peering.__init__, PeerLinks.send

    def made(self: Peering, *arguments: Any, **named: Any) -> None:
        init(self, *arguments, **named)
        links = self.links

        def lie(to: bytes, raw: bytes) -> bool:
            return send(links, to, says(links, self, to, raw))

        links.send = lie  # type: ignore[method-assign]

    Peering.__init__ = made  # type: ignore[method-assign]


if __name__ == "__main__":
    become(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
