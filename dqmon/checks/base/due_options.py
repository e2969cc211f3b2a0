"""`deadline:` and `arrival:`: what asks for new rows by a time of day, given or learned."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import Field

from dqmon.checks.base.arrival import Learned
from dqmon.checks.base.due_days import Clock, Days
from dqmon.checks.base.fields import Number
from dqmon.core.calendar import required_since
from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.due_days import DAY_NAMES, holidays_of, is_due
from dqmon.core.duration import Duration
from dqmon.core.judgement import Evidence, Expected, Judgement
from dqmon.core.metric import Metric
from dqmon.core.verdict import Verdict


class DueOptions(DatasetCheck):
    """The options of both, and their judgements."""

    deadline: Clock | None = None
    covers: Duration = 0
    arrival: Literal["learned"] | None = None
    false_alerts_per_year: Annotated[Number, Field(gt=0)] = Field(default=2, validate_default=True)
    days: Days = DAY_NAMES
    calendar: str | None = None

    @property
    def needs_loads(self) -> bool:
        """To learn when rows come."""
        return self.arrival is not None

    def due_problems(self, check: Check, column: str | None) -> tuple[str, ...]:
        """Options of what is not given, an unknown calendar, nothing to learn from."""
        given, found = self.model_fields_set, list[str]()
        is_part = check.where is not None or bool(check.segment_by)
        if self.arrival is not None and column is None and (is_part or not check.upstream):
            found.append(
                "arrival: learned without column: learns from the loads of whole tables; write upstream: with the pipeline, or column:"
            )
        if self.deadline is None and "covers" in given:
            found.append("covers belongs to a deadline:, which is not given")
        if self.deadline is None and self.arrival is None and given & {"days", "calendar"}:
            found.append("days and calendar belong to a deadline: or to arrival: learned; neither is given")
        if self.arrival is None and "false_alerts_per_year" in given:
            found.append("false_alerts_per_year belongs to arrival: learned, which is not given")
        if not self.days:
            found.append("days is empty; write at least one day")
        try:
            if self.calendar is not None:
                holidays_of(self.calendar)
        except ValueError as e:
            found.append(str(e))
        return tuple(found)

    def by_arrival(self, check: Check, evidence: Evidence, metric: Metric | None) -> Judgement | None:
        """Whether new rows are late; None without `arrival:`. metric: of the newest row, if any is looked at."""
        if self.arrival is None:
            return None
        return Learned(self.days, self.calendar, float(self.false_alerts_per_year)).judge(check, evidence, metric)

    def by_deadline(self, check: Check, evidence: Evidence, newest: datetime, by_age: tuple[str, Judgement]) -> Judgement:
        """Whether the newest row has reached what was due; the age's judgement where that alone is bad. by_age: the column, and that."""
        assert self.deadline is not None  # noqa: S101 - for the type checker
        subject, aged = by_age
        covers, clock = timedelta(seconds=self.covers), f"{self.deadline:%H:%M}"
        needed = required_since(
            self.deadline, check.timezone, covers, evidence.measured_at, lambda day: is_due(day, self.days, self.calendar)
        )
        day = (needed + covers).astimezone(ZoneInfo(check.timezone))
        text = f"{subject} at or after {instant_text(needed)} by {clock} {check.timezone} of {day:%a %Y-%m-%d}"
        is_late = newest < needed
        if not is_late and aged.verdict.is_bad:
            return aged
        verdict = Verdict.FAIL if is_late else Verdict.PASS
        ending = f"fails before {instant_text(needed)}, due by {clock} {check.timezone} of {day:%a %Y-%m-%d}"
        return Judgement(verdict, aged.observed, Expected(text=text), f"{aged.reason}; {ending}")


def instant_text(at: datetime) -> str:
    """`2026-11-20T06:58:00Z`."""
    return at.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
