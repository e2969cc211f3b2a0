"""Ingestion source fivetran: the last success and the last failure of each connection, from the REST API."""

from __future__ import annotations

import base64
import builtins
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar

from pydantic import SecretStr

from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.ingestion.base.http_json import HttpJson, HttpSourceOptions
from dqmon.ingestion.base.json_fields import in_window, instant, mapping, text

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dqmon.core.plain import Json
    from dqmon.core.protocols import Warehouse

PAGE = 1_000
"""The largest page that the API gives (fivetran.com/docs/rest-api/pagination)."""


class FivetranOptions(HttpSourceOptions):
    """Options of the source fivetran. api_key, api_secret: of a user or system key that may read connections. group: only its
    connections; all without it.
    """

    base_url: str = "https://api.fivetran.com/v1"
    api_key: str
    api_secret: SecretStr
    group: str | None = None


class Fivetran:
    """Syncs as loads; a pipeline is a connection, by its id, such as `paint_wedges`.

    The API tells of each connection only when it last succeeded and when it last failed: each of the two is a record, known
    by its time, and what lies between two polls beside them is not seen. Rows, starts and single syncs it does not tell. A
    rescheduled sync is no failure. The error is what Fivetran asks its user to do (`status.tasks`), or its warnings, as long
    as the connection fails. A quiet table does not make a connection stale: a sync without rows is a success.

    Compiled from the documentation of REST API v1 of 2026, not run against a live account.
    """

    type: ClassVar[str] = "fivetran"
    Options: ClassVar[builtins.type[BaseModel]] = FivetranOptions
    provides: ClassVar[frozenset[str]] = frozenset({"success", "failures"})

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        del warehouse
        assert isinstance(options, FivetranOptions)  # noqa: S101 - the configuration made them of this very class
        self.name = name
        self._group = options.group
        secret = options.api_secret.get_secret_value()
        credentials = base64.b64encode(f"{options.api_key}:{secret}".encode()).decode()
        self._http = HttpJson(options, name, {"Authorization": f"Basic {credentials}"}, (secret,))

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """All connections, by id; a paused one says so."""
        found = {id_: one.get("paused") for id_, one in self._connections()}
        return tuple(PipelineInfo(self.name, id_, is_paused=found[id_] if isinstance(found[id_], bool) else None) for id_ in sorted(found))

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """The last success and the last failure of each connection, if they were in [since, until)."""
        return in_window((record for id_, one in self._connections() for record in self._records(id_, one, until)), since, until)

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """Nothing: Fivetran does not tell what waits."""
        del at
        return ()

    def _connections(self) -> Iterator[tuple[str, dict[str, Json]]]:
        cursor = None
        for _ in self._http.pages():
            answer = self._http.get("/connections", {"limit": PAGE, "cursor": cursor, "group_id": self._group})
            for one in self._http.listed(answer, "data", "items"):
                id_ = text(one.get("id"))
                if id_ is None:
                    raise self._http.error("a connection has no id; is this the REST API v1?")
                yield id_, one
            cursor = text(answer["data"].get("next_cursor"))
            if cursor is None:
                return

    def _records(self, id_: str, one: Mapping[str, Json], until: datetime) -> Iterator[LoadRecord]:
        succeeded, failed = instant(one.get("succeeded_at")), instant(one.get("failed_at"))
        state = mapping(one.get("status"))
        facts = {"schema": one.get("schema"), "service": one.get("service"), **{k: state.get(k) for k in ("setup_state", "update_state")}}
        extra = {key: found for key, value in facts.items() if (found := text(value))}
        for at, status in ((succeeded, LoadStatus.SUCCEEDED), (failed, LoadStatus.FAILED)):
            if at is None:
                continue
            is_failing = status is LoadStatus.FAILED and (succeeded is None or at > succeeded)
            yield LoadRecord(
                source=self.name,
                pipeline=id_,
                load_id=f"{status}__{at.isoformat()}",
                status=status,
                observed_at=until,
                finished_at=at,
                error=(_trouble(state) or "Fivetran names no reason") if is_failing else None,
                extra=extra,
            )


def _trouble(state: Mapping[str, Json]) -> str | None:
    """What the user is asked to do; where that is nothing, what they are warned of."""
    for key in ("tasks", "warnings"):
        listed = state.get(key)
        entries = [mapping(entry) for entry in (listed if isinstance(listed, list) else ())]
        said = [text(entry.get("message")) or text(entry.get("code")) for entry in entries]
        if any(said):
            return text("; ".join(filter(None, said)))
    return None
