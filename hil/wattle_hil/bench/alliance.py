"""An alliance of real gateways of one role on this machine, for what is measured on it."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from wattle_hil.children.processes import ProcessGroup
from wattle_hil.runs.gateways import ROLES, Gateways, Place

GATEWAYS = 4


class BenchAlliance:
    """GATEWAYS gateways by the host's clock; `running()` starts them, as often as needed."""

    def __init__(self, command: Sequence[str], folder: Path) -> None:
        names = [f"gateway-{number}" for number in range(1, GATEWAYS + 1)]
        places = [Place(folder / name, folder / f"{name}.log") for name in names]
        # Of one role: a member's own word is enough to enrol a meter, one transaction.
        self.gateways = Gateways(command, places, roles=ROLES[:1])
        self.gateways.found()

    @contextmanager
    def running(self) -> Iterator[None]:
        """All run and are linked, for a block's length; they end cleanly.

        Raises ProcessError, DeadlineError.
        """
        with ProcessGroup() as group:
            self.gateways.start(group)
            self.gateways.wait_until_running()
            yield
            self.gateways.stop()


@contextmanager
def bench_alliance(command: Sequence[str]) -> Iterator[BenchAlliance]:
    """A new alliance, not running, in a folder that is gone afterwards. Raises ProcessError."""
    with tempfile.TemporaryDirectory(prefix="wattle-bench-") as folder:
        yield BenchAlliance(command, Path(folder))
