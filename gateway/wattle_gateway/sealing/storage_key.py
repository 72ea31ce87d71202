"""Where the storage key comes from: `[storage] key` in config.toml.

    file:PATH                  32 bytes, or 64 hex digits, in a file on another medium
    credential:NAME            the same in $CREDENTIALS_DIRECTORY (systemd LoadCredentialEncrypted)
    command:PROGRAM ARGUMENTS  the same on a program's standard output (TPM, HSM, smart card)
    passphrase:credential:NAME, passphrase:env-file:VARIABLE, passphrase:prompt
                               words, from which scrypt (RFC 7914) makes the key

Never from an argument or the environment itself: both can be read in /proc.
"""

import getpass
import hashlib
import os
import secrets
import shlex
import stat
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wattle_gateway.errors import StorageKeyError

KEY_BYTES = 32
SALT_BYTES = 16
# RFC 7914 with 32 MiB and three passes, a third of a second on a small board; OWASP's password
# storage cheat sheet counts it equal to 128 MiB in one, which a 256 MB gateway has not.
SCRYPT_N, SCRYPT_R, SCRYPT_P = 1 << 15, 8, 3
_SCRYPT_BYTES_MAX = 256 << 20
PASSPHRASE_CHARS_LEAST = 12
# Key files and what programs print: 32 bytes or their hex; a passphrase is a line.
SECRET_BYTES_MAX = 4096
# A TPM takes a second; a person with a smart card takes longer.
COMMAND_DEADLINE_S = 60.0
FILE, CREDENTIAL, COMMAND, PASSPHRASE = "file", "credential", "command", "passphrase"
_PROMPT, _ENV_FILE = "prompt", "env-file"
CREDENTIALS = "CREDENTIALS_DIRECTORY"
FORMS = (
    "file:PATH, credential:NAME, command:PROGRAM ARGUMENTS, passphrase:credential:NAME, "
    "passphrase:env-file:VARIABLE or passphrase:prompt"
)


@dataclass(frozen=True)
class Scrypt:
    """How a key comes from a passphrase (RFC 7914): salt and costs."""

    salt: bytes
    n: int = SCRYPT_N
    r: int = SCRYPT_R
    p: int = SCRYPT_P

    def as_json(self) -> dict[str, Any]:
        """For the keyring."""
        return {"salt": self.salt.hex(), "n": self.n, "r": self.r, "p": self.p}

    @classmethod
    def from_json(cls, row: Mapping[str, Any]) -> "Scrypt":
        """ValueError for what is none, or would take more memory than is right."""
        n, r, p = row["n"], row["r"], row["p"]
        if not all(type(one) is int and one > 0 for one in (n, r, p)) or n & (n - 1) or p > 16:
            raise ValueError("no parameters of scrypt")
        if 128 * n * r > _SCRYPT_BYTES_MAX // 2:
            raise ValueError(f"scrypt with {128 * n * r} bytes of memory")
        return cls(bytes.fromhex(row["salt"]), n, r, p)

    def derive(self, passphrase: bytes) -> bytes:
        """The 32-byte key."""
        return hashlib.scrypt(
            passphrase,
            salt=self.salt,
            n=self.n,
            r=self.r,
            p=self.p,
            maxmem=_SCRYPT_BYTES_MAX,
            dklen=KEY_BYTES,
        )


@dataclass(frozen=True, repr=False)
class StorageKey:
    """The secret that was read: a key, or the words it comes from; `told` says from where."""

    secret: bytes
    is_passphrase: bool
    told: str

    def key(self, scrypt: Scrypt | None) -> bytes:
        """The 32-byte key; `scrypt` for a passphrase."""
        return self.secret if scrypt is None else scrypt.derive(self.secret)

    def fresh(self) -> tuple[Scrypt | None, bytes]:
        """Parameters for a new slot, and the key by them."""
        scrypt = Scrypt(secrets.token_bytes(SALT_BYTES)) if self.is_passphrase else None
        return scrypt, self.key(scrypt)


def check_form(source: str) -> str:
    """The source as it is; StorageKeyError if it is of no form that is known."""
    kind, _, rest = source.partition(":")
    if kind == PASSPHRASE:
        way, _, name = rest.partition(":")
        known = rest == _PROMPT or (way in (CREDENTIAL, _ENV_FILE) and bool(name))
    else:
        known = kind in (FILE, CREDENTIAL, COMMAND) and bool(rest.strip())
    if not known:
        raise StorageKeyError(f"storage key {source!r}, expected {FORMS}")
    return source


def read(source: str, folder: Path) -> StorageKey:
    """The storage key that `[storage] key` of the gateway in `folder` names.

    Relative paths are from the folder. StorageKeyError says what is missing or wrong, and never
    what was read.
    """
    kind, _, rest = check_form(source).partition(":")
    if kind == PASSPHRASE:
        return StorageKey(_passphrase(rest, folder), True, f"the passphrase ({rest})")
    if kind == FILE:
        raw = _file(_outside(folder / rest, folder), source)
    elif kind == CREDENTIAL:
        raw = _file(_credential(rest, source), source)
    else:
        raw = _command(rest)
    return StorageKey(_key(raw, source), False, source)


def make_file(path: Path) -> None:
    """Write a new random key (64 hex digits, mode 0600). Raises StorageKeyError."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise StorageKeyError(f"{path}: cannot be made: {error.strerror}") from error
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_bytes(KEY_BYTES).hex() + "\n")
        file.flush()
        os.fsync(file.fileno())


def _outside(path: Path, folder: Path) -> Path:
    if folder.resolve() in path.resolve().parents:
        raise StorageKeyError(
            f"{path}: lies in the gateway's folder, where whoever copies the disk finds it; "
            "expected another medium, a credential or a program"
        )
    return path


def _credential(name: str, source: str) -> Path:
    folder = os.environ.get(CREDENTIALS)
    if not folder:
        raise StorageKeyError(
            f"storage key {source}: ${CREDENTIALS} is not set; the service manager sets it "
            "(LoadCredentialEncrypted= in the unit)"
        )
    if "/" in name:
        raise StorageKeyError(f"storage key {source}: expected the name of a credential")
    return Path(folder) / name


def _file(path: Path, source: str) -> bytes:
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            raw = file.read(SECRET_BYTES_MAX + 1)
    except OSError as error:
        raise StorageKeyError(
            f"storage key {source}: {path} cannot be read: {error.strerror}; without it nothing "
            "of this folder can be opened"
        ) from error
    if stat.S_ISREG(found.st_mode) and found.st_mode & stat.S_IROTH:
        raise StorageKeyError(f"storage key {source}: everybody may read {path}; chmod 600 {path}")
    if len(raw) > SECRET_BYTES_MAX:
        raise StorageKeyError(f"storage key {source}: more than {SECRET_BYTES_MAX} bytes")
    return raw


def _command(line: str) -> bytes:
    try:
        arguments = shlex.split(line)
        done = subprocess.run(
            arguments,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=COMMAND_DEADLINE_S,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise StorageKeyError(f"storage key command:{line}: {error}") from error
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip().splitlines()
        raise StorageKeyError(
            f"storage key command:{line}: exit code {done.returncode}"
            + (f": {said[-1]}" if said else "")
        )
    return done.stdout


def _key(raw: bytes, source: str) -> bytes:
    if len(raw) == KEY_BYTES:
        return raw
    try:
        key = bytes.fromhex(raw.decode("ascii").strip())
    except (UnicodeDecodeError, ValueError):
        key = b""
    if len(key) != KEY_BYTES:
        raise StorageKeyError(
            f"storage key {source}: {len(raw)} bytes, expected {KEY_BYTES}, or "
            f"{2 * KEY_BYTES} hex digits"
        )
    return key


def _passphrase(way: str, folder: Path) -> bytes:
    kind, _, name = way.partition(":")
    source = f"passphrase:{way}"
    if kind == _PROMPT:
        if not sys.stdin.isatty():
            raise StorageKeyError(
                f"storage key {source}: no terminal to ask at; expected one, or another source"
            )
        raw = getpass.getpass("passphrase of the gateway's storage: ").encode()
    elif kind == CREDENTIAL:
        raw = _file(_credential(name, source), source)
    else:
        path = os.environ.get(name)
        if not path:
            raise StorageKeyError(f"storage key {source}: ${name} is not set; expected a path")
        raw = _file(_outside(folder / path, folder), source)
    words = raw.strip(b"\r\n")
    if len(words.decode(errors="replace")) < PASSPHRASE_CHARS_LEAST:
        raise StorageKeyError(
            f"storage key {source}: shorter than {PASSPHRASE_CHARS_LEAST} characters"
        )
    return words
