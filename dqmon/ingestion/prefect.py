"""Ingestion source prefect: flow runs, and the deployments that schedule them."""

from __future__ import annotations

import base64
import builtins
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from pydantic import SecretStr, model_validator

from dqmon.core.check import Schedule
from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.core.plain import plain
from dqmon.ingestion.base.http_json import HttpJson, HttpSourceOptions
from dqmon.ingestion.base.json_fields import in_window, instant, mapping, text

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dqmon.core.plain import Json
    from dqmon.core.protocols import Warehouse

PAGE = 200
"""The largest page that the server gives: https://docs.prefect.io/v3/api-ref/settings-ref (server.api.default_limit); more is a 422."""
_OPEN = ("RUNNING", "PENDING", "PAUSED", "CANCELLING")
_STATUSES = {
    "SCHEDULED": LoadStatus.QUEUED,
    "PENDING": LoadStatus.QUEUED,
    "PAUSED": LoadStatus.QUEUED,
    "RUNNING": LoadStatus.RUNNING,
    "CANCELLING": LoadStatus.RUNNING,
    "COMPLETED": LoadStatus.SUCCEEDED,
    "FAILED": LoadStatus.FAILED,
    "CRASHED": LoadStatus.FAILED,
    "CANCELLED": LoadStatus.CANCELLED,
}


class PrefectOptions(HttpSourceOptions):
    """Options of the source prefect.

    base_url: of the API, such as http://localhost:4200/api or https://api.prefect.cloud/api/accounts/…/workspaces/….
    api_key: of Prefect Cloud. auth_string: the server's own `user:password` (server.api.auth_string).
    """

    api_key: SecretStr | None = None
    auth_string: SecretStr | None = None

    @model_validator(mode="after")
    def _has_one_login(self) -> PrefectOptions:
        if self.api_key and self.auth_string:
            raise ValueError("both api_key and auth_string are set; keep one (api_key is for Prefect Cloud)")
        return self

    def headers(self) -> dict[str, str]:
        """What proves who asks."""
        if self.api_key:
            return {"Authorization": f"Bearer {self.api_key.get_secret_value()}"}
        if self.auth_string:
            return {"Authorization": "Basic " + base64.b64encode(self.auth_string.get_secret_value().encode()).decode()}
        return {}


class Prefect:
    """Flow runs as loads; the pipeline is `flow/deployment`, as Prefect writes it, or `flow` for a run without deployment.

    A run that should have started and has not is QUEUED (Prefect's state Late); those that are planned for later are left
    out. CRASHED is FAILED. Retries go on under the run's own id. A run whose process was killed stays RUNNING for as long
    as Prefect says so. Rows and cursors are not known: Prefect knows runs only.

    REST API of Prefect 3, recorded on a server 3.9.1; Prefect Cloud and auth_string are compiled from the documentation, not run.
    """

    type: ClassVar[str] = "prefect"
    Options: ClassVar[builtins.type[BaseModel]] = PrefectOptions
    provides: ClassVar[frozenset[str]] = frozenset({"success", "failures", "running", "duration", "schedule", "heartbeat"})

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        del warehouse
        assert isinstance(options, PrefectOptions)  # noqa: S101 - the configuration made them of this very class
        self.name = name
        self._http = HttpJson(options, name, options.headers())

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """All flows and all deployments, by name; with the schedule of a deployment that has exactly one."""
        flows = self._flows()
        found = {name: PipelineInfo(self.name, name) for name in flows.values()}
        for deployment in self._all("deployments", {}):
            name = _pipeline(flows, deployment.get("flow_id"), text(deployment.get("name")))
            found[name] = self._info(name, deployment)
        return tuple(found[name] for name in sorted(found))

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """Runs that ended in [since, until), those under way, and those that should have started before `until`."""
        flows = self._flows()
        deployments = {str(one.get("id")): text(one.get("name")) for one in self._all("deployments", {})}
        # What is open is asked for first, so that a run that ends in between is found among those that ended.
        wanted: tuple[Json, ...] = (
            {"state": {"type": {"any_": list(_OPEN)}}},
            {"state": {"type": {"any_": ["SCHEDULED"]}}, "expected_start_time": {"before_": plain(until)}},
            {"end_time": {"after_": plain(since)}},
        )
        runs = {str(run.get("id")): run for one in wanted for run in self._all("flow_runs", {"flow_runs": one, "sort": "ID_DESC"})}
        due = [run for run in runs.values() if run.get("state_type") != "SCHEDULED" or _is_due(run, until)]
        records = (
            self._record(run, _pipeline(flows, run.get("flow_id"), deployments.get(str(run.get("deployment_id")))), until) for run in due
        )
        return in_window(records, since, until)

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """Nothing: what waits are runs, which `loads` tells."""
        del at
        return ()

    def _flows(self) -> dict[str, str]:
        return {str(flow.get("id")): text(flow.get("name")) or "?" for flow in self._all("flows", {})}

    def _all(self, kind: str, body: Mapping[str, Json]) -> Iterator[Mapping[str, Json]]:
        """Everything of a kind that fits the filter, page by page."""
        for page in self._http.pages():
            found = self._http.listed(self._http.post(f"{kind}/filter", {**body, "limit": PAGE, "offset": page * PAGE}))
            yield from found
            if len(found) < PAGE:
                return

    def _info(self, name: str, deployment: Mapping[str, Json]) -> PipelineInfo:
        listed = deployment.get("schedules")
        active = [mapping(one) for one in listed if mapping(one).get("active") is True] if isinstance(listed, list) else []
        paused = deployment.get("paused")
        return PipelineInfo(
            self.name,
            name,
            is_paused=paused if isinstance(paused, bool) else None,
            schedule=_schedule(mapping(active[0].get("schedule"))) if len(active) == 1 else None,
            heartbeat_at=instant(deployment.get("last_polled")),
        )

    def _record(self, run: Mapping[str, Json], pipeline: str, until: datetime) -> LoadRecord:
        state = text(run.get("state_type"))
        status = _STATUSES.get(state or "", LoadStatus.UNKNOWN)
        is_open = status in (LoadStatus.QUEUED, LoadStatus.RUNNING)
        started, ended = instant(run.get("start_time")), instant(run.get("end_time"))
        return LoadRecord(
            source=self.name,
            pipeline=pipeline,
            load_id=str(run.get("id")),
            status=status,
            observed_at=until,
            raw_status=text(run.get("state_name")) or state,
            scheduled_for=instant(run.get("expected_start_time")),
            started_at=started,
            finished_at=None if is_open else ended,
            error=text(mapping(run.get("state")).get("message")) if status in (LoadStatus.FAILED, LoadStatus.CANCELLED) else None,
        )


def _pipeline(flows: Mapping[str, str], flow_id: Json, deployment: str | None) -> str:
    """The pipeline's name; a flow that was deleted goes by its id."""
    flow = flows.get(str(flow_id)) or str(flow_id)
    return f"{flow}/{deployment}" if deployment else flow


def _is_due(run: Mapping[str, Json], until: datetime) -> bool:
    at = instant(run.get("expected_start_time"))
    return at is not None and at < until


def _schedule(found: Mapping[str, Json]) -> Schedule | None:
    """A cron expression or an interval; None for a recurrence rule, which no check reads."""
    zone, cron, every = text(found.get("timezone")) or "UTC", text(found.get("cron")), found.get("interval")
    if cron:
        return Schedule(cron, None, zone)
    return Schedule(None, int(every), zone) if isinstance(every, int | float) and every >= 1 else None
