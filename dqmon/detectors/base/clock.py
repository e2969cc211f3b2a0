"""Slots of the clock and the calendar in which values may differ: weekdays, hours, edges of the month."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from dqmon.detectors.base.series import DAY_S, WEEK_S, Series

if TYPE_CHECKING:
    from numpy import int64
    from numpy.typing import NDArray

_MONTH_EDGE_DAYS = 45
"""From so many days on there was one month's edge, and all of its days."""


class Seasonality(StrEnum):
    """Which seasons are looked for: those that the cadence allows, none, or one that is named."""

    AUTO = "auto"
    NONE = "none"
    HOUR = "hour"
    DAY_OF_WEEK = "day_of_week"
    MONTH_DAY = "month_day"


def slots(series: Series, seasonality: Seasonality = Seasonality.AUTO) -> list[tuple[str, NDArray[int64]]]:
    """The seasons worth trying, coarse before fine: each a name and the slot of every point, that of the tested one last.

    A season that is named is the only one. Else days have a weekday, and from 45 days on an edge of the month; shorter steps an
    hour of the day once there are two days, and a weekend once one was seen; in their place from two weeks on an hour of weekdays
    or of weekends, and besides from three weeks on an hour of the week; longer steps none.
    """
    days = series.days
    weekday = (days + 3) % 7
    match seasonality:
        case Seasonality.NONE:
            return []
        case Seasonality.HOUR:
            return [("hour", _hour(series))]
        case Seasonality.DAY_OF_WEEK:
            return [("weekday", weekday)]
        case Seasonality.MONTH_DAY:
            return [("day of the month", month_day(days))]
        case Seasonality.AUTO:
            pass
    if series.is_daily:
        found = [("weekday", weekday)]
        return [*found, ("month edge", month_edge(days))] if series.span_s >= _MONTH_EDGE_DAYS * DAY_S else found
    if not series.is_finer or series.span_s < 2 * DAY_S:
        return []
    hour, is_weekend = _hour(series), (weekday >= 5).astype(weekday.dtype)  # noqa: PLR2004 - Saturday
    if series.span_s < 2 * WEEK_S:
        return [("hour", hour), ("weekend", is_weekend)] if is_weekend[:-1].any() else [("hour", hour)]
    found = [("hour of weekdays or weekends", is_weekend * 24 + hour)]
    return found if series.span_s < 3 * WEEK_S else [*found, ("hour of the week", weekday * 24 + hour)]


def _hour(series: Series) -> NDArray[int64]:
    import numpy as np

    return np.floor(np.append(series.local, series.at) % DAY_S / 3600).astype(np.int64)


def month_day(days: NDArray[int64]) -> NDArray[int64]:
    """The day of the month of each day since 1970, from 0."""
    import numpy as np

    dates = days.astype("datetime64[D]")
    since_first: NDArray[int64] = (dates - dates.astype("datetime64[M]").astype("datetime64[D]")).astype(np.int64)
    return since_first


def month_edge(days: NDArray[int64]) -> NDArray[int64]:
    """1 and 2 for the first and second day of a month, 3 and 4 for its last but one and last, 0 for the days between.

    Invoices, salaries and month-end batches run on these.
    """
    import numpy as np

    dates = days.astype("datetime64[D]")
    months = dates.astype("datetime64[M]")
    since_first = month_day(days)
    until_last = ((months + 1).astype("datetime64[D]") - dates).astype(np.int64) - 1
    edge = np.where(until_last < 2, 4 - until_last, 0)  # noqa: PLR2004 - two days
    return np.where(since_first < 2, since_first + 1, edge)  # noqa: PLR2004 - as above
