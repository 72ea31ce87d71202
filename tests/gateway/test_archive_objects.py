"""An archive in an S3-compatible store, over the wire."""

import json
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest
from wattle_gateway import config
from wattle_gateway.archive import mover
from wattle_gateway.archive.sealed_target import SealedTarget, open_target
from wattle_gateway.archive.target import MissingFileError, Target, store_of
from wattle_gateway.cli import main
from wattle_gateway.errors import ArchiveError, ConfigError
from wattle_gateway.home.paths import GatewayHome
from wattle_testkit import sealed_folder
from wattle_testkit.archived_ledger import ArchivedLedger
from wattle_testkit.object_server import ObjectServer

SECRET = "3q2-a-secret-of-the-test-9f"
TARGET = "s3://bucket/substation 7/wattle"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectServer]:
    made = ObjectServer(tmp_path_factory.mktemp("moto"))
    made.make_bucket("bucket")
    yield made
    made.stop()


@pytest.fixture(autouse=True)
def _few_commits_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    """Days of these tests are shorter than what peers may ask for."""
    monkeypatch.setattr(mover, "COMMITS_KEPT", 1)


@pytest.fixture
def ledger(tmp_path: Path, server: ObjectServer) -> ArchivedLedger:
    """Three days; configured for the server's bucket."""
    made = ArchivedLedger(tmp_path)
    made.live(3, samples_a_day=6)
    made.furnish()
    made.configure(
        target=TARGET, endpoint=server.endpoint, region="us-east-1", credentials="s3.toml"
    )
    credentials = tmp_path / "s3.toml"
    credentials.write_text(f'access_key = "key"\nsecret_key = "{SECRET}"\n')
    credentials.chmod(0o600)
    return made


def target_of(ledger: ArchivedLedger) -> Target:
    return open_target(config.load(ledger.home.config).archive, ledger.home)


def test_days_leave_for_a_bucket_and_are_read_through(
    ledger: ArchivedLedger, server: ObjectServer, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(ledger.home.folder)
    assert main(["samples", folder, "--format", "csv"]) == 0
    before = capsys.readouterr().out
    ledger.archive(1, ledger.mover(target_of(ledger)))
    assert main(["samples", folder, "--format", "csv"]) == 0
    assert capsys.readouterr().out == before
    assert main(["audit", folder]) == 0
    capsys.readouterr()
    assert main(["archive", "verify", folder, "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["parts"] == 2


def test_a_bucket_of_a_sealed_gateway_has_sealed_objects(
    ledger: ArchivedLedger, server: ObjectServer, tmp_path: Path
) -> None:
    store = store_of(config.load(ledger.home.config).archive, ledger.home)
    target = SealedTarget(store, sealed_folder.make(tmp_path / "sealed"))
    name, place = "day=2026-10-01/b.parquet", "bucket/substation%207/wattle/day=2026-10-01"
    store.put(name, b"readings")  # before the gateway was sealed
    assert server.get(f"{place}/b.parquet") == b"readings"
    assert not target.is_as_put(name, 1)
    target.put(name, b"readings")
    assert target.is_as_put(name, 1)
    assert b"readings" not in server.get(f"{place}/b.parquet.sealed")
    assert target.get(name) == b"readings"
    assert not store.has(name)
    store.remove(name)  # it is not there


def test_an_upload_that_was_cut_is_made_again(ledger: ArchivedLedger) -> None:
    class CutError(ConnectionError):
        pass

    class CutAfter:
        """The link goes after the second file."""

        def __init__(self, inner: Target) -> None:
            self.inner, self.left = inner, 2

        def put(self, name: str, content: bytes) -> None:
            if not self.left:
                raise CutError
            self.left -= 1
            self.inner.put(name, content)

        def get(self, name: str) -> bytes:
            return self.inner.get(name)

    with pytest.raises(CutError):
        ledger.archive(1, ledger.mover(CutAfter(target_of(ledger))))
    ledger.archive(1, ledger.mover(target_of(ledger)))
    assert main(["archive", "verify", str(ledger.home.folder)]) == 0


def test_altered_and_missing_objects_are_named(
    ledger: ArchivedLedger, server: ObjectServer, capsys: pytest.CaptureFixture[str]
) -> None:
    target = target_of(ledger)
    ledger.archive(1, ledger.mover(target))
    with ledger.opened() as reader:
        (name,) = reader.execute(
            "SELECT name FROM archive_files WHERE part = 1 AND dataset = 'log'"
        ).fetchone()
    target.put(name, target.get(name) + b"x")
    assert main(["audit", str(ledger.home.folder)]) == 1
    assert f"{name}: altered in the archive" in capsys.readouterr().out
    server.delete(f"bucket/substation%207/wattle/{name}")
    with pytest.raises(MissingFileError, match="missing from the archive"):
        target.get(name)
    assert main(["samples", str(ledger.home.folder), "--format", "csv"]) == 18
    assert f"{name}: missing from the archive" in capsys.readouterr().err


def test_a_store_that_does_not_answer_keeps_everything_here(ledger: ArchivedLedger) -> None:
    ledger.configure(
        target=TARGET,
        endpoint="http://127.0.0.1:9",  # discard: nobody listens there
        region="us-east-1",
        credentials="s3.toml",
    )
    with pytest.raises(ArchiveError, match="cannot be stored") as caught:
        ledger.archive(1, ledger.mover(target_of(ledger)))
    assert SECRET not in str(caught.value)
    with pytest.raises(ArchiveError, match="cannot be looked for"):
        store_of(config.load(ledger.home.config).archive, ledger.home).remove("a/b.parquet")
    with ledger.opened() as reader:
        assert reader.execute("SELECT count(*) FROM samples").fetchone() == (18,)


def test_a_bucket_that_is_not_there_is_not_made(
    ledger: ArchivedLedger, server: ObjectServer
) -> None:
    ledger.configure(
        target="s3://other", endpoint=server.endpoint, region="us-east-1", credentials="s3.toml"
    )
    with pytest.raises(ArchiveError, match="cannot be stored"):
        ledger.archive(1, ledger.mover(target_of(ledger)))
    with pytest.raises(urllib.error.HTTPError, match="404"):
        server.get("other")


@pytest.mark.parametrize(
    ("text", "mode", "says"),
    [
        ("access_key = 'a'\nsecret_key = 'b'\n", 0o640, "others may read it; `chmod 600` it"),
        ("access_key = 'a'\n", 0o600, "expected access_key and secret_key"),
        ("access_key = 'a'\nsecret_key = 7\n", 0o600, "expected access_key and secret_key"),
        (f"{SECRET}", 0o600, "the credentials are not TOML"),
        (None, 0o600, "cannot read the credentials: No such file"),
    ],
)
def test_credentials_come_from_a_file_that_only_the_owner_reads(
    tmp_path: Path, text: str | None, mode: int, says: str
) -> None:
    if text is not None:
        (tmp_path / "s3.toml").write_text(text)
        (tmp_path / "s3.toml").chmod(mode)
    given = config.ArchiveConfig(TARGET, 30, "", "us-east-1", "s3.toml")
    with pytest.raises(ConfigError, match=says) as caught:
        open_target(given, GatewayHome(tmp_path))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("target", ["gs://bucket", "s3://", "s3:///a", "s3://b\u00fc", "a\0b"])
def test_a_target_of_another_kind_is_refused(target: str) -> None:
    document = {"gateway": {"site": "a"}, "broker": {"host": "b"}, "archive": {"target": target}}
    with pytest.raises(ConfigError, match=r"archive\.target is .*, expected a folder"):
        config.parse(document, "test")
