"""The content of a report, before it becomes text, JSON or HTML."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from wattle_hil.curves.curve import NJ_PER_WH, UW_PER_W, Curve


@dataclass(frozen=True)
class Check:
    """One thing that was checked. passed: None = it could not be checked, which is no pass."""

    name: str
    passed: bool | None
    detail: str

    @property
    def verdict(self) -> str:
        return {True: "passed", False: "FAILED", None: "not checked"}[self.passed]


@dataclass(frozen=True)
class Reading:
    """One reading as the ledger holds it; None for what could not be read. power_dw: 0.1 W."""

    time_ms: int
    import_wh: int | None
    export_wh: int | None
    power_dw: int | None


@dataclass(frozen=True)
class Unread:
    """A stretch without readings, from the last reading before it to the first one after it."""

    from_ms: int
    to_ms: int
    reason: str


@dataclass(frozen=True)
class PointRecord:
    """One point: the curve it was given and the readings the ledger holds of it.

    name: `<meter id>/<device>`. load: what people call it. lateness_ms: of the curve's time.
    """

    name: str
    load: str
    device: str
    curve: Curve
    initial_import_wh: int
    initial_export_wh: int
    resolution_wh: int
    lateness_ms: int
    readings: Sequence[Reading]
    unread: Sequence[Unread] = ()

    @property
    def exports(self) -> bool:
        """Whether the load mainly exports: then the export counter is the one to look at."""
        total = self.curve.energy(self.curve.start_ms, self.curve.end_ms)
        return total.export_nj > total.import_nj

    def net_wh(self, reading: Reading) -> int | None:
        """Import minus export since the curve's start, as the ledger has it."""
        if reading.import_wh is None or reading.export_wh is None:
            return None
        return (reading.import_wh - self.initial_import_wh) - (
            reading.export_wh - self.initial_export_wh
        )

    def curve_net_wh(self, at_ms: int) -> float:
        """The same by the curve; a float, for drawing only."""
        energy = self.curve.energy(self.curve.start_ms, max(at_ms, self.curve.start_ms))
        return (energy.import_nj - energy.export_nj) / NJ_PER_WH

    def curve_w(self, at_ms: int) -> float:
        """Power of the curve in W; a float, for drawing only."""
        return self.curve.power_uw(at_ms) / UW_PER_W


@dataclass(frozen=True)
class Spread:
    """How a measured quantity was distributed."""

    count: int
    least: float
    median: float
    p95: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> "Spread | None":
        """None for no values. Percentiles are values that occurred (nearest rank)."""
        if not values:
            return None
        ranked = sorted(values)

        def rank(share: float) -> float:
            return ranked[min(len(ranked) - 1, int(share * len(ranked)))]

        return cls(len(ranked), ranked[0], rank(0.5), rank(0.95), ranked[-1])


@dataclass(frozen=True)
class Event:
    """Something that happened in the run. at_s: seconds of real time since its start."""

    at_s: float
    text: str


@dataclass(frozen=True)
class Report:
    """One run. counts and environment: in the order they are to be shown."""

    title: str
    command: str
    started: str
    seed: int | None
    speed: int
    real_s: float
    checks: Sequence[Check]
    points: Sequence[PointRecord]
    counts: Mapping[str, int | str] = field(default_factory=dict)
    latencies_ms: Mapping[str, Spread] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    events: Sequence[Event] = ()
    notes: Sequence[str] = ()

    @property
    def passed(self) -> bool:
        return bool(self.checks) and all(check.passed is True for check in self.checks)
