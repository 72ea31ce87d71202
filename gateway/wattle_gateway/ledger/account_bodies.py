"""Bodies of the transactions of rules 2: parties, accounts, owners of points (SPEC section 10).

Each class is the body of one kind: `row` gives it as it stands in CBOR, the function
`parse_..` takes it from there and raises FormatError for anything else.
"""

import re
from dataclasses import dataclass

from wattle_wire import cose, structure
from wattle_wire.sample import DEVICE_MAX

from wattle_gateway.ledger.errors import FormatError, LimitError, wire_errors_named
from wattle_gateway.ledger.hosted_word import WORD_BYTES_MAX
from wattle_gateway.ledger.transaction import DIGEST_BYTES

ASSET_PATTERN = re.compile(r"[A-Z][A-Z0-9-]{0,15}")
DECIMALS_MAX = 9
# All that is ever issued of an asset: no sum of balances leaves int64.
AMOUNT_MAX = 10**18


@dataclass(frozen=True)
class Register:
    """Body of kind 5: `word` COSE_Sign1 bytes of the user's word."""

    word: bytes

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        return [self.word]


@dataclass(frozen=True)
class Open:
    """Body of kind 6: an account of the originator in `asset`."""

    asset: str

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        return [self.asset]


@dataclass(frozen=True)
class Issue:
    """Body of kind 7: `amount` (smallest units, of which 10^decimals are one) to account `to`."""

    asset: str
    decimals: int
    to: bytes
    amount: int

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        return [self.asset, self.decimals, self.to, self.amount]


@dataclass(frozen=True)
class Redeem:
    """Body of kind 8: the issuer takes `amount` out of the world."""

    asset: str
    amount: int

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        return [self.asset, self.amount]


@dataclass(frozen=True)
class Transfer:
    """Body of kind 9: `amount` from the originator's account to that of `to` (kid)."""

    asset: str
    to: bytes
    amount: int

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        return [self.asset, self.to, self.amount]


@dataclass(frozen=True)
class Lock:
    """Body of kind 10: up to `until_ms` only `holder` (kid) disposes of `amount`."""

    asset: str
    amount: int
    holder: bytes
    until_ms: int

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        return [self.asset, self.amount, self.holder, self.until_ms]


@dataclass(frozen=True)
class Unlock:
    """Body of kind 11: of the lock under `digest` (32 bytes) the holder takes `taken`."""

    digest: bytes
    taken: int

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        return [self.digest, self.taken]


@dataclass(frozen=True)
class Assign:
    """Body of kind 12: point `device` of `meter` (kid) is `owner`'s (kid) from `from_ms` on."""

    meter: bytes
    device: int
    from_ms: int
    owner: bytes

    def row(self) -> list[object]:
        """As it stands in CBOR."""
        return [self.meter, self.device, self.from_ms, self.owner]


def parse_register(body: object) -> Register:
    """The register in a transaction's body; what the word says is not read."""
    with wire_errors_named("register"):
        row = structure.array(body, 1, "register")
    if not isinstance(row[0], bytes) or len(row[0]) > WORD_BYTES_MAX:
        raise LimitError(f"register: word is not a byte string of at most {WORD_BYTES_MAX}")
    return Register(row[0])


def parse_open(body: object) -> Open:
    """The open in a transaction's body."""
    with wire_errors_named("open"):
        row = structure.array(body, 1, "open")
        return Open(parse_asset(row[0]))


def parse_issue(body: object) -> Issue:
    """The issue in a transaction's body."""
    with wire_errors_named("issue"):
        row = structure.array(body, 4, "issue")
        return Issue(
            parse_asset(row[0]),
            structure.uint(row[1], "decimals", DECIMALS_MAX),
            structure.octets(row[2], cose.KID_BYTES, "to"),
            _amount(row[3]),
        )


def parse_redeem(body: object) -> Redeem:
    """The redeem in a transaction's body."""
    with wire_errors_named("redeem"):
        row = structure.array(body, 2, "redeem")
        return Redeem(parse_asset(row[0]), _amount(row[1]))


def parse_transfer(body: object) -> Transfer:
    """The transfer in a transaction's body."""
    with wire_errors_named("transfer"):
        row = structure.array(body, 3, "transfer")
        return Transfer(
            parse_asset(row[0]),
            structure.octets(row[1], cose.KID_BYTES, "to"),
            _amount(row[2]),
        )


def parse_lock(body: object) -> Lock:
    """The lock in a transaction's body."""
    with wire_errors_named("lock"):
        row = structure.array(body, 4, "lock")
        return Lock(
            parse_asset(row[0]),
            _amount(row[1]),
            structure.octets(row[2], cose.KID_BYTES, "holder"),
            structure.uint(row[3], "until_ms"),
        )


def parse_unlock(body: object) -> Unlock:
    """The unlock in a transaction's body."""
    with wire_errors_named("unlock"):
        row = structure.array(body, 2, "unlock")
        return Unlock(
            structure.octets(row[0], DIGEST_BYTES, "lock"),
            structure.uint(row[1], "taken", AMOUNT_MAX),
        )


def parse_assign(body: object) -> Assign:
    """The assign in a transaction's body."""
    with wire_errors_named("assign"):
        row = structure.array(body, 4, "assign")
        device = structure.uint(row[1], "device", DEVICE_MAX)
        if device == 0:
            raise FormatError(f"assign: device 0, expected 1 to {DEVICE_MAX}")
        return Assign(
            structure.octets(row[0], cose.KID_BYTES, "meter"),
            device,
            structure.uint(row[2], "from_ms"),
            structure.octets(row[3], cose.KID_BYTES, "owner"),
        )


def parse_asset(value: object) -> str:
    """An asset's name; FormatError for anything else."""
    if not isinstance(value, str) or not ASSET_PATTERN.fullmatch(value):
        raise FormatError(f"asset {value!r}, expected [A-Z][A-Z0-9-]{{0,15}}")
    return value


def _amount(value: object) -> int:
    amount = structure.uint(value, "amount", AMOUNT_MAX)
    if amount == 0:
        raise FormatError(f"amount is 0, expected 1 to {AMOUNT_MAX}")
    return amount
