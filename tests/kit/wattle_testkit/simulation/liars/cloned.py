"""One key on two machines, each of which keeps the rules: the equivocator that nobody scripted."""

from random import Random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wattle_testkit.simulation.gateway import SimGateway
    from wattle_testkit.simulation.world import World


def clone(world: "World", gateway: "SimGateway", random: Random) -> "SimGateway":
    """A second machine with the key of `gateway`, which takes half of its peers from it."""
    twin = world.add_gateway(f"{gateway.address}x", gateway.member)
    twin.honest = False
    others = [other for other in world.gateways if other.kid != gateway.kid]
    for other in others:
        loses = gateway if random.random() < 0.5 else twin
        world.network.detach(loses, other)
    world.network.detach(twin, gateway)
    return twin
