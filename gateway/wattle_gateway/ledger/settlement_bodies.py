"""Bodies of `contract`, `fund`, `dispute`, `answer`, `decide`: what surrounds the payment of an
event (SPEC section 10, rules 3).

Each class is the body of one kind: `row` gives it as it stands in CBOR, the function `parse_..`
takes it from there and raises FormatError for anything else.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from wattle_wire import cose, structure
from wattle_wire.sample import DEVICE_MAX

from wattle_gateway.ledger import fund_limits, transaction
from wattle_gateway.ledger.account_bodies import AMOUNT_MAX, parse_asset
from wattle_gateway.ledger.errors import FormatError, wire_errors_named
from wattle_gateway.ledger.fund_limits import FundLimits
from wattle_gateway.ledger.offer_bodies import PRICE_MAX
from wattle_gateway.ledger.transaction import DIGEST_BYTES

PERMILLE = 1000
PURPOSE_PATTERN = re.compile(r"[a-z0-9-]{1,32}")
TEXT_CHARS_MAX = 200  # what is to be told at length is told elsewhere
INTERVAL_INDEX_MAX = 999


@dataclass(frozen=True)
class Contract:
    """Body of kind 19: what the originator, who buys or hosts, and `other` (kid) agree on.

    Prices in the asset's smallest unit: `availability_price` per MW and hour, `energy_price` and
    `penalty_price` per MWh. `split_permille` of each payment for points of `other` that the
    originator declares is `other`'s. In force for events that begin in `[from_ms, until_ms)`.
    """

    other: bytes
    asset: str
    availability_price: int
    energy_price: int
    penalty_price: int
    split_permille: int
    from_ms: int
    until_ms: int

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        return [
            self.other,
            self.asset,
            self.availability_price,
            self.energy_price,
            self.penalty_price,
            self.split_permille,
            self.from_ms,
            self.until_ms,
        ]


@dataclass(frozen=True)
class Fund:
    """Body of kind 20: `amount` of the originator's that until `until_ms` only events of `spender`
    (kid) that name this fund and lie within `limits` may spend."""

    purpose: str
    asset: str
    amount: int
    spender: bytes
    until_ms: int
    limits: FundLimits = field(default_factory=FundLimits)

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        return [
            self.purpose,
            self.asset,
            self.amount,
            self.spender,
            self.until_ms,
            self.limits.row(),
        ]


@dataclass(frozen=True)
class Dispute:
    """Body of kind 21: interval `index` (from 0) of point `device` of `meter` (kid) in `event`
    (digest) is not as it was, says the originator, and why."""

    event: bytes
    meter: bytes
    device: int
    index: int
    reason: str

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        return [self.event, self.meter, self.device, self.index, self.reason]


@dataclass(frozen=True)
class Answer:
    """Body of kind 22: what the other side says to the dispute with this digest."""

    dispute: bytes
    text: str

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        return [self.dispute, self.text]


@dataclass(frozen=True)
class Decide:
    """Body of kind 23: by the dispute with this digest the resource gets `amount` more, or less
    where it is below 0."""

    dispute: bytes
    amount: int
    text: str

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        return [self.dispute, self.amount, self.text]


def parse_contract(body: object) -> Contract:
    """The contract in a transaction's body."""
    with wire_errors_named("contract"):
        row = structure.array(body, 8, "contract")
        return Contract(
            structure.octets(row[0], cose.KID_BYTES, "other"),
            parse_asset(row[1]),
            structure.uint(row[2], "availability_price", PRICE_MAX),
            structure.uint(row[3], "energy_price", PRICE_MAX),
            structure.uint(row[4], "penalty_price", PRICE_MAX),
            structure.uint(row[5], "split_permille", PERMILLE),
            structure.uint(row[6], "from_ms"),
            structure.uint(row[7], "until_ms"),
        )


def parse_fund(body: object) -> Fund:
    """The fund in a transaction's body."""
    with wire_errors_named("fund"):
        row = structure.array(body, 6, "fund")
        purpose = structure.text(row[0], 32, "purpose")
        if not PURPOSE_PATTERN.fullmatch(purpose):
            raise FormatError(f"fund: purpose {purpose!r}, expected [a-z0-9-]{{1,32}}")
        amount = structure.uint(row[2], "amount", AMOUNT_MAX)
        if amount == 0:
            raise FormatError(f"fund: amount is 0, expected 1 to {AMOUNT_MAX}")
        return Fund(
            purpose,
            parse_asset(row[1]),
            amount,
            structure.octets(row[3], cose.KID_BYTES, "spender"),
            structure.uint(row[4], "until_ms"),
            fund_limits.parse(row[5]),
        )


def parse_dispute(body: object) -> Dispute:
    """The dispute in a transaction's body."""
    with wire_errors_named("dispute"):
        row = structure.array(body, 5, "dispute")
        device = structure.uint(row[2], "device", DEVICE_MAX)
        if device == 0:
            raise FormatError(f"dispute: device 0, expected 1 to {DEVICE_MAX}")
        return Dispute(
            structure.octets(row[0], DIGEST_BYTES, "event"),
            structure.octets(row[1], cose.KID_BYTES, "meter"),
            device,
            structure.uint(row[3], "interval", INTERVAL_INDEX_MAX),
            _said(row[4], "reason"),
        )


def parse_answer(body: object) -> Answer:
    """The answer in a transaction's body."""
    with wire_errors_named("answer"):
        row = structure.array(body, 2, "answer")
        return Answer(structure.octets(row[0], DIGEST_BYTES, "dispute"), _said(row[1], "text"))


def parse_decide(body: object) -> Decide:
    """The decision in a transaction's body."""
    with wire_errors_named("decide"):
        row = structure.array(body, 3, "decide")
        amount = structure.integer(row[1], "amount")
        if abs(amount) > AMOUNT_MAX:
            raise FormatError(f"decide: amount {amount}, expected at most {AMOUNT_MAX} either way")
        return Decide(
            structure.octets(row[0], DIGEST_BYTES, "dispute"), amount, _said(row[2], "text")
        )


def _said(value: object, what: str) -> str:
    said = structure.text(value, TEXT_CHARS_MAX, what)
    if not said:
        raise FormatError(f"{what} is empty, expected 1 to {TEXT_CHARS_MAX} characters")
    return said


PARSERS: Mapping[int, Callable[[object], object]] = {
    transaction.CONTRACT: parse_contract,
    transaction.FUND: parse_fund,
    transaction.DISPUTE: parse_dispute,
    transaction.ANSWER: parse_answer,
    transaction.DECIDE: parse_decide,
}
"""Kind -> what takes its body from a transaction."""
