"""A backup is whole, says where it stands and what is in it; a restored gateway signs nothing
that it may have signed before (rule 32)."""

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from wattle_gateway.errors import BackupError, HomeError, StoreError
from wattle_gateway.home import backup, backup_manifest, durable_file
from wattle_gateway.home.identity import load_identity
from wattle_gateway.home.paths import GatewayHome
from wattle_gateway.home.restore import restore
from wattle_gateway.store import connection, own_rows, schema
from wattle_testkit.gateway_folders import FOUNDED_MS as NOW_MS
from wattle_testkit.gateway_folders import founded
from wattle_testkit.gateway_process import command

NAMES = ("ann", "bob", "cid", "dee")


@pytest.fixture(scope="module")
def four(tmp_path_factory: pytest.TempPathFactory) -> GatewayHome:
    """One of four that are not running."""
    return founded(tmp_path_factory.mktemp("four"), *NAMES)[1]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> GatewayHome:
    return founded(tmp_path_factory.mktemp("alone"), "solo")[0]


@pytest.fixture
def file(four: GatewayHome, tmp_path: Path) -> Path:
    path = tmp_path / "bob.tar"
    backup.back_up(four, path, NOW_MS)
    return path


def tree(folder: Path) -> dict[str, bytes]:
    """Every file but databases and the broker's, by its path."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".db" not in path.name and "broker" not in path.parts[-2:-1]
    }


def mark_of(home: GatewayHome) -> own_rows.OwnMark:
    ledger_id = load_identity(home).genesis.ledger_id
    with closing(connection.open_reader(home.database, schema.LEDGER, ledger_id)) as reader:
        return own_rows.load(reader)


def rewritten(file: Path, change: Callable[[str, bytes], tuple[str, bytes] | None]) -> Path:
    """The backup with members changed (None: left out)."""
    altered = file.with_name("altered.tar")
    with tarfile.open(file) as old, tarfile.open(altered, "w") as new:
        for row in old:
            content = old.extractfile(row)
            assert content is not None
            changed = change(row.name, content.read())
            if changed is not None:
                row.name, raw = changed
                row.size = len(raw)
                new.addfile(row, io.BytesIO(raw))
    return altered


class TestBackup:
    def test_it_has_all_that_a_folder_has(
        self, four: GatewayHome, file: Path, tmp_path: Path
    ) -> None:
        restore(file, tmp_path / "back", alone=False)
        back = GatewayHome(tmp_path / "back")
        assert tree(back.folder) == tree(four.folder)
        assert load_identity(back).member == load_identity(four).member
        assert back.key("block").stat().st_mode & 0o777 == 0o600
        assert back.folder.stat().st_mode & 0o777 == 0o700
        assert back.broker.is_dir()

    def test_only_its_owner_reads_it_and_it_says_what_is_in_it(
        self, four: GatewayHome, tmp_path: Path
    ) -> None:
        path = tmp_path / "it.tar"
        done = command("backup", four.folder, "--output", path)
        assert done.returncode == 0, done.stderr
        assert "PRIVATE KEYS" in done.stdout
        assert path.stat().st_mode & 0o777 == 0o600
        with tarfile.open(path) as archive:
            rows = archive.getmembers()
            content = archive.extractfile(rows[0])
            assert content is not None
            says = json.loads(content.read())
            hashes = {}
            for row in rows[1:]:
                content = archive.extractfile(row)
                assert content is not None
                hashes[row.name] = hashlib.sha256(content.read()).hexdigest()
        assert says["private_keys"] is True
        assert (says["member"], says["commit"], says["voting_members"]) == ("bob", 0, 4)
        assert {one["path"]: one["sha256"] for one in says["files"]} == hashes
        assert {"ledger.db", "operation.db", "config.toml", "keys/block.pem"} <= set(hashes)
        assert not {name for name in hashes if name.startswith(("broker/", "lock"))}

    def test_nothing_is_left_beside_it(self, file: Path) -> None:
        assert os.listdir(file.parent) == [file.name]

    def test_it_replaces_nothing(self, four: GatewayHome, file: Path) -> None:
        before = file.read_bytes()
        with pytest.raises(BackupError, match="never replaces"):
            backup.back_up(four, file, NOW_MS)
        assert file.read_bytes() == before

    def test_it_does_not_lie_where_the_gateway_lies(self, four: GatewayHome) -> None:
        with pytest.raises(BackupError, match="another disk"):
            backup.back_up(four, four.folder / "it.tar", NOW_MS)

    def test_a_damaged_ledger_is_none(self, four: GatewayHome, tmp_path: Path) -> None:
        shutil.copytree(four.folder, tmp_path / "damaged")
        damaged = GatewayHome(tmp_path / "damaged")
        with damaged.database.open("r+b") as file:
            file.seek(3 * 4096)
            file.write(b"\xff" * 8192)
        with pytest.raises(StoreError, match=r"ledger\.db"):
            backup.back_up(damaged, tmp_path / "it.tar", NOW_MS)
        assert os.listdir(tmp_path) == ["damaged"]

    def test_a_linked_folder_is_not_passed_over(self, four: GatewayHome, tmp_path: Path) -> None:
        shutil.copytree(four.folder, tmp_path / "linked")
        linked = GatewayHome(tmp_path / "linked")
        linked.keys.rename(tmp_path / "elsewhere")
        linked.keys.symlink_to(tmp_path / "elsewhere")
        with pytest.raises(BackupError, match="link to a folder"):
            backup.back_up(linked, tmp_path / "it.tar", NOW_MS)

    def test_a_policy_elsewhere_is_named(self, four: GatewayHome, tmp_path: Path) -> None:
        shutil.copytree(four.folder, tmp_path / "policy")
        home = GatewayHome(tmp_path / "policy")
        text = home.config.read_text().replace('file = ""', 'file = "../policy.toml"')
        durable_file.write(home.config, text.encode())
        made = backup.back_up(home, tmp_path / "it.tar", NOW_MS)
        assert made.left_out == (str(tmp_path / "policy.toml"),)


class TestRestore:
    def test_one_of_several_does_not_know_what_it_has_signed(
        self, file: Path, tmp_path: Path
    ) -> None:
        done = command("restore", file, tmp_path / "back")
        assert done.returncode == 0, done.stderr
        assert "signs nothing" in done.stdout
        assert mark_of(GatewayHome(tmp_path / "back")).lost

    def test_what_was_known_of_an_earlier_loss_is_not_believed(
        self, four: GatewayHome, tmp_path: Path
    ) -> None:
        shutil.copytree(four.folder, tmp_path / "twice")
        home = GatewayHome(tmp_path / "twice")
        ledger_id = load_identity(home).genesis.ledger_id
        with (
            closing(connection.open_writer(home.database, schema.LEDGER, ledger_id)) as writer,
            connection.transaction(writer),
        ):
            own_rows.forget(writer)
            own_rows.save_silence(writer, 3)
        backup.back_up(home, tmp_path / "it.tar", NOW_MS)
        restore(tmp_path / "it.tar", tmp_path / "back", alone=False)
        mark = mark_of(GatewayHome(tmp_path / "back"))
        assert (mark.lost, mark.silent_epoch) == (True, None)

    def test_one_alone_is_restored_only_by_its_operators_word(
        self, alone: GatewayHome, tmp_path: Path
    ) -> None:
        backup.back_up(alone, tmp_path / "it.tar", NOW_MS)
        refused = command("restore", tmp_path / "it.tar", tmp_path / "back")
        assert refused.returncode == 14
        assert "--alone" in refused.stderr
        assert os.listdir(tmp_path) == ["it.tar"]
        done = command("restore", tmp_path / "it.tar", tmp_path / "back", "--alone")
        assert done.returncode == 0, done.stderr
        assert not mark_of(GatewayHome(tmp_path / "back")).lost

    def test_one_of_several_is_not_alone(self, file: Path, tmp_path: Path) -> None:
        with pytest.raises(BackupError, match="4 voting members"):
            restore(file, tmp_path / "back", alone=True)
        assert not (tmp_path / "back").exists()

    def test_a_folder_that_has_something_stays_as_it_is(self, file: Path, tmp_path: Path) -> None:
        (tmp_path / "back").mkdir()
        (tmp_path / "back" / "mine").write_text("mine")
        with pytest.raises(HomeError, match="not empty"):
            restore(file, tmp_path / "back", alone=False)
        assert os.listdir(tmp_path / "back") == ["mine"]


def flipped(name: str, raw: bytes) -> tuple[str, bytes]:
    return name, raw[:-1] + bytes([raw[-1] ^ 1]) if name == "keys/link.pem" else raw


def outside(name: str, raw: bytes) -> tuple[str, bytes]:
    if name == backup_manifest.NAME:
        return name, raw.replace(b'"config.toml"', b'"../config.toml"')
    return name.replace("config.toml", "../config.toml"), raw


def other_commit(name: str, raw: bytes) -> tuple[str, bytes]:
    return name, raw.replace(b'"commit": 0', b'"commit": 9')


def bare(name: str, raw: bytes) -> tuple[str, bytes] | None:
    return None if name == backup_manifest.NAME else (name, raw)


def shorter(name: str, raw: bytes) -> tuple[str, bytes] | None:
    return None if name == "operation.db" else (name, raw)


DAMAGED: dict[Callable[[str, bytes], tuple[str, bytes] | None], str] = {
    flipped: "SHA-256",
    outside: "a path inside the folder",
    other_commit: "the manifest says commit 9",
    bare: "does not begin with",
    shorter: "its end",
}


@pytest.mark.parametrize("change", DAMAGED, ids=lambda change: change.__name__)
def test_what_is_damaged_is_not_restored(
    file: Path, tmp_path: Path, change: Callable[[str, bytes], tuple[str, bytes] | None]
) -> None:
    altered = rewritten(file, change)
    with pytest.raises(BackupError, match=DAMAGED[change]):
        restore(altered, tmp_path / "back", alone=False)
    assert sorted(os.listdir(tmp_path)) == [altered.name, file.name]


@pytest.mark.parametrize("length", [0, 100, 1000, 20_000, -40_000])
def test_a_torn_file_is_not_restored(file: Path, tmp_path: Path, length: int) -> None:
    torn = tmp_path / "torn.tar"
    torn.write_bytes(file.read_bytes()[:length])
    with pytest.raises(BackupError, match=r"torn\.tar"):
        restore(torn, tmp_path / "back", alone=False)
    assert not (tmp_path / "back").exists()


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b"null", b'{"format": 2}', b"[" * 100_000, b"\xff"]
)
def test_a_manifest_that_is_none(raw: bytes) -> None:
    with pytest.raises(BackupError):
        backup_manifest.parse(raw)
