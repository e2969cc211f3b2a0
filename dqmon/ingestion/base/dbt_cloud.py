"""dbt Cloud's Administrative API v2: runs of jobs, and the artifacts that their steps left (https://docs.getdbt.com/dbt-cloud/api-v2)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pydantic import Field, SecretStr

from dqmon.core.check import Schedule
from dqmon.core.duration import Duration
from dqmon.core.load_record import LoadRecord, LoadStatus, PipelineInfo
from dqmon.core.options import Options, ProjectPath
from dqmon.ingestion.base.artifact_file import Artifact, Slim
from dqmon.ingestion.base.dbt_artifacts import slim_node, slim_result
from dqmon.ingestion.base.dbt_target import checked
from dqmon.ingestion.base.http_json import BadStatus, HttpJson, HttpSourceOptions
from dqmon.ingestion.base.json_fields import count, in_window, instant, mapping, text

if TYPE_CHECKING:
    from dqmon.core.plain import Json
    from dqmon.errors import SourceError

PAGE = 100
"""The largest page that the API gives."""
LONGEST = timedelta(days=1)
"""Runs are listed by when they were made: one that ends within a window is looked for among those made so long before it."""
_STATUSES = {
    1: LoadStatus.QUEUED,
    2: LoadStatus.QUEUED,
    3: LoadStatus.RUNNING,
    10: LoadStatus.SUCCEEDED,
    20: LoadStatus.FAILED,
    30: LoadStatus.CANCELLED,
}
"""Queued, Starting, Running, Success, Error, Cancelled."""
_SUCCESS, _ERROR, _MISSING = 10, 20, 404
_CRON_FIELDS = 5
_STEP = re.compile(r"invoke dbt with", re.IGNORECASE)
_FRESHNESS = re.compile(r"\bfreshness\b")


class DbtCloud(Options):
    """account, project: their numbers, as in the address of dbt Cloud. token: of a service account that may read jobs and metadata.
    base_url: the account's access URL. timeout: of one request. verify: a CA file. allow_private_addresses: also addresses of the
    own network.
    """

    account: int = Field(ge=1)
    project: int = Field(ge=1)
    token: SecretStr
    base_url: str = "https://cloud.getdbt.com"
    timeout: Duration = 30
    verify: ProjectPath | None = None
    allow_private_addresses: bool = False


class CloudRuns:
    """The runs of one project's jobs, and their artifacts. All raise SourceError."""

    def __init__(self, source: str, options: DbtCloud, limit_mb: int) -> None:
        self._source, self._options = source, options
        server = HttpSourceOptions(
            base_url=options.base_url,
            timeout=options.timeout,
            verify=options.verify,
            allow_private_addresses=options.allow_private_addresses,
            max_answer_mb=min(limit_mb, 256),
        )
        self._http = HttpJson(server, source, {"Authorization": f"Token {options.token.get_secret_value()}"})
        self._manifest: tuple[str, Artifact | None] | None = None
        self._read: dict[str, list[tuple[str, Artifact]]] = {}

    def manifest(self) -> Artifact | None:
        """That of the newest run that succeeded; None before there is one. Sent again only when there is a newer run."""
        found = self._page("runs", {"status": _SUCCESS, "order_by": "-finished_at", "limit": 1})
        if not found:
            return None
        id_ = _id(found[0], self._http)
        if self._manifest is None or self._manifest[0] != id_:
            self._manifest = (id_, self._artifact(found[0], "manifest.json", None, slim_node))
        return self._manifest[1]

    def jobs(self, project: str, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """The runs that ended in [since, until), or have not ended; the pipeline is `<project>.job.<number of the job>`."""
        return in_window((self._record(project, run, until) for run in self._made(since)), since, until)

    def job_infos(self, project: str) -> tuple[PipelineInfo, ...]:
        """The project's jobs, with the schedule of those that have one; cron is in UTC."""
        jobs = self._all("jobs", {"order_by": "id"})
        return tuple(PipelineInfo(self._source, f"{project}.job.{_id(job, self._http)}", schedule=_schedule(job)) for job in jobs)

    def results(self, since: datetime, until: datetime) -> Iterator[tuple[str, Artifact]]:
        """The artifacts of the steps of runs that ended in [since, until): `run-results` or `sources`, and what it holds."""
        ended = {_id(run, self._http): run for run in self._made(since) if _ended_within(run, since, until)}
        self._read = {id_: found for id_, found in self._read.items() if id_ in ended}
        for id_, run in ended.items():
            if id_ not in self._read:
                self._read[id_] = list(self._steps(id_, run))
            yield from self._read[id_]

    def error(self, text: str) -> SourceError:
        """The error to raise for what is wrong with dbt Cloud's answers."""
        return self._http.error(text)

    def _steps(self, id_: str, run: Mapping[str, Json]) -> Iterator[tuple[str, Artifact]]:
        path = f"/api/v2/accounts/{self._options.account}/runs/{id_}/"
        answer = mapping(self._http.get(path, {"include_related": '["run_steps"]'}))
        for step in self._http.listed(answer, "data", "run_steps"):
            name, index = text(step.get("name")) or "", count(step.get("index"))
            if not _STEP.match(name) or index is None:
                continue
            kind, file = ("sources", "sources.json") if _FRESHNESS.search(name) else ("run-results", "run_results.json")
            if found := self._artifact(run, file, index, slim_result):
                yield kind, checked(self, found, kind)

    def _artifact(self, run: Mapping[str, Json], name: str, step: int | None, slim: Slim) -> Artifact | None:
        """An artifact of a run; None when the step left none, such as a command that builds nothing."""
        path = f"/api/v2/accounts/{self._options.account}/runs/{_id(run, self._http)}/artifacts/{name}"
        try:
            found = self._http.get(path, {"step": step}, slim)
        except BadStatus as e:
            if e.status == _MISSING:
                return None
            raise
        ended = instant(run.get("finished_at"))
        if not isinstance(found, dict) or ended is None:
            raise self._http.error(f"{name} of a run is no JSON object, or the run has no finished_at")
        return Artifact(found, ended)

    def _made(self, since: datetime) -> Iterator[Mapping[str, Json]]:
        """The runs made since a day before then, newest first."""
        for run in self._all("runs", {"order_by": "-id"}):
            made = instant(run.get("created_at"))
            if made is not None and made < since - LONGEST:
                return
            yield run

    def _all(self, what: str, params: Mapping[str, object]) -> Iterator[dict[str, Json]]:
        """What is on all pages of a list, as far as somebody asks for it."""
        for page in self._http.pages():
            found = self._page(what, {**params, "limit": PAGE, "offset": page * PAGE})
            yield from found
            if len(found) < PAGE:
                return

    def _page(self, what: str, params: Mapping[str, object]) -> list[dict[str, Json]]:
        path = f"/api/v2/accounts/{self._options.account}/{what}/"
        return self._http.listed(self._http.get(path, {"project_id": self._options.project, **params}), "data")

    def _record(self, project: str, run: Mapping[str, Json], until: datetime) -> LoadRecord:
        number = count(run.get("status"))
        status = _STATUSES.get(number or 0, LoadStatus.UNKNOWN)
        begun, ended = instant(run.get("started_at")), instant(run.get("finished_at"))
        is_bad = status is LoadStatus.FAILED
        return LoadRecord(
            source=self._source,
            pipeline=f"{project}.job.{text(run.get('job_definition_id')) or '?'}",
            load_id=_id(run, self._http),
            status=status,
            observed_at=until,
            raw_status=text(run.get("status_humanized")) or text(number),
            started_at=begun if not (begun and ended and begun > ended) else None,
            finished_at=None if status in (LoadStatus.QUEUED, LoadStatus.RUNNING) else ended,
            error=text(run.get("status_message")) or ("dbt Cloud gives no reason" if is_bad else None),
        )


def _id(run: Mapping[str, Json], http: HttpJson) -> str:
    if (found := text(run.get("id"))) is None:
        raise http.error("a run or job has no id; is this dbt Cloud's API v2?")
    return found


def _schedule(job: Mapping[str, Json]) -> Schedule | None:
    cron = text(mapping(job.get("schedule")).get("cron")) or ""
    is_scheduled = mapping(job.get("triggers")).get("schedule") is True
    return Schedule(cron, None, "UTC") if is_scheduled and len(cron.split()) == _CRON_FIELDS else None


def _ended_within(run: Mapping[str, Json], since: datetime, until: datetime) -> bool:
    ended = instant(run.get("finished_at"))
    return ended is not None and since <= ended < until and count(run.get("status")) in (_SUCCESS, _ERROR)
