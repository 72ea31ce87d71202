"""The first message each way: which ledger, who, how far along (SPEC section 15)."""

import asyncio

from websockets.asyncio.connection import Connection
from websockets.exceptions import ConnectionClosed

from wattle_gateway.errors import PeerError
from wattle_gateway.sync import messages, reader
from wattle_gateway.sync.errors import PeerMessageError
from wattle_gateway.sync.messages import Bye, Hello

HELLO_WITHIN_S = 10.0
HELLO_BYTES_MAX = 1024
# Codes of `bye`: what the other side should make of it.
ENDS = 0  # we stop or the link is replaced: come again
FAULT = 1  # you broke a rule
NOT_YOU = 2  # you may not connect (now)


async def exchange(connection: Connection, own: Hello) -> Hello:
    """Send our hello; gives the other's.

    PeerError if it is none, is of another ledger, does not come in time, or the link ends.
    """
    try:
        async with asyncio.timeout(HELLO_WITHIN_S):
            await connection.send(own.encode())
            raw = await connection.recv()
    except TimeoutError as error:
        raise PeerError(f"no hello within {HELLO_WITHIN_S:.0f} s") from error
    except ConnectionClosed as error:
        raise PeerError(f"the link ended before a hello: {error}") from error
    if not isinstance(raw, bytes) or len(raw) > HELLO_BYTES_MAX:
        raise PeerError("its first message is no hello")
    try:
        said = reader.parse(raw)
    except PeerMessageError as error:
        raise PeerError(f"its first message is no hello: {error}") from error
    if isinstance(said, Bye):
        raise PeerError(f"it does not want us: {said.text}")
    if not isinstance(said, Hello):
        raise PeerError(f"its first message is a {messages.KIND_NAMES[raw[0]]}, expected hello")
    if said.ledger_id != own.ledger_id:
        raise PeerError(f"it is on ledger {said.ledger_id.hex()}, expected {own.ledger_id.hex()}")
    return said


def farewell(raw: bytes) -> str:
    """The words of a `bye`; PeerError if it is none."""
    try:
        said = reader.parse(raw)
    except PeerMessageError as error:
        raise PeerError(f"a bye that is none: {error}") from error
    assert isinstance(said, Bye)
    return f"it says: {said.text}"
