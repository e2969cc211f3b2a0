"""The band of one series on one scale: level and seasons, the width of its errors, and what narrows or widens it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from dqmon.detectors.base.clock import Seasonality, slots
from dqmon.detectors.base.drift import Drift, drift_of, recent_of
from dqmon.detectors.base.incidents import RELEARN
from dqmon.detectors.base.level import Level, level_of, on_one_level
from dqmon.detectors.base.month_edges import edge_of
from dqmon.detectors.base.noise import deviation, overdispersion
from dqmon.detectors.base.public_holidays import Holiday, holiday_of
from dqmon.detectors.base.robust import median
from dqmon.detectors.base.scale import Scale, is_count, scale_of, second_scale_of
from dqmon.detectors.base.season import Turns, season_of
from dqmon.detectors.base.series import Series
from dqmon.detectors.base.tail import NEWEST, half_width, poisson_range

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

_SLIGHT = 0.05
"""The share of the recent standard deviation by which a value may pass the band: bands are estimates, and where noise is a share of
the level, that of a quiet hour is narrower than what does not come from the level. The number is no optimum: of seeds of our
generator that had no part in choosing it, F1 is .81 without, .82 with it, and .84 with twice as much."""


@dataclass(frozen=True, slots=True)
class Forecast:
    """low <= center <= high, in the series' own unit, and a sentence for each reason."""

    low: float
    high: float
    center: float
    explanation: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Baseline:
    """series: the points to learn from, at least 2. shifts: places in it at which a new level began. p: how likely a usual value
    may be outside. everything: alerted points, too, for holidays; None where these are not looked for. alerts: when they were, on
    the series' clock. seasonality: which seasons are tried.
    """

    series: Series
    shifts: tuple[int, ...]
    p: float
    everything: Series | None = None
    alerts: tuple[float, ...] = ()
    seasonality: Seasonality = Seasonality.AUTO

    @property
    def is_after_alert(self) -> bool:
        """True when there was an alert within the points whose mean is tested for drift, but none at the newest point."""
        if not self.alerts:
            return False
        points = round((self.series.at - self.alerts[-1]) / self.series.cadence_s)
        return 1 < points <= recent_of(self.series)


@dataclass(frozen=True, slots=True)
class _Seasons:
    effects: NDArray[float64]
    weekdays: NDArray[float64]
    held_out: NDArray[float64]
    widening: float
    explanation: tuple[str, ...]


def forecast(baseline: Baseline) -> Forecast:
    """The band on the series' scale; where there is a second scale, the tighter upper bound of both. Counts are never held
    to less than the chance of a Poisson variable, and values from 0 up to nothing below 0.
    """
    values = baseline.series.values
    found_slots = [(name, Turns.of(slot)) for name, slot in slots(baseline.series, baseline.seasonality)]
    found = _on_scale(baseline, scale_of(baseline.series), found_slots)
    if (second := second_scale_of(baseline.series)) is not None:
        other = _on_scale(baseline, second, found_slots)
        if other.high < found.high:
            found = replace(found, high=max(found.center, other.high))
    low, high, center, explanation = found.low, found.high, found.center, found.explanation
    if values.min() >= 0:
        low, center = max(0.0, low), max(0.0, center)
    if is_count(values):
        fewest, most = poisson_range(center, baseline.p)
        if fewest < low or most > high:
            explanation = (*explanation, f"a count of {center:,.4g} lies between {fewest:,.4g} and {most:,.4g} by chance alone")
        low, high = min(low, fewest), max(high, most)
    below, above = _slight(baseline.series, low, high)
    low, high = low - below, high + above
    return Forecast(min(low, center), max(high, center), center, explanation)


def _slight(series: Series, low: float, high: float) -> tuple[float, float]:
    """How far beyond each bound a value is off by little only. An empty load never is, nor a ratio of all rows."""
    values = series.values
    room = _SLIGHT * float(values[-(NEWEST if series.is_finer else 4 * RELEARN) :].std())
    if values.min() < 0:
        return room, room
    is_ratio = values.max() <= 1 and not is_count(values)
    return min(room, low / 2), min(room, max(0.0, 1 - high) / 2) if is_ratio else room


def _on_scale(baseline: Baseline, scale: Scale, found_slots: list[tuple[str, Turns]]) -> Forecast:
    series = baseline.series
    scaled = scale.of(series.values)
    seasons = _seasons(scaled, series, scale, found_slots)
    seasonal = float(seasons.effects[-1])
    raw = scaled - seasons.effects[:-1]
    level = level_of(on_one_level(raw, baseline.shifts))
    middle = level.value + seasonal
    width = _width(scale, scaled, _held_out(level, seasons), middle, baseline.p) * seasons.widening
    low, high = middle - width, middle + width
    expected = f"expected {scale.back(middle):,.4g} from {len(scaled)} points, the newest one weighs {level.memory:.0%} of the level"
    explanation = [expected, *seasons.explanation]
    # Means that span an alert would tell of it again, except while it lasts.
    if not baseline.is_after_alert and (drift := drift_of(level.clean, series, baseline.p)) is not None:
        usual = low, high
        low, high = max(low, min(middle, drift.low + seasonal)), min(high, max(middle, drift.high + seasonal))
        explanation += _of_drift(drift, scale, usual, (low, high))
    if (edge := _edge(baseline, scale, seasons)) is not None:
        low, high = min(low, middle + edge - width), max(high, middle + edge + width)
        explanation.append(f"a month edge: the one before was alerted, and off by {scale.effect(edge)}")
    if (holiday := _holiday(baseline, scale, seasons)) is not None:
        low, high = min(low, middle + holiday.low - width), max(high, middle + holiday.high + width)
        effects = f"{scale.effect(holiday.low)} to {scale.effect(holiday.high)}"
        explanation.append(f"a public holiday ({holiday.country}): the {holiday.days} before it were off by {effects}")
    if baseline.shifts and len(raw) - (start := baseline.shifts[-1]) <= 4 * RELEARN:
        step = median(raw[max(0, start - 4 * RELEARN) : start]) - median(raw[start : start + RELEARN])
        low, high = min(low, middle + step - width), max(high, middle + step + width)
        old = f"{scale.back(middle + step):,.4g}"
        explanation.append(f"a new level since {len(raw) - start} points; a return to the old one, {old}, is usual for {4 * RELEARN}")
    return Forecast(scale.back(low), scale.back(high), scale.back(middle), tuple(explanation))


def _seasons(scaled: NDArray[float64], series: Series, scale: Scale, found_slots: list[tuple[str, Turns]]) -> _Seasons:
    """All seasons, each learned from what the coarser ones leave."""
    import numpy as np

    effects, weekdays, held_out = np.zeros(len(scaled) + 1), np.zeros(7), np.zeros(len(scaled))
    widening, explanation = 1.0, []
    for name, turns in found_slots:
        found = season_of(scaled - effects[:-1], turns, series.period if name == "hour" else series.week)
        effects += found.effects
        held_out += found.held_out
        widening *= found.widening
        if name == "weekday":
            weekdays[: len(found.by_slot)] = found.by_slot
        if found.effects[-1]:
            explanation.append(f"{name} effect {scale.effect(float(found.effects[-1]))}")
    return _Seasons(effects, weekdays, held_out, widening, tuple(explanation))


def _held_out(level: Level, seasons: _Seasons) -> Level:
    """The level with the errors that its forecasts would have made, had no point had a say in its own season.

    Else the errors are smaller than the next one, and of a peaked distribution: the middle one of three values has none.
    """
    fitted = seasons.effects[:-1] - seasons.held_out
    return replace(level, errors=level.errors + fitted[len(fitted) - len(level.errors) :])


def _width(scale: Scale, scaled: NDArray[float64], level: Level, middle: float, p: float) -> float:
    """Half the band. Errors of counts are measured in standard deviations of a count of their level, so that the errors of
    small and of large ones are alike.
    """
    import numpy as np

    if scale is not Scale.COUNT:
        return half_width(level.errors, p)
    errors = level.errors[-NEWEST:]
    means = np.maximum(np.expm1(np.minimum(scaled[-len(errors) :] - errors, 700.0)), 0.0)
    share = overdispersion(errors, means)
    return half_width(errors / np.sqrt(share + 1 / (means + 1)), p) * deviation(share, max(0.0, scale.back(middle)))


def _edge(baseline: Baseline, scale: Scale, seasons: _Seasons) -> float | None:
    """What the tested day's edge of the month did to the month before, when it was alerted."""
    everything = baseline.everything
    if everything is None or not everything.is_daily or not baseline.alerts:
        return None
    return edge_of(_without_weekdays(everything, scale, seasons), everything, baseline.alerts)


def _holiday(baseline: Baseline, scale: Scale, seasons: _Seasons) -> Holiday | None:
    """The holiday of the tested day; only series of days have any."""
    everything = baseline.everything
    if everything is None or not everything.is_daily:
        return None
    return holiday_of(_without_weekdays(everything, scale, seasons), everything)


def _without_weekdays(everything: Series, scale: Scale, seasons: _Seasons) -> NDArray[float64]:
    without: NDArray[float64] = scale.of(everything.values) - seasons.weekdays[(everything.days[:-1] + 3) % 7]
    return without


def _of_drift(drift: Drift, scale: Scale, usual: tuple[float, float], narrowed: tuple[float, float]) -> list[str]:
    """A sentence for each bound that drift moved."""
    sides = zip(("low", "high"), usual, narrowed, strict=True)
    means = f"the mean of the last {drift.recent} points is held against the {drift.before} before"
    said = ((side, f"{scale.back(old):,.4g}", f"{scale.back(new):,.4g}") for side, old, new in sides)
    return [f"{means}: {side} {new} instead of {old}" for side, old, new in said if old != new]
