"""Keeping a process's memory, which holds private keys, out of files and other processes."""

import ctypes
import os
import resource

_PR_SET_DUMPABLE = 4


def keep_memory_private() -> None:
    """No core dump of this process, and no debugger of its own user may read it. Raises OSError.

    Both are needed: the limit does not hold where the kernel pipes dumps into a program (core(5)),
    and PR_SET_DUMPABLE (prctl(2)) also closes /proc/PID/mem and environ to the same user.
    """
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl: {os.strerror(number)}")
