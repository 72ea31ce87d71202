"""Money with a purpose: execution of `fund`, and its rows (D38; SPEC sections 11 and 12).

An event is paid only if it lies within the fund's limits, which its filler has set and nobody
changes (`fund_purpose`).
A fund's money stays in its filler's account, locked. What an event reserves of it is spoken for
until the event is final; what nobody spends returns to the filler when the fund is over.
"""

from dataclasses import dataclass, field, replace

from wattle_wire import cbor, cose, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts import accounts, classes, parties
from wattle_gateway.contracts.errors import RefusedError, StateError
from wattle_gateway.contracts.parties import Party
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.setting import Setting
from wattle_gateway.contracts.state import State, key
from wattle_gateway.ledger import fund_limits
from wattle_gateway.ledger.account_bodies import AMOUNT_MAX, parse_asset
from wattle_gateway.ledger.errors import FormatError
from wattle_gateway.ledger.fund_limits import FundLimits
from wattle_gateway.ledger.settlement_bodies import Fund


@dataclass(frozen=True)
class HeldFund:
    """`left` of what `filler` set aside is free, `reserved` is spoken for by open events of
    `spender`, `spent` is paid; `over` once it is past its time; `limits` which events it pays."""

    digest: bytes
    filler: bytes
    purpose: str
    asset: str
    left: int
    reserved: int
    spent: int
    spender: bytes
    until_ms: int
    over: bool = False
    limits: FundLimits = field(default_factory=FundLimits)


def fund(state: Rows, digest: bytes) -> HeldFund | None:
    """A fund by the digest of its transaction, None if there is none. Raises StateError."""
    value = state.get(key("fund", digest))
    return None if value is None else decode(digest, value)


def fill(state: State, body: Fund, digest: bytes, party: Party, setting: Setting) -> None:
    """Execute a `fund`: the filler's money is locked for the purpose. RefusedError for the first
    clause that fails. Its end belongs on the agenda."""
    if accounts.asset(state, body.asset) is None:
        raise RefusedError(classes.ASSET_UNKNOWN)
    account = accounts.account(state, party.kid, body.asset)
    if account is None:
        raise RefusedError(classes.ACCOUNT_UNKNOWN)
    if parties.party(state, setting.epoch, body.spender) is None:
        raise RefusedError(classes.MEMBER_UNKNOWN)
    if body.until_ms <= setting.time_ms:
        raise RefusedError(classes.FUND_OVER)
    if body.amount > account.unlocked:
        raise RefusedError(classes.BALANCE_SHORT)
    moved = replace(
        account, unlocked=account.unlocked - body.amount, locked=account.locked + body.amount
    )
    accounts.put_account(state, moved)
    held = HeldFund(
        digest,
        party.kid,
        body.purpose,
        body.asset,
        body.amount,
        0,
        0,
        body.spender,
        body.until_ms,
        limits=body.limits,
    )
    _put(state, held)


def usable(state: Rows, digest: bytes, spender: bytes, asset: str, time_ms: int) -> HeldFund:
    """The fund that an event of `spender` (kid) names, if it may spend of it at all. RefusedError
    for the first clause that fails."""
    held = fund(state, digest)
    if held is None:
        raise RefusedError(classes.FUND_UNKNOWN)
    if held.spender != spender:
        raise RefusedError(classes.NOT_THE_SPENDER)
    if held.over or held.until_ms < time_ms:
        raise RefusedError(classes.FUND_OVER)
    if held.asset != asset:
        raise RefusedError(classes.FUND_ASSET)
    return held


def reserve(
    state: State, digest: bytes, spender: bytes, asset: str, amount: int, time_ms: int
) -> None:
    """Speak for an amount on behalf of an event. RefusedError for the first clause that fails."""
    held = usable(state, digest, spender, asset, time_ms)
    if amount > held.left:
        raise RefusedError(classes.FUND_SHORT)
    _put(state, replace(held, left=held.left - amount, reserved=held.reserved + amount))


def give_back(state: State, digest: bytes, amount: int) -> None:
    """An amount that was reserved is not needed: it is free again, or the filler's if the fund is
    over."""
    held = fund(state, digest)
    assert held is not None, "what is reserved keeps its fund"
    assert 0 <= amount <= held.reserved, held
    freed = replace(held, left=held.left + amount, reserved=held.reserved - amount)
    _put(state, _returned(state, freed) if held.over else freed)


def spend(state: State, digest: bytes, amount: int) -> None:
    """Of what was reserved an amount leaves the fund; the account that it leaves is the caller's
    to change, together with the one that it reaches."""
    held = fund(state, digest)
    assert held is not None, "what is reserved keeps its fund"
    assert 0 <= amount <= held.reserved, held
    _put(state, replace(held, reserved=held.reserved - amount, spent=held.spent + amount))


def expire(state: State, digest: bytes, time_ms: int) -> None:
    """The fund is past its time: what is free returns to the filler, what is reserved follows when
    its events are final. Nothing if it is not, or was returned before."""
    held = fund(state, digest)
    if held is None or held.over or time_ms <= held.until_ms:
        return
    _put(state, _returned(state, replace(held, over=True)))


def _returned(state: State, held: HeldFund) -> HeldFund:
    account = accounts.account(state, held.filler, held.asset)
    assert account is not None, "accounts are never closed"
    moved = replace(
        account, unlocked=account.unlocked + held.left, locked=account.locked - held.left
    )
    accounts.put_account(state, moved)
    return replace(held, left=0)


def _put(state: State, held: HeldFund) -> None:
    row = [
        held.filler,
        held.purpose,
        held.asset,
        held.left,
        held.reserved,
        held.spent,
        held.spender,
        held.until_ms,
        int(held.over),
        held.limits.row(),
    ]
    state.put(key("fund", held.digest), cbor.encode(row))


def decode(digest: bytes, value: bytes) -> HeldFund:
    """A fund from its row; StateError for a damaged one."""
    try:
        row = structure.array(cbor.decode(value), 10, "fund")
        return HeldFund(
            digest,
            structure.octets(row[0], cose.KID_BYTES, "filler"),
            structure.text(row[1], 32, "purpose"),
            parse_asset(row[2]),
            structure.uint(row[3], "left", AMOUNT_MAX),
            structure.uint(row[4], "reserved", AMOUNT_MAX),
            structure.uint(row[5], "spent", AMOUNT_MAX),
            structure.octets(row[6], cose.KID_BYTES, "spender"),
            structure.uint(row[7], "until_ms"),
            bool(structure.uint(row[8], "over", 1)),
            fund_limits.parse(row[9]),
        )
    except (WireError, FormatError) as error:
        raise StateError(f"fund {digest.hex()}: {error}") from error
