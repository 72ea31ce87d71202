"""Which alarms are raised: causes that last raise one, and clear it some time after they are gone.

Pure: the steady clock and what was found come in, events come out.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from wattle_gateway.alarms import catalog

RAISED = "raised"
REPEATED = "repeated"
CLEARED = "cleared"
STARTED = "started"
# What comes and goes within a minute is one alarm, not many.
CLEAR_AFTER_MS = 60_000
# Whoever was not there when it was raised hears of it once a day.
REPEAT_EVERY_MS = 24 * 3_600_000


@dataclass(frozen=True)
class Finding:
    """What is wrong now: one of SEVERITIES, and a sentence for people."""

    severity: str
    text: str


@dataclass(frozen=True)
class Alarm:
    """One that is raised: since when (Unix ms), how bad it is, and what was found last."""

    name: str
    severity: str
    text: str
    since_ms: int

    @property
    def advice(self) -> str:
        """What to do about it."""
        return catalog.BY_NAME[self.name].advice


@dataclass(frozen=True)
class Event:
    """RAISED (also: worse than before), REPEATED or CLEARED."""

    what: str
    alarm: Alarm


@dataclass
class _Case:
    """A cause: steady ms of when it was first and last found and of the newest event."""

    first_ms: int
    last_ms: int
    told_ms: int
    alarm: Alarm
    raised: bool = False


class AlarmBoard:
    """The alarms of one gateway."""

    def __init__(self) -> None:
        self._cases: dict[str, _Case] = {}
        self.raised_count = dict.fromkeys(catalog.NAMES, 0)

    def active(self) -> list[Alarm]:
        """Those that are raised, in the catalogue's order."""
        raised = {name: case.alarm for name, case in self._cases.items() if case.raised}
        return [raised[name] for name in catalog.NAMES if name in raised]

    def look(self, steady_ms: int, now_ms: int, found: Mapping[str, Finding]) -> list[Event]:
        """What changes; `found` by the names of the catalogue, `now_ms` Unix ms."""
        events = []
        for name in catalog.NAMES:
            finding = found.get(name)
            case = self._cases.get(name)
            if finding is None:
                if case is not None and self._is_over(case, steady_ms):
                    del self._cases[name]
                    if case.raised:
                        events.append(Event(CLEARED, case.alarm))
                continue
            if case is None:
                alarm = Alarm(name, finding.severity, finding.text, now_ms)
                case = self._cases[name] = _Case(steady_ms, steady_ms, steady_ms, alarm)
            what = self._follow(case, finding, steady_ms)
            if what:
                events.append(Event(what, case.alarm))
        return events

    def _follow(self, case: _Case, finding: Finding, steady_ms: int) -> str:
        """The cause is there still; which event that is, "" for none."""
        worse = finding.severity == catalog.CRITICAL != case.alarm.severity
        case.last_ms = steady_ms
        case.alarm = replace(case.alarm, severity=finding.severity, text=finding.text)
        lasts = steady_ms - case.first_ms >= catalog.BY_NAME[case.alarm.name].after_ms
        if (not case.raised and lasts) or (case.raised and worse):
            self.raised_count[case.alarm.name] += not case.raised
            case.raised = True
            case.told_ms = steady_ms
            return RAISED
        if case.raised and steady_ms - case.told_ms >= REPEAT_EVERY_MS:
            case.told_ms = steady_ms
            return REPEATED
        return ""

    @staticmethod
    def _is_over(case: _Case, steady_ms: int) -> bool:
        """What was never raised is forgotten at once: its time begins anew."""
        return not case.raised or steady_ms - case.last_ms >= CLEAR_AFTER_MS
