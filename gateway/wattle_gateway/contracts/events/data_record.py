"""What the data of a load's last event says for its next selection (D15, use "selection")."""

from wattle_gateway.contracts import weights
from wattle_gateway.contracts.events import rows
from wattle_gateway.contracts.registry import Rows
from wattle_gateway.contracts.reputation.standing import Standing
from wattle_gateway.contracts.settlement import results
from wattle_gateway.ledger.market import PERMILLE, Market


def merit_share(state: Rows, market: Market, standing: Standing, meter: bytes, device: int) -> int:
    """What the merit of a load (kid, device) is multiplied with, permille: for faults on record of
    who offers it, and for the data of its own last event. Raises StateError."""
    return standing.selection_permille * _data(state, market, meter, device) // PERMILLE


def _data(state: Rows, market: Market, meter: bytes, device: int) -> int:
    """The mean weight of the measured lines in the statement of the event that ended last; 1000
    without any. What was not measured is a fault of its own, silence."""
    calls = rows.calls(state, meter, device)
    for call in sorted(calls, key=lambda one: (one.end_ms, one.event), reverse=True):
        row = results.result(state, call.event, meter, device)
        if row is not None:
            found = [
                weights.weight(market, line.classes, weights.SELECTION)
                for line in row.lines
                if line.energy.energy_mwh is not None
            ]
            return sum(found) // len(found) if found else PERMILLE
    return PERMILLE
