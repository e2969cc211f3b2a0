"""Holidays that nobody named: the calendar whose days were unusual before."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import TYPE_CHECKING

from dqmon.detectors.base.robust import running_median, spread
from dqmon.detectors.base.series import Series

if TYPE_CHECKING:
    from numpy import bool_, float64, int64
    from numpy.typing import NDArray

_COUNTRIES = ("US", "GB", "DE", "FR", "IN", "CN", "JP", "BR", "CA", "AU", "IT", "ES", "NL", "SE", "PL", "MX")
"""Large economies. Each one more would fit some series by chance."""

_ENOUGH_DAYS = 28
"""Below four weeks too few weekdays are known to call a day unusual."""

_AROUND = 15
"""Days whose median a day is compared with: one week on either side."""

_UNUSUAL = 2.0
"""A day is unusual from so many robust standard deviations on; one in twenty is so by chance."""

_ENOUGH_HOLIDAYS, _FESTIVAL = 2, 3
"""Holidays that have to be unusual, with more days between them than a weekend has: a festival may have been one incident."""

_DOUBT = 0.2
"""A country is not believed that chance alone would bring forward in more than one of five tables, of all countries that are tried."""

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
    counts when at least two of its holidays that are a week past, and at least half of them, were unusual, more of them than
    chance makes unusual where other days are so as often as here.
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
        chance = len(_COUNTRIES) * _chance(days[:-1], is_unusual, here)
        if chance < (best[0] if best else _DOUBT):
            lowest, highest = float(off[here].min()), float(off[here].max())
            best = chance, Holiday(country, int(here.sum()), min(0.0, lowest), max(0.0, highest))
    return best[1] if best else None


def _chance(days: NDArray[int64], is_unusual: NDArray[bool_], here: NDArray[bool_]) -> float:
    """How likely as many of the days `here` are unusual by chance (binomial); 1 when too few are."""
    unusual, holidays = int(is_unusual[here].sum()), int(here.sum())
    odd = days[here & is_unusual]
    apart = 1 + int((odd[1:] - odd[:-1] > _FESTIVAL).sum())
    if unusual < holidays / 2 or not unusual or apart < _ENOUGH_HOLIDAYS:
        return 1.0
    # One more than were seen, so that days without any unusual one are not taken for days that cannot have one.
    rate = (int(is_unusual.sum()) - unusual + 1) / (len(days) - holidays + 1)
    return sum(math.comb(holidays, n) * rate**n * (1 - rate) ** (holidays - n) for n in range(unusual, holidays + 1))


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
