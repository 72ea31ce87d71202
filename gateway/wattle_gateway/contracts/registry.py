"""The registry of meters in the state, and the other rows about meters (SPEC section 11).

Every such row is read and written here, so that its form stands in one place; `alliance` has
those about members.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Protocol

from wattle_wire import cbor, cose, structure
from wattle_wire.errors import WireError

from wattle_gateway.contracts import chain as chain_rules
from wattle_gateway.contracts import plausibility
from wattle_gateway.contracts.chain import Chain
from wattle_gateway.contracts.errors import StateError
from wattle_gateway.contracts.plausibility import Register
from wattle_gateway.contracts.state import State, key, keys_beginning, prefix
from wattle_gateway.ledger.errors import FormatError
from wattle_gateway.ledger.transaction import Point, parse_points, point_row


class Rows(Protocol):
    """Whatever state rows can be read from: a dict, a store, a `State`."""

    def get(self, row: bytes, /) -> bytes | None:
        """The value of a key, None if there is none."""


@dataclass(frozen=True)
class Revocation:
    """`last_seq` the last that counts, `time_ms` the commit time of the revocation."""

    last_seq: int
    time_ms: int


@dataclass(frozen=True)
class Meter:
    """An enrolled meter. Keys are P-256 points (65 bytes); `kid` that of the signing key."""

    kid: bytes
    eui64: bytes
    signing_key: bytes
    link_key: bytes
    tls_key: bytes
    first_seq: int
    protection: str
    site: str
    home: bytes
    further: tuple[bytes, ...]
    carry: int
    points: tuple[Point, ...]
    revoked: Revocation | None

    def point(self, device: int) -> Point | None:
        """The point of a device number, None if it is not enrolled."""
        for point in self.points:
            if point.device == device:
                return point
        return None

    def counts(self, seq: int, time_ms: int, gap_open_ms: int) -> bool:
        """Whether a sample of this seq can still take effect at commit time `time_ms`:
        not below `first_seq`, and within what a revocation left open (rule 1)."""
        if seq < self.first_seq:
            return False
        if self.revoked is None:
            return True
        return seq <= self.revoked.last_seq and time_ms <= self.revoked.time_ms + gap_open_ms


def meter(state: Rows, kid: bytes) -> Meter | None:
    """The meter with this kid, None if it is not enrolled. StateError for a damaged value."""
    value = state.get(key("meter", kid))
    return None if value is None else _decode_meter(kid, value)


def meters(state: Mapping[bytes, bytes]) -> list[Meter]:
    """All meters by rising kid."""
    begin = prefix("meter", 1)
    rows = keys_beginning(state, begin)
    return [_decode_meter(row[-8:], state[row]) for row in rows]


def put_meter(state: State, meter: Meter) -> None:
    """Write a meter, and the EUI-64 that it holds until it is revoked."""
    state.put(key("meter", meter.kid), cbor.encode(meter_row(meter)))
    if meter.revoked is None:
        state.put(key("eui64", meter.eui64), cbor.encode(meter.kid))
    else:
        state.delete(key("eui64", meter.eui64))


def meter_row(meter: Meter) -> list[object]:
    """A meter as it stands in CBOR, without its kid."""
    revoked = meter.revoked
    return [
        meter.eui64,
        meter.signing_key,
        meter.link_key,
        meter.tls_key,
        meter.first_seq,
        meter.protection,
        meter.site,
        meter.home,
        list(meter.further),
        meter.carry,
        [point_row(point) for point in meter.points],
        None if revoked is None else [revoked.last_seq, revoked.time_ms],
    ]


def holder_of_eui64(state: Rows, eui64: bytes) -> bytes | None:
    """The kid of the unrevoked meter with this EUI-64, None if there is none."""
    value = state.get(key("eui64", eui64))
    if value is None:
        return None
    try:
        return structure.octets(cbor.decode(value), cose.KID_BYTES, "holder")
    except WireError as error:
        raise StateError(f"eui64: {error}") from error


def chain(state: Rows, kid: bytes, first_seq: int) -> Chain:
    """The chain of a meter; an empty one before its first sample."""
    value = state.get(key("chain", kid))
    return chain_rules.new_chain(first_seq) if value is None else chain_rules.decode(value)


def put_chain(state: State, kid: bytes, chain: Chain) -> None:
    """Write the chain of a meter."""
    state.put(key("chain", kid), chain_rules.encode(chain))


def register(state: Rows, kid: bytes, device: int) -> Register:
    """The energy register of a point; an empty one before its first value."""
    value = state.get(key("register", kid, device))
    return Register() if value is None else plausibility.decode(value)


def put_register(state: State, kid: bytes, device: int, register: Register) -> None:
    """Write the energy register of a point."""
    state.put(key("register", kid, device), plausibility.encode(register))


def next_nonce(state: Rows, party: bytes, lane: int) -> int:
    """The nonce that the party's next transaction in this lane must carry."""
    value = state.get(key("nonce", party, lane))
    if value is None:
        return 0
    try:
        return structure.uint(cbor.decode(value), "nonce")
    except WireError as error:
        raise StateError(f"nonce: {error}") from error


def put_next_nonce(state: State, party: bytes, lane: int, nonce: int) -> None:
    """Write the number of transactions that a party has recorded in a lane."""
    state.put(key("nonce", party, lane), cbor.encode(nonce))


def fork(state: Rows, kid: bytes, seq: int) -> tuple[bytes, bytes] | None:
    """The digests (lower first) of two samples of one seq that evidence has shown, or None."""
    value = state.get(key("fork", kid, seq))
    if value is None:
        return None
    try:
        row = structure.array(cbor.decode(value), 2, "fork")
        return structure.octets(row[0], 32, "digest"), structure.octets(row[1], 32, "digest")
    except WireError as error:
        raise StateError(f"fork: {error}") from error


def put_fork(state: State, kid: bytes, seq: int, low: bytes, high: bytes) -> None:
    """Write the digests of two samples of one seq."""
    state.put(key("fork", kid, seq), cbor.encode([low, high]))


def parse_meter(kid: bytes, value: object) -> Meter:
    """The meter in decoded CBOR; raises WireError or FormatError if it is none."""
    row = structure.array(value, 12, "meter")
    return Meter(
        kid,
        structure.octets(row[0], 8, "eui64"),
        structure.octets(row[1], 65, "signing key"),
        structure.octets(row[2], 65, "link key"),
        structure.octets(row[3], 65, "tls key"),
        structure.uint(row[4], "first_seq"),
        structure.text(row[5], 16, "protection"),
        structure.text(row[6], 32, "site"),
        structure.octets(row[7], 8, "home"),
        tuple(structure.octets(item, 8, "further") for item in structure.items(row[8], 8, "")),
        structure.uint(row[9], "carry"),
        parse_points(row[10]),
        _revocation(row[11]),
    )


# Who asks for a meter asks again for its points, its owner, its offers.
@lru_cache(maxsize=256)
def _decode_meter(kid: bytes, value: bytes) -> Meter:
    try:
        return parse_meter(kid, cbor.decode(value))
    except (WireError, FormatError) as error:
        raise StateError(f"meter {kid.hex()}: {error}") from error


def _revocation(value: object) -> Revocation | None:
    if value is None:
        return None
    row = structure.array(value, 2, "revocation")
    return Revocation(structure.uint(row[0], "last_seq"), structure.uint(row[1], "time"))
