"""How a point is metered, as the ledger knows it, and energies that a row can hold."""

from wattle_gateway.contracts import offering
from wattle_gateway.contracts.measurement.energy import UNMEASURED, Energy, Metering
from wattle_gateway.contracts.measurement.primary import Ratio
from wattle_gateway.contracts.registry import Meter, Rows

# Of a point that was never offered.
PERIOD_MS = 60_000
RESOLUTION_WH = 1
# A terawatt for an hour, the highest rating. Beyond it lie only readings whose meter had no clock:
# nobody compares them with a rating. In mJ such a number is still an int64.
ENERGY_MWH_MAX = 10**15


def metering(state: Rows, meter: Meter, device: int) -> Metering:
    """The ratio of a meter's point, and the sampling period and resolution that its newest offer
    names; without one 60 s and 1 Wh."""
    point = meter.point(device)
    assert point is not None, device
    ratio = Ratio.of(point.ct, point.vt, point.orient)
    offered = offering.newest_offer(state, meter.kid, device)
    if offered is None:
        return Metering(ratio, PERIOD_MS, RESOLUTION_WH)
    return Metering(ratio, offered.terms.period_ms, offered.terms.resolution_wh)


def bounded(energy: Energy) -> Energy:
    """The same energy, unmeasured if it is none that a point can have."""
    if energy.energy_mwh is None or energy.uncertainty_mwh is None:
        return energy
    if abs(energy.energy_mwh) > ENERGY_MWH_MAX:
        return Energy(UNMEASURED)
    return Energy(energy.how, energy.energy_mwh, min(energy.uncertainty_mwh, ENERGY_MWH_MAX))
