"""`silences:` and `maintenance:` of `config/dqmon.yaml`: what is not told for a time, once or again and again, as it is written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Annotated, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from dqmon.config.words import check_cron, check_timezone
from dqmon.core.check import Schedule
from dqmon.core.duration import Duration, format_duration
from dqmon.core.silence import LONGEST_S

_SOME_DAY = datetime(2024, 1, 1, tzinfo=UTC)
"""Any day does: only the time between one window and the next is looked at."""
_WINDOWS = 400
"""So many are looked at: more than a year of daily ones."""


def _instant(value: object) -> datetime:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError(f"{value!r} is no instant with a zone; write it as 2013-02-10T12:00Z")
    return found.astimezone(UTC)


def plain_cron(value: object) -> object:
    """`value` if it is a cron expression, where nothing else can stand for a schedule; ValueError otherwise."""
    try:
        return check_cron(value)
    except ValueError as e:
        raise ValueError(str(e).removesuffix(", or {every: 15m}")) from None


At: TypeAlias = Annotated[datetime, BeforeValidator(_instant), WithJsonSchema({"type": "string"})]


class _Keys(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class SilenceKeys(_Keys):
    """Alerts that nobody is told of between two instants; 30 days at most."""

    match: str = Field(min_length=1, description='Selector, such as "main.orders type:freshness"; "*" is everything.')
    start: At = Field(alias="from", description="An instant with a zone, such as 2013-02-10T12:00Z.")
    until: At = Field(description="The end, as an instant with a zone.")
    reason: str = Field(min_length=1, description="Why; it stands at every message that is not sent.")
    by: str = Field(min_length=1, description="Whom to ask.")

    @model_validator(mode="after")
    def _has_an_end(self) -> SilenceKeys:
        if self.until <= self.start:
            raise ValueError("until: must be after from:")
        if (self.until - self.start).total_seconds() > LONGEST_S:
            raise ValueError("a silence lasts 30d at most; change the check or its route if it should be quiet for longer")
        return self


class MaintenanceKeys(_Keys):
    """Alerts that nobody is told of in each window that begins at `cron` and lasts `for`."""

    name: str = Field(min_length=1, description="What goes on then; it stands at every message that is not sent.")
    match: str = Field(min_length=1, description='Selector, such as "warehouse:main"; "*" is everything.')
    cron: Annotated[str, BeforeValidator(plain_cron)] = Field(description="When a window begins: a cron expression with five fields.")
    lasts: Annotated[Duration, Field(gt=0, le=LONGEST_S)] = Field(alias="for", description="How long a window is, such as 2h; 30d at most.")
    timezone: Annotated[str, BeforeValidator(check_timezone)] = Field(default="UTC", description="Time zone of the cron expression.")

    @model_validator(mode="after")
    def _has_a_break(self) -> MaintenanceKeys:
        """Some time is left between windows, or nothing would ever be told."""
        from dqmon.core.cron import next_fire

        schedule, at = Schedule(self.cron, None, self.timezone), _SOME_DAY
        starts: list[datetime] = []
        while len(starts) < _WINDOWS and (fire := next_fire(schedule, 0.0, at)) is not None:
            starts.append(fire)
            at = fire
        breaks = [after - before for before, after in pairwise(starts)]
        if breaks and max(breaks) <= timedelta(seconds=self.lasts):
            length = format_duration(self.lasts)
            raise ValueError(f"a window of {length} never ends before the next one, so that nothing would be told; shorten for:")
        return self
