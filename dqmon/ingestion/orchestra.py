"""Ingestion source orchestra: pipeline runs of Orchestra, and which of their tasks failed."""

from __future__ import annotations

import builtins
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from pydantic import SecretStr

from dqmon.core.duration import Duration
from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.ingestion.base.http_json import HttpJson, HttpSourceOptions
from dqmon.ingestion.base.json_fields import count, in_window, instant, mapping, text

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dqmon.core.plain import Json
    from dqmon.core.protocols import Warehouse

PAGE = 100
"""The largest page that the API gives."""
HISTORY = timedelta(days=7)
"""The widest window that the API serves."""
_STATUSES = {
    "CREATED": LoadStatus.QUEUED,
    "RUNNING": LoadStatus.RUNNING,
    "CANCELLING": LoadStatus.RUNNING,
    "SUCCEEDED": LoadStatus.SUCCEEDED,
    "WARNING": LoadStatus.PARTIAL,
    "FAILED": LoadStatus.FAILED,
    "SKIPPED": LoadStatus.SKIPPED,
    "CANCELLED": LoadStatus.CANCELLED,
}
_OPEN = frozenset({LoadStatus.QUEUED, LoadStatus.RUNNING, LoadStatus.UNKNOWN})


class OrchestraOptions(HttpSourceOptions):
    """Options of the source orchestra.

    api_key: of the workspace. longest_run: how long a run may take; the end of one that took longer is not seen, since the API
    looks for runs by the time at which they were made.
    """

    base_url: str = "https://app.getorchestra.io/api/engine/public"
    api_key: SecretStr
    longest_run: Duration = 86_400


class Orchestra:
    """Pipeline runs as loads, one record each; a pipeline is one of Orchestra, by its name, or by its id where two have the same.

    WARNING is PARTIAL. The error is what the run's first failed task says, else the run itself. Times are those at which the
    run started and was completed; where the API tells neither, those at which it was made and last changed. The API's history
    is 7 days: a first poll reads no more. Runs tell neither rows nor tables, and schedules are not read.

    Compiled from the vendor's own OpenAPI description of 2026, not run against a live account.
    """

    type: ClassVar[str] = "orchestra"
    Options: ClassVar[builtins.type[BaseModel]] = OrchestraOptions
    provides: ClassVar[frozenset[str]] = frozenset({"success", "failures", "running", "duration"})

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        del warehouse
        assert isinstance(options, OrchestraOptions)  # noqa: S101 - the configuration made them of this very class
        self.name = name
        self._longest = timedelta(seconds=options.longest_run)
        self._http = HttpJson(options, name, {"Authorization": f"Bearer {options.api_key.get_secret_value()}"})

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """All pipelines, by name; a paused one says so."""
        found = [
            PipelineInfo(self.name, name, is_paused=one["paused"] if isinstance(one.get("paused"), bool) else None)
            for name, one in self._pipelines().values()
        ]
        return tuple(sorted(found, key=lambda info: info.pipeline))

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """Runs that ended in [since, until), and those that wait or run now."""
        names = {id_: name for id_, (name, _) in self._pipelines().items()}
        # Both times are always sent: what the API takes for granted without them has changed before.
        window = {"time_from": max(since - self._longest, until - HISTORY), "time_to": until}
        runs = self._all("/pipeline_runs", **window)
        found = in_window((self._record(run, names, until) for run in runs), since, until)
        if not any(record.status is LoadStatus.FAILED for record in found):
            return found
        errors = self._errors(window)
        return tuple(replace(r, error=errors.get(r.load_id) or r.error) if r.status is LoadStatus.FAILED else r for r in found)

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """Nothing: what waits are runs, which `loads` tells."""
        del at
        return ()

    def _pipelines(self) -> dict[str, tuple[str, dict[str, Json]]]:
        """Pipeline id to its name and what the API says of it."""
        found = {str(one.get("id")): one for one in self._all("/pipelines")}
        shared = Counter(one.get("name") for one in found.values())
        return {id_: ((text(one.get("name")) if shared[one.get("name")] == 1 else None) or id_, one) for id_, one in found.items()}

    def _all(self, path: str, **params: object) -> Iterator[dict[str, Json]]:
        """All objects over all pages."""
        seen = 0
        for page in self._http.pages():
            answer = self._http.get(path, {"page": page + 1, "page_size": PAGE, **params})
            found = self._http.listed(answer, "results")
            yield from found
            seen += len(found)
            total = count(answer.get("total"))
            if not found or (total is not None and seen >= total):
                return

    def _errors(self, window: Mapping[str, object]) -> dict[str, str]:
        """Run id to what the task says that failed first."""
        tasks = sorted(self._all("/task_runs", status="FAILED", **window), key=lambda task: str(task.get("completedAt")), reverse=True)
        said = ((task, text(task.get("message")) or text(task.get("externalMessage"))) for task in tasks)
        return {
            str(task.get("pipelineRunId")): f"task {text(task.get('taskName')) or text(task.get('taskId'))} failed"
            + (f": {message}" if message else "")
            for task, message in said
        }

    def _record(self, run: Mapping[str, Json], names: Mapping[str, str], until: datetime) -> LoadRecord:
        load_id, pipeline = text(run.get("id")), text(run.get("pipelineId"))
        if load_id is None or pipeline is None:
            raise self._http.error("a run has no id or no pipelineId; is this Orchestra's public API?")
        raw_status = text(run.get("runStatus"))
        status = _STATUSES.get(raw_status or "", LoadStatus.UNKNOWN)
        triggers = run.get("triggeredBy")
        first = mapping(triggers[0]) if isinstance(triggers, list) and triggers else {}
        facts = {"trigger": first.get("triggerType"), "environment": run.get("envName"), "pipeline_id": pipeline}
        is_bad = status in (LoadStatus.FAILED, LoadStatus.PARTIAL)
        return LoadRecord(
            source=self.name,
            pipeline=names.get(pipeline) or text(run.get("pipelineName")) or pipeline,
            load_id=load_id,
            status=status,
            observed_at=until,
            raw_status=raw_status,
            started_at=None if status is LoadStatus.QUEUED else instant(run.get("startedAt") or run.get("createdAt")),
            finished_at=None if status in _OPEN else instant(run.get("completedAt") or run.get("updatedAt")),
            error=(text(run.get("message")) or "Orchestra names no reason") if is_bad else None,
            extra={key: told for key, value in facts.items() if (told := text(value))},
        )
