"""Ingestion source dagster: runs, and what their materializations said of each asset."""

from __future__ import annotations

import builtins
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from pydantic import SecretStr

from dqmon.core.check import Schedule
from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.errors import SourceError
from dqmon.ingestion.base.dagster_queries import ASSETS, ERRORS, JOBS, RUNS
from dqmon.ingestion.base.http_json import HttpJson, HttpSourceOptions
from dqmon.ingestion.base.json_fields import count, in_window, instant, mapping, text

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dqmon.core.plain import Json
    from dqmon.core.protocols import Warehouse

PAGE = 100
"""Runs of one page."""
ERRORS_READ = 20
"""Failed runs of one poll whose error is looked for, the newest ones: each takes a request or more."""
_OPEN = ("QUEUED", "NOT_STARTED", "MANAGED", "STARTING", "STARTED", "CANCELING")
_STATUSES = dict.fromkeys(_OPEN[:4], LoadStatus.QUEUED) | {
    "STARTED": LoadStatus.RUNNING,
    "CANCELING": LoadStatus.RUNNING,
    "SUCCESS": LoadStatus.SUCCEEDED,
    "FAILURE": LoadStatus.FAILED,
    "CANCELED": LoadStatus.CANCELLED,
}
_CRON_FIELDS = 5


class DagsterOptions(HttpSourceOptions):
    """Options of the source dagster.

    base_url: of the web server, without /graphql. token: of a user of Dagster+; the open-source server knows none.
    cursor_key: the label of the metadata in which an asset tells its cursor.
    """

    token: SecretStr | None = None
    cursor_key: str = "cursor"


class Dagster:
    """Runs as loads, by their job; one more record for each asset that the run has materialized, with `table` its key.

    Rows are those of the metadata `dagster/row_count`; those of a run are the sum, if all its materializations tell
    them. The error is that of the first failed step. A run whose process was killed stays RUNNING for as long as
    Dagster says so, which without its daemon is for ever. Runs are kept under one id each: a retry is another run.

    Read by GraphQL. Runs, assets and errors were recorded on 1.13.27; repositories, paging, causes of errors and
    Dagster+ are compiled from the schema and the documentation, not run.
    """

    type: ClassVar[str] = "dagster"
    Options: ClassVar[builtins.type[BaseModel]] = DagsterOptions
    provides: ClassVar[frozenset[str]] = frozenset({"success", "failures", "running", "duration", "rows", "cursor", "schedule"})

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        del warehouse
        assert isinstance(options, DagsterOptions)  # noqa: S101 - the configuration made them of this very class
        self.name = name
        self._cursor_key = options.cursor_key
        self._http = HttpJson(options, name, {"Dagster-Cloud-Api-Token": options.token.get_secret_value()} if options.token else None)

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """All jobs of all code locations, by name; with the schedule of those that have exactly one."""
        connection = self._asked(JOBS, {}, "repositoriesOrError", "RepositoryConnection")
        schedules: dict[str, list[Mapping[str, Json]]] = {}
        for repository in self._http.listed(connection, "nodes"):
            for job in self._http.listed(repository, "jobs"):
                schedules.setdefault(str(job.get("name")), [])
            for schedule in self._http.listed(repository, "schedules"):
                schedules.setdefault(str(schedule.get("pipelineName")), []).append(schedule)
        return tuple(self._info(job, schedules[job]) for job in sorted(schedules))

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """Runs that ended in [since, until), and those that are queued or running now."""
        filters: tuple[Json, ...] = ({"statuses": list(_OPEN)}, {"updatedAfter": since.timestamp() - 1})
        runs = [self._record(run, until) for one in filters for run in self._runs(one)]
        found = in_window(runs, since, until)
        started = [record.started_at for record in found if record.started_at]
        made = self._materialized(min(started)) if started else {}
        failed = {r.load_id for r in [r for r in found if r.status is LoadStatus.FAILED][-ERRORS_READ:]}
        records: list[LoadRecord] = []
        for record in found:
            told = replace(record, error=self._error(record.load_id)) if record.load_id in failed else record
            records += self._with_assets(told, made.get(record.load_id, {}))
        return in_window(records, since, until)

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """Nothing: what is queued are runs, which `loads` tells."""
        del at
        return ()

    def _info(self, job: str, schedules: list[Mapping[str, Json]]) -> PipelineInfo:
        if len(schedules) != 1:
            return PipelineInfo(self.name, job)
        cron = text(schedules[0].get("cronSchedule")) or ""
        zone = text(schedules[0].get("executionTimezone")) or "UTC"
        state = text(mapping(schedules[0].get("scheduleState")).get("status"))
        schedule = Schedule(cron, None, zone) if len(cron.split()) == _CRON_FIELDS else None
        return PipelineInfo(self.name, job, is_paused=None if state is None else state == "STOPPED", schedule=schedule)

    def _runs(self, wanted: Json) -> Iterator[Mapping[str, Json]]:
        cursor = None
        for _ in self._http.pages():
            found = self._http.listed(
                self._asked(RUNS, {"filter": wanted, "limit": PAGE, "cursor": cursor}, "runsOrError", "Runs"), "results"
            )
            yield from found
            if len(found) < PAGE:
                return
            cursor = text(found[-1].get("runId"))

    def _record(self, run: Mapping[str, Json], until: datetime) -> LoadRecord:
        raw = text(run.get("status"))
        status = _STATUSES.get(raw or "", LoadStatus.UNKNOWN)
        started, ended = instant(run.get("startTime")), instant(run.get("endTime"))
        tags = run.get("tags")
        keys = {text(mapping(tag).get("key")) for tag in tags} if isinstance(tags, list) else set()
        return LoadRecord(
            source=self.name,
            pipeline=text(run.get("jobName")) or "?",
            load_id=text(run.get("runId")) or "?",
            status=status,
            observed_at=until,
            kind="backfill" if "dagster/backfill" in keys else "load",
            raw_status=raw,
            # One that was cancelled in the queue, or failed while it was launched, has an end without a start.
            started_at=started if not (started and ended and started > ended) else None,
            finished_at=None if raw in _OPEN else ended or instant(run.get("updateTime")),
        )

    def _materialized(self, since: datetime) -> dict[str, dict[str, list[Mapping[str, Json]]]]:
        """The materializations since then, newest last, by run and by asset."""
        answer = self._data(ASSETS, {"after": str(int(since.timestamp() * 1000) - 1)})
        found: dict[str, dict[str, list[Mapping[str, Json]]]] = {}
        for node in self._http.listed(answer, "assetNodes"):
            path = mapping(node.get("assetKey")).get("path")
            asset = ".".join(map(str, path)) if isinstance(path, list) else "?"
            made = self._http.listed(node, "assetMaterializations")
            for one in sorted(made, key=lambda m: count(m.get("timestamp")) or 0):
                found.setdefault(str(one.get("runId")), {}).setdefault(asset, []).append(_metadata(one))
        return found

    def _with_assets(self, record: LoadRecord, assets: Mapping[str, list[Mapping[str, Json]]]) -> list[LoadRecord]:
        """The record of the run, then those of its assets. An asset is there only once it was materialized: it succeeded."""
        tables = [
            replace(
                record,
                table=asset,
                status=LoadStatus.SUCCEEDED if record.finished_at else record.status,
                error=None,
                rows=_sum(count(entries.get("dagster/row_count")) for entries in made),
                cursor=text(made[-1].get(self._cursor_key)),
            )
            for asset, made in sorted(assets.items())
        ]
        return [replace(record, rows=_sum(table.rows for table in tables), cursor=tables[0].cursor if len(tables) == 1 else None), *tables]

    def _error(self, run_id: str) -> str:
        """What went wrong in the first step that failed; the run failed, whether or not its events can be read."""
        try:
            return self._first_failure(run_id) or "Dagster gives no reason"
        except SourceError as e:
            return f"its error cannot be read: {e}"

    def _first_failure(self, run_id: str) -> str | None:
        cursor, last = None, None
        for _ in self._http.pages():
            page = self._asked(ERRORS, {"run": run_id, "cursor": cursor}, "logsForRun", "EventConnection")
            for event in self._http.listed(page, "events"):
                error = mapping(event.get("error"))
                cause = text(mapping(error.get("cause")).get("message")) or text(error.get("message"))
                if event.get("__typename") == "ExecutionStepFailureEvent" and cause:
                    return text(f"step {event.get('stepKey')}: {cause.strip()}")
                last = text(event.get("message")) or last
            if page.get("hasMore") is not True:
                return last
            cursor = page.get("cursor")
        return last

    def _asked(self, query: str, variables: Json, key: str, expected: str) -> Mapping[str, Json]:
        """What the query's field `key` says. Raises SourceError when it is of another type than `expected`."""
        found = mapping(self._data(query, variables).get(key))
        if found.get("__typename") != expected:
            raise self._http.error(f"{key} is {found.get('__typename')}: {text(found.get('message')) or 'no reason is given'}")
        return found

    def _data(self, query: str, variables: Json) -> Mapping[str, Json]:
        answer = mapping(self._http.post("graphql", {"query": query, "variables": variables}))
        errors = answer.get("errors")
        if errors or not isinstance(answer.get("data"), dict):
            first = mapping(errors[0]).get("message") if isinstance(errors, list) and errors else None
            raise self._http.error(f"the query is refused: {text(first) or 'the answer has no data; is this a Dagster web server?'}")
        return mapping(answer["data"])


def _metadata(made: Mapping[str, Json]) -> Mapping[str, Json]:
    """The numbers and texts that a materialization tells, by their labels."""
    entries = made.get("metadataEntries")
    found = [mapping(entry) for entry in entries] if isinstance(entries, list) else []
    return {str(entry.get("label")): entry["intValue"] if "intValue" in entry else entry.get("text") for entry in found}


def _sum(amounts: Iterable[int | None]) -> int | None:
    """The sum; None when one is unknown, or there is none."""
    found = list(amounts)
    known = [amount for amount in found if amount is not None]
    return sum(known) if known and len(known) == len(found) else None
