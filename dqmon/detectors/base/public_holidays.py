"""Holidays that nobody named: the calendar whose days were unusual before."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from dqmon.detectors.base.robust import running_median, spread
from dqmon.detectors.base.series import Series

if TYPE_CHECKING:
    from numpy import float64
    from numpy.typing import NDArray

_COUNTRIES = ("US", "GB", "DE", "FR", "IN", "CN", "JP", "BR", "CA", "AU", "IT", "ES", "NL", "SE", "PL", "MX")
"""Large economies. Each one more would fit some series by chance."""

_ENOUGH_DAYS = 28
"""Below four weeks too few weekdays are known to call a day unusual."""

_AROUND = 15
"""Days whose median a day is compared with: one week on either side."""

_UNUSUAL = 2.0
"""A day is unusual from so many robust standard deviations on; one in twenty is so by chance."""

_ENOUGH_HOLIDAYS = 2

_SAME_HOLIDAY = 7
"""Days before the tested one that are no evidence: an incident that began with a long festival would explain itself."""


@dataclass(frozen=True, slots=True)
class Holiday:
    """The tested day is one in `country`; on the `days` earlier ones values were `low` to `high` off their neighbours."""

    country: str
    days: int
    low: float
    high: float


def holiday_of(scaled: NDArray[float64], series: Series) -> Holiday | None:
    """What the tested day's holiday did before, from the country whose holidays explain the most; None when none does.

    scaled: one value a point of the daily series, without weekdays, alerted points included: a holiday's were. A country
    counts when at least two of its holidays that are a week past, and at least half of them, were unusual.
    """
    import numpy as np

    if len(scaled) < _ENOUGH_DAYS:
        return None
    off = scaled - running_median(scaled, _AROUND)
    is_unusual = np.abs(off) > _UNUSUAL * spread(off)
    days = series.days
    past, today = days[:-1].tolist(), int(days[-1])
    best: tuple[float, Holiday] | None = None
    for country in _COUNTRIES:
        found = _holidays(country, past[0], today)
        if today not in found:
            continue
        here = np.array([day in found and day < today - _SAME_HOLIDAY for day in past])
        unusual = int(is_unusual[here].sum())
        if unusual >= max(_ENOUGH_HOLIDAYS, here.sum() / 2) and (best is None or unusual / here.sum() > best[0]):
            lowest, highest = float(off[here].min()), float(off[here].max())
            best = unusual / here.sum(), Holiday(country, int(here.sum()), min(0.0, lowest), max(0.0, highest))
    return best[1] if best else None


def _holidays(country: str, first: int, last: int) -> frozenset[int]:
    """Holidays of the years from one day to the other, as days since 1970."""
    import numpy as np

    first_year, last_year = (int(np.datetime64(day, "D").astype("datetime64[Y]").astype(int)) + 1970 for day in (first, last))
    return _of_years(country, first_year, last_year)


@lru_cache(maxsize=256)
def _of_years(country: str, first: int, last: int) -> frozenset[int]:
    import holidays

    epoch = date(1970, 1, 1)
    return frozenset((day - epoch).days for day in holidays.country_holidays(country, years=range(first, last + 1)))
