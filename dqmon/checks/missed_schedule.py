"""Check type missed_schedule: loads that did not start when they should have."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, ClassVar

from dqmon.checks.base.load_counts import judge_loads, no_loads
from dqmon.core.check import Check, Schedule
from dqmon.core.check_type import PipelineCheck
from dqmon.core.cron import next_fire
from dqmon.core.duration import Duration, format_duration, write_duration
from dqmon.core.judgement import Expected, Judgement, LoadEvidence, Observed
from dqmon.core.load_record import LoadStatus
from dqmon.core.verdict import Dimension, Unit, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dqmon.core.load_record import LoadRecord

_NOUN = "missed loads"
_EARLY = timedelta(seconds=30)
"""A tool may start a load so much before the minute of its schedule: half of cron's finest step."""
_ANY_DAY = datetime(2026, 1, 1, tzinfo=UTC)
_MOST = 1_000
"""More missed loads than this are not counted one by one."""


class MissedSchedule(PipelineCheck):
    """Loads start when they should.

    What it measures:
        How many loads in a row should have started since the last one that did, by the pipeline's schedule. Where the tool tells
        which fire of the schedule a load is of, the loads after that fire count: one that starts hours late stands for its own.

    Why it matters:
        A scheduler that is down, a DAG that vanished with an import error or a connector that somebody paused leaves no
        failed load: it leaves none at all.

    Parameters:
        cron: when loads start, such as "15 * * * *", in `timezone`. Or
        every: how long after one load the next one starts, such as 1h. Without both, the schedule that the tool itself says.
        grace: how much later a load may start; default 10m.
        warn_if, fail_if: conditions on the number of missed loads, without %; default `fail_if: "> 0"`.
        paused_after: warns when the pipeline is paused and no load has started for so long, such as 1d; by default a paused
          pipeline is never bad.

    NULLs and empty tables:
        A pipeline without any load is measured from when dqmon first saw it. A paused one is SKIPPED, and one whose
        schedule the tool does not say (started by hand, by an event, or never ending) has nothing to judge: SKIPPED
        (`on_no_data` changes the latter).

    SQL it runs:
        None on your data; it reads what the source's last poll kept.

    Example:
        ```yaml
        - missed_schedule: {cron: "15 6 * * 1-5", timezone: Europe/Berlin, grace: 20m}
        ```

    Known limits:
        A load that waits in the tool's queue has not started; one that the tool skipped as having nothing to do has. A load
        that was started by hand stands for the scheduled one. Backfills, resets and refreshes do not. A cron schedule takes
        a start up to 30 s early. Holidays are not known. A tool that tells completed loads only is late by their length:
        add it to `grace`.

    References:
        - Clock changes are as in Debian's cron: https://manpages.debian.org/stable/cron/cron.8.en.html
    """

    type: ClassVar[str] = "missed_schedule"
    dimension: ClassVar[Dimension] = Dimension.TIMELINESS
    unit: ClassVar[Unit] = Unit.VALUE
    default_fail_if: ClassVar[str | None] = "> 0"
    needs: ClassVar[frozenset[str]] = frozenset({"success"})

    cron: str | None = None
    every: Duration | None = None
    grace: Duration = 600
    paused_after: Duration | None = None

    @property
    def needed(self) -> frozenset[str]:
        """Without a schedule of its own, the tool's."""
        return self.needs | (frozenset() if self.cron or self.every else {"schedule"})

    def problems(self, check: Check) -> tuple[str, ...]:
        """Two schedules, or none that fires."""
        if self.cron is not None and self.every is not None:
            return ("cron and every are both given; write one of them",)
        if self.every == 0:
            return ("every is 0s, so that loads would never cease to start; write how long after one load the next one starts",)
        if self.cron is not None and not _fires(Schedule(self.cron, None, check.timezone)):
            return (f'cron {self.cron!r} is not an expression of five fields that fires some day; write one such as "15 * * * *"',)
        return ()

    def judge(self, check: Check, evidence: LoadEvidence) -> Judgement:
        """How many loads should have started since the last one did."""
        counting = [record for record in _counting(evidence) if _started_at(record) <= evidence.measured_at]
        started = [_started_at(record) for record in counting]
        last = max(started, default=evidence.first_seen_at)
        ago = format_duration((evidence.measured_at - last).total_seconds())
        seen = f"the last load started {ago} ago" if started else f"no load started since dqmon first saw the pipeline {ago} ago"
        if evidence.info is not None and evidence.info.is_paused:
            return self._paused(evidence.measured_at - last, seen)
        own = self.cron is not None or self.every is not None
        schedule = Schedule(self.cron, self.every, check.timezone) if own else evidence.info.schedule if evidence.info else None
        if schedule is None:
            return no_loads(check, _NOUN, "the tool does not say when the pipeline should start")
        served = max((record.scheduled_for or _started_at(record) for record in counting), default=last)
        until = evidence.measured_at - timedelta(seconds=self.grace)
        missed = tuple(islice(_fires_between(schedule, served, until), _MOST))
        if not missed:
            return judge_loads(check, 0, _NOUN, seen)
        amount = f"{_MOST:,} or more" if len(missed) == _MOST else f"{len(missed):,}"
        due = f"{amount} should have started since, the first at {missed[0]:%Y-%m-%d %H:%M} UTC"
        return judge_loads(check, len(missed), _NOUN, f"{seen}; {due} ({_said(schedule)})")

    def _paused(self, idle: timedelta, seen: str) -> Judgement:
        """SKIPPED; WARN when it has been idle for longer than `paused_after`."""
        limit = self.paused_after
        is_long = limit is not None and idle.total_seconds() > limit
        text = f"not paused for more than {format_duration(limit)}" if limit is not None else "nothing while it is paused"
        more = f"; warns after {format_duration(limit)}" if is_long and limit is not None else ""
        verdict = Verdict.WARN if is_long else Verdict.SKIPPED
        return Judgement(verdict, Observed(None, Unit.VALUE), Expected(text=text), f"the pipeline is paused; {seen}{more}")


def _counting(evidence: LoadEvidence) -> Iterator[LoadRecord]:
    return (r for r in evidence.records if r.table is None and r.kind == "load" and r.status is not LoadStatus.QUEUED)


def _started_at(record: LoadRecord) -> datetime:
    return record.started_at or record.finished_at or record.observed_at


def _fires(schedule: Schedule) -> bool:
    from cronsim import CronSimError

    try:
        return len((schedule.cron or "").split()) == 5 and next_fire(schedule, 0.0, _ANY_DAY) is not None  # noqa: PLR2004 - cron has five
    except CronSimError:
        return False


def _fires_between(schedule: Schedule, last: datetime, until: datetime) -> Iterator[datetime]:
    """When loads should have started after the one at `last`, up to `until`; an interval counts from the last start."""
    at = last if schedule.every_s is not None else last + _EARLY
    while True:
        fire = at + timedelta(seconds=schedule.every_s) if schedule.every_s is not None else next_fire(schedule, 0.0, at)
        if fire is None or fire > until:
            return
        yield fire
        at = fire


def _said(schedule: Schedule) -> str:
    return f"every {write_duration(schedule.every_s)}" if schedule.every_s is not None else f"{schedule.cron} {schedule.timezone}"
