"""Packages of a Debian archive, without root and without touching the system.

apt does the work, with lists and cache of its own in a scratch folder, so the signature check is
the one that every Debian machine trusts; `dpkg-deb -x` unpacks. Nothing gets installed.
"""

import hashlib
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wattle_hil.parts.errors import PartError

# A mirror that does not answer must not hang the set-up; apt's own limit is two minutes a try.
_CONNECT_TIMEOUT_S = 20
_RETRIES = 2
# An index and the packages are about 30 MB; a line that needs longer than this is broken.
_RUN_TIMEOUT_S = 900
# `apt-get --print-uris update` names each release file as 'mirror/dists/suite/InRelease'.
_RELEASE_URI = re.compile(r"^'(\S+)/dists/([^/']+)/InRelease'", re.MULTILINE)
# What a package without an architecture of its own is: the upstream sources that it was built from.
SOURCE = "source"
_SOURCE_TAR = re.compile(r"^ ([0-9a-f]{64}) \d+ (\S+\.orig\.tar\.\w+)$", re.MULTILINE)


@dataclass(frozen=True)
class Package:
    """One package in one version, as an archive's signed index describes it.

    architecture: Debian's name, or SOURCE; then sha256 is that of the upstream tar file.
    """

    name: str
    architecture: str
    version: str
    sha256: str

    def __str__(self) -> str:
        return f"{self.name}:{self.architecture} {self.version}"


def run(*command: str | Path, folder: Path | None = None) -> str:
    """Runs a program of the host and returns what it printed.

    Raises PartError with what it complained about.
    """
    try:
        done = subprocess.run(
            command,
            cwd=folder,
            env=os.environ | {"LC_ALL": "C.UTF-8"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_RUN_TIMEOUT_S,
            check=False,
        )
    except FileNotFoundError as error:
        raise PartError(f"this machine has no {command[0]}; Debian and Ubuntu have it") from error
    except subprocess.TimeoutExpired as error:
        raise PartError(f"{command[0]} did not end within {_RUN_TIMEOUT_S} s") from error
    if done.returncode != 0:
        said = " / ".join(line for line in done.stderr.splitlines() if line.strip())
        raise PartError(f"{command[0]} failed: {said or f'exit code {done.returncode}'}")
    return done.stdout


class Archive:
    """apt with its state in a scratch folder; `of_host` and `of_suite` make the two kinds."""

    def __init__(self, scratch: Path, settings: Sequence[str], *, every_source: bool) -> None:
        """scratch: a folder that does not exist yet. settings: lines of apt.conf syntax.

        every_source: one source that does not answer fails the whole.
        """
        self._scratch = scratch
        self._needs_every_source = every_source
        self._unanswered: str | None = None
        self._config = scratch / "apt.conf"
        (scratch / "lists" / "partial").mkdir(parents=True)
        (scratch / "cache" / "archives" / "partial").mkdir(parents=True)
        lines = [
            # What an administrator hung on to updates of the system is not for us.
            "#clear APT::Update::Pre-Invoke;",
            "#clear APT::Update::Post-Invoke;",
            "#clear APT::Update::Post-Invoke-Success;",
            f'Dir::State::lists "{scratch}/lists";',
            f'Dir::Cache "{scratch}/cache";',
            'Dir::Cache::archives "archives";',
            'Dir::Cache::pkgcache "pkgcache.bin";',
            'Dir::Cache::srcpkgcache "srcpkgcache.bin";',
            'Acquire::Languages "none";',
            f'Acquire::Retries "{_RETRIES}";',
            f'Acquire::http::Timeout "{_CONNECT_TIMEOUT_S}";',
            f'Acquire::https::Timeout "{_CONNECT_TIMEOUT_S}";',
            # As root, apt would hand downloads to a user who may not write into the scratch folder.
            'APT::Sandbox::User "root";',
            # Only matters for locks of the system, which we neither take nor change.
            'Debug::NoLocking "true";',
            *settings,
        ]
        self._config.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self._is_fresh = False

    @classmethod
    def of_host(cls, scratch: Path) -> "Archive":
        """The archive that this machine itself installs from, with its sources, keys and pins."""
        # A third party's dead source in the host's list must not take Debian's packages with it.
        return cls(scratch, [], every_source=False)

    @classmethod
    def of_suite(
        cls, scratch: Path, mirror: str, suite: str, keyring: Path, architectures: Sequence[str]
    ) -> "Archive":
        """Section main of one suite of one mirror, trusted by one keyring; not the host's.

        architectures: of binary packages; [SOURCE]: source packages instead.
        """
        scratch.mkdir()
        sources = scratch / "sources.list"
        kind = "deb-src" if SOURCE in architectures else "deb"
        sources.write_text(
            f"{kind} [signed-by={keyring}] {mirror} {suite} main\n", encoding="utf-8"
        )
        (scratch / "status").touch()
        names = " ".join(f'"{name}";' for name in architectures)
        settings = [
            f'Dir::Etc::sourcelist "{sources}";',
            'Dir::Etc::sourceparts "/dev/null";',
            'Dir::Etc::preferences "/dev/null";',
            'Dir::Etc::preferencesparts "/dev/null";',
            f'Dir::State::status "{scratch}/status";',
        ]
        if kind == "deb":
            settings += [
                f'APT::Architecture "{architectures[0]}";',
                "#clear APT::Architectures;",
                f"APT::Architectures {{ {names} }};",
            ]
        return cls(scratch, settings, every_source=True)

    def refresh(self) -> None:
        """Fetches and verifies the index, once in the life of this object."""
        if self._is_fresh:
            return
        try:
            self._apt("apt-get", "update", "--error-on=any")
        except PartError as error:
            if self._needs_every_source:
                raise
            self._unanswered = str(error)
        self._is_fresh = True

    def sources(self) -> list[tuple[str, str]]:
        """(mirror, suite) of each configured source, in the order of the configuration."""
        # apt 2.6 (Debian 12) prints no addresses when it is as quiet as we otherwise ask.
        listing = self._apt("apt-get", "-o", "quiet=0", "--print-uris", "update")
        return _RELEASE_URI.findall(listing)

    def offers(self, name: str, architecture: str) -> list[Package]:
        """The versions of a package that the archive holds, newest first; none: an empty list."""
        self.refresh()
        try:
            text = self._apt("apt-cache", "show", f"{name}:{architecture}")
        except PartError:  # apt-cache fails for a name it does not know
            return []
        stanzas = [_fields(stanza) for stanza in text.split("\n\n")]
        # One stanza for each version, in apt's own order; an installed version has no SHA256.
        return [
            Package(name, architecture, fields["Version"], fields["SHA256"])
            for fields in stanzas
            if fields.get("Package") == name and "SHA256" in fields
        ]

    def source_offers(self, name: str) -> list[Package]:
        """The versions of a source package in the archive; none: an empty list.

        Raises PartError when the index names no upstream tar file for one.
        """
        self.refresh()
        try:
            text = self._apt("apt-cache", "showsrc", "--only-source", name)
        except PartError:
            return []
        offers = []
        for stanza in text.split("\n\n"):
            version = _fields(stanza).get("Version")
            if version is None:
                continue
            tar = _SOURCE_TAR.search(stanza)
            if tar is None:
                raise PartError(f"the source of {name} {version} has no upstream tar file")
            offers.append(Package(name, SOURCE, version, tar[1]))
        return offers

    def download_source(self, package: Package, folder: Path) -> Path:
        """Fetches the upstream tar file of a source package into an empty folder.

        Raises PartError when it does not have the SHA-256 of the package.
        """
        self.refresh()
        wanted = f"{package.name}={package.version}"
        self._apt("apt-get", "source", "--download-only", "--tar-only", wanted, folder=folder)
        (file,) = folder.glob("*.orig.tar.*")
        _check_digest(package, file)
        return file

    def download(self, packages: Sequence[Package], folder: Path) -> list[Path]:
        """Fetches package files into an empty folder, in one go; the paths come in the same order.

        Raises PartError when a file does not have the SHA-256 of its package.
        """
        self.refresh()
        specs = [f"{item.name}:{item.architecture}={item.version}" for item in packages]
        self._apt("apt-get", "download", *specs, folder=folder)
        files = []
        for package in packages:
            # The version stands in the name with its epoch escaped; no need to know how.
            (file,) = folder.glob(f"{package.name}_*_{package.architecture}.deb")
            _check_digest(package, file)
            files.append(file)
        return files

    def download_uninstalled(self, names: Sequence[str]) -> list[Path]:
        """Fetches packages and those of their dependencies that the host has not installed."""
        self.refresh()
        command = ("install", "--yes", "--no-install-recommends", "--download-only", *names)
        try:
            self._apt("apt-get", *command)
        except PartError as error:
            if self._unanswered in (None, str(error)):
                raise
            raise PartError(f"{error} (the index: {self._unanswered})") from error
        return sorted((self._scratch / "cache" / "archives").glob("*.deb"))

    def _apt(self, program: str, *arguments: str, folder: Path | None = None) -> str:
        return run(program, "-qq", "-c", self._config, *arguments, folder=folder)


def _check_digest(package: Package, file: Path) -> None:
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    if digest != package.sha256:
        raise PartError(f"{package} has SHA-256 {digest}, expected {package.sha256}")


def is_newer(version: str, than: str) -> bool:
    """Debian's order of versions (deb-version(7)), asked of dpkg itself."""
    try:
        run("dpkg", "--compare-versions", version, "gt", than)
    except PartError:
        return False
    return True


def unpack(deb: Path, root: Path) -> None:
    """Unpacks the files of a package below root; runs none of its scripts."""
    run("dpkg-deb", "-x", deb, root)


def _fields(stanza: str) -> dict[str, str]:
    """The one-line fields of a control stanza; continuation lines are of no interest here."""
    lines = (line.partition(": ") for line in stanza.splitlines() if not line.startswith(" "))
    return {name: value for name, _, value in lines}
