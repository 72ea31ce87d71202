"""Members that break the rules: the production driver with a false mouth, or two of them.

A liar has its own key and nobody else's. It may say anything to anybody; what honest members make
of it is checked all the same.
"""

from random import Random
from typing import TYPE_CHECKING

from wattle_testkit.simulation.liars.answers import FalseHistory, FalseHoldings, FalseLast
from wattle_testkit.simulation.liars.cloned import clone
from wattle_testkit.simulation.liars.noise import Floods, Malformed, Malleates, Replays
from wattle_testkit.simulation.liars.twins import Equivocates, SplitsVotes
from wattle_testkit.simulation.liars.vice import Mouthpiece, Vice
from wattle_testkit.simulation.liars.withholding import (
    Silent,
    WithholdsBlocks,
    WithholdsParents,
    WithholdsPayload,
)

if TYPE_CHECKING:
    from wattle_testkit.simulation.gateway import SimGateway
    from wattle_testkit.simulation.world import World

_VICES: dict[str, type[Vice]] = {
    "equivocates": Equivocates,
    "false_history": FalseHistory,
    "false_holdings": FalseHoldings,
    "false_last": FalseLast,
    "floods": Floods,
    "malformed": Malformed,
    "malleates": Malleates,
    "replays": Replays,
    "silent": Silent,
    "splits_votes": SplitsVotes,
    "withholds_blocks": WithholdsBlocks,
    "withholds_parents": WithholdsParents,
    "withholds_payload": WithholdsPayload,
}
CLONED = "cloned"
NAMES = tuple(sorted((*_VICES, CLONED)))


def make_liar(
    world: "World", gateway: "SimGateway", vices: tuple[str, ...], random: Random
) -> None:
    """Turn a gateway into a liar with these vices, before the world runs."""
    gateway.honest = False
    world.watch.suspects.add(gateway.kid)
    world.watch.liars.add(gateway.kid)
    speaking = [gateway]
    if CLONED in vices:
        speaking.append(clone(world, gateway, random))
    for one in speaking:
        made = [_VICES[name](one, random) for name in vices if name != CLONED]
        one.mouth = Mouthpiece(made)
