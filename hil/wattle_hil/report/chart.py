"""The picture of one point: curve and ledger over each other, as inline SVG.

Three panels over one time axis: power, energy, and what the ledger differs from the curve's
integral. Colours are classes of the page's style sheet, so that they follow light and dark.
"""

from collections.abc import Iterable, Sequence
from html import escape

from wattle_hil.report.model import PointRecord
from wattle_hil.report.scale import Scale, nice_range, number_label, time_ticks

WIDTH = 1_000
_LEFT, _RIGHT, _TOP = 74, 14, 26
_PANEL_HEIGHTS = (190, 150, 110)
_PANEL_GAP = 40
_X_LABELS = 26
HEIGHT = _TOP + sum(_PANEL_HEIGHTS) + _PANEL_GAP * (len(_PANEL_HEIGHTS) - 1) + _X_LABELS
# Twice the pixels of a wide screen: a curve of more steps is drawn as the band of its extremes.
_COLUMNS_MAX = 2_000

# Readings from which dots get smaller, so that neighbours can still be told apart.
_SOME, _MANY = 150, 600
_X_LABEL_HALF = 34

Points = Sequence[tuple[float, float]]


def point_chart(point: PointRecord) -> str:
    """The SVG element of a point."""
    times_ms = [point.curve.start_ms, point.curve.end_ms]
    times_ms += [reading.time_ms for reading in point.readings]
    x = Scale(min(times_ms), max(times_ms), _LEFT, WIDTH - _RIGHT)
    tops = [_TOP]
    for height in _PANEL_HEIGHTS[:-1]:
        tops.append(tops[-1] + height + _PANEL_GAP)
    panels = (_power_panel, _energy_panel, _residual_panel)
    parts = [
        f'<svg class="chart" viewBox="0 0 {WIDTH} {HEIGHT}" role="img"'
        f' aria-label="power, energy and residual of {escape(point.name)}">'
    ]
    parts += _time_axis(x, tops, HEIGHT - _X_LABELS)
    for draw, top, height in zip(panels, tops, _PANEL_HEIGHTS, strict=True):
        parts += _shades(point, x, top, height)
        parts += draw(point, x, top, height)
    return "\n".join([*parts, "</svg>"])


def _power_panel(point: PointRecord, x: Scale, top: int, height: int) -> list[str]:
    read = [
        (reading.time_ms, reading.power_dw / 10)
        for reading in point.readings
        if reading.power_dw is not None
    ]
    steps = _curve_steps(point)
    values = [value for _, value in (*steps, *read)]
    y, lines = _value_axis("Power", "W", [0.0, *values], top, height)
    outline = _step_path(steps, x, y)
    floor = y(0.0)
    first = x(steps[0][0])
    area = f"{outline}V{floor:.1f}H{first:.1f}Z"
    closed = f"M{first:.1f} {floor:.1f}L{outline[1:]}V{floor:.1f}"
    return [*lines, f'<path class="curve-area" d="{area}"/>', *_over(closed, read, x, y)]


def _energy_panel(point: PointRecord, x: Scale, top: int, height: int) -> list[str]:
    read = [(at, float(wh)) for at, wh in _net_readings(point)]
    marks = {int(x.low), int(x.high), *(int(at) for at, _ in _curve_steps(point))}
    by_curve = [(at_ms, point.curve_net_wh(at_ms)) for at_ms in sorted(marks)]
    values = [value for _, value in (*by_curve, *read)]
    y, lines = _value_axis("Energy since the start", "Wh", [0.0, *values], top, height)
    path = "M" + "L".join(f"{x(at):.1f} {y(wh):.1f}" for at, wh in by_curve)
    return [*lines, *_over(path, read, x, y)]


def _over(path: str, read: Points, x: Scale, y: Scale) -> list[str]:
    """Curve and readings; so many readings that they touch lie below as a wide trace."""
    if len(read) < _MANY:
        return [f'<path class="curve" d="{path}"/>', _dots(read, x, y)]
    return [_dots(read, x, y, size="trace"), f'<path class="curve thin" d="{path}"/>']


def _residual_panel(point: PointRecord, x: Scale, top: int, height: int) -> list[str]:
    read: list[tuple[float, float]] = []
    low: list[tuple[float, float]] = []
    high: list[tuple[float, float]] = []
    for at_ms, net_wh in _net_readings(point):
        now_wh = point.curve_net_wh(at_ms)
        late_wh = point.curve_net_wh(at_ms + point.lateness_ms) - now_wh
        read.append((float(at_ms), net_wh - now_wh))
        low.append((at_ms, min(late_wh, 0.0) - point.resolution_wh))
        high.append((at_ms, max(late_wh, 0.0) + point.resolution_wh))
    # The scale is that of the readings: a late reading may be allowed far more.
    bounds = [-2.0 * point.resolution_wh, 2.0 * point.resolution_wh]
    values = [*bounds, *(value for _, value in read)]
    y, lines = _value_axis("Ledger minus curve", "Wh", values, top, height)
    if read:
        band = [
            f"{x(at):.1f} {min(max(y(value), top), top + height):.1f}"
            for at, value in (*high, *reversed(low))
        ]
        lines.append(f'<path class="allowed" d="M{"L".join(band)}Z"/>')
    zero = y(0.0)
    lines.append(f'<path class="zero" d="M{_LEFT} {zero:.1f}H{WIDTH - _RIGHT}"/>')
    return [*lines, _dots(read, x, y)]


def _net_readings(point: PointRecord) -> Iterable[tuple[int, int]]:
    for reading in point.readings:
        net_wh = point.net_wh(reading)
        if net_wh is not None:
            yield reading.time_ms, net_wh


def _curve_steps(point: PointRecord) -> Points:
    """(Unix ms, W) of the curve's steps, its end at 0 W last."""
    series = point.curve.active_uw
    if len(series.times_ms) <= _COLUMNS_MAX:
        steps = [(float(at), point.curve_w(at)) for at in series.times_ms]
    else:
        width_ms = (series.end_ms - series.start_ms) / _COLUMNS_MAX
        steps = [
            (series.start_ms + (column + half / 2) * width_ms, extreme)
            for column, extremes in enumerate(_extremes(point, width_ms))
            for half, extreme in enumerate(extremes)
        ]
    return [*steps, (float(series.end_ms), 0.0)]


def _extremes(point: PointRecord, width_ms: float) -> list[tuple[float, float]]:
    """Least and greatest power in each column of a curve too fine to draw every step."""
    series = point.curve.active_uw
    found: list[tuple[float, float]] = []
    at = 0
    for column in range(_COLUMNS_MAX):
        until_ms = series.start_ms + (column + 1) * width_ms
        values = [point.curve_w(int(until_ms - width_ms))]
        while at < len(series.times_ms) and series.times_ms[at] < until_ms:
            values.append(point.curve_w(series.times_ms[at]))
            at += 1
        found.append((min(values), max(values)))
    return found


def _step_path(steps: Points, x: Scale, y: Scale) -> str:
    (first_ms, first), *rest = steps
    moves = [f"M{x(first_ms):.1f} {y(first):.1f}"]
    moves += [f"H{x(at_ms):.1f}V{y(value):.1f}" for at_ms, value in rest]
    return "".join(moves)


def _dots(values: Points, x: Scale, y: Scale, size: str = "") -> str:
    """All dots in one path: lines of no length with round ends."""
    size = size or ("few" if len(values) < _SOME else "some" if len(values) < _MANY else "many")
    path = "".join(f"M{x(at):.1f} {y(value):.1f}h0" for at, value in values)
    return f'<path class="dots {size}" d="{path}"/>'


def _value_axis(
    title: str, unit: str, values: Sequence[float], top: int, height: int
) -> tuple[Scale, list[str]]:
    low, high, ticks = nice_range(min(values), max(values), max(3, height // 34))
    y = Scale(low, high, top + height, top)
    lines = [
        f'<text class="panel" x="{_LEFT}" y="{top - 9}">{title}'
        f' <tspan class="unit">{unit}</tspan></text>'
    ]
    for tick in ticks:
        at = f"{y(tick):.1f}"
        lines.append(f'<path class="grid" d="M{_LEFT} {at}H{WIDTH - _RIGHT}"/>')
        lines.append(
            f'<text class="tick value" x="{_LEFT - 8}" y="{at}">{number_label(tick, ticks)}</text>'
        )
    return y, lines


def _time_axis(x: Scale, tops: Sequence[int], bottom: int) -> list[str]:
    lines = []
    for at_ms, label in time_ticks(int(x.low), int(x.high), 9):
        at = f"{x(at_ms):.1f}"
        for top, height in zip(tops, _PANEL_HEIGHTS, strict=True):
            lines.append(f'<path class="grid" d="M{at} {top}v{height}"/>')
        end = " end" if x(at_ms) > WIDTH - _RIGHT - _X_LABEL_HALF else ""
        lines.append(f'<text class="tick time{end}" x="{at}" y="{bottom + 18}">{label}</text>')
    return lines


def _shades(point: PointRecord, x: Scale, top: int, height: int) -> list[str]:
    """Stretches for which curve or ledger have nothing, with their reason on hovering."""
    stretches = [(gap.from_ms, gap.to_ms, "curve-gap", str(gap)) for gap in point.curve.gaps]
    stretches += [(gap.from_ms, gap.to_ms, "unread", gap.reason) for gap in point.unread]
    lines = []
    for from_ms, to_ms, kind, reason in stretches:
        start = x(from_ms)
        width = max(x(to_ms) - start, 1.5)
        lines.append(
            f'<rect class="shade {kind}" x="{start:.1f}" y="{top}" width="{width:.1f}"'
            f' height="{height}"><title>{escape(reason)}</title></rect>'
        )
    return lines
