"""How the currents of a three-phase load reach a device: right, or as installers get it wrong.

Phase voltages are a third of a turn apart. A device multiplies each with whatever current is on
that phase's terminals: one of another phase has its power turned by the angle between the two, one
of a transformer that is turned round has the other sign, and a transformer divides by its ratio.
"""

import cmath
import math
from collections.abc import Sequence
from dataclasses import dataclass

from wattle_hil.curves.curve import Energy
from wattle_hil.errors import DeviceError

_PHASES = 3
# Phase 2 comes a third of a turn after phase 1.
_LAG = 2 * math.pi / _PHASES

# (active, reactive) of each phase, all in one unit.
Powers = Sequence[tuple[int, int]]


@dataclass(frozen=True)
class Wiring:
    """currents: whose current (1 to 3) is on the terminals of phases 1, 2 and 3; turned: phases
    whose transformer is turned round; ratio: primary current by secondary current.

    Raises DeviceError for phases that there are not.
    """

    currents: tuple[int, int, int] = (1, 2, 3)
    turned: tuple[int, ...] = ()
    ratio: int = 1

    def __post_init__(self) -> None:
        named = {*self.currents, *self.turned}
        if not named <= {1, 2, 3} or self.ratio < 1:
            raise DeviceError(
                f"currents {self.currents}, turned {self.turned}, ratio {self.ratio}: "
                "expected phases 1 to 3 and a ratio of at least 1"
            )

    def seen(self, load: Powers) -> list[tuple[int, int]]:
        """What the device sees of the powers, or energies, of a load's phases."""
        found = []
        for phase, source in enumerate(self.currents, 1):
            active, reactive = load[source - 1]
            sign = -1 if phase in self.turned else 1
            turn = cmath.exp(1j * _LAG * (source - phase))
            power = sign * complex(active, reactive) * turn / self.ratio
            found.append((round(power.real), round(power.imag)))
        return found

    def counted(self, consumed: Powers, fed: Powers) -> list[tuple[Energy, Energy]]:
        """(active, reactive) energy that the device counts for each phase, of what the load's
        phases took and gave: both directions, each >= 0. Exact where the angle between voltage and
        current stays the same while energy flows one way.
        """
        ways = [self.seen(consumed), [(-a, -r) for a, r in self.seen(fed)]]
        return [
            (
                _by_direction([way[phase][0] for way in ways]),
                _by_direction([way[phase][1] for way in ways]),
            )
            for phase in range(_PHASES)
        ]


def _by_direction(flows: Sequence[int]) -> Energy:
    return Energy(sum(flow for flow in flows if flow > 0), -sum(flow for flow in flows if flow < 0))
