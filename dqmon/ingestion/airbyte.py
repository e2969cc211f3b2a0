"""Ingestion source airbyte: jobs of Airbyte's public API."""

from __future__ import annotations

import builtins
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, SecretStr, model_validator

from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.ingestion.base.http_json import HttpJson, HttpSourceOptions
from dqmon.ingestion.base.json_fields import count, in_window, instant, mapping, text

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dqmon.core.plain import Json
    from dqmon.core.protocols import Warehouse

PAGE = 100
"""The largest page that the API gives."""
_STATUSES = {
    "pending": LoadStatus.QUEUED,
    "queued": LoadStatus.QUEUED,
    "running": LoadStatus.RUNNING,
    "incomplete": LoadStatus.PARTIAL,
    "succeeded": LoadStatus.SUCCEEDED,
    "failed": LoadStatus.FAILED,
    "cancelled": LoadStatus.CANCELLED,
}
_ENDED = frozenset({LoadStatus.SUCCEEDED, LoadStatus.FAILED, LoadStatus.CANCELLED})
_OPEN = ("pending", "running", "incomplete")
_KINDS: Mapping[str, Literal["reset", "refresh"]] = {"reset": "reset", "clear": "reset", "refresh": "refresh"}


class AirbyteOptions(HttpSourceOptions):
    """Options of the source airbyte.

    url: a server of your own, such as https://airbyte.example.com; without it, Airbyte Cloud. base_url: the address of the public
    API, where that is not /api/public/v1 of url. client_id and client_secret: of an application, or token: an access token.
    workspaces: ids of those to read; all that the application may see without any.
    """

    url: str | None = None
    base_url: str = "https://api.airbyte.com/v1"
    client_id: str | None = None
    client_secret: SecretStr | None = None
    token: SecretStr | None = None
    workspaces: list[str] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _has_one_server(cls, given: object) -> object:
        """The options with the `base_url` that `url` means."""
        if not isinstance(given, dict) or not isinstance(given.get("url"), str):
            return given
        if "base_url" in given:
            raise ValueError("url and base_url are both given; write one of them")
        return {**given, "base_url": f"{given['url'].rstrip('/')}/api/public/v1"}

    @model_validator(mode="after")
    def _has_one_login(self) -> AirbyteOptions:
        if (self.client_id is None) != (self.client_secret is None) or (self.token is None) == (self.client_id is None):
            raise ValueError("set client_id and client_secret, or token")
        return self


class Airbyte:
    """Jobs as loads, one record each; a pipeline is a connection, by its name, or by its id where two have the same name.

    `finished_at` is when an ended job was last updated. `rows` are those of the whole job. A job that is incomplete is
    PARTIAL: an attempt has failed, and it is tried again or was given up. Resets, clears and refreshes have kinds of their
    own, so that they count neither as a load nor in a volume's baseline. The API tells neither errors nor rows by stream.

    Compiled from the documentation of the public API of 2026 (Airbyte 1.x and Cloud), not run against a live account.
    """

    type: ClassVar[str] = "airbyte"
    Options: ClassVar[builtins.type[BaseModel]] = AirbyteOptions
    provides: ClassVar[frozenset[str]] = frozenset({"success", "failures", "running", "duration", "rows"})

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        del warehouse
        assert isinstance(options, AirbyteOptions)  # noqa: S101 - the configuration made them of this very class
        self.name = name
        self._options = options

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """All connections that are not deleted, by name, with the names of their streams."""
        found = [
            PipelineInfo(self.name, name, _streams(one), is_paused=one.get("status") in ("inactive", "locked"))
            for name, one in self._connections(self._client()).values()
            if one.get("status") != "deprecated"
        ]
        return tuple(sorted(found, key=lambda info: info.pipeline))

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """Jobs that ended in [since, until), and those that are pending, running or incomplete now."""
        http = self._client()
        connections = self._connections(http)
        jobs = [job for status in _OPEN for job in self._all(http, "/jobs", status=status, orderBy="createdAt|ASC")]
        jobs += self._all(http, "/jobs", updatedAtStart=since, orderBy="updatedAt|ASC")
        # A job that ended between the two lists is in both; the second one knows better.
        newest = {job.get("jobId"): job for job in jobs}
        names = {id_: name for id_, (name, _) in connections.items()}
        return in_window((self._record(job, names, http, until) for job in newest.values()), since, until)

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """Nothing: what waits are jobs, which `loads` tells."""
        del at
        return ()

    def _client(self) -> HttpJson:
        """A client with a token; those of applications last for minutes only, so that each reading takes a new one."""
        token = self._options.token.get_secret_value() if self._options.token else None
        if self._options.client_secret:
            secret = self._options.client_secret.get_secret_value()
            plain = HttpJson(self._options, self.name, secrets=(secret,))
            login = {"client_id": self._options.client_id, "client_secret": secret, "grant-type": "client_credentials"}
            token = mapping(plain.post("/applications/token", login)).get("access_token")
            if not isinstance(token, str) or not token:
                raise plain.error("POST /applications/token gave no access_token")
        return HttpJson(self._options, self.name, {"Authorization": f"Bearer {token}"})

    def _connections(self, http: HttpJson) -> dict[str, tuple[str, dict[str, Json]]]:
        """Connection id to the pipeline's name and what the API says of it."""
        found = {str(one.get("connectionId")): one for one in self._all(http, "/connections")}
        shared = Counter(one.get("name") for one in found.values())
        return {id_: ((text(one.get("name")) if shared[one.get("name")] == 1 else None) or id_, one) for id_, one in found.items()}

    def _all(self, http: HttpJson, path: str, **params: object) -> Iterator[dict[str, Json]]:
        """All objects over all pages. `next` only tells that there is one: behind a proxy its address may be an inner one."""
        offset = 0
        for _ in http.pages():
            answer = http.get(path, {"limit": PAGE, "offset": offset, "workspaceIds": self._options.workspaces or None, **params})
            found = http.listed(answer, "data")
            yield from found
            offset += len(found)
            if not found or not answer.get("next"):
                return

    def _record(self, job: Mapping[str, Json], names: Mapping[str, str], http: HttpJson, until: datetime) -> LoadRecord:
        load_id, connection = text(job.get("jobId")), text(job.get("connectionId"))
        if load_id is None or connection is None:
            raise http.error("a job has no jobId or no connectionId; is this the public API?")
        raw_status = text(job.get("status"))
        status = _STATUSES.get(raw_status or "", LoadStatus.UNKNOWN)
        job_type = text(job.get("jobType"))
        return LoadRecord(
            source=self.name,
            pipeline=names.get(connection, connection),
            load_id=load_id,
            status=status,
            observed_at=until,
            kind=_KINDS.get(job_type or "", "load"),
            raw_status=raw_status,
            started_at=instant(job.get("startTime")),
            finished_at=instant(job.get("lastUpdatedAt")) if status in _ENDED else None,
            rows=count(job.get("rowsSynced")),
            error="an attempt failed; the job is tried again, or was given up" if status is LoadStatus.PARTIAL else None,
            extra={"connection_id": connection} | ({"job_type": job_type} if job_type else {}),
        )


def _streams(connection: Mapping[str, Json]) -> tuple[str, ...]:
    streams = mapping(connection.get("configurations")).get("streams")
    names = (text(mapping(one).get("name")) for one in (streams if isinstance(streams, list) else ()))
    return tuple(sorted({name for name in names if name}))
