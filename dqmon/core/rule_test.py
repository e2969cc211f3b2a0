"""A user's own test of checks: what is measured when, and what must hold at which times."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from dqmon.core.alert import AlertKind
from dqmon.core.check import Check, Schedule, SourceLine
from dqmon.core.cron import next_fire
from dqmon.core.table import TableRef
from dqmon.core.verdict import Severity, Verdict


@dataclass(frozen=True, slots=True)
class Given:
    """What a check finds in one run: a number in its unit (of a duration: seconds), no data at all, or nothing since it cannot look.

    `text` is as it stands in the file. `of`: how many rows were tested; with `is_percent` the value is the bad share of them.
    """

    text: str
    value: Decimal | None = None
    is_percent: bool = False
    is_duration: bool = False
    of: int | None = None
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Series:
    """What one check finds in each of its runs; after the last value it does not run again."""

    check: Check
    values: tuple[Given, ...]


@dataclass(frozen=True, slots=True)
class TableRows:
    """What a table holds from a time on. `columns` are names with SQL types, `rows` their values in that order."""

    table: TableRef
    since: datetime
    columns: tuple[tuple[str, str], ...]
    rows: tuple[tuple[object, ...], ...]
    source: SourceLine


@dataclass(frozen=True, slots=True)
class Expectation:
    """What must hold at a time; what is None is not looked at. `lines` has the line of each key.

    deliver: the channels that were told since the expectation before, each with the kinds of its messages (none: of any kind).
    root: the check whose alert is the root of the incident.
    """

    at: datetime
    shown_at: str
    check: Check
    kind: AlertKind
    state: str | None = None
    verdict: Verdict | None = None
    severity: Severity | None = None
    deliver: Mapping[str, tuple[str, ...]] | None = None
    incident: Literal["open", "none"] | None = None
    root: str | None = None
    lines: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RuleTest:
    """One test: the checks that run on `schedule` from `start` on, what they find, what must hold.

    Either `series` says what each finds, or `tables` hold rows that the checks' SQL really reads. Expectations are in order of time.
    """

    name: str
    source: SourceLine
    start: datetime
    schedule: Schedule
    checks: tuple[Check, ...]
    series: tuple[Series, ...]
    tables: tuple[TableRows, ...]
    expect: tuple[Expectation, ...]

    def slots(self) -> Iterator[datetime]:
        """When the checks run, from `start` on, without end unless the schedule has one."""
        phase_s = self.start.timestamp() % self.schedule.every_s if self.schedule.every_s else 0.0
        at = next_fire(self.schedule, phase_s, self.start - timedelta(seconds=1))
        while at is not None:
            yield at
            at = next_fire(self.schedule, phase_s, at)

    @property
    def end(self) -> datetime:
        """When the last expectation is looked at."""
        return self.expect[-1].at
