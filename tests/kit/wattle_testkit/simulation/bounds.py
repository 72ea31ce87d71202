"""Memory: whatever a peer or a meter can make grow stays within its named limits."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wattle_testkit.simulation.gateway import SimGateway


def check_bounds(gateway: "SimGateway") -> None:
    """Raise ViolationError if something of a gateway is beyond its limit."""
