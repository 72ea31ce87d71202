"""Where Debian trixie is to be had from this machine, and the keys that prove it genuine."""

import os
import re
from pathlib import Path

from wattle_hil.parts.archive import Archive, unpack
from wattle_hil.parts.errors import PartError

# For hosts that are not Debian themselves. Nothing is trusted because it came from the mirror
# named: the keyring decides.
_MIRROR_VARIABLE = "WATTLE_DEBIAN_MIRROR"
# A source with one of these suites is a Debian mirror, and a mirror has the other suites as well.
_DEBIAN_SUITE = re.compile(
    r"oldstable|stable|testing|unstable|sid|bullseye|bookworm|trixie|forky|duke"
)
_KEYRING_PACKAGE = "debian-archive-keyring"
_KEYRING_FILES = (
    "usr/share/keyrings/debian-archive-keyring.pgp",
    "usr/share/keyrings/debian-archive-keyring.gpg",
)


def debian_mirrors(host: Archive) -> list[str]:
    """Mirrors worth a try, best first: WATTLE_DEBIAN_MIRROR alone if it is set, else the host's
    own Debian sources.

    Raises PartError when the host has none (Ubuntu, say) and the variable names none.
    """
    named = os.environ.get(_MIRROR_VARIABLE)
    if named:
        return [named.rstrip("/")]
    own = [mirror for mirror, suite in host.sources() if _DEBIAN_SUITE.fullmatch(suite)]
    if not own:
        raise PartError(
            f"no Debian mirror among this host's package sources: set {_MIRROR_VARIABLE} to the"
            " address of one, as Debian's list of mirrors gives it"
        )
    return list(dict.fromkeys(own))


def debian_keyring(host: Archive, scratch: Path) -> Path:
    """Debian's archive keys: the host's, else from the host's archive (Ubuntu offers them).

    scratch: an existing folder that outlives the use of the keyring.
    Raises PartError when neither has them.
    """
    found = _keyring_below(Path("/"))
    if found is None:
        offers = host.offers(_KEYRING_PACKAGE, "all")
        if not offers:
            raise PartError(f"Debian's keys are not here: apt install {_KEYRING_PACKAGE}")
        files = scratch / "keyring"
        files.mkdir()
        (file,) = host.download(offers[:1], files)
        unpack(file, scratch)
        found = _keyring_below(scratch)
    if found is None:
        raise PartError(f"the package {_KEYRING_PACKAGE} has none of {', '.join(_KEYRING_FILES)}")
    return found


def _keyring_below(root: Path) -> Path | None:
    return next((root / name for name in _KEYRING_FILES if (root / name).is_file()), None)
