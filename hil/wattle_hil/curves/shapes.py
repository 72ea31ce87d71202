"""Synthetic load curves for demonstrations: typical appliances, drawn from a seed.

No data files are shipped. Integers and `Random.randrange` only, so that a seed gives the same curve
on every machine. All changes lie on a grid of STEP_MS, so `csv_file.write_curve` can write them.
Figures are typical of household and small-business appliances, not measurements.
"""

from collections.abc import Callable, Mapping
from random import Random

from wattle_hil.curves.curve import UW_PER_W, Curve, StepSeries
from wattle_hil.errors import CurveError

STEP_MS = 10_000
MAX_DURATION_MS = 31 * 86_400_000

_DAY_S = 86_400
_STEP_S = STEP_MS // 1_000

Shape = Callable[[int, int, int], Curve]


class _Drawing:
    """Collects (length, power) pieces until the duration is filled."""

    def __init__(self, name: str, start_ms: int, duration_ms: int, seed: int) -> None:
        if start_ms % STEP_MS or duration_ms % STEP_MS:
            raise CurveError(f"{name}: start and duration in ms, expected multiples of {STEP_MS}")
        if not STEP_MS <= duration_ms <= MAX_DURATION_MS:
            raise CurveError(f"{name}: {duration_ms} ms, expected {STEP_MS} to {MAX_DURATION_MS}")
        self._name = name
        self._end_ms = start_ms + duration_ms
        self._times_ms: list[int] = []
        self._active_w: list[int] = []
        self._reactive_var: list[int] = []
        self.now_ms = start_ms
        # Text seeds keep the appliances of one seed apart.
        self.random = Random(f"{name} {seed}")

    @property
    def unfinished(self) -> bool:
        return self.now_ms < self._end_ms

    @property
    def second_of_day(self) -> int:
        """In UTC."""
        return self.now_ms // 1_000 % _DAY_S

    def between(self, least: int, most: int) -> int:
        """A random integer from least to most, both included."""
        return self.random.randrange(least, most + 1)

    def hold(self, length_s: int, active_w: int, reactive_permille: int = 0) -> None:
        """Adds a piece, its length rounded up to the grid; reactive power per mille of active."""
        if not self.unfinished:
            return
        self._times_ms.append(self.now_ms)
        self._active_w.append(active_w)
        self._reactive_var.append(abs(active_w) * reactive_permille // 1_000)
        self.now_ms += -(-length_s // _STEP_S) * STEP_MS

    def curve(self) -> Curve:
        def series(values_w: list[int]) -> StepSeries:
            return StepSeries(
                self._times_ms, [value * UW_PER_W for value in values_w], self._end_ms
            )

        return Curve(self._name, STEP_MS, series(self._active_w), series(self._reactive_var))


def kettle(start_ms: int, duration_ms: int, seed: int) -> Curve:
    """A kettle, 1 min after the start and then every few minutes: 2 kW for 1 to 4 min, else off."""
    drawing = _Drawing("kettle", start_ms, duration_ms, seed)
    drawing.hold(60, 0)
    while drawing.unfinished:
        drawing.hold(drawing.between(60, 240), drawing.between(1_950, 2_200))
        drawing.hold(drawing.between(240, 1_800), 0)
    return drawing.curve()


def heat_pump(start_ms: int, duration_ms: int, seed: int) -> Curve:
    """A heat pump that cycles: start-up, 15 to 40 min around 2.5 kW, then standby at 12 W."""
    drawing = _Drawing("heat pump", start_ms, duration_ms, seed)
    while drawing.unfinished:
        level_w = drawing.between(1_800, 3_000)
        drawing.hold(30, level_w + 900, reactive_permille=450)
        for _ in range(drawing.between(15, 40)):
            drawing.hold(60, level_w + drawing.between(-60, 60), reactive_permille=330)
        drawing.hold(drawing.between(600, 2_400), 12, reactive_permille=900)
    return drawing.curve()


def ev_charger(start_ms: int, duration_ms: int, seed: int) -> Curve:
    """A three-phase charger: 11 kW for 1 to 3 h from the start, tapering off, then 5 W idle."""
    drawing = _Drawing("ev charger", start_ms, duration_ms, seed)
    while drawing.unfinished:
        for _ in range(drawing.between(60, 180)):
            drawing.hold(60, drawing.between(10_900, 11_050), reactive_permille=20)
        for percent in range(95, 10, -5):
            drawing.hold(120, 11_000 * percent // 100, reactive_permille=20)
        drawing.hold(drawing.between(3_600, 6 * 3_600), 5)
    return drawing.curve()


def pv_export(start_ms: int, duration_ms: int, seed: int) -> Curve:
    """A 9 kW roof that exports (negative power) from 06:00 to 20:00 UTC, with clouds; 3 W by night.

    The clear-sky curve is a parabola.
    """
    drawing = _Drawing("pv export", start_ms, duration_ms, seed)
    sunrise_s, sunset_s = 6 * 3_600, 20 * 3_600
    while drawing.unfinished:
        second = drawing.second_of_day
        if not sunrise_s <= second < sunset_s:
            drawing.hold(600 - second % 600, 3)
            continue
        clear_w = 4 * 9_000 * (second - sunrise_s) * (sunset_s - second)
        clear_w //= (sunset_s - sunrise_s) ** 2
        cloud_percent = drawing.between(20, 60) if drawing.between(1, 5) == 1 else 100
        drawing.hold(drawing.between(30, 180), -clear_w * cloud_percent // 100)
    return drawing.curve()


def office(start_ms: int, duration_ms: int, seed: int) -> Curve:
    """An office: 900 W by night, 6 to 8 kW from 07:00 to 18:00 UTC with a dip at noon."""
    drawing = _Drawing("office", start_ms, duration_ms, seed)
    while drawing.unfinished:
        hour = drawing.second_of_day // 3_600
        level_w = 900 if not 7 <= hour < 18 else 5_200 if hour == 12 else 7_000
        noise_w = level_w // 10
        drawing.hold(60, level_w + drawing.between(-noise_w, noise_w), reactive_permille=250)
    return drawing.curve()


# Each takes start (Unix ms, a multiple of STEP_MS), duration (ms, likewise) and a seed.
SHAPES: Mapping[str, Shape] = {
    "kettle": kettle,
    "heat-pump": heat_pump,
    "ev-charger": ev_charger,
    "pv-export": pv_export,
    "office": office,
}
