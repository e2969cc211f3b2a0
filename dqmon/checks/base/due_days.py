"""When something is due, as it is written: a time of day, and days of the week."""

from __future__ import annotations

from datetime import datetime, time
from typing import Annotated

from pydantic import BeforeValidator, PlainSerializer, WithJsonSchema

from dqmon.core.due_days import DAY_NAMES, DayName

_GROUPS = {"all": DAY_NAMES, "weekdays": DAY_NAMES[:5], "weekends": DAY_NAMES[5:]}


def _as_days(value: object) -> object:
    if isinstance(value, str) and value in _GROUPS:
        return _GROUPS[value]
    if not isinstance(value, list | tuple):
        raise ValueError(f"{value!r} is none of {', '.join(_GROUPS)}; write one of them, or a list such as [mon, wed]")  # noqa: TRY004 - pydantic shows ValueErrors alone
    return tuple(value)


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
