"""One fault of `make edge` as everybody has it tested: a broker is killed under load, on gateways
of 256 MB and one core."""

import subprocess
import sys

import pytest
from wattle_testkit.edge.__main__ import HOLDS
from wattle_testkit.gateway_process import environment

pytestmark = pytest.mark.slow
DEADLINE_S = 600.0


def test_a_killed_broker_loses_nothing_and_comes_back() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "wattle_testkit.edge", "--fault", "killed-broker", "--short"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == HOLDS, f"{done.stdout}\n{done.stderr}"
    assert "broker ended, starting it again" in done.stdout
    assert "lost 0" in done.stdout
