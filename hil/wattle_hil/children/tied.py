"""Become another program that dies with the process that started it.

Run as `python -I -S tied.py PARENT_PID PROGRAM [ARGUMENT ...]`. Whatever ends the bench, kill -9
included, must leave no process behind. This is a program of its own, not a `preexec_fn`, because
code between fork and exec is not safe in a process with threads, and the bench has serial lines.
"""

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1  # prctl(2)


def main() -> None:
    parent, program = int(sys.argv[1]), sys.argv[2]
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        sys.exit(f"prctl: {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:  # it died before prctl took effect
        sys.exit(0)
    try:
        os.execv(program, sys.argv[2:])
    except OSError as error:
        sys.exit(f"{program}: {error.strerror}")


if __name__ == "__main__":
    main()
