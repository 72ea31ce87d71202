"""Real MicroPython under build/micropython, 64-bit and 32-bit of this machine's family.

From Debian's packages, unpacked with a libc of their own. The two programs to run are scripts
that find everything else relative to themselves, so the folder may be moved or copied.
"""

import platform
import shlex
import shutil
import subprocess
from pathlib import Path

from wattle_hil.parts import pins
from wattle_hil.parts.architecture import FAMILIES
from wattle_hil.parts.archive import unpack
from wattle_hil.parts.errors import PartError, PartMissingError
from wattle_hil.parts.folder import draft, fingerprint, is_made_from, put_in_place, write_script

PART = "micropython"
_NO_32_BIT = "no-32-bit.txt"
# The first release whose tls module and asyncio do what the firmware needs.
_OLDEST_VERSION = (1, 25)
_PROBE_TIMEOUT_S = 20
_PROBE = "import sys, tls; print(sys.implementation[1][0], sys.implementation[1][1], sys.maxsize)"
_OLDEST = ".".join(str(number) for number in _OLDEST_VERSION)
_ADVICE = (
    "what helps: a Debian mirror that can be reached (WATTLE_DEBIAN_MIRROR names one), or "
    f"MicroPython {_OLDEST} or newer, built with its tls module, on PATH as `micropython`"
)


def find(build: Path, bits: int) -> Path:
    """The program under build/micropython. Raises PartMissingError when there is none."""
    if bits not in (32, 64):
        raise ValueError(f"bits is {bits!r}, expected 32 or 64")
    program = build / PART / f"micropython{bits}"
    if program.is_file():
        return program
    try:
        reason = (build / PART / _NO_32_BIT).read_text(encoding="utf-8")
    except OSError:
        reason = f"there is none under {build}: run `make micropython`"
    raise PartMissingError(f"no {bits}-bit MicroPython: {reason}")


def fetch(build: Path) -> list[str]:
    """Puts both interpreters under build/micropython unless they are there; says what it did.

    To be called inside `folder.exclusive(build)`. Raises PartError when not even a 64-bit
    interpreter can be had.
    """
    own = _interpreter_on_path()
    made_from = fingerprint(pins.FILE.read_text(), platform.machine(), own, recipe=__file__)
    part = build / PART
    if is_made_from(part, made_from):
        return []
    with draft(build, PART) as scratch:
        drafted = scratch / PART
        drafted.mkdir()
        notes = []
        no_32_bit = None
        try:
            notes += _unpack_packages(drafted, scratch, with_64_bit=own is None)
        except PartError as error:
            if own is None:
                raise PartError(f"MicroPython cannot be fetched: {error}\n{_ADVICE}") from error
            no_32_bit = str(error)
            made_from = ""  # fits no stamp: the next run tries again
        if own is not None:
            write_script(drafted / "micropython64", f'exec {shlex.quote(str(own))} "$@"')
            notes.append(f"64-bit MicroPython is the one on PATH, {own}")
        no_64_bit = why_not_running(drafted / "micropython64", 64)
        if no_64_bit:
            raise PartError(f"MicroPython does not run here: {no_64_bit}")
        no_32_bit = no_32_bit or why_not_running(drafted / "micropython32", 32)
        if no_32_bit:
            (drafted / _NO_32_BIT).write_text(no_32_bit, encoding="utf-8")
            (drafted / "micropython32").unlink(missing_ok=True)
            notes.append(f"no 32-bit MicroPython, its tests will be skipped: {no_32_bit}")
        put_in_place(drafted, part, made_from)
    return [*notes, f"MicroPython is in {part}"]


def why_not_running(program: Path, bits: int) -> str | None:
    """Runs a MicroPython; None when it is new enough, has tls and this word size, else why not."""
    try:
        done = subprocess.run(
            [program, "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_PROBE_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"{program.name} does not run ({error})"
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip().replace("\n", " / ")
        hint = "; can this kernel run 32-bit programs?" if bits == 32 else ""
        return f"{program.name} ends with exit code {done.returncode} ({said}){hint}"
    answer = done.stdout.split()
    if len(answer) != 3 or not all(word.isdecimal() for word in answer):
        return f"{program.name} is no MicroPython, it printed {done.stdout[:80]!r}"
    major, minor, largest = (int(word) for word in answer)
    if (major, minor) < _OLDEST_VERSION:
        return f"{program.name} is version {major}.{minor}, needed is {_OLDEST}"
    if largest != 2 ** (bits - 1) - 1:
        return f"{program.name} is not a {bits}-bit program"
    return None


def _interpreter_on_path() -> Path | None:
    found = shutil.which("micropython")
    if found is None or why_not_running(Path(found), 64) is not None:
        return None
    return Path(found).absolute()


def _unpack_packages(drafted: Path, scratch: Path, *, with_64_bit: bool) -> list[str]:
    """Unpacks Debian's packages into the draft; says which are not the pinned ones."""
    machine = platform.machine()
    if machine not in FAMILIES:
        raise PartError(f"Debian has no MicroPython of both word sizes for {machine}")
    wanted = [arch for arch in FAMILIES[machine] if with_64_bit or arch.bits == 32]
    pinned = pins.read()
    archive = pins.open_suite(scratch, [arch.name for arch in wanted])
    notes = []
    chosen = []
    for arch in wanted:
        for pin in pinned[arch.name].values():
            chosen.append(pins.choose(pin, archive.offers(pin.name, arch.name)))
            if chosen[-1] != pin:
                notes.append(f"Debian offers {chosen[-1]}, newer than the pinned one: taken")
    files = scratch / "files"
    files.mkdir()
    for package, file in zip(chosen, archive.download(chosen, files), strict=True):
        unpack(file, drafted / package.architecture)
    for arch in wanted:
        write_script(
            drafted / f"micropython{arch.bits}",
            f"lib=$here/{arch.name}/usr/lib/{arch.triplet}",
            f'exec "$lib/{arch.loader}" --library-path "$lib" --argv0 micropython \\',
            f'    "$here/{arch.name}/usr/bin/micropython" "$@"',
        )
    return notes
