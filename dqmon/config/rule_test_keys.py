"""The keys of rule test files (`checks/tests/*.yaml`), as models."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from dqmon.config.value_series import read_series
from dqmon.core.alert import AlertKind
from dqmon.core.duration import LONGEST_S, Duration, parse_duration
from dqmon.core.message import DeliveryKind
from dqmon.core.rule_test import Given
from dqmon.core.verdict import Severity, Verdict

KEY = "tests"
DEFAULT_START = datetime(2024, 1, 1, tzinfo=UTC)
"""A Monday."""

Scalar: TypeAlias = str | int | float | bool | None


def _series(value: object) -> object:
    return read_series(str(value)) if isinstance(value, str | int | float) and not isinstance(value, bool) else value


def read_instant(value: object) -> object:
    """An instant with a zone, in UTC; ValueError names the form."""
    try:
        found = datetime.fromisoformat(str(value))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise ValueError(f"{value!r} is no instant with a zone; write 2013-02-08T13:00Z")
    return found.astimezone(UTC)


def _moment(value: object) -> object:
    """`1d 30m` after the start, or an instant with a zone."""
    text = str(value)
    if not re.fullmatch(r"\d+[a-z]+(\s+\d+[a-z]+)*", text):
        try:
            return read_instant(text)
        except ValueError:
            raise ValueError(f"{value!r} is no time; write how long after the start (1d 30m), or an instant (2013-02-08T13:00Z)") from None
    seconds = sum(map(parse_duration, text.split()))
    if seconds > LONGEST_S:
        raise ValueError(f"{value!r} is more than 100 years; write less")
    return timedelta(seconds=seconds)


_TEXT = WithJsonSchema({"type": "string"})
SeriesText = Annotated[tuple[Given, ...], BeforeValidator(_series), WithJsonSchema({"type": ["string", "number"]})]
Instant = Annotated[datetime, BeforeValidator(read_instant), _TEXT]
Moment = Annotated[timedelta | datetime, BeforeValidator(_moment), _TEXT]


def _written_as(value: object) -> str:
    return "mapping" if isinstance(value, dict) else "list"


Told: TypeAlias = Literal[DeliveryKind.TRIGGER, DeliveryKind.UPDATE, DeliveryKind.REPEAT, DeliveryKind.ACKNOWLEDGE, DeliveryKind.RESOLVE]
"""What groups say; no test waits for a digest."""

Deliver: TypeAlias = Annotated[
    Annotated[tuple[str, ...], Tag("list")] | Annotated[dict[str, Told | tuple[Told, ...]], Tag("mapping")],
    Discriminator(_written_as),
]
"""Channels, with the kinds of their messages or without."""


class _Keys(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, arbitrary_types_allowed=True, defer_build=True)


class ExpectKeys(_Keys):
    """What must hold at a time; what is not written is not looked at."""

    at: Moment = Field(description="How long after the start, such as 1d 30m, or an instant with its zone.")
    check: str | None = Field(default=None, description="Of which check; by default the one that the test is of.")
    kind: AlertKind = Field(default=AlertKind.DATA, description="Of which of its alerts: data, or error (it could not be measured).")
    state: Literal["passing", "pending", "firing", "recovering", "flapping", "resolved"] | None = Field(
        default=None, description="The alert's state; passing: it has not fired, or has resolved."
    )
    verdict: Verdict | None = Field(default=None, description="The worst verdict of the newest run.")
    severity: Severity | None = Field(default=None, description="The severity of the alert while it is pending, firing or recovering.")
    deliver: Deliver | None = Field(
        default=None, description="Exactly the channels that were told since the expectation before; with the kinds of messages as values."
    )
    incident: Literal["open", "none"] | None = Field(default=None, description="Whether the alert is in an open incident.")
    root: str | None = Field(default=None, description="The check whose alert is the root of that incident.")


class BesideKeys(_Keys):
    """A further check that runs with the one of the test: what stands upstream of it, or is made from it."""

    check: str = Field(description="Its id.")
    values: SeriesText | None = Field(default=None, description="What it finds in each run; not with rows.")


class RowsKeys(_Keys):
    """What a table holds from a time on: its former rows are gone."""

    dataset: str = Field(description="The table as check files name it.")
    warehouse: str | None = Field(default=None, description="Where; by default the first warehouse of config/dqmon.yaml.")
    at: Moment = Field(default=timedelta(), description="From when on; by default from the start.")
    columns: dict[str, str] = Field(default_factory=dict, description="SQL types by column, where the rows do not show them.")
    rows: tuple[dict[str, Scalar], ...] = Field(description="The rows, each a mapping of columns to values; null where one has none.")


class RuleTestKeys(_Keys):
    """One test."""

    name: str = Field(min_length=1, description="What it shows, for people.")
    check: str = Field(description="The id of the check that is tested.")
    start: Instant = Field(default=DEFAULT_START, description="From when on the checks run, an instant with its zone.")
    interval: Duration | None = Field(default=None, description="How often they run; by default as the schedule of the check says.")
    values: SeriesText | None = Field(default=None, description="What the check finds in each run: 0.5% 7% _ error 10+5x3.")
    beside: tuple[BesideKeys, ...] = Field(default=(), description="Further checks that run with it.")
    rows: tuple[RowsKeys, ...] = Field(default=(), description="Tables, in place of values: the checks' SQL really reads them.")
    expect: tuple[ExpectKeys, ...] = Field(description="What must hold, and when.", json_schema_extra={"minItems": 1})
