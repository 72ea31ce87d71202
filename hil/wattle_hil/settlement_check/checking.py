"""Compares the statements of an event with what the readings say."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from . import money
from .baselines import NoBaselineError, Question, Usable, baseline
from .calendar_days import Calendar
from .energies import Energies, Energy, Metering
from .errors import CannotCheckError
from .money import Line
from .readings import Point, Reading

_EVENT_S_MAX = 25 * 3_600
# What a statement can say of a line; amounts of money last.
_OF_ENERGY = ("how", "energy_mwh", "uncertainty_mwh")
_OF_MONEY = ("status", "availability", "energy", "penalty")

Readings = Mapping[Point, Sequence[Reading]]
Json = Mapping[str, Any]


@dataclass(frozen=True)
class Difference:
    """Something that a statement says otherwise than the readings."""

    where: str
    what: str
    said: object
    found: object

    def __str__(self) -> str:
        return f"{self.where}: {self.what}: the statement says {self.said}, found {self.found}"


@dataclass(frozen=True)
class Checked:
    """How much of an event was compared, and what differs."""

    event: str
    loads: int
    lines: int
    payments: int
    differences: tuple[Difference, ...]


def check(event: Json, readings: Readings) -> Checked:
    """Compute the statements of an event's JSON anew. CannotCheckError for one that lacks fields
    or has no statement yet."""
    try:
        stated = [part for part in event["parts"] if part["statement"] is not None]
        if not stated:
            raise CannotCheckError(f"event {event['event'][:16]} has no statement yet")
        computed = [(part, _Load(event, part, readings)) for part in stated]
        differences = [found for part, load in computed for found in load.differences(part)]
        differences += _payments(event, [part for part, _ in computed])
        lines = sum(len(part["statement"]["lines"]) for part in stated)
        payments = len(event["payments"])
        return Checked(event["event"], len(stated), lines, payments, tuple(differences))
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise CannotCheckError(f"the event's JSON lacks or has otherwise: {error!r}") from error


class _Load:
    """One load as the readings show it."""

    def __init__(self, event: Json, part: Json, readings: Readings) -> None:
        self._event = event
        self._part = part
        self._readings = readings
        self.where = f"event {event['event'][:16]} {part['point']}"

    def lines(self, commit: int, time_ms: int) -> list[tuple[int | None, Energy, Line]]:
        """(baseline, energy, line) of each interval, by what was committed then."""
        energies = self._energies(self._part, commit, time_ms)
        try:
            baselines: Sequence[int | None] = baseline(self._question(energies, commit, time_ms))
        except NoBaselineError:
            baselines = [None] * len(self._begins())
        return self._against(baselines, energies)

    def _against(
        self, baselines: Sequence[int | None], energies: Energies
    ) -> list[tuple[int | None, Energy, Line]]:
        begins = self._begins()
        found = []
        for index, (begin_ms, base_mj) in enumerate(zip(begins, baselines, strict=True)):
            energy = energies.energy(begin_ms)
            worth = money.line(self._event, self._part, index, base_mj, energy.energy_mwh)
            found.append((base_mj, energy, worth))
        return found

    def differences(self, part: Json) -> Iterator[Difference]:
        """What the statement says otherwise."""
        statement = part["statement"]
        computed = self.lines(statement["commit"], statement["time_ms"])
        said_lines = statement["lines"]
        for said, (base_mj, energy, worth) in zip(said_lines, computed, strict=True):
            where = f"{self.where} from {said['begin_ms']}"
            found: dict[str, object] = {"baseline_mj": base_mj}
            found |= {name: getattr(energy, name) for name in _OF_ENERGY}
            found |= {name: getattr(worth, name) for name in _OF_MONEY}
            for name, value in found.items():
                if said[name] != value:
                    yield Difference(where, name, said[name], value)
            classes = set(said["classes"]) - {"revised"}
            if classes != energy.classes:
                yield Difference(where, "classes", sorted(classes), sorted(energy.classes))
        net = sum(worth.net for _, _, worth in computed)
        if statement["net"] != net:
            yield Difference(self.where, "net", statement["net"], net)
        yield from self._correction(statement)

    def _correction(self, statement: Json) -> Iterator[Difference]:
        said = statement["correction"]
        if said is None:
            return
        # What came later is measured against the baseline of the last statement.
        baselines = [one["baseline_mj"] for one in statement["lines"]]
        energies = self._energies(self._part, said["commit"], said["time_ms"])
        later = self._against(baselines, energies)
        earlier = [
            one["availability"] + one["energy"] - one["penalty"] for one in statement["lines"]
        ]
        changes = [worth.net - was for (_, _, worth), was in zip(later, earlier, strict=True)]
        indexes = [index for index, change in enumerate(changes) if change]
        if said["amount"] != sum(changes):
            yield Difference(self.where, "correction", said["amount"], sum(changes))
        if list(said["indexes"]) != indexes:
            yield Difference(self.where, "corrected intervals", said["indexes"], indexes)

    def _begins(self) -> range:
        event = self._event
        return range(event["begin_ms"], event["end_ms"], event["interval_s"] * 1_000)

    def _energies(self, part: Json, commit: int, time_ms: int) -> Energies:
        meter, _, device = part["point"].partition("/")
        metering = Metering.of(part["metering"], self._event["parameters"])
        readings = self._readings.get((meter, int(device)), ())
        return Energies(readings, metering, commit, time_ms)

    def _question(self, energies: Energies, commit: int, time_ms: int) -> Question:
        event = self._event
        begin_s, end_s = event["begin_ms"] // 1_000, event["end_ms"] // 1_000
        if end_s - begin_s > _EVENT_S_MAX:
            raise NoBaselineError
        calendar = Calendar.of(event["parameters"])
        control: list[Usable] = []
        if event["baseline_rule"]["method"] == "control-group":
            released = [part for part in event["parts"] if part["status"] == "released"]
            control = [self._usable(self._energies(part, commit, time_ms)) for part in released]
        return Question(
            self._usable(energies),
            event["baseline_rule"],
            begin_s,
            end_s,
            event["interval_s"],
            calendar,
            frozenset(_days(self._part["other_events"], calendar)),
            tuple(control),
        )

    def _usable(self, energies: Energies) -> Usable:
        """Energies that may make a baseline: measured, and of no class without weight there."""
        weights = self._event["parameters"]["weights"]

        @cache
        def usable(start_s: int) -> int | None:
            energy = energies.energy(start_s * 1_000)
            if energy.energy_mwh is None:
                return None
            if any(weights[name][0] == 0 for name in energy.classes):
                return None
            return energy.energy_mwh * 3_600

        return usable


def _days(calls: Iterable[Sequence[int]], calendar: Calendar) -> Iterator[int]:
    for begin_ms, end_ms in calls:
        first, _ = calendar.wall(begin_ms // 1_000)
        last, _ = calendar.wall(end_ms // 1_000 - 1)
        yield from range(first, last + 1)


def _payments(event: Json, parts: Sequence[Json]) -> Iterator[Difference]:
    """What each payee got at the end, by the nets of the last statements and the decisions."""
    if event["state"] != "final":
        return
    own: dict[str, int] = {}
    for part in parts:
        statement = part["statement"]
        decisions = (one["decision"] for one in statement["disputes"])
        decided = sum(one["amount"] for one in decisions if one is not None)
        for kid, share in money.shares(part, statement["net"] + decided):
            own[kid] = own.get(kid, 0) + share
    said = {one["payee_kid"]: one for one in event["payments"]}
    where = f"event {event['event'][:16]}"
    if said.keys() != own.keys():
        yield Difference(where, "payees", sorted(said), sorted(own))
        return
    owed = {kid: (share, said[kid]["before"]) for kid, share in own.items()}
    selected = [part for part in event["parts"] if part["status"] in ("selected", "withdrawn")]
    found = money.paid(owed, money.reserve(event, selected))
    for kid in sorted(own):
        if said[kid]["own"] != own[kid]:
            yield Difference(where, f"shares of {kid}", said[kid]["own"], own[kid])
        if said[kid]["paid"] != found[kid]:
            yield Difference(where, f"payment to {kid}", said[kid]["paid"], found[kid])
        after = own[kid] + said[kid]["before"] - found[kid]
        if said[kid]["after"] != after:
            yield Difference(where, f"carried on for {kid}", said[kid]["after"], after)
