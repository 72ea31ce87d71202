"""The audit record: a file of lines that is only ever added to.

Each line is `<signature> <entry>`: 128 hex digits of an Ed25519 signature (RFC 8032) over
`wattle/1/audit\\n` and the bytes of the entry as they stand, which are a JSON object:

    {"n": 1, "prev": "<SHA-256 of the line before, hex>", "time": "2026-11-20T22:10:00.123Z",
     "who": "ada", "tool": "0.1.0", "action": "flash", "mac": "24:0a:c4:00:00:01",
     "result": "done", "facts": {..}}

`n` counts from 1; the first `prev` is 64 zeros. Entry 1 is the action `begin`, whose facts name the
public `key` that signs all lines: who knows that key from elsewhere knows whose record it is.
What takes its time has two entries: one of the result `begun` before anything is done, and one at
its end, whose facts name the first by its number (`begun`). Where the second is missing, the tool
was killed in the middle, or still works on it.
A line that was changed, left out or put in shows in the chain. Lines cut off at the end do not:
compare the last line's hash with one that was noted (`wattle-tool audit` prints it).
"""

import fcntl
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any, BinaryIO

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from wattle_tools import tool_home
from wattle_tools.errors import AuditError, ToolHomeError
from wattle_tools.tool_home import ToolHome

DONE, FAILED, BEGUN = "done", "failed", "begun"
BEGIN = "begin"
_CONTEXT = b"wattle/1/audit\n"
_SIGNATURE_DIGITS = 128
_FIRST_PREV = "0" * 64
# Read back in one piece from the end of the file; what an action tells has some hundred bytes.
LINE_BYTES_MAX = 16_384
_KEY_BYTES_MAX = 4_096
_KEYS = {"n", "prev", "time", "who", "tool", "action", "mac", "result", "facts"}


@dataclass(frozen=True)
class Entry:
    """A verified line; `digest` (hex) is what the next line names."""

    number: int
    time: str
    who: str
    tool: str
    action: str
    mac: str
    result: str
    facts: Mapping[str, object]
    prev: str
    digest: str


class AuditLog:
    """The record in the tool's folder, begun when there is none. `who` acts, `now` tells the time.

    Several processes may add to it at once.
    """

    def __init__(self, home: ToolHome, who: str, now: Callable[[], datetime]) -> None:
        self._home = home
        self.who = who
        self._now = now
        # (action, MAC) -> number of the entry that it began with; a board has one job at a time.
        self._begun: dict[tuple[str, str], int] = {}

    def begin(self, action: str, mac: str = "", facts: Mapping[str, object] | None = None) -> None:
        """Adds that an action begins: before anything is done. Raises AuditError."""
        self._begun[action, mac] = self._append(action, BEGUN, mac, dict(facts or {}))

    def append(
        self, action: str, result: str, mac: str = "", facts: Mapping[str, object] | None = None
    ) -> None:
        """Adds what came of an action; returns when it is on disk. Raises AuditError."""
        told = dict(facts or {})
        begun = self._begun.pop((action, mac), None)
        if begun is not None:
            told["begun"] = begun
        self._append(action, result, mac, told)

    def _append(self, action: str, result: str, mac: str, told: dict[str, object]) -> int:
        """The number of the entry."""
        key = self._key()
        path = self._home.audit_log
        try:
            with path.open("a+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX)
                torn = _drop_torn_line(file)
                last = _last(file, key.public_key(), path)
                if last is None:
                    public = key.public_key().public_bytes_raw().hex()
                    last = self._add(file, key, None, (BEGIN, DONE, "", {"key": public}))
                if torn:
                    told["torn_bytes"] = torn
                entry = self._add(file, key, last, (action, result, mac, told))
                file.flush()
                os.fsync(file.fileno())
                return entry.number
        except OSError as error:
            raise AuditError(f"{path}: cannot be written: {error.strerror}") from error

    def check(self) -> None:
        """Raises AuditError unless something could be added: before anything is done."""
        self._key()
        path = self._home.audit_log
        try:
            with path.open("ab"):
                pass
        except OSError as error:
            raise AuditError(f"{path}: cannot be written: {error.strerror}") from error

    def _add(
        self,
        file: BinaryIO,
        key: Ed25519PrivateKey,
        last: Entry | None,
        what: tuple[str, str, str, Mapping[str, object]],
    ) -> Entry:
        action, result, mac, facts = what
        now = self._now().astimezone(UTC)
        row = {
            "n": last.number + 1 if last else 1,
            "prev": last.digest if last else _FIRST_PREV,
            "time": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
            "who": self.who,
            "tool": installed_version("wattle-grid"),
            "action": action,
            "mac": mac,
            "result": result,
            "facts": facts,
        }
        entry = json.dumps(row, separators=(",", ":")).encode()
        line = key.sign(_CONTEXT + entry).hex().encode() + b" " + entry
        if len(line) >= LINE_BYTES_MAX:
            raise AuditError(f"an entry of {len(line)} bytes, expected fewer than {LINE_BYTES_MAX}")
        file.write(line + b"\n")
        return _parsed(line, key.public_key(), "new line")

    def _key(self) -> Ed25519PrivateKey:
        path = self._home.audit_key
        try:
            if not path.exists():
                made = Ed25519PrivateKey.generate().private_bytes(
                    Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
                )
                tool_home.write(path, made, private=True)
            found = load_pem_private_key(tool_home.read(path, _KEY_BYTES_MAX), None)
        except (ValueError, TypeError, ToolHomeError) as error:
            raise AuditError(f"{path}: no key to sign the record with: {error}") from error
        if not isinstance(found, Ed25519PrivateKey):
            raise AuditError(f"{path}: expected an Ed25519 key")
        return found


def verified(path: Path, key: bytes | None = None) -> Iterator[Entry]:
    """Every entry of a record, each verified before it is given.

    key: the public key (32 bytes) whose record it must be; None: whichever its first line names.
    Raises AuditError that names the first line that does not hold.
    """
    public: Ed25519PublicKey | None = None
    prev, number = _FIRST_PREV, 0
    try:
        with path.open("rb") as file:
            while line := file.readline(LINE_BYTES_MAX):
                number += 1
                place = f"{path}: line {number}"
                if not line.endswith(b"\n"):
                    raise AuditError(f"{place}: cut off or too long")
                if public is None:
                    public = _signer(line, key, place)
                entry = _parsed(line[:-1], public, place)
                if (entry.number, entry.prev) != (number, prev):
                    raise AuditError(
                        f"{place}: entry {entry.number} behind {entry.prev[:16]}, expected "
                        f"{number} behind {prev[:16]}: a line was taken out, put in or moved"
                    )
                prev = entry.digest
                yield entry
    except OSError as error:
        raise AuditError(f"{path}: cannot be read: {error.strerror}") from error
    if not number:
        raise AuditError(f"{path}: is empty, expected a record that begins")


def unended(entries: Iterable[Entry]) -> list[Entry]:
    """Those that say that something began of which no other entry is the end."""
    begun: dict[object, Entry] = {}
    for entry in entries:
        if entry.result == BEGUN:
            begun[entry.number] = entry
        else:
            begun.pop(entry.facts.get("begun"), None)
    return list(begun.values())


def _signer(line: bytes, expected: bytes | None, place: str) -> Ed25519PublicKey:
    """The key that the first line names; whether it signed that line is not checked here."""
    try:
        named = bytes.fromhex(json.loads(line[_SIGNATURE_DIGITS + 1 :])["facts"]["key"])
        public = Ed25519PublicKey.from_public_bytes(named)
    except (ValueError, KeyError, TypeError) as error:
        raise AuditError(f"{place}: does not name the key that signs the record") from error
    if expected is not None and named != expected:
        raise AuditError(f"{place}: the record of key {named.hex()}, expected {expected.hex()}")
    return public


def _parsed(line: bytes, public: Ed25519PublicKey, place: str) -> Entry:
    signature, entry = line[:_SIGNATURE_DIGITS], line[_SIGNATURE_DIGITS + 1 :]
    try:
        public.verify(bytes.fromhex(signature.decode()), _CONTEXT + entry)
        row: Any = json.loads(entry)
        if line[_SIGNATURE_DIGITS : _SIGNATURE_DIGITS + 1] != b" " or set(row) != _KEYS:
            raise ValueError(entry)
        return Entry(
            number=int(row["n"]),
            time=str(row["time"]),
            who=str(row["who"]),
            tool=str(row["tool"]),
            action=str(row["action"]),
            mac=str(row["mac"]),
            result=str(row["result"]),
            facts=dict(row["facts"]),
            prev=str(row["prev"]),
            digest=hashlib.sha256(line).hexdigest(),
        )
    except InvalidSignature as error:
        raise AuditError(f"{place}: its signature does not hold: it was changed") from error
    except (ValueError, TypeError) as error:
        raise AuditError(f"{place}: no line of a record: {line[:40]!r}") from error


def _last(file: BinaryIO, public: Ed25519PublicKey, path: Path) -> Entry | None:
    size = file.seek(0, os.SEEK_END)
    if not size:
        return None
    file.seek(max(0, size - LINE_BYTES_MAX))
    line = file.read().rstrip(b"\n").rpartition(b"\n")[2]
    file.seek(0, os.SEEK_END)
    try:
        return _parsed(line, public, "last line")
    except AuditError as error:
        raise AuditError(f"{path}: {error}") from error


def _drop_torn_line(file: BinaryIO) -> int:
    """Removes the line that a power cut left without its end; gives its size."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - LINE_BYTES_MAX))
    torn = len(file.read().rpartition(b"\n")[2])
    if torn:
        file.truncate(size - torn)
    return torn
