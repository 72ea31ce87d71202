"""The registry of meters in the state (SPEC sections 11 and 12)."""

from collections.abc import Mapping
from dataclasses import dataclass

from wattle_gateway.contracts.chain import Chain
from wattle_gateway.ledger.transaction import Point


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
        not below `first_seq`, and within what a revocation left open."""
        raise NotImplementedError


def meter(state: Mapping[bytes, bytes], kid: bytes) -> Meter | None:
    """The meter with this kid, None if it is not enrolled. StateError for a damaged value."""
    raise NotImplementedError


def meters(state: Mapping[bytes, bytes]) -> list[Meter]:
    """All meters by rising kid. Reads the whole mapping."""
    raise NotImplementedError


def chain(state: Mapping[bytes, bytes], kid: bytes, first_seq: int) -> Chain:
    """The chain of a meter; an empty one before its first sample."""
    raise NotImplementedError


def next_nonce(state: Mapping[bytes, bytes], party: bytes, lane: int) -> int:
    """The nonce that the party's next transaction in this lane must carry."""
    raise NotImplementedError
