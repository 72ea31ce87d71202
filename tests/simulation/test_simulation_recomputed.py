"""The statements of a simulated run are what its samples say; one unit elsewhere is a violation."""

from dataclasses import replace
from pathlib import Path

import pytest
from wattle_gateway.contracts.events import rows
from wattle_gateway.contracts.settlement import results
from wattle_gateway.contracts.state import State
from wattle_testkit.simulation.campaign import opened
from wattle_testkit.simulation.checkers import ViolationError
from wattle_testkit.simulation.options import draw, trading
from wattle_testkit.simulation.recomputed import check_statements
from wattle_testkit.simulation.world import World


def tampered(world: World) -> None:
    """Give the first load that has a statement one unit more."""
    state = world.sound[0].driver.state
    view = State(state)
    for event in rows.events(state):
        for quota in rows.quotas(view, event):
            row = results.result(view, event.digest, quota.meter, quota.device)
            if row is not None:
                more = replace(row.lines[0], availability=row.lines[0].availability + 1)
                results.put_result(view, replace(row, lines=(more, *row.lines[1:])))
                state.update({at: value for at, value in view.changes() if value is not None})
                return
    raise AssertionError("no load has a statement")


@pytest.mark.slow
def test_every_statement_of_a_run_is_computed_anew(tmp_path: Path) -> None:
    with opened(replace(trading(draw(7, 4)), faults_ms=60_000)) as world:
        world.run()
        gateway = world.sound[0]
        assert check_statements(gateway, tmp_path) > 0
        tampered(world)
        with pytest.raises(ViolationError, match="availability"):
            check_statements(gateway, tmp_path)
