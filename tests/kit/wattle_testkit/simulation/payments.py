"""Members that use accounts while everything fails: right and wrong payments, and who got what."""

from collections.abc import Mapping
from random import Random

from wattle_gateway.contracts import accounts, waiting
from wattle_gateway.contracts.accounts import Account, HeldLock
from wattle_gateway.contracts.events import rows as rows_of_events
from wattle_gateway.contracts.settlement import funds
from wattle_gateway.contracts.state import prefix
from wattle_gateway.ledger import transaction
from wattle_gateway.ledger.account_bodies import Issue, Lock, Open, Redeem, Transfer, Unlock
from wattle_gateway.ledger.genesis import ACCOUNT_RULES
from wattle_gateway.ledger.transaction import DIGEST_BYTES

from wattle_testkit.simulation.checkers import ViolationError
from wattle_testkit.simulation.gateway import SimGateway

# No member knows such a kind: it is recorded with a refusal, costs a leaf and changes a nonce.
UNKNOWN_KIND = 99
ASSET = "CNY"
DECIMALS = 2
ISSUED = 10_000
LOCK_MS = 20_000
_FUND = prefix("fund", 1)


class Payer:
    """Has members send transactions; what each knows of the ledger may be old, so many of them
    are refused, and some of them are meant to be."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def send(self, gateway: SimGateway) -> None:
        """A transaction of this member."""
        gateway.submit(*self._chosen(gateway))

    def _chosen(self, gateway: SimGateway) -> tuple[int, list[object]]:
        state, epoch = gateway.driver.state, gateway.driver.epoch
        if epoch.rules < ACCOUNT_RULES or self._random.randrange(4) == 0:
            return UNKNOWN_KIND, []
        for found in waiting.everything(state):
            if waiting.may_approve(state, found, epoch, gateway.kid):
                return transaction.APPROVE, [found.digest]
        asset = accounts.asset(state, ASSET)
        if asset is None:
            return transaction.ISSUE, Issue(ASSET, DECIMALS, gateway.kid, ISSUED).row()
        own = accounts.account(state, gateway.kid, ASSET)
        if own is None:
            return transaction.OPEN, Open(ASSET).row()
        return self._payment(own, accounts.accounts(state), accounts.locks(state), gateway)

    def _payment(
        self, own: Account, everybody: list[Account], locks: list[HeldLock], gateway: SimGateway
    ) -> tuple[int, list[object]]:
        random = self._random
        other = random.choice(everybody).party
        amount = random.randint(1, own.unlocked + 1 + own.unlocked // 8)
        choice = random.randrange(8)
        if choice == 0:
            to = random.choice([own.party, other])
            return transaction.ISSUE, Issue(ASSET, DECIMALS, to, amount).row()
        if choice == 1:
            return transaction.REDEEM, Redeem(ASSET, amount).row()
        if choice == 2:
            until_ms = gateway.driver.head.time_ms + random.randrange(LOCK_MS)
            return transaction.LOCK, Lock(ASSET, amount, other, until_ms).row()
        if choice in (3, 4) and locks:
            held = random.choice(locks)
            return transaction.UNLOCK, Unlock(held.digest, random.choice([0, held.amount])).row()
        return transaction.TRANSFER, Transfer(ASSET, other, amount).row()


def check_money(gateway: SimGateway) -> None:
    """Raise ViolationError unless all that was issued and not redeemed is in some account, and all
    that is locked in some lock, fund or event."""
    state = gateway.driver.state
    asset = accounts.asset(state, ASSET)
    if asset is None:
        return
    rows = [row for row in accounts.accounts(state) if row.asset == ASSET]
    held = [lock for lock in accounts.locks(state) if lock.asset == ASSET]
    inside = sum(row.unlocked + row.locked for row in rows)
    if inside != asset.issued - asset.redeemed:
        raise ViolationError(
            "money",
            f"{gateway.address}: {inside} in accounts, issued {asset.issued} less {asset.redeemed}",
        )
    locked = sum(row.locked for row in rows)
    reserved = _reserved(state)
    if locked != sum(lock.amount for lock in held) + reserved:
        raise ViolationError(
            "money", f"{gateway.address}: {locked} locked, in {len(held)} locks and {reserved}"
        )
    if len(held) != sum(row.locks for row in rows):
        raise ViolationError("money", f"{gateway.address}: {locked} locked, in {len(held)} locks")


def _reserved(state: Mapping[bytes, bytes]) -> int:
    """What is locked for events and in funds."""
    kept = [funds.decode(row[-DIGEST_BYTES:], state[row]) for row in state if row.startswith(_FUND)]
    events = [event for event in rows_of_events.events(state) if event.body.fund is None]
    return sum(event.reserved for event in events if event.body.asset == ASSET) + sum(
        fund.left + fund.reserved for fund in kept if fund.asset == ASSET
    )
