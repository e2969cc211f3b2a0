"""Airflow's REST API: logging in, paging, and the places where it keeps what a run itself does not tell."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING
from urllib.parse import quote

from dqmon.ingestion.base.http_json import BadStatus, HttpJson, HttpSourceOptions
from dqmon.ingestion.base.json_fields import count, instant, mapping, text

if TYPE_CHECKING:
    from dqmon.core.plain import Json

PAGE = 100
"""Airflow's own largest page unless it is configured otherwise (`maximum_page_limit`)."""
_UNAUTHORIZED = 401


class AirflowApi:
    """One server. `version` is v1 or v2; `login` is a user and password, `token` what v2 gives for them. All raise SourceError."""

    def __init__(self, options: HttpSourceOptions, name: str, version: str, token: str | None, login: tuple[str, str] | None) -> None:
        self._options, self._name, self._version, self._login = options, name, version, login
        if login and version == "v1":
            headers = {"Authorization": "Basic " + base64.b64encode(":".join(login).encode()).decode()}
        else:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
        self.http = HttpJson(options, name, headers, login[1:] if login else ())
        self._must_log_in = bool(login) and version == "v2"

    def get(self, path: str, **params: object) -> Json:
        """The answer to a GET below /api/v1 or /api/v2; an expired token is renewed once."""
        if not self._must_log_in:
            try:
                return self.http.get(f"/api/{self._version}{path}", params)
            except BadStatus as e:
                if e.status != _UNAUTHORIZED or not self._login or self._version == "v1":
                    raise
        self._log_in()
        return self.http.get(f"/api/{self._version}{path}", params)

    def all(self, path: str, key: str, **params: object) -> Iterator[dict[str, Json]]:
        """All objects of a list, over its pages. A server may give smaller pages than asked, and cap the number it counts."""
        offset = 0
        for _ in self.http.pages():
            answer = self.get(path, limit=PAGE, offset=offset, **params)
            found = self.http.listed(answer, key)
            yield from found
            offset += len(found)
            total = None if answer.get("total_entries_limit") else count(answer.get("total_entries"))
            if not found or (total is not None and offset >= total):
                return

    def events(self, since: datetime) -> Iterator[dict[str, Json]]:
        """The asset events (v1: of datasets) since then, newest first; none where the user may not see them."""
        path, key = ("/assets/events", "asset_events") if self._version == "v2" else ("/datasets/events", "dataset_events")
        try:
            for event in self.all(path, key, order_by="-timestamp"):
                at = instant(event.get("timestamp"))
                if at is not None and at < since:
                    return
                yield event
        except BadStatus as e:
            if e.status not in (403, 404):  # Airflow before 2.4 has no datasets
                raise

    def import_errors(self) -> list[dict[str, Json]]:
        """The DAG files that cannot be imported; none where the user may not see them."""
        try:
            return list(self.all("/importErrors", "import_errors"))
        except BadStatus as e:
            if e.status in (403, 404):
                return []
            raise

    def scheduler(self) -> Mapping[str, Json]:
        """What Airflow says of its scheduler: `status`, healthy or unhealthy, and `latest_scheduler_heartbeat`; empty where it does not."""
        try:
            health = self.get("/monitor/health" if self._version == "v2" else "/health")
        except BadStatus as e:
            if e.status in (403, 404):
                return {}
            raise
        return mapping(mapping(health).get("scheduler"))

    def error_of(self, dag: str, run: str) -> str:
        """What the log of the run's first failed task says: the exception, else which task it was."""
        path = f"/dags/{quote(dag, safe='')}/dagRuns/{quote(run, safe='')}/taskInstances"
        tasks = [t for t in self.http.listed(self.get(path, state=["failed"], limit=PAGE), "task_instances") if t.get("state") == "failed"]
        if not tasks:
            return "the run failed, though none of its tasks did"
        task = min(tasks, key=lambda t: str(t.get("end_date")))
        name, attempt = str(task.get("task_id")), count(task.get("try_number")) or 1
        if self._version == "v1":
            return f"task {name} failed"
        index = task.get("map_index")
        log = self.get(f"{path}/{quote(name, safe='')}/logs/{attempt}", map_index=index if index != -1 else None)
        return f"task {name} failed: {_exception(log) or 'its log names no exception'}"

    def _log_in(self) -> None:
        assert self._login is not None  # noqa: S101 - only then `get` comes here
        self._must_log_in = True  # should this fail
        username, password = self._login
        plain = HttpJson(self._options, self._name, secrets=(password,))
        token = mapping(plain.post("/auth/token", {"username": username, "password": password})).get("access_token")
        if not isinstance(token, str):
            raise self.http.error("POST /auth/token gave no access_token")
        self.http = HttpJson(self._options, self._name, {"Authorization": f"Bearer {token}"})
        self._must_log_in = False


def _exception(log: Json) -> str | None:
    """The root of the last exception of a structured log, as `Type: what it says`: causes stand after what they caused."""
    entries = mapping(log).get("content")
    for entry in reversed(entries if isinstance(entries, list) else []):
        details = mapping(entry).get("error_detail")
        for detail in reversed(details if isinstance(details, list) else []):
            kind, value = text(mapping(detail).get("exc_type")), text(mapping(detail).get("exc_value"))
            if kind or value:
                return ": ".join(part for part in (kind, value) if part)
    return None
