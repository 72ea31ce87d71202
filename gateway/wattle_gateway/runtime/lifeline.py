"""Die with the process that started us, however it ends; Linux prctl(2).

A broker or worker that outlived a killed gateway would hold ports and files against the next one.
As a program, `python -I -S lifeline.py PARENT_PID PROGRAM [ARGUMENT ...]` becomes PROGRAM: not a
`preexec_fn`, because code between fork and exec is not safe in a process with threads. Hence
nothing is imported here but the standard library.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def die_with(parent: int) -> None:
    """From now on the kernel kills this process when `parent` (its pid) ends.

    More precisely when the thread that started us ends: processes are to be started from a
    thread that lives as long as the parent. Raises OSError where the kernel refuses.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"prctl: {os.strerror(number)}")
    if os.getppid() != parent:  # it ended before prctl took effect
        os._exit(0)


if __name__ == "__main__":
    die_with(int(sys.argv[1]))
    os.execv(sys.argv[2], sys.argv[2:])
