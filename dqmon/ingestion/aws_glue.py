"""Ingestion source aws_glue: runs of AWS Glue's jobs and crawlers."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import Field

from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.ingestion.base.aws import Aws, AwsOptions
from dqmon.ingestion.base.cron_dialects import aws_schedule
from dqmon.ingestion.base.json_fields import in_window, text

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dqmon.core.protocols import Warehouse

LONGEST_RUN = timedelta(days=7)
"""Glue ends a run after that: https://docs.aws.amazon.com/glue/latest/webapi/API_JobRun.html#Glue-Type-JobRun-Timeout"""
PAGE = 200
"""The largest page of runs and triggers that the API gives."""
_STATUSES = {
    "WAITING": LoadStatus.QUEUED,
    "STARTING": LoadStatus.QUEUED,
    "RUNNING": LoadStatus.RUNNING,
    "STOPPING": LoadStatus.RUNNING,
    "SUCCEEDED": LoadStatus.SUCCEEDED,
    "COMPLETED": LoadStatus.SUCCEEDED,
    "FAILED": LoadStatus.FAILED,
    "ERROR": LoadStatus.FAILED,
    "TIMEOUT": LoadStatus.FAILED,
    "EXPIRED": LoadStatus.FAILED,
    "STOPPED": LoadStatus.CANCELLED,
}
"""States of job runs, and of crawls (COMPLETED, STOPPED)."""
_OPEN = frozenset({LoadStatus.QUEUED, LoadStatus.RUNNING})
_FIRING = ("ACTIVATED", "ACTIVATING", "SCHEDULED", "TRANSITIONING")
"""States of a trigger that fires, and of a crawler's own schedule."""


class AwsGlueOptions(AwsOptions):
    """Options of the source aws_glue. jobs: only these; all without. crawlers: whether crawlers are read, too.

    The credentials need glue:ListJobs, GetJobRuns and GetTriggers; for crawlers GetCrawlers and ListCrawls.
    """

    jobs: tuple[str, ...] = Field(default=(), strict=False)
    crawlers: bool = True


class AwsGlue:
    """Job runs and crawls as loads; a pipeline is a job, by its name, or `crawler/` and the name of a crawler.

    A retry of a run is another attempt of it. STOPPED is CANCELLED; TIMEOUT, ERROR and EXPIRED (never left the queue) are FAILED.
    A schedule is told where exactly one activated trigger starts the job and five fields of cron can say it; a job whose
    scheduled triggers are all deactivated is paused. Runs that started more than 7 days before the window are not looked for,
    unless they are among the job's last 200. Glue tells neither rows nor tables; a job's bookmark is not read. Each poll takes
    a request a job and a crawler: with hundreds of them name those that matter, or poll less often.

    Run against moto's server only, which knows no failures: those are compiled from the API's model of 2026 and tested with
    botocore's stubs.
    """

    type: ClassVar[str] = "aws_glue"
    Options: ClassVar[builtins.type[BaseModel]] = AwsGlueOptions
    provides: ClassVar[frozenset[str]] = frozenset({"success", "failures", "running", "duration", "schedule"})

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        del warehouse
        assert isinstance(options, AwsGlueOptions)  # noqa: S101 - the configuration made them of this very class
        self.name = name
        self._options = options
        self._aws = Aws(options, name, "glue")

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """All jobs, then all crawlers, each by name."""
        triggers = list(self._aws.all("get_triggers", "Triggers", MaxResults=PAGE))
        jobs = [self._info(job, list(_fires(triggers, "JobName", job))) for job in self._jobs()]
        crawlers = []
        for name, one in sorted(self._crawlers().items()):
            own = one.get("Schedule") or {}
            fires = [(own["ScheduleExpression"], own.get("State") in _FIRING)] if own.get("ScheduleExpression") else []
            crawlers.append(self._info(f"crawler/{name}", [*fires, *_fires(triggers, "CrawlerName", name)]))
        return (*jobs, *crawlers)

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """Runs and crawls that ended in [since, until), and those that wait or run now."""
        oldest = since - LONGEST_RUN
        runs = (self._run(run, until) for job in self._jobs() for run in self._runs(job, oldest))
        started = {"FieldName": "START_TIME", "FilterOperator": "GE", "FieldValue": str(int(oldest.timestamp() * 1000))}
        crawls = (
            self._crawl(name, crawl, until)
            for name in self._crawlers()
            for crawl in self._aws.all("list_crawls", "Crawls", CrawlerName=name, MaxResults=PAGE, Filters=[started])
        )
        return in_window(chain(runs, crawls), since, until)

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """Nothing: what waits are runs, which `loads` tells."""
        del at
        return ()

    def _jobs(self) -> list[str]:
        found = self._aws.all("list_jobs", "JobNames", MaxResults=PAGE)
        return sorted(job for job in found if not self._options.jobs or job in self._options.jobs)

    def _crawlers(self) -> dict[str, dict[str, Any]]:
        found = self._aws.all("get_crawlers", "Crawlers", MaxResults=PAGE) if self._options.crawlers else ()
        return {self._aws.told(one, "Name"): one for one in found}

    def _runs(self, job: str, oldest: datetime) -> Iterator[dict[str, Any]]:
        """The job's runs, newest first as the API gives them, up to the first page that ends before `oldest`."""
        for page in self._aws.pages("get_job_runs", "JobRuns", JobName=job, MaxResults=PAGE):
            yield from page
            if page and page[-1].get("StartedOn") and page[-1]["StartedOn"] < oldest:
                return

    def _info(self, pipeline: str, fires: list[tuple[str, bool]]) -> PipelineInfo:
        active = [expression for expression, is_active in fires if is_active]
        schedule = aws_schedule(active[0]) if len(active) == 1 else None
        return PipelineInfo(self.name, pipeline, is_paused=not active if fires else None, schedule=schedule)

    def _run(self, run: Mapping[str, Any], until: datetime) -> LoadRecord:
        state = text(run.get("JobRunState")) or "unknown"
        status = _STATUSES.get(state, LoadStatus.UNKNOWN)
        facts = {"trigger": run.get("TriggerName"), "execution_time_s": run.get("ExecutionTime"), "waits": run.get("StateDetail")}
        return LoadRecord(
            source=self.name,
            pipeline=self._aws.told(run, "JobName"),
            # The retries of jr_ab are jr_ab_attempt_1, jr_ab_attempt_2, …
            load_id=re.sub(r"_attempt_[0-9]+$", "", self._aws.told(run, "Id")),
            attempt=int(run.get("Attempt") or 0) + 1,
            status=status,
            observed_at=until,
            raw_status=state,
            started_at=_utc(run.get("StartedOn")),
            finished_at=None if status in _OPEN else _utc(run.get("CompletedOn") or run.get("LastModifiedOn")),
            error=(text(run.get("ErrorMessage")) or f"Glue names no reason ({state})") if status is LoadStatus.FAILED else None,
            extra={key: told for key, value in facts.items() if (told := text(value))},
        )

    def _crawl(self, crawler: str, crawl: Mapping[str, Any], until: datetime) -> LoadRecord:
        state = text(crawl.get("State")) or "unknown"
        status = _STATUSES.get(state, LoadStatus.UNKNOWN)
        return LoadRecord(
            source=self.name,
            pipeline=f"crawler/{crawler}",
            load_id=self._aws.told(crawl, "CrawlId"),
            status=status,
            observed_at=until,
            raw_status=state,
            started_at=_utc(crawl.get("StartTime")),
            finished_at=None if status in _OPEN else _utc(crawl.get("EndTime")),
            error=(text(crawl.get("ErrorMessage")) or f"Glue names no reason ({state})") if status is LoadStatus.FAILED else None,
        )


def _fires(triggers: list[dict[str, Any]], key: str, name: str) -> Iterator[tuple[str, bool]]:
    """The schedules of the triggers that start what is so called, and whether each is active."""
    for trigger in triggers:
        if trigger.get("Schedule") and any(action.get(key) == name for action in trigger.get("Actions") or ()):
            yield trigger["Schedule"], trigger.get("State") in _FIRING


def _utc(at: datetime | None) -> datetime | None:
    return at.astimezone(UTC) if at else None
