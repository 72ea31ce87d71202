"""The gateway of production on a host whose wall clock somebody sets: `WATTLE_EDGE_JUMP` names a
file with the milliseconds by which it is off."""

import os
import sys
from pathlib import Path

from wattle_gateway.cli.main import main
from wattle_gateway.runtime import clock

VARIABLE = "WATTLE_EDGE_JUMP"


def _jumping(path: Path) -> clock.WallClock:
    def wall_ms() -> int:
        return clock.wall_ms() + int(path.read_text() or 0)

    return clock.WallClock(wall_ms)


if __name__ == "__main__":
    # A worker that is spawned imports this file under another name, and has no clock.
    own = _jumping(Path(os.environ[VARIABLE]))
    from wattle_gateway.app import process

    process.open_clock = lambda bench_file: own  # type: ignore[attr-defined]
    sys.exit(main())
