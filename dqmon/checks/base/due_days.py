"""When something is due: a time of day, on days of the week, less the holidays of a calendar."""

from __future__ import annotations

from datetime import date, datetime, time
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

if TYPE_CHECKING:
    from collections.abc import Container

DayName = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
DAY_NAMES: tuple[DayName, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_GROUPS = {"all": DAY_NAMES, "weekdays": DAY_NAMES[:5], "weekends": DAY_NAMES[5:]}


def _as_days(value: object) -> object:
    if isinstance(value, str) and value in _GROUPS:
        return _GROUPS[value]
    return tuple(value) if isinstance(value, list) else value


Days = Annotated[
    tuple[DayName, ...],
    BeforeValidator(_as_days),
    WithJsonSchema({"anyOf": [{"enum": list(_GROUPS)}, {"type": "array", "items": {"enum": list(DAY_NAMES)}, "minItems": 1}]}),
]
"""`all`, `weekdays`, `weekends`, or a list of day names such as [mon, wed]."""


def _as_clock(value: object) -> object:
    """`"07:00"` as a time of day; ValueError for anything else (YAML reads an unquoted 07:00 as a number)."""
    if isinstance(value, time):
        return value
    try:
        return datetime.strptime(str(value), "%H:%M").time()  # noqa: DTZ007 - a time of day, read in the check's zone
    except ValueError:
        msg = f'{value!r} is not a time of day; write it in quotes as "07:00"'
        raise ValueError(msg) from None


Clock = Annotated[
    time,
    BeforeValidator(_as_clock),
    PlainSerializer(lambda clock: f"{clock:%H:%M}", return_type=str),
    WithJsonSchema({"type": "string", "pattern": r"^([01][0-9]|2[0-3]):[0-5][0-9]$"}),
]
"""A time of day, hours and minutes."""


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
