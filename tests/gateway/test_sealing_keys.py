"""Storage keys, keyrings, sealed values: every source, every fault by its name."""

import io
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wattle_gateway.config import toml_value
from wattle_gateway.errors import ConfigError, StorageKeyError, StoreError
from wattle_gateway.home import sealing
from wattle_gateway.sealing import keyring as keyring_file
from wattle_gateway.sealing import ring as rings
from wattle_gateway.sealing import storage_key
from wattle_gateway.sealing.row_seal import OVERHEAD_BYTES, SEALS_A_KEY_MAX, RowSeal
from wattle_gateway.sealing.storage_key import Scrypt, StorageKey
from wattle_testkit import sealed_folder

KEY = bytes(range(32))
STORAGE = StorageKey(KEY, False, "a key")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "gw"
    made.mkdir()
    return made


def secret_file(path: Path, content: bytes, mode: int = 0o600) -> Path:
    path.write_bytes(content)
    path.chmod(mode)
    return path


@pytest.mark.parametrize("content", [KEY, KEY.hex().encode(), KEY.hex().upper().encode() + b"\n"])
def test_a_key_file_is_32_bytes_or_their_hex(folder: Path, content: bytes) -> None:
    secret_file(folder.with_name("key"), content)
    assert storage_key.read("file:../key", folder).key(None) == KEY


def test_a_credential_is_read_where_the_service_manager_put_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret_file(tmp_path / "storage-key", KEY.hex().encode())
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert storage_key.read("credential:storage-key", folder).key(None) == KEY
    secret_file(tmp_path / "words", b"twelve letters\n")
    found = storage_key.read("passphrase:credential:words", folder)
    assert (found.is_passphrase, found.secret) == (True, b"twelve letters")


def test_a_command_prints_the_key(folder: Path) -> None:
    line = f"command:{sys.executable} -c 'print(bytes(range(32)).hex())'"
    assert storage_key.read(line, folder).key(None) == KEY


REFUSED = [
    ("file:../key", b"short", 0o600, "5 bytes, expected 32, or 64 hex digits"),
    ("file:../key", b"x" * 5000, 0o600, "more than 4096 bytes"),
    ("file:../key", KEY, 0o604, "everybody may read"),
    ("file:../none", KEY, 0o600, "none cannot be read: No such file"),
    ("file:inside", KEY, 0o600, "lies in the gateway's folder"),
    ("credential:key", KEY, 0o600, "CREDENTIALS_DIRECTORY is not set"),
    ("command:/no/such/program", KEY, 0o600, "No such file"),
    ("command:false", KEY, 0o600, "exit code 1"),
    ("command:echo short", KEY, 0o600, "6 bytes, expected 32"),
    ("command:sh -c 'echo it is locked >&2; exit 3'", KEY, 0o600, "exit code 3: it is locked"),
    ("passphrase:env-file:NO_SUCH_VARIABLE", KEY, 0o600, "NO_SUCH_VARIABLE is not set"),
    ("passphrase:prompt", KEY, 0o600, "no terminal to ask at"),
    ("passphrase:words", KEY, 0o600, "expected file:PATH, credential:NAME"),
    ("words", KEY, 0o600, "expected file:PATH, credential:NAME"),
    ("file:", KEY, 0o600, "expected file:PATH"),
]


@pytest.mark.parametrize(("source", "content", "mode", "said"), REFUSED)
def test_what_is_wrong_with_a_storage_key_is_said(
    folder: Path,
    source: str,
    content: bytes,
    mode: int,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    monkeypatch.setattr(sys, "stdin", io.StringIO())
    secret_file(folder.with_name("key"), content, mode)
    secret_file(folder / "inside", KEY)
    with pytest.raises(StorageKeyError) as raised:
        storage_key.read(source, folder)
    assert said in str(raised.value)
    assert KEY.hex() not in str(raised.value)


def test_a_short_passphrase_is_refused_and_not_repeated(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORDS", str(secret_file(folder.with_name("words"), b"hunter2\n")))
    with pytest.raises(StorageKeyError, match="shorter than 12") as raised:
        storage_key.read("passphrase:env-file:WORDS", folder)
    assert "hunter2" not in str(raised.value)


def test_a_passphrase_opens_a_keyring_by_scrypt_only() -> None:
    words = StorageKey(b"correct horse battery", True, "words")
    keyring, root = keyring_file.new(words, 1)
    scrypt = keyring.slots[0].scrypt
    assert scrypt is not None
    assert (scrypt.n, scrypt.r, scrypt.p) == (1 << 15, 8, 3)
    assert keyring_file.open_root(keyring, words, "k") == root
    for other in (StorageKey(b"correct horse batterx", True, "words"), STORAGE):
        with pytest.raises(StorageKeyError, match="is not the storage key of this folder"):
            keyring_file.open_root(keyring, other, "k")


def test_scrypt_is_that_of_rfc_7914() -> None:
    """Section 12, second vector (its first 32 bytes)."""
    derived = Scrypt(b"NaCl", 1024, 8, 16).derive(b"password")
    assert derived.hex() == "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162"


def test_a_keyring_reads_back_what_it_wrote() -> None:
    keyring, root = keyring_file.new(STORAGE, 5)
    longer = keyring_file.with_new_key(keyring, root, 9)
    assert keyring_file.parse(longer.encode(), "k") == longer
    assert keyring_file.data_keys(longer, root).keys() == {1, 2}
    kept = keyring_file.without_before(longer, 2)
    assert keyring_file.data_keys(kept, root)[2] == keyring_file.data_keys(longer, root)[2]


@given(st.binary(max_size=200))
def test_garbage_is_no_keyring(raw: bytes) -> None:
    with pytest.raises(StorageKeyError):
        keyring_file.parse(raw, "k")


@given(st.data())
def test_a_keyring_that_somebody_changed_does_not_open(data: st.DataObject) -> None:
    keyring, _ = keyring_file.new(STORAGE, 5)
    raw = bytearray(keyring.encode())
    place = data.draw(st.integers(0, len(raw) - 1))
    raw[place] ^= 1 << data.draw(st.integers(0, 6))
    try:
        changed = keyring_file.parse(bytes(raw), "k")
        root = keyring_file.open_root(changed, STORAGE, "k")
        keyring_file.data_keys(changed, root)
        root.unwrap("names", changed.names)
        root.unwrap("files", changed.files)
    except StorageKeyError:
        return
    # What is not bound: when a key was made, and how much it has sealed.
    blank = keyring_file.Keyring(
        changed.id, changed.slots, changed.names, changed.files, keyring.keys
    )
    assert blank == keyring


def test_a_newer_keyring_is_refused() -> None:
    keyring, _ = keyring_file.new(STORAGE, 5)
    newer = keyring.encode().replace(b'"format": 1', b'"format": 3')
    with pytest.raises(StorageKeyError, match="another version of wattle-gateway"):
        keyring_file.parse(newer, "k")


def seal_of(*numbers: int) -> RowSeal:
    return RowSeal({number: bytes([number]) * 32 for number in numbers}, numbers[-1], KEY)


@given(st.binary(max_size=300), st.binary(max_size=20))
def test_a_value_opens_in_its_own_row_only(value: bytes, row: bytes) -> None:
    seal = seal_of(7)
    sealed = seal.close("entries", row, value)
    assert len(sealed) == len(value) + OVERHEAD_BYTES
    assert seal.open("entries", row, sealed) == value
    assert seal.close("entries", row, value) != sealed
    for table, other in (("entries", row + b"1"), ("pool", row)):
        with pytest.raises(StoreError, match="does not open under key 7"):
            seal.open(table, other, sealed)


@given(st.binary(max_size=60))
def test_garbage_is_no_sealed_value(raw: bytes) -> None:
    with pytest.raises(StoreError):
        seal_of(7).open("entries", b"1", raw)


@given(st.binary(min_size=8, max_size=8))
def test_an_alias_names_one_meter(kid: bytes) -> None:
    seal = seal_of(1)
    alias = seal.alias(kid)
    assert len(alias) == 16
    assert kid not in alias
    assert seal.kid_of(alias) == kid
    assert RowSeal({1: KEY}, 1, bytes(32)).alias(kid) != alias
    with pytest.raises(StoreError, match="no alias of a meter"):
        seal.kid_of(bytes(16))


def test_a_key_that_has_sealed_its_share_gives_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NIST SP 800-38D: no more than 2^32 values under one key."""
    monkeypatch.setattr(keyring_file, "SEALS_A_STEP", 1 << 30)
    ring = sealed_folder.make(tmp_path / "gw")
    numbers = []
    for _ in range(5):
        ring._left = 0  # a step is used up
        numbers.append(ring.seal.close("entries", b"1", b"x")[:2])
    assert numbers == [b"\0\1"] * 4 + [b"\0\2"]
    assert [key.seals for key in ring.keyring.keys] == [SEALS_A_KEY_MAX, 1 << 30]


def test_another_process_sees_a_new_key(tmp_path: Path) -> None:
    ring = sealed_folder.make(tmp_path / "gw")
    key = storage_key.read(f"file:{tmp_path / 'gw.key'}", tmp_path / "gw")
    other = rings.open_ring(ring.path, key)
    ring.rotate(9)
    sealed = ring.seal.close("entries", b"1", b"of the new key")
    assert other.seal.open("entries", b"1", sealed) == b"of the new key"


@pytest.mark.parametrize(
    "text",
    [
        '[storage]\nkey = "file:/old"\n[log]\nformat = "text"\n',
        '[log]\nformat = "text"\n\n[storage]\n# a comment\nkey = "file:/old"\n',
        '[storage]\n[log]\nformat = "text"\n',
        '[log]\nformat = "text"\n',
    ],
)
def test_the_configuration_keeps_all_but_the_key(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    source = 'command:unseal --with "quotes" \\ and more'
    sealing.set_source(path, source)
    changed = path.read_text()
    assert f"key = {toml_value(source)}\n" in changed
    assert 'format = "text"' in changed
    assert "/old" not in changed


def test_a_configuration_that_cannot_be_edited_stays_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('storage.key = "file:/old"\n')
    with pytest.raises(ConfigError):
        sealing.set_source(path, "file:/new")
    assert path.read_text() == 'storage.key = "file:/old"\n'


def test_no_command_leaves_a_core_dump() -> None:
    script = (
        "import ctypes, resource\n"
        "from wattle_gateway.cli import main\n"
        "code = main()\n"
        "print(code, resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3))"
    )
    words = [sys.executable, "-c", script, "keys", "show", "no folder of a gateway"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == "4 (0, 0) 0\n"


def test_a_process_keeps_its_memory_to_itself() -> None:
    script = (
        "import ctypes, resource\n"
        "from wattle_gateway.runtime.secrecy import keep_memory_private\n"
        "keep_memory_private()\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "(0, 0) 0\n"
