"""The archive of a sealed folder is sealed: what stands there, how it changes its form, and what is
named when it does not open."""

import csv
import io
import json
import shutil
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pyarrow.parquet
import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from wattle_gateway import config
from wattle_gateway.archive import sealed_target
from wattle_gateway.archive.resealing import reseal
from wattle_gateway.archive.sealed_target import SealedTarget, open_target
from wattle_gateway.archive.target import Folder, Target
from wattle_gateway.errors import ArchiveError, StorageKeyError
from wattle_gateway.sealing import file_seal
from wattle_gateway.sealing import keyring as keyring_file
from wattle_gateway.sealing import ring as rings
from wattle_gateway.sealing.ring import Ring
from wattle_gateway.sealing.storage_key import StorageKey
from wattle_gateway.store import archive_rows
from wattle_testkit import sealed_folder
from wattle_testkit.archived_ledger import ArchivedLedger
from wattle_testkit.gateway_process import command

PLAIN = "*.parquet"
SEALED = "*.parquet.sealed"
DAYS, SAMPLES_A_DAY = 3, 8


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> ArchivedLedger:
    """A sealed ledger, two days of which are in a sealed archive."""
    made = ArchivedLedger.sealed(tmp_path_factory.mktemp("sealed") / "gw")
    made.live(DAYS, SAMPLES_A_DAY)
    made.furnish()
    made.archive(1, made.mover(target_of(made)))
    made.driver.close()
    return made


@pytest.fixture
def ledger(lived: ArchivedLedger, tmp_path: Path) -> Iterator[ArchivedLedger]:
    """A copy of it; the driver is open."""
    folder = tmp_path / "gw"
    shutil.copytree(lived.home.folder, folder)
    made = ArchivedLedger(folder)
    made.storage_key, made.samples, made.board = lived.storage_key, lived.samples, lived.board
    yield made
    made.driver.close()


def target_of(ledger: ArchivedLedger) -> Target:
    return open_target(config.load(ledger.home.config).archive, ledger.home)


def ring_of(ledger: ArchivedLedger) -> Ring:
    found = rings.beside(ledger.home.config)
    assert found is not None
    return found


def files(ledger: ArchivedLedger, pattern: str) -> list[Path]:
    return sorted(ledger.target_folder.rglob(pattern))


def said(ledger: ArchivedLedger, *words: str | Path) -> Any:
    done = command(*words[:2], ledger.home.folder, *words[2:], "--format", "json")
    assert done.returncode in (0, 1), done.stderr
    return json.loads(done.stdout)


def test_nothing_of_an_archive_stands_in_the_clear(ledger: ArchivedLedger) -> None:
    assert files(ledger, PLAIN) == []
    assert len(files(ledger, SEALED)) == 6
    secret = [signed.raw for signed in ledger.samples]
    secret += [ledger.board.kid, ledger.board.eui64, f"{ledger.board.kid.hex()}".encode()]
    assert sealed_folder.holding(ledger.home.folder, *secret) == []
    assert said(ledger, "archive", "verify")["ok"]
    printed = command("samples", ledger.home.folder, "--format", "csv")
    seqs = {int(row["seq"]) for row in csv.DictReader(io.StringIO(printed.stdout))}
    assert seqs == set(range(1, DAYS * SAMPLES_A_DAY + 1))
    assert command("audit", ledger.home.folder).returncode == 0


def test_whoever_has_the_key_opens_a_file_by_the_specification_alone(
    ledger: ArchivedLedger,
) -> None:
    storage = Path(ledger.storage_key.removeprefix("file:")).read_bytes()
    keyring = json.loads((ledger.home.folder / "keyring.json").read_text())
    ring_id = bytes.fromhex(keyring["id"])

    def unwrap(under: bytes, name: str, wrapped: str) -> bytes:
        raw = bytes.fromhex(wrapped)
        bound = b"wattle/1/keyring\0" + ring_id + name.encode()
        return AESGCM(under).decrypt(raw[:12], raw[12:], bound)

    slot = HKDF(SHA256(), 32, ring_id, b"wattle/1/slot").derive(storage)
    root = unwrap(slot, "root", keyring["slots"][0]["root"])
    assert keyring["format"] == 2
    keys = {
        row["number"]: unwrap(root, f"archive {row['number']}", row["wrapped"])
        for row in keyring["archive"]
    }
    for path in files(ledger, SEALED):
        raw = path.read_bytes()
        name = str(path.relative_to(ledger.target_folder)).removesuffix(".sealed")
        assert raw[:16] == b"wattle/1/sealed\0"
        key = keys[int.from_bytes(raw[16:18], "big")]
        bound = b"wattle/1/archive\0" + name.encode()
        content = AESGCM(key).decrypt(raw[18:30], raw[30:], bound)
        with ledger.opened() as reader:
            noted = reader.execute("SELECT sha256 FROM archive_files WHERE name = ?", (name,))
            assert noted.fetchone() == (sha256(content).digest(),)


def test_files_that_were_plain_are_sealed_later(ledger: ArchivedLedger) -> None:
    ledger.configure(target="archive", plain=True)
    done = said(ledger, "archive", "reseal")
    assert (done["written"], done["plain"]) == (6, True)
    assert not said(ledger, "archive", "status")["sealed"]
    assert (len(files(ledger, PLAIN)), files(ledger, SEALED)) == (6, [])
    assert said(ledger, "archive", "verify")["ok"]
    warned = command("doctor", ledger.home.folder).stdout
    assert "6 files of the archive in archive are in the clear, as archive.plain says" in warned
    ledger.configure(target="archive")
    warned = command("doctor", ledger.home.folder).stdout
    assert "sealed, but 6 files of the archive in archive are in the clear" in warned
    assert "`wattle-gateway archive reseal`" in warned
    assert said(ledger, "archive", "verify")["ok"]
    assert said(ledger, "archive", "reseal")["written"] == 6
    assert (files(ledger, PLAIN), len(files(ledger, SEALED))) == ([], 6)
    assert said(ledger, "archive", "reseal")["written"] == 0
    assert said(ledger, "archive", "status")["sealed"]
    assert "in the clear" not in command("doctor", ledger.home.folder).stdout


def test_an_older_key_goes_when_no_file_needs_it(
    ledger: ArchivedLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = ring_of(ledger)
    ring.rotate(1)
    assert [key.number for key in ring.keyring.archive] == [1]  # made when a file needs it

    class PowerCutError(Exception):
        pass

    put, left = SealedTarget.put, [4]

    def cut(self: SealedTarget, name: str, content: bytes) -> None:
        if not left[0]:
            raise PowerCutError
        left[0] -= 1
        put(self, name, content)

    with ledger.opened() as reader, monkeypatch.context() as patched:
        patched.setattr(SealedTarget, "put", cut)
        first = reseal(reader, target_of(ledger))
        assert (first.files, first.of, first.least, first.following) == (3, 3, 2, 2)
        with pytest.raises(PowerCutError):
            reseal(reader, target_of(ledger), 2, 2)
    assert [key.number for key in ring.keyring.archive] == [1, 2]
    assert said(ledger, "archive", "verify")["ok"]
    done = said(ledger, "archive", "reseal")
    assert (done["files"], done["written"], done["key"], done["forgotten"]) == (6, 2, 2, 1)
    assert [key.number for key in ring_of(ledger).keyring.archive] == [2]
    assert said(ledger, "archive", "verify")["ok"]


def test_a_keyring_from_before_says_so(ledger: ArchivedLedger) -> None:
    older = (ledger.home.folder / "keyring.json").read_bytes()
    ring_of(ledger).rotate(1)
    assert said(ledger, "archive", "reseal")["written"] == 6
    (ledger.home.folder / "keyring.json").write_bytes(older)
    found = said(ledger, "archive", "verify")
    assert "archive key 2, which the keyring does not have" in found["wrong"][0]["wrong"]


def test_a_file_that_somebody_changed_is_named(ledger: ArchivedLedger) -> None:
    log, other = files(ledger, f"log/**/{SEALED}")
    content = bytearray(log.read_bytes())
    content[-1] ^= 1
    log.write_bytes(content)
    shutil.copy(files(ledger, f"readings/**/{SEALED}")[1], other)
    wrong = [row["wrong"] for row in said(ledger, "archive", "verify")["wrong"]]
    assert [
        f"{path.name}: does not open under archive key 1" in text
        for path, text in zip((log, other), wrong, strict=True)
    ] == [True, True]
    log.write_bytes(b"PAR1")
    done = command("samples", ledger.home.folder)
    assert done.returncode == 18
    assert f"{log.name}: 4 bytes that are no sealed file" in done.stderr
    log.unlink()
    assert f"{log.name}: missing" in command("samples", ledger.home.folder).stderr


def test_a_power_cut_while_it_was_plain_leaves_nothing_plain(ledger: ArchivedLedger) -> None:
    with ledger.opened() as reader:
        file = archive_rows.files_of(reader, 1)["log"]
    target = target_of(ledger)
    content = target.get(file.name)
    Folder(ledger.target_folder).put(file.name, content)
    target.put(file.name, content)
    assert files(ledger, PLAIN) == []


def test_a_store_that_keeps_other_bytes_loses_nothing(ledger: ArchivedLedger) -> None:
    class Forgetful(Folder):
        """Keeps no sealed file as it is."""

        def get(self, name: str) -> bytes:
            return super().get(name)[: -1 if name.endswith(sealed_target.SUFFIX) else None]

    store = Forgetful(ledger.target_folder)
    store.put("a/b.parquet", b"readings")
    with pytest.raises(ArchiveError, match=r"b\.parquet\.sealed: other bytes than were put"):
        SealedTarget(store, ring_of(ledger)).put("a/b.parquet", b"readings")
    assert store.get("a/b.parquet") == b"readings"


def test_an_auditor_gets_plain_files_and_the_box_none(
    ledger: ArchivedLedger, tmp_path: Path
) -> None:
    out = tmp_path / "for an auditor"
    with ledger.opened() as reader:
        day = archive_rows.load(reader)[0].day
    done = said(ledger, "archive", "export", out, "--to", day)
    assert done["files"] == len(list(out.rglob(PLAIN))) == 3
    (readings,) = out.rglob(f"readings/**/{PLAIN}")
    assert readings.stat().st_mode & 0o777 == 0o600
    rows = pyarrow.parquet.read_table(readings, partitioning=None).to_pylist()
    assert {row["meter"] for row in rows} == {ledger.board.kid.hex()}
    refused = command("archive", "export", ledger.home.folder, out, "--from", "soon")
    assert "'soon' is no day, expected one as 2026-10-01" in refused.stderr
    ledger.configure(target=str(tmp_path / "elsewhere"))
    refused = command("archive", "export", ledger.home.folder, tmp_path / "elsewhere")
    assert "elsewhere: is the archive itself" in refused.stderr
    for words in (("archive", "export"), ("snapshot", "export")):
        done = command(*words, ledger.home.folder, ledger.home.folder / "inside")
        assert done.returncode == 2
        assert "lies in the gateway's folder, which is sealed" in done.stderr


def test_archive_keys_have_a_limit_and_the_newest_goes_on() -> None:
    storage = StorageKey(bytes(32), False, "a key")
    keyring, root = keyring_file.new(storage, 1)
    for _ in range(keyring_file.ARCHIVE_KEYS_MAX + 1):
        keyring = keyring_file.with_archive_key(keyring, root, 1)
        keyring = keyring_file.with_new_key(keyring, root, 1)
        keyring = keyring_file.without_before(keyring, keyring.keys[-1].number)
    assert len(keyring.archive) == keyring_file.ARCHIVE_KEYS_MAX
    assert keyring_file.parse(keyring.encode(), "k") == keyring
    with pytest.raises(StorageKeyError, match="no sealed file"):
        file_seal.number_of(b"wattle/1/sealed\0")
