"""What alerted points teach: most nothing, some that this is how it is by now."""

from __future__ import annotations

import statistics
from itertools import pairwise
from typing import TYPE_CHECKING

from dqmon.detectors.base.clock import month_edge
from dqmon.detectors.base.robust import median
from dqmon.detectors.base.series import DAY_S, WEEK_S, Series, runs

if TYPE_CHECKING:
    from numpy import bool_, float64, int64, intp
    from numpy.typing import NDArray

RELEARN = 7
"""Points within which a new level is known: it is silent after seven; as many tell a level robustly."""

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
      there. Values that repeat the one before the row do not count: nothing is loaded. Once the values are nearer to the old
      level again, the run was a long incident;
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
    bridged, listed = alerted.copy(), values.tolist()
    for (start, end), (following, last) in pairwise(runs(alerted)):
        if following - end <= _BRIDGED:
            # Of the few values of a run Python has the median before numpy has begun.
            level = statistics.median(listed[start:end] + listed[following:last])
            bridged[end:following] = all(abs(value - level) <= _ALIKE * abs(level) for value in listed[end:following])
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
    """True for a run that is long enough, besides values that repeat the one before it, as a stalled total does, and agrees."""
    values = series.values[start:end]
    if (values[values != series.values[start - 1]] if start else values).size < _IN_A_ROW:
        return False
    return _agrees(values) or _agrees(_shares_of_usual(series, alerted, start, end))


def _shares_of_usual(series: Series, alerted: NDArray[bool_], start: int, end: int) -> NDArray[float64]:
    """Values of a run over the median of the four unalerted ones before it in the same slot of the week (of the day, when there
    are several points a day); none for a slot that has no such points, or a median that is not above 0.
    """
    import numpy as np

    turn = DAY_S if series.is_finer else WEEK_S
    slot = np.round(series.local % turn / series.cadence_s).astype(np.int64) % max(1, round(turn / series.cadence_s))
    values, tested = series.values[start:end], slot[start:end]
    past = np.flatnonzero(~alerted[:start])
    if not len(past):
        return np.zeros(0)
    past = past[np.argsort(slot[past], kind="stable")]
    first, end_of = (np.searchsorted(slot[past], tested, side) for side in ("left", "right"))
    seen = np.minimum(end_of - first, 4)
    newest = series.values[past[np.maximum(end_of[:, None] - 1 - np.arange(4), 0)]]
    ordered = np.sort(np.where(np.arange(4) < seen[:, None], newest, np.inf), axis=1)
    each = np.arange(len(tested))
    usual = (ordered[each, np.maximum(seen - 1, 0) // 2] + ordered[each, np.minimum(seen // 2, 3)]) / 2
    known = (seen > 0) & (usual > _SMALLEST)
    shares: NDArray[float64] = values[known] / usual[known]
    return shares


def _recurring(series: Series, run: NDArray[int64]) -> NDArray[bool_]:
    """Points that were alerted alike a week apart, or at the same edge of a month one or two apart, in different runs.

    run: the number of each point's run of alerts, 0 for none.
    """
    import numpy as np

    alerted, values = np.flatnonzero(run), series.values
    recurs = np.zeros(len(run), np.bool_)
    if not len(alerted):
        return recurs
    earlier, later = (alerted[places] for places in _a_week_apart(series.local[alerted]))
    pairs = [(earlier, later), (later, earlier)]
    if series.is_daily:
        pairs.append(_at_same_edge(series, run, alerted))
    for one, other in pairs:
        is_alike = np.abs(values[one] - values[other]) <= _ALIKE * np.abs(values[one])
        recurs[one[is_alike & (run[one] != run[other])]] = True
    return recurs


def _a_week_apart(times: NDArray[float64]) -> tuple[NDArray[intp], NDArray[intp]]:
    """All pairs of places whose times are a week apart: the earlier ones and the later ones. An hour that a clock shows twice has two."""
    import numpy as np

    order = np.argsort(times, kind="stable")
    first, end = (np.searchsorted(times[order], times + WEEK_S, side) for side in ("left", "right"))
    found = end - first
    earlier = np.repeat(np.arange(len(times)), found)
    nth = np.arange(len(earlier)) - np.repeat(np.cumsum(found) - found, found)
    return earlier, order[np.repeat(first, found) + nth]


def _at_same_edge(series: Series, run: NDArray[int64], alerted: NDArray[intp]) -> tuple[NDArray[intp], NDArray[intp]]:
    """All pairs of points at the same edge of a month one or two months apart, the first of them in a run of an edge's two days at most."""
    import numpy as np

    edge = month_edge(series.days[:-1][alerted])
    alerted, edge = alerted[edge > 0], edge[edge > 0]
    apart = np.abs(series.local[alerted][:, None] - series.local[alerted])
    is_short = np.bincount(run)[run[alerted]] <= 2  # noqa: PLR2004 - two days
    same = (edge[:, None] == edge) & is_short[:, None] & (apart > 26 * DAY_S) & (apart < 64 * DAY_S)
    one, other = np.nonzero(same)
    return alerted[one], alerted[other]


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
