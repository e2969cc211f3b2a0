"""Which days count: days of the week, less the holidays of a calendar."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Container
    from datetime import date

DayName = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAY_NAMES: tuple[DayName, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


def is_due(day: date, days: tuple[str, ...], calendar: str | None) -> bool:
    """True on the days of the week in `days` that are no holiday of `calendar`. ValueError for an unknown calendar."""
    return DAY_NAMES[day.weekday()] in days and (calendar is None or day not in holidays_of(calendar))


@lru_cache(maxsize=32)
def holidays_of(calendar: str) -> Container[date]:
    """The holidays of a country (`US`), a part of it (`US-NY`) or a market (`XNYS`); ValueError when there are none of that name."""
    import holidays

    country, _, part = calendar.partition("-")
    try:
        if calendar in holidays.list_supported_financial():
            return holidays.financial_holidays(calendar)
        return holidays.country_holidays(country, subdiv=part or None)
    except NotImplementedError as e:
        msg = f"there is no calendar {calendar!r}; write a country such as US or DE, with a part US-NY, or a market such as XNYS"
        raise ValueError(msg) from e
