"""Contracts between two parties: execution of `contract`, and its rows (SPEC sections 11 and 12).

One form serves two pairs: who buys adjustments and who promises them agree on prices; who hosts a
user and the user agree on how a payment is split. A contract waits for the other side's `approve`
(`contracts.waiting`). It is effective-dated and never altered: a newer one goes before an older.
"""

from dataclasses import dataclass

from wattle_wire import cbor, cose, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts import accounts, classes, parties
from wattle_gateway.contracts.errors import RefusedError, StateError
from wattle_gateway.contracts.parties import Party
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.state import State, key
from wattle_gateway.ledger.errors import FormatError
from wattle_gateway.ledger.offer_bodies import DAY_MS
from wattle_gateway.ledger.settlement_bodies import Contract, parse_contract

# Two parties that agree anew every month, and keep what is over for as long as it may be asked for.
CONTRACTS_MAX = 64


@dataclass(frozen=True)
class Agreed:
    """A contract that both sides signed, `at_ms` the commit time of the second signature."""

    at_ms: int
    terms: Contract

    def covers(self, asset: str, time_ms: int) -> bool:
        """Whether it speaks of this asset and an event that begins then."""
        terms = self.terms
        return terms.asset == asset and terms.from_ms <= time_ms < terms.until_ms


def between(state: Rows, first: bytes, other: bytes) -> tuple[Agreed, ...]:
    """All contracts that `first` (kid) offered and `other` (kid) approved, in the order of their
    approval. Raises StateError."""
    value = state.get(key("contract", first, other))
    if value is None:
        return ()
    try:
        rows = structure.items(cbor.decode(value), CONTRACTS_MAX, "contracts")
        return tuple(_decode(row, other) for row in rows)
    except (WireError, FormatError) as error:
        raise StateError(f"contract {first.hex()} {other.hex()}: {error}") from error


def terms(state: Rows, first: bytes, other: bytes, asset: str, time_ms: int) -> Contract | None:
    """The contract of two parties (kids) that holds for an event that begins at a time: of several
    the one approved last. None without one."""
    for agreed in reversed(between(state, first, other)):
        if agreed.covers(asset, time_ms):
            return agreed.terms
    return None


def contract_price(
    state: Rows, buyer: bytes, seller: bytes, asset: str, time_ms: int
) -> tuple[int, int, int] | None:
    """(availability, energy, penalty) price of their contract for an event that begins then."""
    found = terms(state, buyer, seller, asset, time_ms)
    if found is None:
        return None
    return found.availability_price, found.energy_price, found.penalty_price


def check_contract(state: State, body: Contract, origin: Party, setting: Setting) -> None:
    """Every clause of a `contract` by `origin`; RefusedError for the first that fails."""
    if body.other == origin.kid:
        raise RefusedError(classes.TO_ITSELF)
    other = parties.party(state, setting.epoch, body.other)
    if other is None or not other.owns:
        raise RefusedError(classes.MEMBER_UNKNOWN)
    if accounts.asset(state, body.asset) is None:
        raise RefusedError(classes.ASSET_UNKNOWN)
    if not setting.time_ms <= body.from_ms < body.until_ms:
        raise RefusedError(classes.CONTRACT_WINDOW)
    if len(_kept(state, origin.kid, body.other, setting)) >= CONTRACTS_MAX:
        raise RefusedError(classes.CONTRACTS_FULL)


def contract(state: State, body: Contract, origin: Party, setting: Setting) -> None:
    """Execute a `contract` to which the other side has agreed."""
    check_contract(state, body, origin, setting)
    kept = (*_kept(state, origin.kid, body.other, setting), Agreed(setting.time_ms, body))
    rows = [[agreed.at_ms, *agreed.terms.row()[1:]] for agreed in kept]
    state.put(key("contract", origin.kid, body.other), cbor.encode(rows))


def _kept(state: State, first: bytes, other: bytes, setting: Setting) -> tuple[Agreed, ...]:
    """Without those that no statement still asks for: the market keeps no event longer."""
    market = setting.epoch.constants.market
    assert market is not None, "a contract needs rules 3"
    oldest_ms = setting.time_ms - 2 * market.keep_days * DAY_MS
    return tuple(one for one in between(state, first, other) if one.terms.until_ms > oldest_ms)


def _decode(value: object, other: bytes) -> Agreed:
    row = structure.array(value, 8, "contract")
    assert len(other) == cose.KID_BYTES
    return Agreed(structure.uint(row[0], "at_ms"), parse_contract([other, *row[1:]]))
