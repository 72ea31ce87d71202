"""Programs of the host's own Debian or Ubuntu that some tests use: mosquitto, mbpoll.

One that is installed is used. Otherwise its package, and those of its dependencies that the host
lacks, are unpacked under the build folder with a script in front of each program.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from wattle_hil.parts.archive import Archive, unpack
from wattle_hil.parts.errors import PartError, PartMissingError
from wattle_hil.parts.folder import (
    draft,
    fingerprint,
    is_made_from,
    note_missing,
    put_in_place,
    why_missing,
    write_script,
)

# Debian keeps daemons here, which is not on everybody's PATH.
_DAEMON_FOLDERS = ("/usr/local/sbin", "/usr/sbin", "/sbin")


@dataclass(frozen=True)
class HostProgram:
    """A part made of the host's packages, and the programs that it offers."""

    name: str
    packages: tuple[str, ...]
    programs: tuple[str, ...]


MOSQUITTO = HostProgram(
    "mosquitto",
    ("mosquitto", "mosquitto-clients"),
    ("mosquitto", "mosquitto_pub", "mosquitto_sub"),
)
MBPOLL = HostProgram("mbpoll", ("mbpoll",), ("mbpoll",))


def find(build: Path, part: HostProgram, program: str) -> Path:
    """A program of a part under the build folder. Raises PartMissingError when it is not there."""
    if program not in part.programs:
        raise ValueError(f"{program!r} is none of {', '.join(part.programs)}")
    found = build / part.name / program
    if found.is_file():
        return found
    reason = why_missing(build / part.name) or f"it is not under {build}: run `make parts`"
    raise PartMissingError(f"no {program}: {reason}")


def fetch(build: Path, part: HostProgram) -> list[str]:
    """Puts the programs of a part under the build folder unless they are there; says what it did.

    To be called inside `folder.exclusive(build)`. Raises PartError when they cannot be had.
    """
    installed = {program: _installed(program) for program in part.programs}
    made_from = fingerprint(part, installed, recipe=__file__)
    folder = build / part.name
    if is_made_from(folder, made_from):
        return []
    try:
        with draft(build, part.name) as scratch:
            drafted = scratch / part.name
            drafted.mkdir()
            if None in installed.values():
                for deb in Archive.of_host(scratch / "apt").download_uninstalled(part.packages):
                    unpack(deb, drafted / "root")
            _write_scripts(drafted, installed)
            put_in_place(drafted, folder, made_from)
    except PartError as error:
        reason = f"{error}; it helps to install {' '.join(part.packages)}"
        note_missing(folder, reason)
        raise PartError(f"{part.name} cannot be fetched: {reason}") from error
    return [f"{part.name} is in {folder}"]


def _installed(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path=":".join(_DAEMON_FOLDERS))


def _write_scripts(drafted: Path, installed: Mapping[str, str | None]) -> None:
    root = drafted / "root"
    libraries = ":".join(
        f"$here/{folder.relative_to(drafted)}"
        for pattern in ("usr/lib/*-linux-gnu*", "lib/*-linux-gnu*")
        for folder in sorted(root.glob(pattern))
    )
    for program, path in installed.items():
        if path is not None:
            write_script(drafted / program, f'exec "{path}" "$@"')
            continue
        unpacked = [root / place / program for place in ("usr/sbin", "usr/bin", "sbin", "bin")]
        found = next((file for file in unpacked if file.is_file()), None)
        if found is None:
            raise PartError(f"the packages hold no program {program}")
        write_script(
            drafted / program,
            f'LD_LIBRARY_PATH="{libraries}" exec "$here/{found.relative_to(drafted)}" "$@"',
        )
