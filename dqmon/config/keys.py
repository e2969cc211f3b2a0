"""The keys that every check takes, as models: of a file's defaults, an entry, a check."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from dqmon.config.words import check_cron, check_link, check_runbook, check_timezone
from dqmon.core.check import Hold
from dqmon.core.duration import Duration, parse_duration
from dqmon.core.threshold import Threshold, parse_threshold
from dqmon.core.verdict import Severity


def _hold(value: object) -> Hold:
    if type(value) is int and value >= 1:
        return Hold(value, None)
    if isinstance(value, str):
        return Hold(None, parse_duration(value))
    msg = f"{value!r} is neither a number of outcomes (1 or more) nor a duration such as 30m"
    raise ValueError(msg)


def _part(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[\w-]+", value):
        msg = f"{value!r} stands in the check's id; write letters, digits, _ and - only"
        raise ValueError(msg)
    return value


def _name(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[\w.-]+", value):
        msg = f"{value!r} is no name; write letters, digits, _ . and -"
        raise ValueError(msg)
    return value


def _id(value: object) -> object:
    if isinstance(value, str) and not re.fullmatch(r"[^\s,*#]+", value):
        msg = f"{value!r} cannot be an id; it must have no blanks, commas, * or #"
        raise ValueError(msg)
    return value


def _schedule(value: object) -> object:
    return {"cron": value} if isinstance(value, str) else value


_THRESHOLD_SCHEMA = {"type": "string", "pattern": r"^\s*(>=|<=|!=|>|<|=|(not\s+)?between\s)"}
_HOLD_SCHEMA = {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": r"^[0-9]+(s|m|h|d|w)$"}]}

Zone = Annotated[str, BeforeValidator(check_timezone)]
HoldFor = Annotated[Hold, BeforeValidator(_hold), WithJsonSchema(_HOLD_SCHEMA)]
Bad = Annotated[Threshold, BeforeValidator(parse_threshold), WithJsonSchema(_THRESHOLD_SCHEMA)]


class _Keys(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True, defer_build=True)


class ScheduleKeys(_Keys):
    """When a check is due: `cron` (with a `timezone` of its own), or `every` so often."""

    cron: Annotated[str, BeforeValidator(check_cron)] | None = Field(default=None, description="Cron expression with five fields.")
    every: Duration | None = Field(default=None, description="Interval, such as 15m.")
    timezone: Zone | None = Field(default=None, description="Time zone of the cron expression; the check's own if unset.")

    @model_validator(mode="after")
    def _one(self) -> ScheduleKeys:
        if (self.cron is None) is (self.every is None):
            msg = "a schedule has exactly one of cron and every"
            raise ValueError(msg)
        if self.every is not None and (self.every <= 0 or self.timezone is not None):
            msg = "every: takes a duration above 0 and no timezone"
            raise ValueError(msg)
        return self


class PartitionKeys(_Keys):
    """The last `lookback` partitions that ended at least `lag` ago are checked, a result each."""

    column: str = Field(min_length=1, description="Column that tells a row's partition.")
    grain: Literal["hour", "day", "week", "month"] = Field(default="day", description="Length of a partition.")
    lookback: int = Field(default=1, ge=1, le=1000, description="How many partitions are checked.")
    lag: Duration = Field(default=0, description="How long after its end a partition is complete.")


class CommonKeys(_Keys):
    """Keys that may stand in a file's defaults, on an entry and on a check; null unsets what an outer level gave."""

    severity: Severity | None = Field(default=None, description="What a FAIL costs.")
    warn_severity: Severity | None = Field(default=None, description="The most that a WARN costs.")
    error_severity: Severity | None = Field(default=None, description="What a check that cannot be measured costs.")
    owner: str | None = Field(default=None, min_length=1, description="Who is told: a team or a person.")
    runbook: Annotated[str, BeforeValidator(check_runbook)] | None = Field(
        default=None,
        description="What to do: an https link, or a Markdown file of the project (path.md#heading); may hold {check} and {dataset}.",
    )
    description: str | None = Field(default=None, description="Why this check matters.")
    tags: tuple[Annotated[str, Field(min_length=1)], ...] | None = Field(default=None, description="Words to select by; levels are united.")
    schedule: Annotated[ScheduleKeys, BeforeValidator(_schedule, json_schema_input_type=ScheduleKeys | str)] | None = Field(
        default=None, description="Cron expression, {cron, timezone} or {every}; without it the check runs on demand only."
    )
    timezone: Zone | None = Field(default=None, description="Business time zone: cron, deadlines, days, partitions.")
    naive_timezone: Zone | None = Field(default=None, description="How timestamps without zone are read.")
    on_error: Literal["alert", "record"] | None = Field(default=None, description="What a check that cannot be measured does.")
    on_no_data: Literal["skip", "pass", "warn", "fail"] | None = Field(default=None, description="Verdict when there was nothing to judge.")
    enabled: bool | None = Field(default=None, description="false removes the check.")


class DatasetKeys(CommonKeys):
    """The common keys that make sense for tables only."""

    filter: str | None = Field(default=None, min_length=1, description="SQL condition; those of all levels are joined by and.")
    partition: PartitionKeys | None = Field(default=None, description="Check the newest partitions, a result each.")
    segment_by: tuple[str, ...] | None = Field(default=None, description="Columns; one result for each combination of their values.")
    max_segments: Annotated[int, Field(ge=1, le=10_000)] | None = Field(default=None, description="More segments than this are an ERROR.")


class FileDefaults(DatasetKeys):
    """What all entries of a file share."""

    warehouse: str | None = Field(default=None, description="Name under `warehouses:` of dqmon.yaml; the first there if unset.")


class DatasetEntry(DatasetKeys):
    """A table, or with * a pattern of tables, and its checks."""

    dataset: str = Field(min_length=1, description='[catalog.][schema.]table; parts with dots are "quoted"; * stands for any name.')
    warehouse: str | None = Field(default=None, description="Name under `warehouses:` of dqmon.yaml; the first there if unset.")
    upstream: tuple[str, ...] | None = Field(
        default=None, description="What the table is made from: datasets, with warehouse: before those of another one, or source/pipeline."
    )
    include: Literal["views"] | None = Field(default=None, description="A pattern takes views too.")


class PipelineEntry(CommonKeys):
    """A pipeline of a loading tool, or with * a pattern of pipelines, and its checks."""

    pipeline: str = Field(min_length=1, description="source/pipeline; the source stands under `ingestion:` in dqmon.yaml.")


class ExposureEntry(_Keys):
    """What is read from the data: a dashboard, a report, an application. It has no checks; messages say that it suffers."""

    exposure: Annotated[str, BeforeValidator(_name)] = Field(description="Its name, once among all files.")
    type: Literal["dashboard", "notebook", "analysis", "ml", "application"] | None = Field(
        default=None, description="What it is; a dashboard if unset."
    )
    owner: str | None = Field(default=None, min_length=1, description="Who reads it or keeps it: a team or a person.")
    url: Annotated[str, BeforeValidator(check_link)] | None = Field(default=None, description="https link to it.")
    description: str | None = Field(default=None, description="What it is for.")
    warehouse: str | None = Field(default=None, description="Name under `warehouses:` of dqmon.yaml; the first there if unset.")
    upstream: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        min_length=1, description="What it reads: datasets, with warehouse: before those of another one, or source/pipeline."
    )


class OwnKeys(_Keys):
    """Keys that stand on a check only."""

    id: Annotated[str, BeforeValidator(_id)] | None = Field(
        default=None, description="In place of the derived id; below a pattern, its end."
    )
    name: Annotated[str, BeforeValidator(_part)] | None = Field(default=None, description="Last part of the id; tells two checks apart.")
    was: Annotated[str, BeforeValidator(_id)] | None = Field(default=None, description="Former id: results and alerts move to the new one.")
    warn_if: Bad | None = Field(default=None, description='The bad condition for WARN, such as "> 0.5%".')
    fail_if: Bad | None = Field(default=None, description='The bad condition for FAIL, such as "> 0.5%".')
    hold_for: HoldFor | None = Field(default=None, alias="for", description="Bad outcomes in a row, or a duration, before it fires.")
    recover_after: HoldFor | None = Field(default=None, description="Good outcomes in a row, or a duration, before it resolves.")


class DatasetCheckKeys(OwnKeys, DatasetKeys):
    """All keys that every check of a dataset takes beside its type's own."""


class PipelineCheckKeys(OwnKeys, CommonKeys):
    """All keys that every check of a pipeline takes beside its type's own."""


LATER_CHECK_KEYS = frozenset({"samples", "on_fail", "slo"})
"""Keys of a check that a later version may take; refused rather than ignored."""


def given(keys: CommonKeys | ExposureEntry) -> dict[str, Any]:
    """What a level says: only the keys that stand there, None for those that it unsets."""
    return {name: getattr(keys, name) for name in keys.model_fields_set}
