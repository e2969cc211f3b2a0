"""Sources that are not read: what ran tells dqmon of itself, over the web endpoint, with the source's token."""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from pydantic import Field, SecretStr, field_validator, model_validator

from dqmon.core.check import Schedule
from dqmon.core.cron import next_fire
from dqmon.core.duration import Duration
from dqmon.core.load_record import Backlog, LoadRecord, PipelineInfo
from dqmon.core.options import Options, SourceOptions, ZoneName

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dqmon.core.protocols import Warehouse

SHORTEST_TOKEN = 16
"""Characters: with the endpoint's rate limit nobody guesses 16 random ones."""
LONGEST_NAME = 1_000
"""Bytes of the name of a pipeline or table: PostgreSQL's index over source, pipeline, load and table takes 2,704 in all."""
LONGEST_RUN_ID = 200
"""Bytes, as for names."""
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)


class PipelineSchedule(Options):
    """When a pipeline should start: cron in a time zone, or so long after its last start (every). Without both it is not told."""

    cron: str | None = None
    every: Duration | None = Field(default=None, gt=0)
    timezone: ZoneName = "UTC"

    @model_validator(mode="after")
    def _fires(self) -> PipelineSchedule:
        from cronsim import CronSimError

        if self.cron is not None and self.every is not None:
            raise ValueError("cron and every are both given; write one of them")
        try:
            is_well = self.cron is None or next_fire(Schedule(self.cron, None, self.timezone), 0.0, _ANY_DAY) is not None
        except CronSimError:
            is_well = False
        if not is_well:
            raise ValueError(f'cron {self.cron!r} fires on no day; write an expression such as "15 2 * * *"')
        return self


class PushedOptions(SourceOptions):
    """Options of a source that is told what ran: its secret, and the pipelines that are expected."""

    token: SecretStr
    pipelines: dict[str, PipelineSchedule | None] = Field(default_factory=dict)

    @field_validator("token")
    @classmethod
    def _is_strong(cls, value: SecretStr) -> SecretStr:
        text = value.get_secret_value()
        if len(text) < SHORTEST_TOKEN:
            raise ValueError(f"the token must have at least {SHORTEST_TOKEN} characters; `openssl rand -hex 16` makes one")
        if not text.isascii() or not text.isprintable() or " " in text:
            raise ValueError("the token must be of ASCII letters, digits and signs without blanks, as an HTTP header takes it")
        return value

    @field_validator("pipelines")
    @classmethod
    def _are_names(cls, value: dict[str, PipelineSchedule | None]) -> dict[str, PipelineSchedule | None]:
        for name in value:
            named(name, "the name of a pipeline")
            if "*" in name:
                raise ValueError(f"{name!r} is a pattern; write each pipeline's name")
        return value


class Pushed:
    """What such sources have in common: nothing is read, so that `loads` and `backlog` are empty."""

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        del warehouse
        assert isinstance(options, PushedOptions)  # noqa: S101 - the configuration made them of a subclass
        self.name = name
        self._schedules = options.pipelines
        self._digest = _digest(options.token.get_secret_value())

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """The declared ones, by name, whether or not they have ever told anything."""
        return tuple(PipelineInfo(self.name, name, schedule=_schedule(self._schedules[name])) for name in sorted(self._schedules))

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """Nothing: records are kept when they are told."""
        del since, until
        return ()

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """Nothing: what ran does not say what waits."""
        del at
        return ()

    def admits(self, token: str) -> bool:
        """True for the source's own token; takes the same time for any other one."""
        return hmac.compare_digest(_digest(token), self._digest)


def named(value: object, what: str, limit: int = LONGEST_NAME) -> str:
    """`value` when it is a name: a text of `limit` bytes at most without control characters. ValueError says what is expected."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{what} is missing; a text is expected")
    if len(value.encode("utf-8", "replace")) > limit:
        raise ValueError(f"{what} is longer than {limit} bytes")
    if not value.isprintable():
        raise ValueError(f"{what} holds control characters")
    return value


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


def _schedule(told: PipelineSchedule | None) -> Schedule | None:
    if told is None or (told.cron is None and told.every is None):
        return None
    return Schedule(told.cron, told.every, told.timezone)
