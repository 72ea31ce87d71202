"""Which packages the MicroPython of this project consists of, version by version.

The list is pins.toml beside this file. `make pins` writes it anew from what Debian's signed index
offers today; the change is then reviewed and committed like any other. Debian keeps one version
of a package in a suite, so after a point release a pinned one may be gone: then a newer one of
the same suite is taken, whose index apt has verified.
"""

import tomllib
from collections.abc import Sequence
from pathlib import Path

from wattle_hil.parts.architecture import FAMILIES
from wattle_hil.parts.archive import SOURCE, Archive, Package, is_newer
from wattle_hil.parts.errors import PartError
from wattle_hil.parts.mirror import debian_keyring, debian_mirrors

FILE = Path(__file__).with_name("pins.toml")
SUITE = "trixie"
# The interpreter and every library it links to, libc included: it then runs on older hosts too.
PACKAGES = (
    "micropython",
    "libc6",
    "libffi8",
    "libgcc-s1",
    "libmbedcrypto16",
    "libmbedtls21",
    "libmbedx509-7",
)
# What the emulated board is built from: the same version as the interpreters.
SOURCES = ("micropython",)

_HEAD = """\
# The MicroPython packages of Debian {suite}, with the SHA-256 of each file.
# Written by `make pins` (wattle_hil.parts.pins); not edited by hand.
"""


def read(file: Path = FILE) -> dict[str, dict[str, Package]]:
    """architecture -> name -> package. Raises PartError when the file is not as written here."""
    try:
        table = tomllib.loads(file.read_text(encoding="utf-8"))
        pins = {
            architecture: {
                name: Package(name, architecture, entry["version"], entry["sha256"])
                for name, entry in packages.items()
            }
            for architecture, packages in table.items()
        }
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise PartError(f"{file.name} is unreadable ({error!r}): run `make pins`") from error
    for architecture, packages in pins.items():
        if tuple(packages) != (SOURCES if architecture == SOURCE else PACKAGES):
            raise PartError(f"{file.name} pins {list(packages)} for {architecture}: `make pins`")
    return pins


def write(packages: Sequence[Package], file: Path = FILE) -> None:
    """Writes the pins, grouped by architecture, in the order given."""
    lines = [_HEAD.format(suite=SUITE)]
    for package in packages:
        lines += [
            f"[{package.architecture}.{package.name}]",
            f'version = "{package.version}"',
            f'sha256 = "{package.sha256}"',
            "",
        ]
    file.write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


def open_suite(scratch: Path, architectures: Sequence[str]) -> Archive:
    """The pinned suite on the first mirror that has it, with its index fetched and verified.

    scratch: a folder for the files of apt. Raises PartError with what each mirror answered.
    """
    host = Archive.of_host(scratch / "host")
    keyring = debian_keyring(host, scratch)
    failures = []
    for number, mirror in enumerate(debian_mirrors(host)):
        folder = scratch / f"mirror{number}"
        archive = Archive.of_suite(folder, mirror, SUITE, keyring, architectures)
        try:
            archive.refresh()
        except PartError as error:
            failures.append(f"{mirror}: {error}")
        else:
            return archive
    raise PartError(" // ".join(failures))


def choose(pin: Package, offers: Sequence[Package]) -> Package:
    """The pinned package if it is offered, else a newer one.

    Raises PartError when there is only older, or the pinned version with another hash.
    """
    for package in offers:
        if package.version == pin.version:
            if package.sha256 != pin.sha256:
                raise PartError(f"{package} has SHA-256 {package.sha256}, pinned is {pin.sha256}")
            return package
    if not offers or not is_newer(offers[0].version, than=pin.version):
        found = ", ".join(str(package) for package in offers) or "nothing"
        raise PartError(f"Debian {SUITE} offers {found} for the pinned {pin}")
    return offers[0]


def renew(scratch: Path) -> list[Package]:
    """What the suite offers now, for every architecture.

    scratch: a folder for the files of apt. Raises PartError when a package is missing.
    """
    names = [arch.name for family in FAMILIES.values() for arch in family]
    archive = open_suite(scratch, names)
    newest = []
    for architecture in names:
        for name in PACKAGES:
            offers = archive.offers(name, architecture)
            if not offers:
                raise PartError(f"Debian {SUITE} has no {name} for {architecture}")
            newest.append(offers[0])
    sources = open_suite(scratch / SOURCE, [SOURCE])
    for name in SOURCES:
        offers = sources.source_offers(name)
        if not offers:
            raise PartError(f"Debian {SUITE} has no source of {name}")
        newest.append(offers[0])
    return newest
