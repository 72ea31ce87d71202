"""What a meter writes besides its samples: state, birth, enrolment proof (SPEC section 7).

Apart from `uplink`, which reads and checks them, because a board has no use for that half.
"""

from wattle_wire import cbor

CONNECTION_BYTES = 8


def encode_state(
    connection: bytes,
    online: bool,
    nonce: bytes | None = None,
    health: list[object] | None = None,
) -> bytes:
    """The bytes of `state`: the last will (`online` False) or the live hint.

    `connection` 8 random bytes of this connection, `nonce` 16 bytes to ask for the time, `health`
    the record of SPEC section 7 as it is.
    """
    if not online:
        return cbor.encode([0, connection])
    return cbor.encode([1, connection, nonce] if health is None else [1, connection, nonce, health])


def encode_birth(birth: dict[str, object]) -> bytes:
    """The payload of a birth; takes the keys of SPEC section 7 as they are."""
    return cbor.encode(birth)


def encode_proof(
    eui64: bytes,
    signing_public: bytes,
    link_public: bytes,
    tls_public: bytes,
    first_seq: int,
    protection: str,
) -> bytes:
    """The payload of an enrolment proof, to be signed as kind `enrol` by the signing key."""
    return cbor.encode([eui64, signing_public, link_public, tls_public, first_seq, protection])
