"""Checkpoints: the bytes of the C2SP specifications, one form only, exactly q signatures."""

import base64
import hashlib
import re
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519
from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.ledger import checkpoint, crypto, genesis
from wattle_gateway.ledger.checkpoint import Checkpoint, Note, SignatureLine
from wattle_gateway.ledger.errors import FormatError, LimitError, SignatureError
from wattle_testkit.alliance import Party, epoch_of, note_of

PARTIES = {party.kid: party for party in (Party(name) for name in "ABCD")}
OBSERVER = Party("regulator", genesis.OBSERVER)
EPOCH = epoch_of(*PARTIES.values(), OBSERVER)
# By author.
FOUR = [PARTIES[member.kid] for member in EPOCH.members]
ORIGIN = f"test.wattle/{EPOCH.ledger_id.hex()}"
ROOT = bytes(range(32))
GOOD = note_of(EPOCH, 1234, ROOT, *FOUR[:3])
RAW = GOOD.encode()

# The example of the package golang.org/x/mod/sumdb/note, from which signed-note was written.
GO_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
GO_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
GO_SIGNATURE = (
    "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
)


def test_key_id_and_signature_are_those_of_the_public_example() -> None:
    name, key_id, encoded = GO_KEY.split("+", 2)
    key = base64.b64decode(encoded)
    assert key[0] == 1
    assert checkpoint.key_id(name, key[1:]).hex() == key_id
    signature = base64.b64decode(GO_SIGNATURE)
    assert signature[:4].hex() == key_id
    crypto.verify_ed25519(key[1:], GO_TEXT.encode(), signature[4:])


def read_as_c2sp(raw: bytes) -> tuple[list[str], list[tuple[str, bytes, bytes]]]:
    """Lines of text and (key name, key id, signature) of a note, from the words of signed-note:
    the last empty line parts text and signatures; nothing of ours is used."""
    text, _, signatures = raw.decode().rpartition("\n\n")
    found = []
    for line in signatures.splitlines():
        match = re.fullmatch("\u2014 (\\S+) (\\S+)", line)
        assert match
        octets = base64.b64decode(match[2], validate=True)
        found.append((match[1], octets[:4], octets[4:]))
    return text.split("\n"), found


def test_another_reader_of_the_specification_finds_and_verifies_everything() -> None:
    text, signatures = read_as_c2sp(RAW)
    assert text == [ORIGIN, "1234", base64.b64encode(ROOT).decode()]
    signed = ("\n".join(text) + "\n").encode()
    assert len(signatures) == 3
    for party, (name, key_id, signature) in zip(FOUR, signatures, strict=False):
        public = party.checkpoint_key.public_key()
        hashed = hashlib.sha256(name.encode() + b"\n\x01" + public.public_bytes_raw()).digest()
        assert (name, key_id) == (ORIGIN, hashed[:4])
        public.verify(signature, signed)


def test_a_note_is_read_back() -> None:
    assert checkpoint.parse_note(RAW) == GOOD
    assert checkpoint.verify_note(GOOD, EPOCH) == (0, 1, 2)


@given(st.integers(0, checkpoint.SIZE_MAX), st.binary(min_size=32, max_size=32))
def test_every_size_and_root_is_read_back(size: int, root: bytes) -> None:
    line = SignatureLine(root[:4], bytes(64))
    note = Note(Checkpoint(ORIGIN, size, root), (line,))
    assert checkpoint.parse_note(note.encode()) == note


def test_the_longest_note_is_within_its_limit() -> None:
    origin = "x" * 64 + "/" + "f" * 32
    line = SignatureLine(bytes(4), bytes(64))
    note = Note(Checkpoint(origin, checkpoint.SIZE_MAX, ROOT), (line,) * genesis.MEMBERS_MAX)
    assert checkpoint.parse_note(note.encode()) == note
    more = replace(note, lines=(*note.lines, line))
    with pytest.raises(FormatError, match="1 to 32"):
        checkpoint.parse_note(more.encode())
    with pytest.raises(LimitError, match="at most 8192"):
        checkpoint.parse_note(RAW + bytes(8192))


LINES = RAW.decode().split("\n")


def with_line(number: int, *lines: str) -> bytes:
    """The note with other lines in place of one."""
    return "\n".join([*LINES[:number], *lines, *LINES[number + 1 :]]).encode()


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"\xff" + RAW,
        RAW + b"\n",
        RAW[:-1],
        b"\n" + RAW,
        RAW.replace(b"\n", b"\r\n"),
        RAW.replace("\u2014".encode(), b"-"),
        RAW.replace("\u2014 ".encode(), "\u2014  ".encode()),
        RAW.replace(b"\n\n", b"\nextension\n\n"),
        RAW.replace(b"\n\n", b"\n"),
        RAW.replace(b"\n\n", b"\n\n\n"),
        with_line(0, "Test.wattle/" + EPOCH.ledger_id.hex()),
        with_line(0, "test.wattle"),
        with_line(0, ORIGIN + " "),
        with_line(0, "other.wattle/" + EPOCH.ledger_id.hex()),
        with_line(1, ""),
        with_line(1, "01234"),
        with_line(1, "+1234"),
        with_line(1, "-1"),
        with_line(1, "1_234"),
        with_line(1, "\u0661\u0662"),
        with_line(1, str(checkpoint.SIZE_MAX + 1)),
        with_line(1, "9" * 400),
        with_line(2, base64.b64encode(bytes(31)).decode()),
        with_line(2, base64.b64encode(ROOT).decode().rstrip("=")),
        with_line(2, base64.b64encode(ROOT).decode()[:-2] + "9="),  # bits left over
        with_line(2, base64.b64encode(ROOT).decode() + " "),
        with_line(2, base64.urlsafe_b64encode(b"\xff" * 32).decode()),
        with_line(4, LINES[4] + " more"),
        with_line(4, LINES[4][:-4]),
        with_line(4, LINES[4].rsplit(" ", 1)[0] + " " + "\u00e9" * 92),
        with_line(4, ""),
    ],
)
def test_any_other_form_is_refused(raw: bytes) -> None:
    assert raw != RAW
    with pytest.raises(FormatError):
        checkpoint.parse_note(raw)


def test_a_line_verifies_under_its_own_key_only() -> None:
    line = GOOD.lines[0]
    checkpoint.verify_line(GOOD.checkpoint, line, FOUR[0].member.checkpoint_key)
    with pytest.raises(SignatureError, match="key id"):
        checkpoint.verify_line(GOOD.checkpoint, line, FOUR[1].member.checkpoint_key)
    changed = replace(GOOD.checkpoint, size=1235)
    with pytest.raises(SignatureError, match="verify"):
        checkpoint.verify_line(changed, line, FOUR[0].member.checkpoint_key)


def test_a_signature_of_another_length_or_a_key_that_is_none_does_not_verify() -> None:
    for public, signature in ((bytes(31), bytes(64)), (ROOT, bytes(63)), (ROOT, bytes(64))):
        with pytest.raises(SignatureError):
            crypto.verify_ed25519(public, b"text", signature)


def test_the_q_lowest_authors_sign_a_note() -> None:
    signatures = {
        author: party.checkpoint_key.sign(GOOD.checkpoint.text())
        for author, party in enumerate(FOUR)
    }
    assert checkpoint.cosigned(GOOD.checkpoint, signatures, EPOCH) == GOOD
    del signatures[0]
    note = checkpoint.cosigned(GOOD.checkpoint, signatures, EPOCH)
    assert note is not None
    assert checkpoint.verify_note(note, EPOCH) == (1, 2, 3)
    del signatures[3]
    assert checkpoint.cosigned(GOOD.checkpoint, signatures, EPOCH) is None


@pytest.mark.parametrize("count", [0, 2, 4])
def test_fewer_or_more_than_q_signatures_are_refused(count: int) -> None:
    note = note_of(EPOCH, 1234, ROOT, *FOUR[:count])
    with pytest.raises(FormatError, match=f"{count} signature lines, expected exactly 3"):
        checkpoint.verify_note(note, EPOCH)


@pytest.mark.parametrize(
    ("parties", "reason"),
    [
        ([FOUR[0], FOUR[0], FOUR[1]], "each once"),
        ([FOUR[1], FOUR[0], FOUR[2]], "rising"),
        ([FOUR[0], FOUR[1], OBSERVER], "no voting member"),
        ([FOUR[0], FOUR[1], Party("stranger")], "no voting member"),
    ],
)
def test_signatures_of_others_or_out_of_order_are_refused(
    parties: list[Party], reason: str
) -> None:
    with pytest.raises(SignatureError, match=reason):
        checkpoint.verify_note(note_of(EPOCH, 1234, ROOT, *parties), EPOCH)


def test_a_forged_signature_is_refused() -> None:
    lines = (*GOOD.lines[:2], replace(GOOD.lines[2], signature=bytes(64)))
    with pytest.raises(SignatureError, match="verify"):
        checkpoint.verify_note(replace(GOOD, lines=lines), EPOCH)


def test_another_log_is_refused() -> None:
    other = replace(EPOCH, name="other")
    with pytest.raises(FormatError, match=r"expected 'test\.wattle/"):
        checkpoint.verify_note(note_of(other, 1234, ROOT, *FOUR[:3]), EPOCH)


def test_an_ed25519_key_of_the_library_signs_as_the_kit_does() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    public = key.public_key().public_bytes_raw()
    line = checkpoint.sign(GOOD.checkpoint, public, key.sign)
    checkpoint.verify_line(GOOD.checkpoint, line, public)
