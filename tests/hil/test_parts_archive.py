"""A small signed archive on disk: what apt accepts, what it refuses, and what gets unpacked."""

import gzip
import hashlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from wattle_hil.parts.archive import SOURCE, Archive, is_newer, unpack
from wattle_hil.parts.errors import PartError

SUITE = "trial"
NEEDED = ("apt-get", "dpkg-deb", "gpg")
needs_tools = pytest.mark.skipif(
    not all(shutil.which(name) for name in NEEDED), reason=f"needs {', '.join(NEEDED)}"
)


class Mirror:
    """An archive of one package, signed with a key of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keyring = folder / "keyring.gpg"
        self._keys = folder / "keys"
        self._keys.mkdir(parents=True, mode=0o700)
        self._gpg("--quick-generate-key", "--passphrase", "", "trial", "ed25519", "sign", "never")
        self.keyring.write_bytes(self._gpg("--export"))
        self.deb = self._package("1.0-1", "signed content")
        self.source = folder / "trial_1.0.orig.tar.xz"
        self.source.write_bytes(b"what upstream wrote")
        self.publish()

    def close(self) -> None:
        """Ends the agent that gpg started for the keys."""
        subprocess.run(["gpgconf", "--homedir", self._keys, "--kill", "all"], check=True)

    def _gpg(self, *arguments: str | Path, text: bytes = b"") -> bytes:
        command = ["gpg", "--homedir", str(self._keys), "--batch", "--pinentry-mode", "loopback"]
        return subprocess.run(
            [*command, *arguments], input=text, capture_output=True, check=True
        ).stdout

    def _package(self, version: str, content: str) -> Path:
        source = self.folder / f"source-{version}"
        (source / "DEBIAN").mkdir(parents=True)
        (source / "DEBIAN" / "control").write_text(
            f"Package: trial\nVersion: {version}\nArchitecture: amd64\n"
            "Maintainer: nobody <nobody@example.org>\nDescription: a trial\n"
        )
        (source / "usr").mkdir()
        (source / "usr" / "trial.txt").write_text(content)
        deb = self.folder / f"trial_{version}_amd64.deb"
        subprocess.run(["dpkg-deb", "-b", source, deb], capture_output=True, check=True)
        return deb

    def _sources(self) -> bytes:
        data = self.source.read_bytes()
        files = f" {{digest}} {len(data)} {self.source.name}\n"
        return (
            "Package: trial\nBinary: trial\nVersion: 1.0-1\nArchitecture: any\nDirectory: .\n"
            f"Files:\n{files.format(digest=hashlib.md5(data).hexdigest())}"
            f"Checksums-Sha256:\n{files.format(digest=hashlib.sha256(data).hexdigest())}"
        ).encode()

    def _index(self, name: str, content: bytes) -> list[str]:
        """Writes an index; gives its lines in the release file, plain and packed."""
        packed = self.folder / "dists" / SUITE / "main" / f"{name}.gz"
        packed.parent.mkdir(parents=True, exist_ok=True)
        packed.write_bytes(gzip.compress(content))
        return [
            f" {hashlib.sha256(data).hexdigest()} {len(data)} main/{listed}"
            for listed, data in ((name, content), (f"{name}.gz", packed.read_bytes()))
        ]

    def publish(self) -> None:
        """Writes and signs the index for the packages as they are now."""
        control = subprocess.run(
            ["dpkg-deb", "-f", self.deb], capture_output=True, text=True, check=True
        ).stdout
        data = self.deb.read_bytes()
        packages = (
            f"{control.strip()}\nFilename: {self.deb.name}\nSize: {len(data)}\n"
            f"SHA256: {hashlib.sha256(data).hexdigest()}\n"
        ).encode()
        lines = [
            *self._index("binary-amd64/Packages", packages),
            *self._index("source/Sources", self._sources()),
        ]
        head = f"Origin: trial\nSuite: {SUITE}\nCodename: {SUITE}\nArchitectures: amd64\n"
        date = "Components: main\nDate: Thu, 01 Jan 2026 00:00:00 UTC\n"
        release = f"{head}{date}SHA256:\n" + "".join(f"{line}\n" for line in lines)
        self.release = self.folder / "dists" / SUITE / "InRelease"
        self.release.write_bytes(self._gpg("--clearsign", text=release.encode()))


@pytest.fixture
def mirror(tmp_path: Path) -> Iterator[Mirror]:
    made = Mirror(tmp_path / "mirror")
    yield made
    made.close()


@pytest.fixture
def archive(tmp_path: Path, mirror: Mirror) -> Callable[[Path], Archive]:
    def make(keyring: Path) -> Archive:
        uri = f"file:{mirror.folder}"
        return Archive.of_suite(tmp_path / "apt", uri, SUITE, keyring, ["amd64"])

    return make


@needs_tools
def test_a_signed_package_is_offered_fetched_and_unpacked(
    tmp_path: Path, mirror: Mirror, archive: Callable[[Path], Archive]
) -> None:
    trial = archive(mirror.keyring)
    (package,) = trial.offers("trial", "amd64")
    assert str(package) == "trial:amd64 1.0-1"
    assert package.sha256 == hashlib.sha256(mirror.deb.read_bytes()).hexdigest()
    (tmp_path / "files").mkdir()
    (file,) = trial.download([package], tmp_path / "files")
    unpack(file, tmp_path / "root")
    assert (tmp_path / "root" / "usr" / "trial.txt").read_text() == "signed content"


@pytest.fixture
def sources(tmp_path: Path, mirror: Mirror) -> Archive:
    uri = f"file:{mirror.folder}"
    return Archive.of_suite(tmp_path / "apt", uri, SUITE, mirror.keyring, [SOURCE])


@needs_tools
def test_a_source_is_offered_and_fetched(tmp_path: Path, mirror: Mirror, sources: Archive) -> None:
    (package,) = sources.source_offers("trial")
    assert str(package) == "trial:source 1.0-1"
    assert package.sha256 == hashlib.sha256(mirror.source.read_bytes()).hexdigest()
    (tmp_path / "files").mkdir()
    file = sources.download_source(package, tmp_path / "files")
    assert file.read_bytes() == b"what upstream wrote"


@needs_tools
def test_an_unknown_source_is_not_offered(sources: Archive) -> None:
    assert sources.source_offers("nothing-of-the-kind") == []


@needs_tools
def test_a_source_changed_after_signing_is_refused(
    tmp_path: Path, mirror: Mirror, sources: Archive
) -> None:
    (package,) = sources.source_offers("trial")
    mirror.source.write_bytes(b"what upstream wrotE")
    (tmp_path / "files").mkdir()
    with pytest.raises(PartError):
        sources.download_source(package, tmp_path / "files")


@needs_tools
def test_the_sources_are_known_before_anything_is_fetched(
    mirror: Mirror, archive: Callable[[Path], Archive]
) -> None:
    assert archive(mirror.keyring).sources() == [(f"file:{mirror.folder}", SUITE)]


@needs_tools
def test_an_unknown_package_is_not_offered(
    mirror: Mirror, archive: Callable[[Path], Archive]
) -> None:
    assert archive(mirror.keyring).offers("nothing-of-the-kind", "amd64") == []


@needs_tools
def test_a_signature_of_another_key_is_refused(
    tmp_path: Path, archive: Callable[[Path], Archive]
) -> None:
    other = Mirror(tmp_path / "other")
    other.close()
    with pytest.raises(PartError, match="not signed"):
        archive(other.keyring).refresh()


@needs_tools
def test_an_index_changed_after_signing_is_refused(
    mirror: Mirror, archive: Callable[[Path], Archive]
) -> None:
    text = mirror.release.read_bytes()
    mirror.release.write_bytes(text.replace(b"Origin: trial", b"Origin: triaL"))
    with pytest.raises(PartError, match=r"BADSIG|Bad signature|not signed|Malformed"):
        archive(mirror.keyring).refresh()


@needs_tools
def test_an_unsigned_archive_is_refused(mirror: Mirror, archive: Callable[[Path], Archive]) -> None:
    mirror.release.unlink()
    with pytest.raises(PartError, match="Release"):
        archive(mirror.keyring).refresh()


@needs_tools
def test_a_package_changed_after_signing_is_refused(
    tmp_path: Path, mirror: Mirror, archive: Callable[[Path], Archive]
) -> None:
    trial = archive(mirror.keyring)
    offers = trial.offers("trial", "amd64")
    data = bytearray(mirror.deb.read_bytes())
    data[-1] ^= 1
    mirror.deb.write_bytes(data)
    (tmp_path / "files").mkdir()
    with pytest.raises(PartError):
        trial.download(offers, tmp_path / "files")


@needs_tools
def test_a_mirror_that_is_not_there_is_named(tmp_path: Path, mirror: Mirror) -> None:
    uri = f"file:{tmp_path}/nowhere"
    trial = Archive.of_suite(tmp_path / "apt", uri, SUITE, mirror.keyring, ["amd64"])
    with pytest.raises(PartError, match="nowhere"):
        trial.refresh()


@pytest.mark.skipif(not shutil.which("dpkg"), reason="needs dpkg")
@pytest.mark.parametrize(
    ("version", "than", "expected"),
    [
        ("2.41-12+deb13u10", "2.41-12+deb13u4", True),
        ("2.41-12", "2.41-12", False),
        ("1.0~rc1", "1.0", False),
        ("1:0.9", "1.0", True),
    ],
)
def test_versions_are_ordered_as_debian_does(version: str, than: str, expected: bool) -> None:
    assert is_newer(version, than) is expected
