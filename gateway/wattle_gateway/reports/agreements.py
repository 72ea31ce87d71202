"""`dr contracts` and `dr funds`: what parties have agreed on, and money that has a purpose."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wattle_wire import cbor

from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.settlement import agreements, funds
from wattle_gateway.contracts.settlement.agreements import Agreed
from wattle_gateway.contracts.settlement.funds import HeldFund
from wattle_gateway.contracts.state import keys_beginning, prefix
from wattle_gateway.errors import UsageError
from wattle_gateway.ledger.event_bodies import METHOD_NAMES
from wattle_gateway.ledger.fund_limits import FundLimits
from wattle_gateway.ledger.offer_bodies import DIRECTION_NAMES
from wattle_gateway.ledger.transaction import DIGEST_BYTES
from wattle_gateway.reports.accounts import Book, Holder

FUND_DIGITS_LEAST = 4


@dataclass(frozen=True)
class ContractLine:
    """A contract that `first` offered and `other` approved; prices in the asset's smallest unit, of
    which 10^decimals are one."""

    first: Holder
    other: Holder
    agreed: Agreed
    decimals: int

    def as_json(self) -> dict[str, Any]:
        """The line as JSON."""
        terms = self.agreed.terms
        return {
            "party": self.first.name,
            "party_kid": self.first.kid,
            "other": self.other.name,
            "other_kid": self.other.kid,
            "asset": terms.asset,
            "availability_price": terms.availability_price,
            "energy_price": terms.energy_price,
            "penalty_price": terms.penalty_price,
            "split_permille": terms.split_permille,
            "from_ms": terms.from_ms,
            "until_ms": terms.until_ms,
            "agreed_ms": self.agreed.at_ms,
        }


@dataclass(frozen=True)
class FundLine:
    """A fund, with its filler and its spender by name."""

    held: HeldFund
    filler: Holder
    spender: Holder
    decimals: int

    def as_json(self) -> dict[str, Any]:
        """The line as JSON."""
        return fund_json(self.held, self.filler, self.spender)


def fund_json(held: HeldFund, filler: Holder, spender: Holder) -> dict[str, Any]:
    """A fund as JSON, with the names of who fills and who spends it; amounts in the asset's
    smallest unit."""
    return {
        "fund": held.digest.hex(),
        "purpose": held.purpose,
        "filler": filler.name,
        "filler_kid": filler.kid,
        "spender": spender.name,
        "spender_kid": spender.kid,
        "asset": held.asset,
        "free": held.left,
        "reserved": held.reserved,
        "spent": held.spent,
        "until_ms": held.until_ms,
        "over": held.over,
        "limits": limits_json(held.limits),
    }


def contract_lines(book: Book, kid: bytes | None) -> list[ContractLine]:
    """The contracts that the state keeps, by pair of parties and in the order of their approval;
    those of one party, if it is given. Raises StateError."""
    found = []
    for row in keys_beginning(book.state, prefix("contract", 2)):
        first, other = _pair(row)
        if kid in (None, first, other):
            found += [
                ContractLine(
                    book.holder(first), book.holder(other), one, _decimals(book, one.terms.asset)
                )
                for one in agreements.between(book.state, first, other)
            ]
    return found


def fund_lines(book: Book, kid: bytes | None) -> list[FundLine]:
    """The funds by their end; those that one party fills or spends, if it is given. StateError."""
    found = [held for held in _funds(book.state) if kid in (None, held.filler, held.spender)]
    return [
        FundLine(
            held, book.holder(held.filler), book.holder(held.spender), _decimals(book, held.asset)
        )
        for held in sorted(found, key=lambda one: (one.until_ms, one.digest))
    ]


def fund_named(state: Mapping[bytes, bytes], word: str) -> bytes:
    """The digest of the fund that begins so; UsageError unless there is exactly one."""
    begin = word.lower()
    found = [held.digest for held in _funds(state) if held.digest.hex().startswith(begin)]
    if len(begin) < FUND_DIGITS_LEAST or len(found) != 1:
        raise UsageError(
            f"{len(found)} funds begin with {word!r}, expected the digest of one of"
            f" `wattle-gateway dr funds`, or its first digits ({FUND_DIGITS_LEAST} at least)"
        )
    return found[0]


def limits_json(limits: FundLimits) -> dict[str, Any]:
    """What a fund pays, as JSON; null and empty lists are no limits."""
    return {
        "methods": [METHOD_NAMES[method] for method in limits.methods],
        "area": limits.area or None,
        "direction": DIRECTION_NAMES.get(limits.direction),
        "from_ms": limits.from_ms or None,
        "to_ms": limits.to_ms,
        "availability_price": limits.availability_price,
        "energy_price": limits.energy_price,
        "event_amount": limits.event_amount,
    }


def _funds(state: Mapping[bytes, bytes]) -> list[HeldFund]:
    keys = keys_beginning(state, prefix("fund", 1))
    return [funds.decode(row[-DIGEST_BYTES:], state[row]) for row in keys]


def _pair(row: bytes) -> tuple[bytes, bytes]:
    """(kid, kid) of the key of a row `contract`."""
    ids = cbor.decode(row)
    first, other = ids[1:] if isinstance(ids, list) and len(ids) == 3 else (None, None)
    if isinstance(first, bytes) and isinstance(other, bytes):
        return first, other
    raise StateError(f"state key {row.hex()}: not of a contract")


def _decimals(book: Book, name: str) -> int:
    asset = book.asset(name)
    assert asset is not None, "contracts and funds name assets of the ledger"
    return asset.decimals
