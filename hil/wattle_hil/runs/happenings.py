"""What happens by itself in a demonstration: a gateway dies and comes back, loads are called."""

from wattle_hil.report.model import Check
from wattle_hil.runs.conductor import Conductor
from wattle_hil.runs.event_market import EventMarket
from wattle_hil.runs.event_outcome import check_event
from wattle_hil.runs.event_plan import EventTimes
from wattle_hil.runs.event_story import EventStory
from wattle_hil.runs.folder import RunFolder
from wattle_hil.runs.incident import GATEWAYS_LEAST, Incident
from wattle_hil.runs.schedule import Schedule
from wattle_hil.runs.substation import Substation


def market_of(folder: RunFolder, times: EventTimes, schedule: Schedule) -> EventMarket:
    """The market of a demonstration with an event."""
    return EventMarket(folder.path, times, schedule.interval_ms)


class Happenings:
    """Begins at once, where there are gateways enough; `look` again and again, `finish` before the
    end. The gateway dies when everybody has answered the event: one of them is a party of it."""

    def __init__(
        self, substation: Substation, conductor: Conductor, times: EventTimes | None
    ) -> None:
        """times: of the event, None: there is none."""
        self._substation = substation
        self._conductor = conductor
        self._incident: Incident | None = None
        self._story: EventStory | None = None
        self._finishing = False
        if times is not None and substation.market is not None:
            self._story = EventStory(
                substation, substation.market, times, conductor.note_durable, conductor.tell
            )
            self._story.begin()

    @property
    def may_end(self) -> bool:
        """Whether a demonstration that ends by itself has shown its event."""
        return self._story is None or self._story.is_over

    @property
    def is_over(self) -> bool:
        """Whether nothing more happens by itself."""
        return self.may_end and (self._incident is None or self._incident.is_over)

    def look(self) -> None:
        """Goes on. Raises the bench's errors."""
        if self._story is not None:
            self._story.look()
        if self._incident is None and self._is_time:
            conductor = self._conductor
            self._incident = Incident(
                self._substation,
                conductor.note_durable,
                conductor.tell,
                lambda: conductor.elapsed_s,
            )
        if self._incident is not None:
            self._incident.look()

    def finish(self) -> None:
        """The demonstration ends: who is dead comes back."""
        self._finishing = True
        if self._story is not None:
            self._story.finish()
        if self._incident is not None:
            self._incident.finish()

    def checks(self) -> list[Check]:
        """What is to be said of the event."""
        if self._story is None:
            return []
        ids = [self._substation.meter_ids[plan.name] for plan in self._substation.plans]
        return [check_event(self._story.outcome, ids)]

    @property
    def _is_time(self) -> bool:
        enough = len(self._substation.gateways.each) >= GATEWAYS_LEAST
        declared = self._story is None or self._story.declared
        return enough and declared and not self._finishing
