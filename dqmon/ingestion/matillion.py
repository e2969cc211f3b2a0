"""Ingestion source matillion: pipeline executions of Matillion's Data Productivity Cloud."""

from __future__ import annotations

import builtins
import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import quote, urlencode, urlsplit

from pydantic import SecretStr

from dqmon.core.check import Schedule
from dqmon.core.cron import next_fire
from dqmon.core.duration import Duration
from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.ingestion.base.cron_dialects import quartz_schedule
from dqmon.ingestion.base.http_json import BadStatus, HttpJson, HttpSourceOptions
from dqmon.ingestion.base.json_fields import count, in_window, instant, mapping, text
from dqmon.net import NetError

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dqmon.core.plain import Json
    from dqmon.core.protocols import Warehouse

PAGE = 100
"""The largest page that the API gives: https://docs.maia.ai/api-reference/pipeline-execution/pipeline-executions"""
_OK, _UNAUTHORIZED = 200, 401
_REFUSED = (400, 401, 403)
"""How a token is refused: https://datatracker.ietf.org/doc/html/rfc6749#section-5.2"""
_STATUSES = {
    "RUNNING": LoadStatus.RUNNING,
    "CANCELLING": LoadStatus.RUNNING,
    "SUCCESS": LoadStatus.SUCCEEDED,
    "FAILED": LoadStatus.FAILED,
    "CANCELLED": LoadStatus.CANCELLED,
    "SKIPPED": LoadStatus.SKIPPED,
}
_UNITS = {"MINUTE": 60, "HOUR": 3_600, "DAY": 86_400, "WEEK": 604_800}


class MatillionOptions(HttpSourceOptions):
    """Options of the source matillion.

    base_url: https://eu1.api.matillion.com/dpc or https://us1.api.matillion.com/dpc. client_id, client_secret: API credentials
    whose role may read the project. project: its id. environment: only this one. longest_run: how long an execution may take;
    the end of one that took longer is not seen, since the API looks for executions by their start.
    """

    client_id: str
    client_secret: SecretStr
    token_url: str = "https://id.core.matillion.com/oauth/dpc/token"  # noqa: S105 - an address
    project: str
    environment: str | None = None
    longest_run: Duration = 86_400


class Matillion:
    """Pipeline executions as loads, one record each; a pipeline is `environment/pipeline`, such as `Prod/Nightly load`.

    Listed are pipelines that have a schedule, and those of the newest 100 executions. A schedule is told where a pipeline has
    exactly one that is enabled, and its next run shows that it was read right; a pipeline whose schedules are all disabled is
    paused. The error is the execution's message. The API tells neither rows nor tables.

    Compiled from the vendor's documentation of 2026, not run against a live account; how it writes schedules is known by one
    example only.
    """

    type: ClassVar[str] = "matillion"
    Options: ClassVar[builtins.type[BaseModel]] = MatillionOptions
    provides: ClassVar[frozenset[str]] = frozenset({"success", "failures", "running", "duration", "schedule"})

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        del warehouse
        assert isinstance(options, MatillionOptions)  # noqa: S101 - the configuration made them of this very class
        self.name = name
        self._options = options
        self._http: HttpJson | None = None

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """All pipelines with a schedule, and those that ran lately, by name."""
        schedules: dict[str, list[Mapping[str, Json]]] = {}
        for one in self._schedules():
            if (pipeline := _pipeline(one)) and self._options.environment in (None, one.get("environmentName")):
                schedules.setdefault(pipeline, []).append(one)
        newest = self._listed(self._get("/v1/pipeline-executions", **self._filter()))
        names = sorted({*schedules, *(name for one in newest if (name := _pipeline(one)))})
        return tuple(self._info(name, schedules.get(name, [])) for name in names)

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """Executions that ended in [since, until), and those that run now."""
        oldest = since - timedelta(seconds=self._options.longest_run)
        return in_window((self._record(one, until) for one in self._executions(oldest)), since, until)

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """Nothing: what waits are executions, which `loads` tells."""
        del at
        return ()

    def _filter(self) -> dict[str, object]:
        return {"projectId": self._options.project, "environmentName": self._options.environment, "limit": PAGE}

    def _executions(self, oldest: datetime) -> Iterator[dict[str, Json]]:
        more = None
        for _ in self._client().pages():
            answer = self._get("/v1/pipeline-executions", **self._filter(), startedAfter=oldest, paginationToken=more)
            yield from self._listed(answer)
            more = answer.get("more")
            if not more:
                return

    def _schedules(self) -> Iterator[dict[str, Json]]:
        seen = 0
        for page in self._client().pages():
            answer = self._get(f"/v1/projects/{quote(self._options.project, safe='')}/schedules", page=page, size=PAGE)
            found = self._listed(answer)
            yield from found
            seen += len(found)
            if not found or seen >= (count(answer.get("total")) or 0):
                return

    def _listed(self, answer: Json) -> list[dict[str, Json]]:
        return self._client().listed(answer, "results")

    def _get(self, path: str, **params: object) -> Json:
        """The answer to a GET; a token that has expired (they last for half an hour) is renewed once."""
        try:
            return self._client().get(path, params)
        except BadStatus as e:
            if e.status != _UNAUTHORIZED:
                raise
        self._http = None
        return self._client().get(path, params)

    def _client(self) -> HttpJson:
        if self._http is None:
            self._http = HttpJson(self._options, self.name, {"Authorization": f"Bearer {_TokenServer(self._options, self.name).token()}"})
        return self._http

    def _info(self, pipeline: str, schedules: list[Mapping[str, Json]]) -> PipelineInfo:
        enabled = [one for one in schedules if one.get("scheduleEnabled") is not False]
        schedule = _schedule(enabled[0]) if len(enabled) == 1 else None
        return PipelineInfo(self.name, pipeline, is_paused=not enabled if schedules else None, schedule=schedule)

    def _record(self, one: Mapping[str, Json], until: datetime) -> LoadRecord:
        load_id, pipeline = text(one.get("pipelineExecutionId")), _pipeline(one)
        if load_id is None or pipeline is None:
            raise self._client().error("an execution has no pipelineExecutionId or no pipelineName; is this the Data Productivity Cloud?")
        raw_status = text(one.get("status"))
        status = _STATUSES.get(raw_status or "", LoadStatus.UNKNOWN)
        facts = {"trigger": one.get("trigger"), "type": one.get("pipelineType"), "schedule_id": one.get("scheduleId")}
        return LoadRecord(
            source=self.name,
            pipeline=pipeline,
            load_id=load_id,
            status=status,
            observed_at=until,
            raw_status=raw_status,
            started_at=instant(one.get("startedAt")),
            finished_at=None if status is LoadStatus.RUNNING else instant(one.get("finishedAt")),
            error=(text(one.get("message")) or "Matillion names no reason") if status is LoadStatus.FAILED else None,
            extra={key: told for key, value in facts.items() if (told := text(value))},
        )


class _TokenServer(HttpJson):
    """The server that gives a token for the API credentials, which takes them as a form."""

    def __init__(self, options: MatillionOptions, name: str) -> None:
        secret = options.client_secret.get_secret_value()
        super().__init__(options.model_copy(update={"base_url": options.token_url}), name, secrets=(secret,))
        self._form = {
            "grant_type": "client_credentials",
            "client_id": options.client_id,
            "client_secret": secret,
            "audience": "https://api.matillion.com",
        }

    def token(self) -> str:
        """A token. Raises SourceError."""
        where = f"POST {urlsplit(self._base).path}"
        try:
            headers = {**self._headers, "Content-Type": "application/x-www-form-urlencoded"}
            answer = self._outgoing.post(self._base, urlencode(self._form).encode(), headers)
        except NetError as e:
            raise self.error(f"{where}: {e}") from e
        if answer.status != _OK:
            hint = "; are client_id and client_secret right?" if answer.status in _REFUSED else ""
            raise self.error(f"{where}: HTTP {answer.status}{hint}: {' '.join(answer.text[:200].split())}")
        try:
            token = mapping(json.loads(answer.body)).get("access_token")
        except (ValueError, RecursionError):
            token = None
        if not isinstance(token, str) or not token:
            raise self.error(f"{where} gave no access_token")
        return token


def _pipeline(one: Mapping[str, Json]) -> str | None:
    name, environment = text(one.get("pipelineName")), text(one.get("environmentName"))
    return f"{environment}/{name}" if name and environment else name


def _schedule(one: Mapping[str, Json]) -> Schedule | None:
    """Cron or an interval; None where it cannot be read, or would not fire when Matillion says that it runs next."""
    zone, cron, every = text(one.get("cronTimezone")) or "UTC", text(one.get("cronExpression")), mapping(one.get("intervalExpression"))
    if cron is None:
        unit, interval = _UNITS.get((text(every.get("unit")) or "").upper().removesuffix("S")), count(every.get("interval"))
        return Schedule(None, unit * interval, zone) if unit and interval else None
    schedule, due = quartz_schedule(cron, zone), instant(one.get("nextRunAt"))
    is_right = schedule is not None and due is not None and next_fire(schedule, 0, due - timedelta(seconds=1)) == due
    return schedule if is_right else None
