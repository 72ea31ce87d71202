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
    news: tuple[int, int, int] | None = None,
) -> bytes:
    """The bytes of `state`: the last will (`online` False) or the live hint.

    `connection` 8 random bytes of this connection, `nonce` 16 bytes to ask for the time, `health`
    the record of SPEC section 7 as it is, `news` (version, code, offset) of an update (section 17).
    """
    if not online:
        return cbor.encode([0, connection])
    row: list[object] = [1, connection, nonce]
    if health is not None or news is not None:
        row.append(health)
    if news is not None:
        row.append(news)
    return cbor.encode(row)


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
