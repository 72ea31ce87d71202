"""Checkpoints: signed tree heads that strangers can check (SPEC section 16).

The text is that of c2sp.org/tlog-checkpoint without extension lines, the signatures those of
c2sp.org/signed-note with type 01 (Ed25519). All members sign under one key name, the origin:
their key ids tell them apart. A note has one encoding; the parser refuses every other.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256

from wattle_gateway.ledger import crypto
from wattle_gateway.ledger.epoch import Epoch
from wattle_gateway.ledger.errors import FormatError, LimitError, SignatureError
from wattle_gateway.ledger.genesis import MEMBERS_MAX

SignText = Callable[[bytes], bytes]
"""Checkpoint text -> Ed25519 signature (64 bytes) of RFC 8032."""

ROOT_BYTES = 32
KEY_ID_BYTES = 4
SIGNATURE_BYTES = 64
SIZE_MAX = (1 << 63) - 1
# MEMBERS_MAX signature lines of some 200 bytes below a text of at most 162.
NOTE_BYTES_MAX = 8192

_ED25519 = b"\x01"  # signature type of signed-note
_ORIGIN = re.compile(r"[a-z0-9.-]{1,64}/[0-9a-f]{32}")
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_LINE = re.compile("\u2014 ([^ ]+) ([^ ]+)")


@dataclass(frozen=True)
class Checkpoint:
    """The log of `origin` has `size` leaves and the RFC 6962 root `root` (32 bytes)."""

    origin: str
    size: int
    root: bytes

    def text(self) -> bytes:
        """The bytes that are signed: three lines, each with its LF."""
        root = base64.b64encode(self.root).decode()
        return f"{self.origin}\n{self.size}\n{root}\n".encode()


@dataclass(frozen=True)
class SignatureLine:
    """One member's signature (64 bytes) over a checkpoint's text, found by `key_id` (4 bytes)."""

    key_id: bytes
    signature: bytes


@dataclass(frozen=True)
class Note:
    """A checkpoint with signature lines, in the order in which they stand."""

    checkpoint: Checkpoint
    lines: tuple[SignatureLine, ...]

    def encode(self) -> bytes:
        """The note's bytes."""
        name = self.checkpoint.origin
        lines = [
            f"\u2014 {name} {base64.b64encode(line.key_id + line.signature).decode()}\n"
            for line in self.lines
        ]
        return self.checkpoint.text() + b"\n" + "".join(lines).encode()


def origin(epoch: Epoch) -> str:
    """`<genesis name>/<ledger id, hex>`: names the log, and every key that signs for it."""
    return f"{epoch.name}/{epoch.ledger_id.hex()}"


def key_id(origin: str, public_32: bytes) -> bytes:
    """First 4 bytes of SHA-256(key name || LF || 01 || Ed25519 public key) (signed-note)."""
    return sha256(origin.encode() + b"\n" + _ED25519 + public_32).digest()[:KEY_ID_BYTES]


def sign(checkpoint: Checkpoint, public_32: bytes, sign_text: SignText) -> SignatureLine:
    """The signature line of the member with this checkpoint key."""
    return SignatureLine(key_id(checkpoint.origin, public_32), sign_text(checkpoint.text()))


def verify_line(checkpoint: Checkpoint, line: SignatureLine, public_32: bytes) -> None:
    """Check one signature line; raises SignatureError unless it is of this key."""
    if line.key_id != key_id(checkpoint.origin, public_32):
        raise SignatureError(f"key id {line.key_id.hex()} is not that of this checkpoint key")
    crypto.verify_ed25519(public_32, checkpoint.text(), line.signature)


def signer_of(checkpoint: Checkpoint, line: SignatureLine, epoch: Epoch) -> int:
    """The author index of the voting member that signed; SignatureError if none did."""
    for author, member in enumerate(epoch.members):
        if line.key_id == key_id(checkpoint.origin, member.checkpoint_key):
            crypto.verify_ed25519(member.checkpoint_key, checkpoint.text(), line.signature)
            return author
    raise SignatureError(f"key id {line.key_id.hex()} belongs to no voting member")


def cosigned(checkpoint: Checkpoint, signatures: Mapping[int, bytes], epoch: Epoch) -> Note | None:
    """The note of the q lowest authors in `signatures` (author -> 64 bytes, verified), None
    while they are fewer."""
    authors = sorted(signatures)[: epoch.quorum]
    if len(authors) < epoch.quorum:
        return None
    lines = tuple(
        SignatureLine(
            key_id(checkpoint.origin, epoch.members[author].checkpoint_key), signatures[author]
        )
        for author in authors
    )
    return Note(checkpoint, lines)


def verify_note(note: Note, epoch: Epoch) -> tuple[int, ...]:
    """Check a cosigned checkpoint of this epoch; gives the authors that signed, rising.

    Raises FormatError for another log or another number of lines than q, SignatureError unless
    each line is of another voting member, by rising author.
    """
    if note.checkpoint.origin != origin(epoch):
        raise FormatError(f"checkpoint of {note.checkpoint.origin!r}, expected {origin(epoch)!r}")
    if len(note.lines) != epoch.quorum:
        raise FormatError(f"{len(note.lines)} signature lines, expected exactly {epoch.quorum}")
    authors = tuple(signer_of(note.checkpoint, line, epoch) for line in note.lines)
    if list(authors) != sorted(set(authors)):
        raise SignatureError(f"signatures of authors {authors}, expected rising, each once")
    return authors


def parse_note(raw: bytes) -> Note:
    """The checkpoint and its signature lines in `raw`; FormatError for any other bytes.

    Verifies no signature. Stricter than signed-note asks: three lines of text, every line signed
    under the origin's name with an Ed25519 signature, 1 to MEMBERS_MAX of them.
    """
    if len(raw) > NOTE_BYTES_MAX:
        raise LimitError(f"note of {len(raw)} bytes, expected at most {NOTE_BYTES_MAX}")
    try:
        rows = raw.decode("utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise FormatError("note: not UTF-8") from error
    if not 6 <= len(rows) <= 5 + MEMBERS_MAX or rows[3] != "" or rows[-1] != "":
        raise FormatError(
            f"note of {len(rows) - 1} lines, expected three of text, an empty one and 1 to "
            f"{MEMBERS_MAX} of signatures"
        )
    checkpoint = _checkpoint(*rows[:3])
    return Note(checkpoint, tuple(_line(row, checkpoint.origin) for row in rows[4:-1]))


def _checkpoint(name: str, size: str, root: str) -> Checkpoint:
    if not _ORIGIN.fullmatch(name):
        raise FormatError(f"origin {name!r}, expected <ledger name>/<ledger id>")
    if not _SIZE.fullmatch(size) or int(size) > SIZE_MAX:
        raise FormatError(f"tree size {size!r}, expected a decimal number up to {SIZE_MAX}")
    return Checkpoint(name, int(size), _octets(root, ROOT_BYTES, "root"))


def _line(row: str, name: str) -> SignatureLine:
    match = _LINE.fullmatch(row)
    if match is None or match[1] != name:
        raise FormatError("note: a signature line is not `\u2014 <origin> <signature>`")
    octets = _octets(match[2], KEY_ID_BYTES + SIGNATURE_BYTES, "signature")
    return SignatureLine(octets[:KEY_ID_BYTES], octets[KEY_ID_BYTES:])


def _octets(text: str, size: int, what: str) -> bytes:
    """Bytes in their one base64 form (RFC 4648 section 4): padded, no bits left over."""
    try:
        octets = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise FormatError(f"{what} of a note is not base64") from error
    if len(octets) != size or base64.b64encode(octets).decode() != text:
        raise FormatError(f"{what} of a note is not the base64 of {size} bytes")
    return octets
