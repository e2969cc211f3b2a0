"""Cron expressions as AWS and Quartz write them, as the five fields that `core.cron` reads."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from dqmon.core.check import Schedule
from dqmon.core.cron import next_fire

_HIGHEST = (59, 23, 31, 12, 6)
"""The last value of minute, hour, day of month, month, day of week."""
_DAY_OF_WEEK = 4
_FIVE, _SIX, _SEVEN = 5, 6, 7
_STEPS = re.compile(r"([0-9]+)/([0-9]+)")
_BEYOND_CRON = re.compile(r"[LW#]")
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)


def aws_schedule(expression: str, timezone: str = "UTC") -> Schedule | None:
    """The schedule of `cron(15 6 ? * MON-FRI *)`; None where five fields cannot say the same (a year, `L`, `W`, `#`), or none fires.

    Six fields, the sixth a year; days of the week count from 1, Sunday:
    https://docs.aws.amazon.com/glue/latest/dg/monitor-data-warehouse-schedule.html
    """
    inner = re.fullmatch(r"cron\((.*)\)", expression.strip())
    fields = inner[1].split() if inner else []
    return _schedule(fields[:5], fields[5], timezone) if len(fields) == _SIX else None


def quartz_schedule(expression: str, timezone: str = "UTC") -> Schedule | None:
    """The schedule of `0 15 6 ? * MON-FRI`, the first field seconds, or of plain cron's five fields; None as for `aws_schedule`.

    https://www.quartz-scheduler.org/documentation/quartz-2.3.0/tutorials/crontrigger.html
    """
    fields = expression.split()
    if len(fields) == _FIVE:
        return _firing(expression, timezone)
    if len(fields) not in (_SIX, _SEVEN) or fields[0] != "0":
        return None
    return _schedule(fields[1:6], fields[6] if len(fields) == _SEVEN else "*", timezone)


def _schedule(fields: list[str], year: str, timezone: str) -> Schedule | None:
    """Of minute, hour, day of month, month and day of week as AWS and Quartz write them."""
    days = re.sub(r"MON|TUE|WED|THU|FRI|SAT|SUN", "", fields[_DAY_OF_WEEK].upper())
    if year != "*" or any(_BEYOND_CRON.search(field.upper()) for field in (fields[2], days)):
        return None
    fields = ["*" if field == "?" else field for field in fields]
    fields[_DAY_OF_WEEK] = re.sub(r"(?<![/0-9])[1-7](?![0-9])", lambda day: str(int(day[0]) - 1), fields[_DAY_OF_WEEK])
    steps = zip(fields, _HIGHEST, strict=True)
    return _firing(" ".join(_STEPS.sub(rf"\1-{highest}/\2", field) if "-" not in field else field for field, highest in steps), timezone)


def _firing(expression: str, timezone: str) -> Schedule | None:
    """The schedule, if it fires some day in a time zone that there is."""
    from cronsim import CronSimError

    schedule = Schedule(expression, None, timezone)
    try:
        return schedule if next_fire(schedule, 0, _ANY_DAY) is not None else None
    except (CronSimError, KeyError, ValueError, OSError):
        return None
