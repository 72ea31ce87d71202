"""What a running gateway does for accounts: signs for its member, carries what others signed."""

import binascii
from collections.abc import Callable

from wattle_wire import cbor, cose
from wattle_wire.errors import WireError

from wattle_gateway.admin.channel import Answer, Handler
from wattle_gateway.admin.signatory import Signatory
from wattle_gateway.contracts import waiting
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger import (
    account_bodies,
    event_bodies,
    offer_bodies,
    settlement_bodies,
    transaction,
)
from wattle_gateway.ledger.errors import LedgerError
from wattle_gateway.ledger.hosted_word import WORD_BYTES_MAX
from wattle_gateway.runtime.ledger_thread import LedgerThread

# A body is a few kids and numbers, the terms of an offer, a word, or an order to a thousand loads
# of at most 20 bytes each.
BODY_BYTES_MAX = max(WORD_BYTES_MAX, 20 * event_bodies.NAMED_LOADS_MAX) + 64
TRANSACTION_BYTES_MAX = BODY_BYTES_MAX + 256
_PARSERS: dict[int, Callable[[object], object]] = {
    transaction.REGISTER: account_bodies.parse_register,
    transaction.OPEN: account_bodies.parse_open,
    transaction.ISSUE: account_bodies.parse_issue,
    transaction.REDEEM: account_bodies.parse_redeem,
    transaction.TRANSFER: account_bodies.parse_transfer,
    transaction.LOCK: account_bodies.parse_lock,
    transaction.UNLOCK: account_bodies.parse_unlock,
    transaction.ASSIGN: account_bodies.parse_assign,
    transaction.OFFER: offer_bodies.parse_offer,
    transaction.RETRACT: offer_bodies.parse_retract,
    transaction.PUBLISH: event_bodies.parse_publish,
    transaction.DECLARE: event_bodies.parse_declare,
    transaction.WITHDRAW: event_bodies.parse_withdraw,
    transaction.DISPATCH: event_bodies.parse_dispatch,
    transaction.APPROVE: transaction.parse_approve,
    **settlement_bodies.PARSERS,
}


class AccountDesk:
    """Handlers of the admin channel for transactions of accounts, offers and events."""

    def __init__(self, signatory: Signatory, ledger: LedgerThread) -> None:
        self._signatory = signatory
        self._ledger = ledger

    def by_name(self) -> dict[str, Handler]:
        """The handlers of the admin channel."""
        return {"send": self._send, "turn": self._turn, "carry": self._carry}

    async def _send(self, request: Answer) -> Answer:
        """`kind` and `body` (hex of CBOR) of a transaction of this gateway's member."""
        try:
            kind, raw = request["kind"], binascii.unhexlify(request["body"])
            if kind not in _PARSERS or len(raw) > BODY_BYTES_MAX:
                raise UsageError(f"send: kind {kind!r} with a body of {len(raw)} bytes")
            body = cbor.decode(raw)
            _PARSERS[kind](body)
        except (KeyError, TypeError, ValueError, WireError, LedgerError) as error:
            raise UsageError(f"send: {error}") from error
        assert isinstance(body, list)
        digest = await self._signatory.commit(kind, body, alone=True)
        return await self._done(digest)

    async def _turn(self, request: Answer) -> Answer:
        """`party` kid in hex; the nonce of its next transaction."""
        try:
            kid = binascii.unhexlify(request["party"])
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"turn: {error}") from error
        if len(kid) != cose.KID_BYTES:
            raise UsageError(f"turn: a kid of {len(kid)} bytes, expected {cose.KID_BYTES}")
        head = await self._ledger.read(lambda driver: driver.head)
        return {"nonce": await self._signatory.turn(kid), "time_ms": head.time_ms}

    async def _carry(self, request: Answer) -> Answer:
        """`transaction` hex of COSE_Sign1 bytes."""
        try:
            raw = binascii.unhexlify(request["transaction"])
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(f"carry: {error}") from error
        if len(raw) > TRANSACTION_BYTES_MAX:
            raise UsageError(f"carry: {len(raw)} bytes, expected at most {TRANSACTION_BYTES_MAX}")
        return await self._done(await self._signatory.carry(raw))

    async def _done(self, digest: bytes) -> Answer:
        """What became of an accepted transaction: it may wait for somebody's yes."""
        found = await self._ledger.read(lambda driver: waiting.find(driver.state, digest))
        return {
            "digest": digest.hex(),
            "waits_until_ms": None if found is None else found.until_ms,
        }
