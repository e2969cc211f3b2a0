"""The default detector: level, growth, weekday and hour, learned robustly from the past of one series."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from dqmon.core.history import Band, History, Learning
from dqmon.detectors.base.season import season_of
from dqmon.detectors.base.series import DAY_S, RELEARN, Series, learnable, log_scale, slots
from dqmon.detectors.base.tail import half_width, poisson_range

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

_MEMORIES = (1.0, 0.4, 0.15, 0.05)
"""Weights of the newest point in the level: a random walk, a few points, about two weeks. The one that forecast best is used."""

_REACH = 40
"""Points that a level looks back; with the slowest memory the rest would weigh 0.2 %."""

_CONSTANT_SHARE = 0.1
"""After a constant history a change of up to 10 % is a reference table being edited, more is a wrong load. Our choice, without a source."""

_RISING = 0.95
"""Share of steps that do not fall, from which on a count is taken for a total that only grows."""


@dataclass(frozen=True, slots=True)
class _Forecast:
    low: float
    high: float
    center: float
    explanation: tuple[str, ...]


class Seasonal:
    """What a value should be, from its level, its growth and its weekday or hour.

    Options: false_alerts_per_year (default 2) sets the width of the band at the series' own cadence; min_history (default
    14) is the number of points below which it is still learning; smallest_change (default 1, as of a count; 0 for values that
    are none) is what a constant history may change by at least.

    1. Scale: counts on log(1 + x), where noise is a share of the level; anything else as it is. A count that hardly ever
       falls is a total: its steps are forecast instead, so that a stalled table is seen.
    2. Season: the median deviation of each weekday (hour, hour of the week), shrunk towards none as far as its own noise
       explains it (see `dqmon.detectors.base.season`).
    3. Level: exponential smoothing of the values without season, cleaned of outliers by a running median of 7; the memory is
       the one that forecast this series best. After 7 alerted points that agree with each other the level starts anew.
    4. Width: the quantile of the errors that these forecasts made, by a t distribution, for the probability
       false_alerts_per_year / points a year (see `dqmon.detectors.base.tail`); for counts never narrower than Poisson noise.
    5. A constant history is exact: changes of more than 10 % (and of smallest_change) are unusual, after all zeros any change.

    The tested point is never in its own baseline. Pure; below a millisecond a point.
    """

    type: ClassVar[str] = "seasonal"

    def __init__(self, options: Mapping[str, object]) -> None:
        self._budget = float(str(options.get("false_alerts_per_year", 2)))
        self._min_history = int(str(options.get("min_history", 14)))
        self._smallest_change = float(str(options.get("smallest_change", 1)))

    def expect(self, history: History, at: datetime, timezone: str) -> Band | Learning:
        """The band for the value at `at`, from earlier points; Learning below `min_history` of them."""
        import numpy as np

        series = learnable(history.points, at)
        missing = max(self._min_history, 2) - len(series.points)
        if missing > 0:
            return Learning(missing)
        values = np.array([p.value for p in series.points])
        p = min(self._budget / series.per_year, 0.2)
        if (values == values[0]).all():
            found = _constant(float(values[0]), len(values), self._smallest_change)
        elif _is_total(values):
            found = _total(series, values, at, timezone, p)
        else:
            found = _forecast(series, values, at, timezone, p)
        cadence = series.cadence_s / DAY_S
        width = f"the band is as wide as {self._budget:g} false alerts a year need, at one point every {cadence:.3g} days"
        return Band(found.low, found.high, found.center, (*found.explanation, width), series.points)


def _constant(value: float, points: int, smallest_change: float) -> _Forecast:
    room = max(smallest_change, abs(value) * _CONSTANT_SHARE) if value else 0.0
    explanation = f"it was {value:g} at all of {points} points; a change of more than {room:g} is unusual"
    return _Forecast(value - room, value + room, value, (explanation,))


def _is_total(values: NDArray[float64]) -> bool:
    """True for values from 0 up that hardly ever fall and mostly rise."""
    import numpy as np

    steps = np.diff(values)
    return bool((values >= 0).all() and (steps >= 0).mean() >= _RISING and (steps > 0).mean() >= 0.5)  # noqa: PLR2004 - mostly


def _total(series: Series, values: NDArray[float64], at: datetime, timezone: str, p: float) -> _Forecast:
    """A band around the last total plus the steps that are due since; steps over gaps and to a new level teach nothing."""
    import numpy as np

    times = np.array([point.at.timestamp() for point in series.points])
    regular = np.diff(times) <= 1.5 * series.cadence_s
    regular[[shift - 1 for shift in series.shifts]] = False
    steps = np.maximum(np.diff(values), 0.0).round()[regular]
    if len(steps) < RELEARN:
        return _forecast(series, values, at, timezone, p)
    points = tuple(point for point, is_regular in zip(series.points[1:], regular, strict=True) if is_regular)
    due = max(1, round((at - series.points[-1].at).total_seconds() / series.cadence_s))
    if (steps == steps[0]).all():
        step = _constant(float(steps[0]), len(steps), 1.0)
    else:
        step = _forecast(Series(points, series.cadence_s, ()), steps, at, timezone, p)
    last, center = float(values[-1]), due * step.center
    low, high = (center + math.sqrt(due) * (bound - step.center) for bound in (step.low, step.high))
    explanation = (f"a total that grows: {last:,.0f} at the last point, and {due} step(s) since", *step.explanation)
    return _Forecast(last + max(0.0, low), last + high, last + center, explanation)


def _forecast(series: Series, values: NDArray[float64], at: datetime, timezone: str, p: float) -> _Forecast:
    import numpy as np

    is_log = log_scale(values)
    scaled = np.log1p(values) if is_log else values
    season, effect, widening, explanation = np.zeros(len(values) + 1), 0.0, 1.0, []
    period = max(1, min(len(values) // 2, round((7 if series.is_daily else 1) * DAY_S / series.cadence_s)))
    for name, slot in slots(series, at, timezone):
        found = season_of(scaled - season[:-1], slot, period)
        season += found.effects
        widening *= found.widening
        effect = float(found.effects[-1])
        shown = f"{math.expm1(effect):+.0%}" if is_log else f"{effect:+.4g}"
        explanation.append(f"{name} effect {shown}")
    plain = _on_one_level(scaled - season[:-1], series.shifts)
    level, errors, memory = _level(plain)
    width = half_width(errors, p) * widening
    middle = level + float(season[-1])
    low, high, center = middle - width, middle + width, middle
    if is_log:
        low, high, center = (max(0.0, math.expm1(min(x, 700.0))) for x in (low, high, center))
        floor, ceiling = poisson_range(center, p)
        low, high = min(low, floor), max(high, ceiling)
    explanation.insert(0, f"expected {center:,.4g} from {len(values)} points, the newest one weighs {memory:.0%} of the level")
    return _Forecast(low, high, center, tuple(explanation))


def _on_one_level(values: NDArray[float64], shifts: tuple[int, ...]) -> NDArray[float64]:
    """Values with everything before a shift moved to the level after it."""
    import numpy as np

    moved = values.copy()
    for shift in shifts:
        moved[:shift] += np.median(moved[shift : shift + RELEARN]) - np.median(moved[shift - RELEARN : shift])
    return moved


def _level(values: NDArray[float64]) -> tuple[float, NDArray[float64], float]:
    """The forecast of the next value, the one-step errors that such forecasts made, and the memory they had."""
    import numpy as np

    clean = _cleaned(values)
    first = min(RELEARN, len(values) // 3)
    best: tuple[float, float, NDArray[float64], float] | None = None
    for memory in _MEMORIES:
        kernel = memory * (1 - memory) ** np.arange(min(_REACH, len(values)))
        weights = np.cumsum(kernel)[np.minimum(np.arange(len(values)), len(kernel) - 1)]
        levels = np.convolve(clean, kernel)[: len(values)] / weights
        miss = float(np.abs(clean[first:] - levels[first - 1 : -1]).mean())
        if best is None or miss < best[0]:
            best = (miss, float(levels[-1]), values[first:] - levels[first - 1 : -1], memory)
    assert best is not None  # noqa: S101 - for the type checker
    return best[1:]


def _cleaned(values: NDArray[float64]) -> NDArray[float64]:
    """Values drawn in to three robust standard deviations around a running median of 7 (Hampel's filter, JASA 69, 1974).

    The deviation is not taken below that of the steps, for a steady slope has none in the middle but some at its ends.
    """
    import numpy as np

    if len(values) < RELEARN:
        return values
    windows = np.lib.stride_tricks.sliding_window_view(values, RELEARN)
    middle = np.median(windows, axis=1)
    start = np.clip(np.arange(len(values)) - RELEARN // 2, 0, len(middle) - 1)
    around = middle[start]
    room = 3 * 1.4826 * max(np.median(np.abs(values - around)), np.median(np.abs(np.diff(values))) / math.sqrt(2))
    return np.clip(values, around - room, around + room)
