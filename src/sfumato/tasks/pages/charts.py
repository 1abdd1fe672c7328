"""Curves and scales as inline SVG, in the colours of the page around them."""

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from itertools import pairwise
from typing import TypeVar

Axis = Callable[[float], float]  # a value's place in the drawing
T = TypeVar("T")
Curve = Sequence[tuple[float, float]]  # points (x, y); y is NaN where there is none

WIDTH, HEIGHT = 460, 230  # units of the drawing; the page scales it
LEFT, RIGHT, TOP, BOTTOM = 46, 8, 10, 26  # margins
COLOURS = 6  # --c0 … --c5 of the page's style, used in turn
POINTS = 240  # of a drawn line
SHORT = 30  # curves of no more points are drawn as they are
COLUMNS = 60  # that show their figures under the pointer


def line_chart(curves: Mapping[str, Curve], *, marks: Mapping[float, str] | None = None) -> str:
    """Lines over a common axis: the raw figures faint, their moving average strong, `marks` as upright dashes.

    The y axis is logarithmic if all values are positive and span more than a factor of 50.
    """
    curves = {k: c for k, c in curves.items() if any(not math.isnan(y) for _, y in c)}
    if not curves:
        return ""
    smooth = {k: moving_average(c) for k, c in curves.items()}
    x0 = min(c[0][0] for c in curves.values())
    x1 = max(max(c[-1][0] for c in curves.values()), x0 + 1)
    y0, y1, log = _span(curves, smooth)

    def x(v: float) -> float:
        return LEFT + (v - x0) / (x1 - x0) * (WIDTH - LEFT - RIGHT)

    def y(v: float) -> float:
        t = math.log(max(v, 1e-300) / y0) / math.log(y1 / y0) if log else (v - y0) / (y1 - y0)
        return HEIGHT - BOTTOM - min(max(t, -0.5), 1.5) * (HEIGHT - TOP - BOTTOM)

    names = ", ".join(curves)
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(names)} over the steps">']
    parts += _axes(x, y, ticks(x0, x1, 5), log_ticks(y0, y1) if log else ticks(y0, y1, 4))
    inside = (LEFT, TOP - 2, WIDTH - LEFT - RIGHT, HEIGHT - TOP - BOTTOM + 4)
    parts.append('<svg x="{0}" y="{1}" width="{2}" height="{3}" viewBox="{0} {1} {2} {3}">'.format(*inside))  # clips
    for i, k in enumerate(curves):
        style = f'style="stroke:var(--c{i % COLOURS})"'
        if len(curves[k]) > SHORT:
            parts.append(f'<path class="raw" {style} d="{_path(extremes(curves[k], POINTS), x, y)}"/>')
        parts.append(f'<path class="line" {style} d="{_path(thin(smooth[k], POINTS), x, y)}"/>')
    for at, text in (marks or {}).items():
        parts.append(
            f'<path class="mark" d="M{x(at):.1f} {TOP}V{HEIGHT - BOTTOM}"><title>{escape(text)}</title></path>'
        )
    return "".join([*parts, "</svg>", *_columns(curves, x), "</svg>"])


def dot_scale(rows: Mapping[str, float], strong: str) -> str:
    """Positive values as dots on one logarithmic scale, a row each; the row `strong` stands out."""
    values = {k: v for k, v in rows.items() if v > 0 and math.isfinite(v)}
    if len(values) < 2:
        return ""
    low, high = min(values.values()), max(values.values())
    low, high = (low / 1.3, high * 1.3)
    left, right, step = 130, 64, 24
    height = step * len(values) + 6
    parts = [f'<svg class="dots" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="where the value lies">']
    for i, (k, v) in enumerate(sorted(values.items(), key=lambda item: item[1])):
        at = left + math.log(v / low) / math.log(high / low) * (WIDTH - left - right)
        mid = step * i + 14
        kind = ' class="strong"' if k == strong else ""
        parts.append(
            f'<g{kind}><text x="{left - 12}" y="{mid + 4}" text-anchor="end">{escape(k)}</text>'
            f'<path class="grid" d="M{left} {mid}H{WIDTH - right}"/><circle cx="{at:.1f}" cy="{mid}" r="4.5"/>'
            f'<text x="{WIDTH - right + 12}" y="{mid + 4}">{number(v)}</text></g>'
        )
    return "".join([*parts, "</svg>"])


def moving_average(curve: Curve) -> list[tuple[float, float]]:
    """The exponential moving average over about a fortieth of the curve, without bias at its start. NaN stay gaps."""
    decay = 1 - 1 / max(1.0, len(curve) / 40) if len(curve) > SHORT else 0.0
    total = weight = 0.0
    smooth = []
    for at, value in curve:
        if not math.isnan(value):
            total, weight = decay * total + (1 - decay) * value, decay * weight + (1 - decay)
        smooth.append((at, math.nan if math.isnan(value) else total / weight))
    return smooth


def thin(curve: Sequence[T], n: int) -> list[T]:
    """At most n + 1 of the points, evenly, the last one included."""
    step = max(1, math.ceil(len(curve) / n))
    return [*curve[:-1:step], curve[-1]]


def extremes(curve: Curve, n: int) -> list[tuple[float, float]]:
    """The lowest and the highest point of each of n / 2 parts, so that no peak is lost. NaN stay gaps."""
    step = max(1, math.ceil(2 * len(curve) / n))
    if step <= 2:
        return list(curve)
    kept: list[tuple[float, float]] = []
    for first in range(0, len(curve), step):
        part = curve[first : first + step]
        finite = [p for p in part if not math.isnan(p[1])]
        kept += sorted({min(finite, key=lambda p: p[1]), max(finite, key=lambda p: p[1])}) if finite else part[:1]
    return kept


def ticks(low: float, high: float, n: int) -> list[float]:
    """About n round numbers from low to high."""
    raw = (high - low) / n
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 2.5, 5, 10) if m * power >= raw * 0.9)
    first = math.ceil(low / step - 1e-9)
    return [i * step for i in range(first, math.floor(high / step + 1e-9) + 1)]


def log_ticks(low: float, high: float) -> list[float]:
    """Round numbers from low to high on a logarithmic axis: powers of ten, with 2 and 5 between if they are few."""
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    stride = max(1, len(decades) // 6)
    mantissas = (1, 2, 5) if len(decades) <= 3 else (1,)
    return [m * 10.0**d for d in decades[::stride] for m in mantissas if low <= m * 10.0**d <= high]


def number(value: float) -> str:
    """A number as people write it: 1,234  0.0123  3.2e-05."""
    if not math.isfinite(value):
        return "not finite"
    if float(value).is_integer() and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1e4 else f"{value:.4g}"


def _short(value: float) -> str:
    """A number on an axis: 20k, 1.5M."""
    for unit, name in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= unit * 0.9999:
            return f"{value / unit:.4g}{name}"
    return f"{value:.4g}"


def _span(curves: Mapping[str, Curve], smooth: Mapping[str, Curve]) -> tuple[float, float, bool]:
    """The y axis: its ends and whether it is logarithmic. A few outliers of the raw figures may leave it."""
    lows, highs, positive = [], [], True
    for k, curve in curves.items():
        values = sorted(y for _, y in curve if not math.isnan(y))
        cut = len(values) // 50
        inner = [values[cut], values[-1 - cut], *(y for _, y in smooth[k] if not math.isnan(y))]
        lows.append(min(inner))
        highs.append(max(inner))
        positive = positive and values[0] > 0
    low, high = min(lows), max(highs)
    if positive and high / low > 50:
        return low / 1.15, high * 1.15, True
    margin = (high - low) * 0.06 or abs(high) * 0.1 or 1.0
    return (0.0 if 0 <= low < 0.3 * high else low - margin), high + margin, False


def _axes(x: Axis, y: Axis, at_x: list[float], at_y: list[float]) -> list[str]:
    parts = []
    for v in at_y:
        parts.append(f'<path class="grid" d="M{LEFT} {y(v):.1f}H{WIDTH - RIGHT}"/>')
        parts.append(f'<text x="{LEFT - 7}" y="{y(v) + 4:.1f}" text-anchor="end">{_short(v)}</text>')
    for v in at_x:
        anchor = "end" if x(v) > WIDTH - RIGHT - 12 else "middle"
        parts.append(f'<text x="{x(v):.1f}" y="{HEIGHT - 7}" text-anchor="{anchor}">{_short(v)}</text>')
    parts.append(f'<path class="axis" d="M{LEFT} {HEIGHT - BOTTOM}H{WIDTH - RIGHT}"/>')
    return parts


def _path(curve: Curve, x: Axis, y: Axis) -> str:
    """The d of a path through the points, broken at NaN. A point alone becomes a dot."""
    pieces, pen = [], "M"
    for (at, value), (_, after) in pairwise([*curve, (0.0, math.nan)]):
        if math.isnan(value):
            pen = "M"
            continue
        pieces.append(f"{pen}{x(at):.1f} {y(value):.1f}" + ("h.01" if pen == "M" and math.isnan(after) else ""))
        pen = "L"
    return "".join(pieces)


def _columns(curves: Mapping[str, Curve], x: Axis) -> list[str]:
    """Invisible columns whose titles tell the figures under the pointer."""
    longest = max(curves.values(), key=len)
    at = [p[0] for p in thin(longest, COLUMNS)]
    looked_up = {k: dict(c) for k, c in curves.items()}
    edges = [x(at[0]), *(x((a + b) / 2) for a, b in pairwise(at)), x(at[-1])]
    parts = []
    for step, (left, right) in zip(at, pairwise(edges), strict=True):
        values = [f"{k}  {number(c[step])}" for k, c in looked_up.items() if step in c]
        title = escape("\n".join([f"step {step:,}", *values]))
        parts.append(
            f'<rect class="column" x="{left:.1f}" y="{TOP}" width="{max(right - left, 1):.1f}" '
            f'height="{HEIGHT - TOP - BOTTOM}"><title>{title}</title></rect>'
        )
    return parts
