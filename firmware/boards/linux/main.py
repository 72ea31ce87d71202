"""Runs a meter as a process:  micropython main.py FOLDER [OPTION..]

    --installed          the version beside this file and the settings in FOLDER count again, not
                         those that updates have brought
    --identity           make keys if there are none, write enrol.cbor, print who this is, end
    --bench-clock FILE   time of a bench run (bench_clock.py) instead of the host's
    --probe UNITS        say what answers on the line at which settings (UNITS: 1-247 or 1,3-5) and
                         every plausible reading of it, and end; the devices in config.json need
                         not be right
    --no-rtc             start without time; learn it from the gateway
    --status FILE        write counters there as JSON every few seconds
    --log LEVEL          0 errors, 1 warnings, 2 information (default), 3 detail

Exit code 0: ended as asked; 1: something a person must mend, said on stderr; 2: wrong arguments.

This file chooses the version and starts it: the one beside it, or one that an update has put into
FOLDER/slot1 or slot2. No update replaces it, so it imports nothing that one does.
"""

import array
import binascii
import os
import sys

import ffi
import uctypes
import vfs

_HERE = __file__.rpartition("/")[0] or "."
for _room in ("/../..", "/../../../protocol"):
    sys.path.insert(1, _HERE + _room)

import boot_choice  # noqa: E402 - behind the search path

_PROGRAM = "linux_meter"
_RESTART = 3  # exit code of a program that wants to be started anew
_ONCE = ("--identity", "--probe")  # no start of a meter: nothing that could prove itself
_MOUNT = "/slot"
_SUM_BYTES = 4  # behind a value of file_store
_READ, _PRIVATE = 1, 2  # mmap
_DESCRIPTORS_MAX = 256
_libc = ffi.open("libc.so.6")


def choose(folder: str) -> tuple[str, bool]:
    """(module to start, whether it is on trial); mounts its slot in front of the search path."""
    path = folder + "/nvs/" + boot_choice.RECORD_KEY
    record = _stored(path)
    slot, changed = boot_choice.choose(record)
    if changed != record:
        _store(path, changed)
    on_trial = boot_choice.is_on_trial(changed)
    if not slot:
        return _PROGRAM, on_trial
    try:
        _mount("%s/slot%d/firmware.rom" % (folder, slot))
        with open(_MOUNT + "/entry") as file:
            return file.read(), on_trial
    except (OSError, ValueError) as error:
        sys.stderr.write("slot %d: %s\n" % (slot, error))
        if on_trial:
            restart()
        _store(path, boot_choice.slot_lost(record))
        return _PROGRAM, False


def install(folder: str) -> None:
    """Goes back to what was installed, for good."""
    path = folder + "/nvs/" + boot_choice.RECORD_KEY
    record = _stored(path)
    if record:
        _store(path, boot_choice.as_installed(record))


def _stored(path: str) -> bytes:
    """The record, b"" if there is none or it is damaged: then what is beside this file runs."""
    try:
        with open(path, "rb") as file:
            data: bytes = file.read()
    except OSError:
        return b""
    record = data[:-_SUM_BYTES]
    return record if _sum(record) == data[-_SUM_BYTES:] else b""


def _store(path: str, record: bytes) -> None:
    with open(path + ".new", "wb") as file:
        file.write(record + _sum(record))
        file.flush()  # MicroPython: fsync
    os.rename(path + ".new", path)  # one that is lost with the power is a start that counts not


def _sum(record: bytes) -> bytes:
    return binascii.crc32(record).to_bytes(_SUM_BYTES, "big")


def _mount(path: str) -> None:
    """Mapped, not read: code runs where it lies, as on a board."""
    with open(path, "rb") as file:
        size = file.seek(0, 2)
        if not size:
            raise OSError(path + " is empty")
        mmap = _libc.func("P", "mmap", "PIiiil")
        address = mmap(None, size, _READ, _PRIVATE, file.fileno(), 0)
    vfs.mount(vfs.VfsRom(uctypes.bytearray_at(address, size)), _MOUNT)
    sys.path.insert(0, _MOUNT)


def restart() -> None:
    """Starts this process anew, as a reset does: the same arguments, no open file."""
    with open("/proc/self/cmdline", "rb") as file:
        words = file.read().split(b"\0")[:-1]
    kept = [bytearray(word + b"\0") for word in words]
    close = _libc.func("i", "close", "i")
    for descriptor in range(3, _DESCRIPTORS_MAX):
        close(descriptor)
    arguments = array.array("L", [uctypes.addressof(word) for word in kept] + [0])
    _libc.func("i", "execv", "sP")("/proc/self/exe", arguments)


def main(arguments: list[str]) -> int:
    """Starts the version that is due; gives the exit code."""
    if "--installed" in arguments:
        arguments.remove("--installed")
        install(arguments[0] if arguments else "")
    starts = bool(arguments) and not any(word in _ONCE for word in arguments)
    program, on_trial = choose(arguments[0]) if starts else (_PROGRAM, False)
    try:
        code: int = __import__(program).main(arguments)
    except Exception as error:
        if not on_trial:
            raise
        sys.print_exception(error, sys.stderr)
        code = 1
    if code == _RESTART or (code and on_trial):
        restart()
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
