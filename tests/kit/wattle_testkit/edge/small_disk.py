"""A small disk under a gateway's folder: a tmpfs, in a mount namespace of this process."""

import ctypes
import errno
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

DISK_BYTES = 64 << 20
_CLONE_NEWNS, _CLONE_NEWUSER = 0x00020000, 0x10000000
_PIECE = bytes(1 << 16)


def enter_namespace() -> None:
    """From now on mounts are this process's own; before it has threads. OSError where the host
    does not let us."""
    libc = ctypes.CDLL(None, use_errno=True)
    user, group = os.getuid(), os.getgid()
    flags = _CLONE_NEWNS if user == 0 else _CLONE_NEWNS | _CLONE_NEWUSER
    if libc.unshare(flags):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    if user:
        Path("/proc/self/setgroups").write_text("deny")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _mount("--make-rprivate", "/")


@contextmanager
def under(folder: Path, size_bytes: int = DISK_BYTES) -> Iterator[None]:
    """For a block's length a folder lies on a disk of its own, with all that is in it. OSError
    where nothing can be mounted."""
    with tempfile.TemporaryDirectory(prefix="wattle-edge-") as aside:
        shutil.copytree(folder, aside, dirs_exist_ok=True, symlinks=True)
        _mount("-t", "tmpfs", "-o", f"size={size_bytes},mode=0700", "wattle-edge", str(folder))
        try:
            shutil.copytree(aside, folder, dirs_exist_ok=True, symlinks=True)
            yield
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=False)


def fill(path: Path) -> int:
    """Write a file until nothing more fits; its bytes."""
    written = 0
    with path.open("wb", buffering=0) as file:
        for piece in (_PIECE, _PIECE[:1]):
            while True:
                try:
                    written += file.write(piece)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    break
    return written


def _mount(*words: str) -> None:
    done = subprocess.run(["mount", *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise OSError(errno.EPERM, f"mount: {done.stderr.strip()}")
