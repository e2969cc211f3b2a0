"""Ingestion source airflow: DAG runs, their errors, and what tasks said of rows and cursors."""

from __future__ import annotations

import builtins
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar, Literal
from urllib.parse import quote

from pydantic import Field, SecretStr, model_validator

from dqmon.core.check import Schedule
from dqmon.core.cron import next_fire
from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.core.options import ZoneName
from dqmon.errors import SourceError
from dqmon.ingestion.base.airflow_api import AirflowApi
from dqmon.ingestion.base.http_json import HttpSourceOptions
from dqmon.ingestion.base.json_fields import count, in_window, instant, mapping, text

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dqmon.core.plain import Json
    from dqmon.core.protocols import Warehouse

LOGS_READ = 20
"""Failed runs of one poll whose error is looked for, the newest ones: each takes two requests."""
_STATES = {
    "queued": LoadStatus.QUEUED,
    "running": LoadStatus.RUNNING,
    "success": LoadStatus.SUCCEEDED,
    "failed": LoadStatus.FAILED,
}

_INTERVAL = re.compile(r"(?:([0-9]{1,4}) days?, )?([0-9]{1,2}):([0-9]{2}):([0-9]{2})")
# How the DAGs whose file has gone, or cannot be imported, are asked for, and how they are marked.
_V2_DAGS = ({"exclude_stale": False}, "is_stale", True)
_V1_DAGS = ({"only_active": False}, "is_active", False)


class AirflowOptions(HttpSourceOptions):
    """Options of the source airflow.

    base_url: of the web server, without /api. api: v2 for Airflow 3, v1 for Airflow 2. token, or username and password:
    a user that may read DAGs, DAG runs, assets and task logs. dags: only these; all where none is named. timezone: of cron
    schedules in DAGs, Airflow's `default_timezone`.
    rows_key, cursor_key: under which names the `extra` of an asset event tells rows and cursor.
    """

    api: Literal["v1", "v2"] = "v2"
    token: SecretStr | None = None
    username: str | None = None
    password: SecretStr | None = None
    dags: list[str] = Field(default_factory=list)
    timezone: ZoneName = "UTC"
    rows_key: str = "rows_loaded"
    cursor_key: str = "cursor"

    @model_validator(mode="after")
    def _has_one_login(self) -> AirflowOptions:
        if (self.username is None) != (self.password is None) or (self.token and self.password):
            raise ValueError("set token, or username and password")
        return self


class Airflow:
    """DAG runs as loads, one record each; one more for each asset that the run has updated, with `table` its name.

    `started_at` and `finished_at` are those of the run. Rows and cursor are known only where a task puts them into the
    `extra` of an asset event; the rows of a run are the sum, if all its events tell them. The error is the exception in
    the log of the first failed task. A run that is running while the scheduler is down is UNKNOWN. So is a DAG whose file
    cannot be imported, which Airflow hides, for as long as that lasts: a record of kind `schema`, since nothing was loaded.
    Clearing a run starts it again under its id. A DAG's schedule is told where it explains when Airflow itself runs it next.

    API v2 (Airflow 3) was recorded on 3.3.2 with SQLite; its login, health and import errors are compiled from the
    documentation, not run, and so is all of v1 (Airflow 2.0 to 2.11), where assets are datasets and no log is read.
    """

    type: ClassVar[str] = "airflow"
    Options: ClassVar[builtins.type[BaseModel]] = AirflowOptions
    provides: ClassVar[frozenset[str]] = frozenset(
        {"success", "failures", "running", "duration", "rows", "cursor", "schedule", "heartbeat"}
    )

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        del warehouse
        assert isinstance(options, AirflowOptions)  # noqa: S101 - the configuration made them of this very class
        self.name = name
        self._options = options
        password = options.password.get_secret_value() if options.password else None
        token = options.token.get_secret_value() if options.token else None
        self._api = AirflowApi(options, name, options.api, token, (options.username or "", password) if password is not None else None)

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """All DAGs that are there or would be, could their file be imported; by name, with the scheduler's heartbeat."""
        found = {str(dag["dag_id"]): dag for dag in self._dags(self._api.import_errors()) if dag.get("dag_id")}
        alive_at, zone = instant(self._api.scheduler().get("latest_scheduler_heartbeat")), self._options.timezone
        return tuple(
            PipelineInfo(self.name, dag_id, is_paused=_flag(dag.get("is_paused")), schedule=_schedule(dag, zone), heartbeat_at=alive_at)
            for dag_id, dag in sorted(found.items())
        )

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """Runs that ended in [since, until), and those that are queued or running now."""
        runs = [run for dag in self._options.dags or ["~"] for run in self._runs(dag, since)]
        found = in_window((self._record(run, until) for run in runs), since, until)
        is_alive = self._api.scheduler().get("status") != "unhealthy"
        broken = self._api.import_errors()
        events = self._events(min([r.started_at for r in found if r.started_at], default=until)) if found else {}
        failed = [(r.pipeline, r.load_id) for r in found if r.status is LoadStatus.FAILED][-LOGS_READ:]
        hidden = [dag for dag in self._dags(broken) if _trace(dag, broken)] if broken else []
        records = [self._unimported(dag, broken, until) for dag in hidden]
        for one in found:
            record = one
            if not is_alive and record.status is LoadStatus.RUNNING:
                record = replace(record, status=LoadStatus.UNKNOWN, error="the scheduler is not healthy; nobody knows whether it runs")
            if (record.pipeline, record.load_id) in failed:
                record = replace(record, error=self._error(record))
            records += self._with_tables(record, events.get((record.pipeline, record.load_id), {}))
        return in_window(records, since, until)

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """Nothing: what is queued are runs, which `loads` tells."""
        del at
        return ()

    def _dags(self, broken: list[dict[str, Json]]) -> Iterator[dict[str, Json]]:
        """The DAGs in scope that are there, or whose file cannot be imported. Raises SourceError when such files hide all."""
        everything, mark, gone = _V2_DAGS if self._options.api == "v2" else _V1_DAGS
        listed = list(self._api.all("/dags", "dags", order_by="dag_id", **everything))
        shown = [dag for dag in listed if dag.get(mark) is not gone or _trace(dag, broken)]
        if broken and not shown:
            raise self._api.http.error(f"{len(broken)} DAG files cannot be imported, and no DAG is left: {_last_line(broken[0])}")
        return (dag for dag in shown if not self._options.dags or dag.get("dag_id") in self._options.dags)

    def _runs(self, dag: str, since: datetime) -> Iterator[dict[str, Json]]:
        # Two lists: what ended is in the order of its end, so that a run that ends while pages are read comes last.
        path = f"/dags/{quote(dag, safe='~')}/dagRuns"
        yield from self._api.all(path, "dag_runs", state=["queued", "running"], order_by="start_date")
        yield from self._api.all(path, "dag_runs", end_date_gte=since, order_by="end_date")

    def _record(self, run: Mapping[str, Json], until: datetime) -> LoadRecord:
        state = text(run.get("state"))
        status = _STATES.get(state or "", LoadStatus.UNKNOWN)
        is_open, run_type = status in (LoadStatus.QUEUED, LoadStatus.RUNNING), text(run.get("run_type"))
        return LoadRecord(
            source=self.name,
            pipeline=str(run.get("dag_id")),
            load_id=str(run.get("dag_run_id")),
            status=status,
            observed_at=until,
            kind="backfill" if run_type == "backfill" else "load",
            raw_status=state,
            scheduled_for=instant(run.get("run_after") or run.get("logical_date")),
            started_at=instant(run.get("start_date")),
            finished_at=None if is_open else instant(run.get("end_date")),
            extra={"run_type": run_type} if run_type else {},
        )

    def _events(self, since: datetime) -> dict[tuple[str, str], dict[str, list[Mapping[str, Json]]]]:
        """The asset events since then, newest last, by run and by asset."""
        found: dict[tuple[str, str], dict[str, list[Mapping[str, Json]]]] = {}
        for event in reversed(list(self._api.events(since))):
            run = (str(event.get("source_dag_id")), str(event.get("source_run_id")))
            asset = text(event.get("name") or event.get("uri") or event.get("dataset_uri"))
            if asset:
                found.setdefault(run, {}).setdefault(asset, []).append(mapping(event.get("extra")))
        return found

    def _with_tables(self, record: LoadRecord, assets: Mapping[str, list[Mapping[str, Json]]]) -> list[LoadRecord]:
        """The record of the run, then those of its assets. Whatever one event does not tell is unknown of the whole."""
        tables = []
        for asset, extras in sorted(assets.items()):
            rows = _sum([count(extra.get(self._options.rows_key)) for extra in extras])
            tables.append(replace(record, table=asset, rows=rows, cursor=text(extras[-1].get(self._options.cursor_key))))
        cursor = tables[0].cursor if len(tables) == 1 else None
        return [replace(record, rows=_sum([r.rows for r in tables]), cursor=cursor), *tables]

    def _error(self, record: LoadRecord) -> str:
        try:
            return self._api.error_of(record.pipeline, record.load_id)
        except SourceError as e:  # the run failed, whether or not its log can be read
            return f"failed; its error is not known: {e}"

    def _unimported(self, dag: Mapping[str, Json], broken: list[dict[str, Json]], until: datetime) -> LoadRecord:
        trouble = _trace(dag, broken) or {}
        return LoadRecord(
            source=self.name,
            pipeline=str(dag.get("dag_id")),
            load_id=f"import_error__{trouble.get('import_error_id')}",
            status=LoadStatus.UNKNOWN,
            observed_at=until,
            kind="schema",
            raw_status="import_error",
            started_at=instant(trouble.get("timestamp")),
            error=f"{trouble.get('filename')} cannot be imported, so that it does not run: {_last_line(trouble)}",
        )


def _schedule(dag: Mapping[str, Json], timezone: str) -> Schedule | None:
    """The schedule as `timetable_summary` writes it, cron or an interval; None where the next run shows that there is more to it."""
    summary, due = text(dag.get("timetable_summary")) or "", instant(dag.get("next_dagrun_run_after"))
    if due is None:
        return None
    if interval := _INTERVAL.fullmatch(summary):
        days, hours, minutes, seconds = (int(part or 0) for part in interval.groups())
        every_s = 86_400 * days + 3_600 * hours + 60 * minutes + seconds
        return Schedule(None, every_s, timezone) if every_s else None
    schedule = Schedule(summary, None, timezone)
    from cronsim import CronSimError

    try:
        return schedule if next_fire(schedule, 0, due - timedelta(seconds=1)) == due else None
    except CronSimError:  # a timetable of another kind
        return None


def _trace(dag: Mapping[str, Json], broken: list[dict[str, Json]]) -> dict[str, Json] | None:
    """The import error of the DAG's file; v2 names files within a bundle, v1 in full."""
    files = {dag.get("fileloc"), dag.get("relative_fileloc")} - {None}
    return next((e for e in broken if e.get("filename") in files and e.get("bundle_name") in (None, dag.get("bundle_name"))), None)


def _last_line(trouble: Mapping[str, Json]) -> str:
    return (str(trouble.get("stack_trace") or "").strip().splitlines() or ["no reason is given"])[-1][:300]


def _sum(rows: list[int | None]) -> int | None:
    return sum(n for n in rows if n is not None) if rows and None not in rows else None


def _flag(value: Json) -> bool | None:
    return value if isinstance(value, bool) else None
