"""What the host's C library offers and MicroPython does not: file modes, signals, fsync of a
folder. The only file that calls it.
"""

import asyncio
import struct

import ffi

SIGINT = 2
SIGTERM = 15
_SIG_BLOCK = 0
_SIGSET_BYTES = 128  # glibc's sigset_t
_SIGINFO_BYTES = 128  # struct signalfd_siginfo

_libc = ffi.open("libc.so.6")
_umask = _libc.func("I", "umask", "I")
_open = _libc.func("i", "open", "si")
_close = _libc.func("i", "close", "i")
_fsync = _libc.func("i", "fsync", "i")
_flock = _libc.func("i", "flock", "ii")
_sigprocmask = _libc.func("i", "sigprocmask", "iPP")
_signalfd = _libc.func("i", "signalfd", "iPi")


def make_files_private() -> None:
    """Every file and folder made from now on is its owner's alone (0600, 0700)."""
    _umask(0o077)


def sync_folder(path: str) -> None:
    """Makes the names in a folder safe. Raises OSError."""
    descriptor = _open(path, 0)
    if descriptor < 0:
        raise OSError("cannot open %s" % path)
    failed = _fsync(descriptor)
    _close(descriptor)
    if failed:
        raise OSError("cannot fsync %s" % path)


def lock_folder(path: str) -> bool:
    """Takes the folder for this process until it ends; False if another one has it."""
    lock_exclusive, lock_nonblocking = 2, 4
    descriptor = _open(path, 0)
    return descriptor >= 0 and _flock(descriptor, lock_exclusive | lock_nonblocking) == 0


def open_terminal(path: str) -> int:
    """File descriptor of a serial line, for reading and writing without waiting.

    It never becomes the controlling terminal: a meter that leads a session would be killed by
    SIGHUP when its adapter is pulled. Raises OSError.
    """
    read_write, no_controlling_terminal, nonblocking = 0o2, 0o400, 0o4000
    descriptor = _open(path, read_write | no_controlling_terminal | nonblocking)
    if descriptor < 0:
        raise OSError("cannot open %s" % path)
    return descriptor


class StopSignals:
    """SIGINT and SIGTERM as something to wait for.

    A signal handler would run between any two bytecodes, in the middle of an append; blocked
    signals that are read from a descriptor (signalfd) come when the program looks.
    """

    def __init__(self) -> None:
        mask = bytearray(_SIGSET_BYTES)
        for number in (SIGINT, SIGTERM):
            mask[(number - 1) // 8] |= 1 << (number - 1) % 8
        _sigprocmask(_SIG_BLOCK, mask, None)
        self._file = open(_signalfd(-1, mask, 0), "rb")  # noqa: SIM115 - open as long as we run

    async def wait(self) -> int:
        """The number of the next of these signals."""
        info = await asyncio.StreamReader(self._file).readexactly(_SIGINFO_BYTES)
        return struct.unpack("<I", info[:4])[0]


def name_servers() -> list[str]:
    """IPv4 addresses of the host's name servers (resolv.conf(5)), as they are now."""
    rows = [row.split() for row in _lines("/etc/resolv.conf")]
    return [row[1] for row in rows if row[:1] == ["nameserver"] and len(row) > 1 and "." in row[1]]


def listed_address(name: str) -> str | None:
    """The IPv4 address that hosts(5) gives `name`, None if it does not."""
    for line in _lines("/etc/hosts"):
        row = line.split("#")[0].split()
        if name in row[1:] and "." in row[0]:
            return row[0]
    return None


def _lines(path: str) -> list[str]:
    try:
        with open(path) as file:
            return file.read().split("\n")
    except OSError:
        return []
