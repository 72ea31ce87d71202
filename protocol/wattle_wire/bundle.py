"""Bundles: an update as people make, sign and carry it (SPEC section 17); for a meter's peers.

The half of the format that a board has no use for; `update` is the other one.
"""

import hashlib

from wattle_wire import cbor, cose, structure, update
from wattle_wire.errors import LimitError, MalformedError, TruncatedError
from wattle_wire.update import Update

STREAM_BYTES_MAX = update.FIRMWARE_BYTES_MAX + update.SETTINGS_BYTES_MAX
SIGNATURES_MAX = 32  # as many as an alliance has members
SIGNATURES_NEEDED = 2
BUNDLE_BYTES_MAX = 4 + cbor.INPUT_BYTES_MAX + STREAM_BYTES_MAX
CODE_NAMES = {
    update.RECEIVING: "receiving",
    update.TRIAL: "trial",
    update.CONFIRMED: "confirmed",
    update.ROLLED_BACK: "rolled_back",
    update.OLDER: "older",
    update.MALFORMED: "malformed",
    update.SIGNATURE: "signature",
    update.BOARD: "board",
    update.ROOM: "room",
    update.ALTERED: "altered",
    update.FLASH: "flash",
    update.LOST: "lost",
}
_MARK = "wattle/1/bundle"
_LENGTH_BYTES = 4


class Bundle:
    """An update with its stream and those signatures that it has so far.

    `ledger_id` 16 bytes, `payload` the bytes to sign, `signatures` COSE_Sign1 by rising kid, none
    of them verified; `update` what the payload says.
    """

    __slots__ = ("ledger_id", "payload", "signatures", "stream", "update")

    def __init__(
        self, ledger_id: bytes, payload: bytes, signatures: list[cose.Signed], stream: bytes
    ) -> None:
        """Raises MalformedError unless payload, chunks and files agree."""
        self.ledger_id = ledger_id
        self.payload = payload
        self.signatures = signatures
        self.stream = stream
        self.update = update.decode(payload)
        _check_stream(self.update, stream)

    def message(self) -> bytes:
        """The update message with the first two signatures.

        Raises MalformedError if there are fewer.
        """
        if len(self.signatures) < SIGNATURES_NEEDED:
            raise MalformedError(
                "%d signatures, expected %d" % (len(self.signatures), SIGNATURES_NEEDED)
            )
        parts = [signed.raw for signed in self.signatures[:SIGNATURES_NEEDED]]
        return bytes((0x80 | SIGNATURES_NEEDED,)) + b"".join(parts)

    def chunks(self) -> list[bytes]:
        """The chunks in their order."""
        return chunks(self.stream)

    def contents(self) -> list[tuple[str, bytes]]:
        """(name, content) of each file."""
        found = []
        at = 0
        for name, size, _ in self.update.files:
            found.append((name, self.stream[at : at + size]))
            at += size
        return found

    def with_signature(self, signed: cose.Signed) -> "Bundle":
        """This bundle with one signature more; one by the same kid is replaced."""
        rest = [other for other in self.signatures if other.kid != signed.kid]
        rest.append(signed)
        rest.sort(key=_kid)
        return Bundle(self.ledger_id, self.payload, rest, self.stream)

    def encode(self) -> bytes:
        """The bytes of the file."""
        head = cbor.encode(
            [_MARK, self.ledger_id, self.payload, [signed.raw for signed in self.signatures]]
        )
        return len(head).to_bytes(_LENGTH_BYTES, "big") + head + self.stream


def make(
    ledger_id: bytes, version: int, name: str, board: str, files: list[tuple[str, bytes]]
) -> Bundle:
    """An unsigned bundle of `files` (name, content), in their order.

    Raises MalformedError (or its kinds) for what a meter would refuse.
    """
    stream = b"".join([content for _, content in files])
    if not stream:
        raise MalformedError("an update without content")
    rows = [[name, len(content), hashlib.sha256(content).digest()] for name, content in files]
    first = hashlib.sha256(chunks(stream)[0]).digest()
    return Bundle(ledger_id, cbor.encode([version, name, board, first, rows]), [], stream)


def chunks(stream: bytes) -> list[bytes]:
    """`stream` in chunks, each of which carries the hash of the one behind it."""
    following = b""
    found = []
    last = (len(stream) - 1) // update.CHUNK_BYTES_MAX * update.CHUNK_BYTES_MAX
    for offset in range(last, -1, -update.CHUNK_BYTES_MAX):
        data = stream[offset : offset + update.CHUNK_BYTES_MAX]
        chunk = cbor.encode([offset, following, data])
        following = hashlib.sha256(chunk).digest()
        found.append(chunk)
    found.reverse()
    return found


def decode(data: bytes) -> Bundle:
    """The bundle in the bytes of a file.

    Raises MalformedError (or its kinds) if it is none, or if a file in it is not the one that its
    payload names; SignatureError for a signature that is not low-S.
    """
    if len(data) > BUNDLE_BYTES_MAX:
        raise LimitError("bundle of %d bytes, expected at most %d" % (len(data), BUNDLE_BYTES_MAX))
    end = _LENGTH_BYTES + int.from_bytes(data[:_LENGTH_BYTES], "big")
    if len(data) < end:
        raise TruncatedError("bundle of %d bytes, expected at least %d" % (len(data), end))
    row = structure.array(cbor.decode(data[_LENGTH_BYTES:end]), 4, "bundle")
    if row[0] != _MARK:
        raise MalformedError("not a bundle of this version")
    ledger_id = structure.octets(row[1], cose.LEDGER_ID_BYTES, "ledger id")
    payload = row[2]
    if not isinstance(payload, bytes):
        raise MalformedError("payload is not a byte string")
    signatures: list[cose.Signed] = []
    for raw in structure.items(row[3], SIGNATURES_MAX, "signatures"):
        if not isinstance(raw, bytes):
            raise MalformedError("signature is not a byte string")
        signed = cose.parse_sign1("update", ledger_id, raw)
        if signed.payload != payload or (signatures and signed.kid <= signatures[-1].kid):
            raise MalformedError("signatures are over another payload or not by rising kid")
        signatures.append(signed)
    return Bundle(ledger_id, payload, signatures, data[end:])


def _check_stream(what: Update, stream: bytes) -> None:
    at = 0
    settings = 0
    for name, size, digest in what.files:
        if hashlib.sha256(stream[at : at + size]).digest() != digest:
            raise MalformedError("%s in the bundle is not the file that was signed" % name)
        at += size
        settings += 0 if name == update.FIRMWARE else size
    if at != len(stream):
        raise MalformedError("%d bytes of files, the update names %d" % (len(stream), at))
    if settings > update.SETTINGS_BYTES_MAX:
        raise LimitError("%d bytes of settings, at most %d" % (settings, update.SETTINGS_BYTES_MAX))
    if not at or hashlib.sha256(chunks(stream)[0]).digest() != what.first:
        raise MalformedError("the chunks of the bundle are not those that were signed")


def _kid(signed: cose.Signed) -> bytes:
    return signed.kid
