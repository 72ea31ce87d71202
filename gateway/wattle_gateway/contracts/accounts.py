"""Assets, accounts and locks in the state (SPEC section 11): their rows, read and written here.

For every asset the sum of all unlocked and locked balances is `issued` - `redeemed`; what changes
a balance stands in `payments`, in pairs that keep it so.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from wattle_wire import cbor, cose, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.state import State, key, keys_beginning, prefix
from wattle_gateway.ledger.account_bodies import AMOUNT_MAX, DECIMALS_MAX, parse_asset
from wattle_gateway.ledger.errors import FormatError
from wattle_gateway.ledger.transaction import DIGEST_BYTES

# Any party may lock as often as it likes; each lock is a row that stays until it is ended.
LOCKS_MAX = 64


@dataclass(frozen=True)
class Asset:
    """`issued`, `redeemed` all amounts so far, in units of which 10^decimals are one."""

    name: str
    decimals: int
    issuer: bytes
    issued: int
    redeemed: int


@dataclass(frozen=True)
class Account:
    """What a party has of an asset: `unlocked` to spend, `locked` in a number of `locks`."""

    party: bytes
    asset: str
    unlocked: int = 0
    locked: int = 0
    locks: int = 0


@dataclass(frozen=True)
class HeldLock:
    """An amount of `owner` (kid) of which up to `until_ms` only `holder` (kid) disposes; `digest`
    of the transaction that made it."""

    digest: bytes
    owner: bytes
    asset: str
    amount: int
    holder: bytes
    until_ms: int


def asset(state: Rows, name: str) -> Asset | None:
    """An asset by name, None if there is none. Raises StateError."""
    value = state.get(key("asset", name))
    return None if value is None else _decode_asset(name, value)


def assets(state: Mapping[bytes, bytes]) -> list[Asset]:
    """All assets by name."""
    found = [_decode_asset(_text(ids[0], row), state[row]) for row, ids in _rows(state, "asset", 1)]
    return sorted(found, key=lambda one: one.name)


def put_asset(state: State, asset: Asset) -> None:
    """Write an asset."""
    row = [asset.decimals, asset.issuer, asset.issued, asset.redeemed]
    state.put(key("asset", asset.name), cbor.encode(row))


def account(state: Rows, party: bytes, asset: str) -> Account | None:
    """The account of a party (kid) in an asset, None if it has none. Raises StateError."""
    value = state.get(key("account", party, asset))
    return None if value is None else _decode_account(party, asset, value)


def accounts(state: Mapping[bytes, bytes]) -> list[Account]:
    """All accounts by asset and party."""
    found = [
        _decode_account(_octets(ids[0], row), _text(ids[1], row), state[row])
        for row, ids in _rows(state, "account", 2)
    ]
    return sorted(found, key=lambda one: (one.asset, one.party))


def put_account(state: State, account: Account) -> None:
    """Write an account; an amount below 0 is our own bug."""
    assert min(account.unlocked, account.locked, account.locks) >= 0, account
    row = [account.unlocked, account.locked, account.locks]
    state.put(key("account", account.party, account.asset), cbor.encode(row))


def lock(state: Rows, digest: bytes) -> HeldLock | None:
    """A lock by the digest of its transaction, None if there is none. Raises StateError."""
    value = state.get(key("lock", digest))
    return None if value is None else _decode_lock(digest, value)


def locks(state: Mapping[bytes, bytes]) -> list[HeldLock]:
    """All locks by digest."""
    found = [_decode_lock(_octets(ids[0], row), state[row]) for row, ids in _rows(state, "lock", 1)]
    return sorted(found, key=lambda one: one.digest)


def put_lock(state: State, lock: HeldLock) -> None:
    """Write a lock."""
    row = [lock.owner, lock.asset, lock.amount, lock.holder, lock.until_ms]
    state.put(key("lock", lock.digest), cbor.encode(row))


def delete_lock(state: State, digest: bytes) -> None:
    """A lock is no more."""
    state.delete(key("lock", digest))


def _rows(state: Mapping[bytes, bytes], table: str, ids: int) -> list[tuple[bytes, list[object]]]:
    """(key, ids) of every row of a table."""
    begin = prefix(table, ids)
    found = []
    for row in keys_beginning(state, begin):
        try:
            decoded = structure.array(cbor.decode(row), 1 + ids, table)
        except WireError as error:
            raise StateError(f"state key {row.hex()}: {error}") from error
        found.append((row, decoded[1:]))
    return found


def _octets(value: object, row: bytes) -> bytes:
    if not isinstance(value, bytes):
        raise StateError(f"state key {row.hex()}: an id that is no byte string")
    return value


def _text(value: object, row: bytes) -> str:
    if not isinstance(value, str):
        raise StateError(f"state key {row.hex()}: an id that is no text")
    return value


def _decode_asset(name: str, value: bytes) -> Asset:
    try:
        row = structure.array(cbor.decode(value), 4, "asset")
        return Asset(
            name,
            structure.uint(row[0], "decimals", DECIMALS_MAX),
            structure.octets(row[1], cose.KID_BYTES, "issuer"),
            structure.uint(row[2], "issued", AMOUNT_MAX),
            structure.uint(row[3], "redeemed", AMOUNT_MAX),
        )
    except WireError as error:
        raise StateError(f"asset {name}: {error}") from error


def _decode_account(party: bytes, asset: str, value: bytes) -> Account:
    try:
        row = structure.array(cbor.decode(value), 3, "account")
        return Account(
            party,
            asset,
            structure.uint(row[0], "unlocked", AMOUNT_MAX),
            structure.uint(row[1], "locked", AMOUNT_MAX),
            structure.uint(row[2], "locks", LOCKS_MAX),
        )
    except WireError as error:
        raise StateError(f"account {party.hex()} {asset}: {error}") from error


def _decode_lock(digest: bytes, value: bytes) -> HeldLock:
    try:
        row = structure.array(cbor.decode(value), 5, "lock")
        assert len(digest) == DIGEST_BYTES, digest
        return HeldLock(
            digest,
            structure.octets(row[0], cose.KID_BYTES, "owner"),
            parse_asset(row[1]),
            structure.uint(row[2], "amount", AMOUNT_MAX),
            structure.octets(row[3], cose.KID_BYTES, "holder"),
            structure.uint(row[4], "until_ms"),
        )
    except (WireError, FormatError) as error:
        raise StateError(f"lock {digest.hex()}: {error}") from error
