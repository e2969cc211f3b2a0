"""Ingestion source kafka_connect: how the connectors of a Kafka Connect cluster and their tasks stand."""

from __future__ import annotations

import base64
import builtins
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, SecretStr

from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.ingestion.base.http_json import HttpJson, HttpSourceOptions
from dqmon.ingestion.base.json_fields import mapping, text

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from pydantic import BaseModel

    from dqmon.core.plain import Json
    from dqmon.core.protocols import Warehouse

_FAILED = "FAILED"
_MEANINGS = {
    "RUNNING": LoadStatus.RUNNING,
    "PAUSED": LoadStatus.SKIPPED,
    "STOPPED": LoadStatus.SKIPPED,
    "UNASSIGNED": LoadStatus.QUEUED,
    "RESTARTING": LoadStatus.QUEUED,
}
_PAUSED = ("PAUSED", "STOPPED")


class KafkaConnectOptions(HttpSourceOptions):
    """Options of the source kafka_connect. user, password: for basic authentication, if the workers ask for it.

    connectors: those to watch, each of which must be there; without it all that there are.
    """

    user: str | None = None
    password: SecretStr | None = None
    connectors: tuple[str, ...] = Field(default=(), strict=False)


class KafkaConnect:
    """Connectors of a Kafka Connect cluster, one pipeline each; a load that never ends.

    A connector's own state says little: it is RUNNING while its tasks are dead. It is FAILED here when it or any of its tasks
    is, with the first line of the trace, UNKNOWN when it runs without any task or in a state that is not known, QUEUED while it
    or a task waits for a worker, SKIPPED when somebody paused or stopped it. A connector of `connectors:` that is not there is
    FAILED. The API tells no times, rows or offsets: how far a connector is behind is not seen.

    By `GET /connectors?expand=status` of Kafka 2.3 or later (KIP-465); compiled from the documentation, not run.
    """

    type: ClassVar[str] = "kafka_connect"
    Options: ClassVar[builtins.type[BaseModel]] = KafkaConnectOptions
    provides: ClassVar[frozenset[str]] = frozenset({"failures", "running"})

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        del warehouse
        assert isinstance(options, KafkaConnectOptions)  # noqa: S101 - the configuration made them of this very class
        self.name = name
        self._wanted = options.connectors
        secret = options.password.get_secret_value() if options.password else ""
        credentials = base64.b64encode(f"{options.user or ''}:{secret}".encode()).decode()
        self._http = HttpJson(options, name, {"Authorization": f"Basic {credentials}"} if secret else {}, (secret,) if secret else ())

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """All connectors that are watched, by name, whether or not they are there; a paused or stopped one says so."""
        found = {name: text(mapping(status.get("connector")).get("state")) for name, status in self._statuses().items()}
        return tuple(
            PipelineInfo(self.name, name, is_paused=None if found.get(name) is None else found[name] in _PAUSED)
            for name in sorted(self._wanted or found)
        )

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """How each connector stands, whatever the window: a connector has no end."""
        del since
        statuses = self._statuses()
        return tuple(self._record(name, statuses.get(name), until) for name in sorted(self._wanted or statuses))

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """Nothing: the API tells no offsets."""
        del at
        return ()

    def _statuses(self) -> dict[str, Mapping[str, Json]]:
        """The status of each connector, by name. Raises SourceError."""
        answer = self._http.get("connectors", {"expand": "status"})
        if not isinstance(answer, dict) or not all(isinstance(mapping(one).get("status"), dict) for one in answer.values()):
            raise self._http.error("the answer has no status of connectors; is this Kafka Connect 2.3 or later?")
        return {name: mapping(mapping(one).get("status")) for name, one in answer.items()}

    def _record(self, name: str, found: Mapping[str, Json] | None, until: datetime) -> LoadRecord:
        if found is None:
            error = "there is no such connector: it was deleted, or never made"
            return LoadRecord(self.name, name, name, LoadStatus.FAILED, until, raw_status="missing", error=error)
        connector = mapping(found.get("connector"))
        listed = found.get("tasks")
        tasks = [mapping(task) for task in listed] if isinstance(listed, list) else []
        states = [text(one.get("state")) or "unknown" for one in (connector, *tasks)]
        failed = next((one for one in (connector, *tasks) if one.get("state") == _FAILED), None)
        return LoadRecord(
            source=self.name,
            pipeline=name,
            load_id=name,
            status=_status(states),
            observed_at=until,
            raw_status=_in_words(states),
            error=None if failed is None else (text(failed.get("trace")) or "Kafka Connect tells no trace").splitlines()[0],
        )


def _status(states: list[str]) -> LoadStatus:
    """What the states of a connector, the first one, and of its tasks come to: the worst of them."""
    connector, *tasks = states
    if _FAILED in states:
        return LoadStatus.FAILED
    if connector in _PAUSED:
        return LoadStatus.SKIPPED
    found = {_MEANINGS.get(state, LoadStatus.UNKNOWN) for state in states}
    if LoadStatus.UNKNOWN in found or not tasks:
        return LoadStatus.UNKNOWN
    return LoadStatus.QUEUED if LoadStatus.QUEUED in found else LoadStatus.RUNNING


def _in_words(states: list[str]) -> str:
    connector, *tasks = states
    counts = ", ".join(f"{tasks.count(state)} {state}" for state in sorted(set(tasks)))
    return f"{connector}; tasks: {counts or 'none'}"
