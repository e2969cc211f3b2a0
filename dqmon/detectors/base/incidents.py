"""What alerted points teach: most nothing, some that this is how it is by now."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from dqmon.detectors.base.clock import month_edge
from dqmon.detectors.base.robust import median
from dqmon.detectors.base.series import DAY_S, WEEK_S, Series, runs

if TYPE_CHECKING:
    from numpy import bool_, float64, int64
    from numpy.typing import NDArray

RELEARN = 7
"""Points within which a new level is known (ANOMALY.md: silent after 7 points); as many tell a level robustly."""

_IN_A_ROW = 5
"""So many alerted points in a row that agree are a new level: two of its first `RELEARN` may have been inside the band."""

_SMALLEST = 1e-150
"""Shares of a smaller value may be too large to calculate with."""

_ALIKE = 0.25
"""Values within a quarter of each other are alike: above the noise of usual loads, below a half load. Our choice."""

_BRIDGED = 2
"""Points that may lie inside the band within a run of alerts: a new level that is near the band's edge dips into it."""

_ENOUGH_BACK = 3
"""Points after a run of alerts that can outvote it: the median of fewer is one value's word."""


def believed(series: Series, alerted: NDArray[bool_]) -> tuple[NDArray[bool_], tuple[int, ...]]:
    """Which points to learn from, and the places among these at which a new level began.

    An alerted point is left out, for it may be an incident, unless

    - it belongs to five or more in a row (a pair inside the band between them does not break the row) that agree on a level
      other than 0, each by itself or as a share of what was usual in its slot of the week (day), and what came after stayed
      there. A row that repeats the value before it is none: nothing is loaded. Once the values are nearer to the old level
      again, the run was a long incident;
    - the same was alerted on the same weekday of the week before or after, or at the same edge of another month: a closed
      Sunday, an invoice run.

    A baseline without these alerts for ever.
    """
    import numpy as np

    kept = ~alerted
    number = np.zeros(len(kept), np.int64)
    for index, (start, end) in enumerate(runs(alerted), start=1):
        number[start:end] = index
    levels = [run for run in runs(_bridged(series.values, alerted)) if _is_level(series, alerted, *run)]
    agreeing = np.zeros(len(kept), np.bool_)
    for start, end in levels:
        agreeing[start:end] = True
    kept |= _recurring(series, number) & ~agreeing
    shifts = []
    for index, (start, end) in enumerate(levels, start=1):
        until = levels[index][0] if index < len(levels) else len(kept)
        still_there = _stayed(series.values, kept, start, end, until)
        if still_there is None:
            kept[start:end] = True
            shifts.append(start)
        else:
            kept[still_there] = False
    places = np.cumsum(kept) - 1
    return kept, tuple(int(places[shift]) for shift in shifts if places[shift] >= RELEARN)


def _bridged(values: NDArray[float64], alerted: NDArray[bool_]) -> NDArray[bool_]:
    """The alerted points, and up to `_BRIDGED` unalerted ones between two runs of them whose values are like these."""
    import numpy as np

    bridged = alerted.copy()
    for (start, end), (following, last) in pairwise(runs(alerted)):
        level = median(np.append(values[start:end], values[following:last]))
        if following - end <= _BRIDGED and (np.abs(values[end:following] - level) <= _ALIKE * abs(level)).all():
            bridged[end:following] = True
    return bridged


def _agrees(values: NDArray[float64]) -> bool:
    """True when a run of alerted values is long enough, is no row of empty loads, and its middle half is alike."""
    import numpy as np

    if len(values) < _IN_A_ROW:
        return False
    ordered = np.sort(values)
    middle, quarter = float(ordered[len(ordered) // 2]), len(ordered) // 4
    return middle != 0 and bool(ordered[-quarter - 1] - ordered[quarter] <= 2 * _ALIKE * abs(middle))


def _is_level(series: Series, alerted: NDArray[bool_], start: int, end: int) -> bool:
    """True for a run that is long enough, agrees, and does not just repeat the value before it, as a stalled total does."""
    values = series.values[start:end]
    if len(values) < _IN_A_ROW or (start and (values == series.values[start - 1]).all()):
        return False
    return _agrees(values) or _agrees(_shares_of_usual(series, alerted, start, end))


def _shares_of_usual(series: Series, alerted: NDArray[bool_], start: int, end: int) -> NDArray[float64]:
    """Values of a run over the median of the four unalerted ones before it in the same slot of the week (of the day, when there
    are several points a day); none for a slot that has no such points, or a median that is not above 0.
    """
    import numpy as np

    turn = DAY_S if series.is_finer else WEEK_S
    slot = np.round(series.local % turn / series.cadence_s).astype(np.int64) % max(1, round(turn / series.cadence_s))
    shares = []
    for here in np.unique(slot[start:end]):
        before = series.values[:start][(slot[:start] == here) & ~alerted[:start]][-4:]
        if len(before) and (usual := median(before)) > _SMALLEST:
            shares.append(series.values[start:end][slot[start:end] == here] / usual)
    return np.concatenate(shares) if shares else np.zeros(0)


def _recurring(series: Series, run: NDArray[int64]) -> NDArray[bool_]:
    """Points that were alerted alike a week apart, or at the same edge of a month one or two apart, in different runs.

    run: the number of each point's run of alerts, 0 for none.
    """
    import numpy as np

    alerted = np.flatnonzero(run)
    recurs = np.zeros(len(run), np.bool_)
    if not len(alerted):
        return recurs
    values, number = series.values[alerted], run[alerted]
    apart = np.abs(series.local[alerted][:, None] - series.local[alerted])
    comes_again = apart == WEEK_S
    if series.is_daily:
        edge = month_edge(series.days[:-1][alerted])
        is_short = np.bincount(run)[number] <= 2  # noqa: PLR2004 - an edge has two days
        same_edge = (edge[:, None] == edge) & ((edge > 0) & is_short)[:, None]
        comes_again |= same_edge & (apart > 26 * DAY_S) & (apart < 64 * DAY_S)
    is_alike = np.abs(values[:, None] - values) <= _ALIKE * np.abs(values)[:, None]
    recurs[alerted] = (comes_again & is_alike & (number[:, None] != number)).any(axis=1)
    return recurs


def _stayed(values: NDArray[float64], kept: NDArray[bool_], start: int, end: int, until: int) -> NDArray[int64] | None:
    """None while the values after the run [start, end) are on its level; else the places of those that still were at first.

    until: where the next new level begins. Nearer is measured from the medians of the run and of four times `RELEARN` points
    before it.
    """
    import numpy as np

    before = values[:start][kept[:start]][-4 * RELEARN :]
    later = end + np.flatnonzero(kept[end:until])
    if len(later) < _ENOUGH_BACK or not len(before):
        return None
    old, new = median(before), median(values[start:end])
    recent = median(values[later[-RELEARN:]])
    if abs(recent - old) >= abs(recent - new):
        return None
    is_back = np.abs(values[later] - new) >= np.abs(values[later] - old)
    return later[: int(np.argmax(is_back))] if is_back.any() else later
