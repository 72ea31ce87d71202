"""The word of a hosted user: "this is my key, and this member brings me to the ledger" (SPEC 9)."""

from dataclasses import dataclass

from wattle_wire import cbor, cose, structure

from wattle_gateway.ledger import crypto
from wattle_gateway.ledger.crypto import Sign, Verify
from wattle_gateway.ledger.errors import LimitError, SignatureError, wire_errors_named

WORD_BYTES_MAX = 512
NAME_CHARS_MAX = 64


@dataclass(frozen=True)
class HostedWord:
    """What a user said. `version` Unix ms of its making: of two words of a key the higher counts;
    `key` its P-256 point (65 bytes), whose kid is `kid`; `host` kid of a member."""

    raw: bytes
    kid: bytes
    version: int
    key: bytes
    name: str
    host: bytes


def build(
    ledger_id: bytes, key: bytes, sign: Sign, *, version: int, name: str, host: bytes
) -> bytes:
    """A signed word (COSE_Sign1 bytes); `sign` with the private half of `key`."""
    payload = cbor.encode([version, key, name, host])
    kid = cose.kid_of(key)
    return cose.sign1(kid, payload, sign(cose.digest("party", ledger_id, kid, payload)))


def parse(raw: bytes, ledger_id: bytes, verify: Verify) -> HostedWord:
    """The word in `raw`, signed by the key that it names.

    Raises FormatError if it is none, SignatureError if it is not signed so or the key is no point.
    """
    if len(raw) > WORD_BYTES_MAX:
        raise LimitError(f"word of {len(raw)} bytes, expected at most {WORD_BYTES_MAX}")
    with wire_errors_named("word"):
        signed = cose.parse_sign1("party", ledger_id, raw)
        row = structure.array(cbor.decode(signed.payload), 4, "word")
        word = HostedWord(
            raw,
            signed.kid,
            structure.uint(row[0], "version"),
            structure.octets(row[1], crypto.PUBLIC_KEY_BYTES, "public key"),
            structure.text(row[2], NAME_CHARS_MAX, "name"),
            structure.octets(row[3], cose.KID_BYTES, "host"),
        )
    if word.kid != cose.kid_of(word.key):
        raise SignatureError("the word is not signed by the key that it names")
    crypto.load_public(word.key)
    verify(word.key, signed.digest, signed.signature)
    return word
