"""`python -m wattle_testkit.edge.limited`: a gateway's command line, within a share of a machine.

The process and all that it starts stay on one core (sched_setaffinity) and within the memory: in
control groups of its own where they can be made (edge/groups.py); else each process of the tree
alone within RLIMIT_DATA, while who started it adds them up.
"""

import argparse
import os
import resource
import sys
from collections.abc import Sequence
from pathlib import Path

PROGRAM = "wattle_gateway"


def main(words: Sequence[str] | None = None) -> None:
    """Limits itself, then becomes the gateway."""
    parser = argparse.ArgumentParser(prog="wattle_testkit.edge.limited", description=__doc__)
    parser.add_argument("--core", type=int, required=True)
    parser.add_argument("--memory", type=int, required=True, metavar="BYTES")
    parser.add_argument("--cgroup", type=Path, metavar="FOLDER", action="append", default=[])
    parser.add_argument("--module", default=PROGRAM, help="which is the gateway")
    given, rest = parser.parse_known_args(words)
    os.sched_setaffinity(0, {given.core})
    if not given.cgroup:
        resource.setrlimit(resource.RLIMIT_DATA, (given.memory, given.memory))
    for folder in given.cgroup:
        (folder / "cgroup.procs").write_text(str(os.getpid()))
    os.execv(sys.executable, [sys.executable, "-m", given.module, *rest])


if __name__ == "__main__":
    main()
