"""What a demonstration shows of an alliance: a gateway dies, its meters move, it comes back.

Nobody tells the meters: `final` stands still, so after a minute each tries the next gateway.
"""

from collections.abc import Callable

from wattle_hil.errors import DeadlineError
from wattle_hil.runs.device_plan import MeterPlan
from wattle_hil.runs.gateways import RunGateway
from wattle_hil.runs.substation import Substation

# From four gateways on, the others go on without one.
GATEWAYS_LEAST = 4
# After the first readings of all meters: long enough to see that everything runs.
KILLED_AFTER_S = 2.0
RETURN_DEADLINE_S = 60.0


class Incident:
    """The last gateway of a substation; `look` at it again and again, `finish` before the end."""

    def __init__(
        self,
        substation: Substation,
        before_kill: Callable[[], None],
        tell: Callable[[str], None],
        elapsed_s: Callable[[], float],
    ) -> None:
        """elapsed_s: seconds of real time, rising; the story begins at once."""
        self._substation = substation
        self._before_kill = before_kill
        self._tell = tell
        self._elapsed_s = elapsed_s
        self._victim: RunGateway = substation.gateways.each[-1]
        self._meters = [
            plan
            for plan in substation.plans
            if substation.gateways.home_of(plan.number) is self._victim
        ]
        self._began_s = elapsed_s()
        self._killed_s: float | None = None
        self._returned_s: float | None = None
        self._goal = 0
        self._missed = 0
        self.is_over = False

    def look(self) -> None:
        """Goes on with the story. Raises ProcessError, DeadlineError."""
        if self.is_over:
            return
        if self._killed_s is None:
            if self._elapsed_s() - self._began_s >= KILLED_AFTER_S:
                self._kill()
        elif self._returned_s is None:
            self._meters = [plan for plan in self._meters if not self._has_moved(plan)]
            if not self._meters:
                self._return()
        else:
            self._follow_return(self._returned_s)

    def finish(self) -> None:
        """The demonstration ends: who is dead comes back, whatever its meters have done."""
        if self._killed_s is None:
            self.is_over = True
        elif self._returned_s is None:
            self._return()

    def _kill(self) -> None:
        self._before_kill()
        self._missed = self._commit_of(self._victim)
        self._victim.process.kill_for_now()
        self._killed_s = self._elapsed_s()
        names = ", ".join(self._substation.meter_ids[plan.name] for plan in self._meters)
        self._tell(f"kill -9 of {self._victim.name}; at it: {names or 'no meter'}")

    def _has_moved(self, plan: MeterPlan) -> bool:
        place = self._substation.gateway_at(plan)
        link = self._substation.meter_status(plan).get("link", {})
        if place == self._victim.name or not link.get("connected"):
            return False
        assert self._killed_s is not None
        took_s = self._elapsed_s() - self._killed_s
        name = self._substation.meter_ids[plan.name]
        self._tell(f"{name} has moved to {place} by itself, {took_s:.0f} s after the kill")
        return True

    def _return(self) -> None:
        others = [one for one in self._substation.gateways.each if one is not self._victim]
        self._goal = max(self._commit_of(gateway) for gateway in others)
        self._victim.process.start()
        self._returned_s = self._elapsed_s()
        self._tell(f"{self._victim.name} starts again, {self._goal - self._missed} commits behind")

    def _follow_return(self, returned_s: float) -> None:
        took_s = self._elapsed_s() - returned_s
        consensus = self._victim.live().get("consensus") or {}
        if consensus.get("signing") and consensus["commit"] >= self._goal:
            self._tell(f"{self._victim.name} has caught up after {took_s:.1f} s and signs again")
            self.is_over = True
        elif took_s > RETURN_DEADLINE_S:
            raise DeadlineError(
                f"{self._victim.name} has not caught up within {RETURN_DEADLINE_S:.0f} s"
            )

    @staticmethod
    def _commit_of(gateway: RunGateway) -> int:
        return int((gateway.live().get("consensus") or {}).get("commit", 0))
