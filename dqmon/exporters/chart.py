"""Values over time with their expected band, as SVG: for `dqmon backtest --plot`. Pure; no library draws it."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from xml.sax.saxutils import escape

WIDTH, HEIGHT = 960, 280
"""Of one panel, in pixels; panels stand below each other."""
NARROW = 360
"""A width whose texts can be read on a phone."""

_LEFT, _RIGHT, _TOP, _BOTTOM = 84, 20, 40, 48
"""Margins around the plot of a panel: for the numbers, the title and the dates."""

_MOST_PANELS = 20
_CHARACTER = 8.5
"""Pixels of one of a title."""
_LEGEND = 300
"""Pixels to the right of a title."""
_TICK = 110
"""Pixels that a date takes with the room around it."""

_INK, _MUTED, _GRID, _BAND, _LINE, _ALERT = "#1b1f24", "#57606a", "#e4e8ec", "#cfe3f5", "#1f5f99", "#c4141b"
"""Dark on white; the alert's red and the line's blue differ in lightness too, for those who do not tell the hues apart."""

_STEPS = tuple(timedelta(hours=h) for h in (1, 3, 6, 12)) + tuple(timedelta(days=d) for d in (1, 2, 7, 14, 28, 91, 182, 364))


@dataclass(frozen=True, slots=True)
class Dot:
    """A value, the bounds that were expected (None: no bound), and what is wrong with it (None: nothing)."""

    at: datetime
    value: float
    low: float | None = None
    high: float | None = None
    wrong: str | None = None


@dataclass(frozen=True, slots=True)
class Panel:
    """One series, oldest first; `unit` is written at the axis."""

    title: str
    unit: str
    dots: tuple[Dot, ...]


def chart(panels: Sequence[Panel], width: int = WIDTH) -> str:
    """An SVG document with a panel for each series, of the first 20; one of NARROW width has no room for titles.

    A bound that is far outside of the values is cut off at the edge, so that the line stays readable.
    """
    shown = panels[:_MOST_PANELS]
    rest = len(panels) - len(shown)
    height = HEIGHT * max(1, len(shown)) + (24 if rest else 0)
    parts = [
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'font-family="system-ui, sans-serif" font-size="12" fill="{_INK}">'
        ),
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    for index, panel in enumerate(shown):
        parts += [f'<g transform="translate(0 {index * HEIGHT})">', *_panel(panel, width), "</g>"]
    if rest:
        parts.append(_text(width / 2, height - 8, f"{rest} more segments are not drawn", "middle", _MUTED))
    return "\n".join([*parts, "</svg>"])


@dataclass(frozen=True, slots=True)
class _Plot:
    """Where times and values are in a panel of that width."""

    width: int
    first: datetime
    last: datetime
    bottom: float
    top: float

    @property
    def right(self) -> int:
        """The right edge."""
        return self.width - _RIGHT

    def x(self, at: datetime) -> float:
        """A single time is in the middle."""
        length = max((self.last - self.first).total_seconds(), 1.0)
        share = (at - self.first).total_seconds() / length if self.last > self.first else 0.5
        return _LEFT + share * (self.right - _LEFT)

    def y(self, value: float) -> float:
        """What is beyond the ends is at the edge."""
        share = (min(max(value, self.bottom), self.top) - self.bottom) / (self.top - self.bottom)
        return HEIGHT - _BOTTOM - share * (HEIGHT - _TOP - _BOTTOM)


def _panel(panel: Panel, width: int) -> Iterator[str]:
    room = max(0, int((width - _LEFT - _LEGEND) / _CHARACTER))
    title = panel.title if len(panel.title) <= room else f"{panel.title[: room - 1]}…" if room else ""
    yield f'<text x="{_LEFT}" y="22" font-size="14" font-weight="600">{_clean(title)}</text>'
    if not panel.dots:
        yield _text(width / 2, HEIGHT / 2, "no values", "middle", _MUTED)
        return
    first, last = panel.dots[0].at, panel.dots[-1].at
    ticks = _value_ticks(*_range(panel.dots))
    plot = _Plot(width, first, last, ticks[0], ticks[-1])
    yield from _axes(plot, panel.unit, ticks, _time_ticks(first, last, max(2, width // _TICK)))
    yield from _drawn(plot, panel.dots)
    yield from _legend(plot, panel.dots)


def _axes(plot: _Plot, unit: str, ticks: Sequence[float], times: Sequence[datetime]) -> Iterator[str]:
    """Grid lines with their numbers and dates, and what the axes mean."""
    digits = max(0, -math.floor(math.log10(ticks[1] - ticks[0]) + 1e-9))
    for tick in ticks:
        y = plot.y(tick)
        yield f'<line x1="{_LEFT}" x2="{plot.right}" y1="{y:.1f}" y2="{y:.1f}" stroke="{_GRID}"/>'
        yield _text(_LEFT - 8, y + 4, _number(tick, digits), "end", _MUTED)
    is_short = (times[1] - times[0] if len(times) > 1 else plot.last - plot.first) < timedelta(days=1)
    for at in times:
        x = plot.x(at)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{_TOP}" y2="{HEIGHT - _BOTTOM}" stroke="{_GRID}"/>'
        yield _text(x, HEIGHT - _BOTTOM + 18, f"{at:%m-%d %H:%M}" if is_short else f"{at:%Y-%m-%d}", "middle", _MUTED)
    yield _text((plot.right + _LEFT) / 2, HEIGHT - 10, "time, UTC", "middle", _MUTED)
    middle = (HEIGHT + _TOP - _BOTTOM) / 2
    yield f'<text x="16" y="{middle}" text-anchor="middle" fill="{_MUTED}" transform="rotate(-90 16 {middle})">{_clean(unit)}</text>'


def _drawn(plot: _Plot, dots: Sequence[Dot]) -> Iterator[str]:
    """The band, the line, and a dot with its reason wherever something is wrong."""
    x, y = plot.x, plot.y
    for run in _banded(dots):
        upper = [f"{x(d.at):.1f},{y(plot.top if d.high is None else d.high):.1f}" for d in run]
        lower = [f"{x(d.at):.1f},{y(plot.bottom if d.low is None else d.low):.1f}" for d in reversed(run)]
        yield f'<polygon points="{" ".join([*upper, *lower])}" fill="{_BAND}" stroke="{_BAND}" stroke-width="2"/>'
    line = " ".join(f"{x(dot.at):.1f},{y(dot.value):.1f}" for dot in dots)
    yield f'<polyline points="{line}" fill="none" stroke="{_LINE}" stroke-width="1.5" stroke-linejoin="round"/>'
    if len(dots) == 1:
        yield f'<circle cx="{x(dots[0].at):.1f}" cy="{y(dots[0].value):.1f}" r="3" fill="{_LINE}"/>'
    for dot in dots:
        if dot.wrong is not None:
            reason = _clean(f"{dot.at:%Y-%m-%d %H:%M} UTC: {dot.wrong}")
            place = f'cx="{x(dot.at):.1f}" cy="{y(dot.value):.1f}"'
            yield f'<circle {place} r="4.5" fill="{_ALERT}" stroke="#ffffff"><title>{reason}</title></circle>'


def _legend(plot: _Plot, dots: Sequence[Dot]) -> Iterator[str]:
    """What the colours mean, from the right; only what is there."""
    entries = [("value", f'<line x1="0" x2="18" y1="-4" y2="-4" stroke="{_LINE}" stroke-width="2"/>')]
    if any(_has_band(dot) for dot in dots):
        entries.append(("expected", f'<rect x="0" y="-10" width="18" height="12" fill="{_BAND}"/>'))
    if any(dot.wrong is not None for dot in dots):
        entries.append(("outside", f'<circle cx="9" cy="-4" r="4.5" fill="{_ALERT}"/>'))
    left = plot.right - 90 * len(entries)
    for place, (word, mark) in enumerate(entries):
        yield f'<g transform="translate({left + 90 * place} 22)">{mark}{_text(24, 0, word, "start", _INK)}</g>'


def _banded(dots: Sequence[Dot]) -> Iterator[list[Dot]]:
    """Runs of neighbours that are bounded on the same sides; one alone is as wide as its outline."""
    for sides, run in groupby(dots, key=lambda dot: (dot.low is not None, dot.high is not None)):
        if any(sides):
            yield list(run)


def _has_band(dot: Dot) -> bool:
    return dot.low is not None or dot.high is not None


def _range(dots: Sequence[Dot]) -> tuple[float, float]:
    """From the least to the greatest value, and bounds as far as they are within half as much again."""
    values = [dot.value for dot in dots]
    least, most = min(values), max(values)
    room = (most - least) / 2 or abs(most) / 2 or 1.0
    bounds = [bound for dot in dots for bound in (dot.low, dot.high) if bound is not None]
    near = [bound for bound in bounds if least - room <= bound <= most + room]
    return min([least, *near]), max([most, *near])


def _value_ticks(least: float, most: float) -> list[float]:
    """Five or so round numbers that enclose the range."""
    span = max(most - least or abs(most) or 1.0, sys.float_info.min * 100)
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= span / 5)
    start, end = math.floor(least / step + 1e-9), math.ceil(most / step - 1e-9)
    return [step * place for place in range(start, max(end, start + 1) + 1)]


def _time_ticks(first: datetime, last: datetime, most: int) -> list[datetime]:
    """At most so many times on round hours or midnights (UTC), a week or more of them on Mondays."""
    step = next((step for step in _STEPS if (last - first) / step <= most - 1), (last - first) / (most - 1))
    origin = datetime(1970, 1, 5, tzinfo=first.tzinfo)
    at = origin + math.ceil((first - origin) / step) * step
    found = []
    while at <= last:
        found.append(at)
        at += step
    return found or [first]


def _number(value: float, digits: int) -> str:
    """`1,200`, `0.25`, `3.5M`: short enough for the margin."""
    for size, letter in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")):
        if abs(value) >= size:
            return f"{value / size:,.4g}{letter}"
    return f"{value:,.{min(digits, 6)}f}" if value else "0"


def _text(x: float, y: float, text: str, anchor: str, colour: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{_clean(text)}</text>'


def _clean(text: str) -> str:
    """Escaped for XML, which has no place for most control characters at all."""
    return escape("".join(c if c.isprintable() else " " for c in text))
