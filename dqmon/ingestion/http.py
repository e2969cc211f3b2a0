"""Ingestion source http: loads from any server that lists its runs as JSON, with JSON pointers that say where everything is."""

from __future__ import annotations

import builtins
import json
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, TypeAlias
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, StringConstraints, field_validator, model_validator

from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.core.options import Options, ZoneName
from dqmon.ingestion.base.http_json import HttpJson, HttpSourceOptions
from dqmon.ingestion.base.json_fields import count, in_window, instant, pointed, text
from dqmon.ingestion.base.mapped import said_by

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dqmon.core.plain import Json
    from dqmon.core.protocols import Warehouse

Pointer: TypeAlias = Annotated[str, StringConstraints(pattern=r"^(/([^~/]|~[01])*)*$")]
"""A JSON pointer (RFC 6901): `/status/state`, `/tasks/0/error`; an empty one is the whole."""
Status: TypeAlias = Literal["queued", "running", "succeeded", "partial", "failed", "cancelled", "skipped", "unknown"]
_OPEN = frozenset({LoadStatus.QUEUED, LoadStatus.RUNNING})
_TIMES = frozenset({"started_at", "finished_at", "heartbeat_at", "data_through"})
_COUNTS = frozenset({"rows", "rows_rejected", "attempt"})
_NEEDED = frozenset({"pipeline", "load_id", "status"})
_ALL_TIME = (datetime(1970, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
_EXCERPT = 60


class HttpFields(Options):
    """Where in a record everything is."""

    load_id: Pointer
    status: Pointer
    finished_at: Pointer
    pipeline: Pointer | None = None
    table: Pointer | None = None
    attempt: Pointer | None = None
    started_at: Pointer | None = None
    heartbeat_at: Pointer | None = None
    data_through: Pointer | None = None
    rows: Pointer | None = None
    rows_rejected: Pointer | None = None
    schema_version: Pointer | None = None
    cursor: Pointer | None = None
    error: Pointer | None = None


class HttpOptions(HttpSourceOptions):
    """Options of the source http.

    base_url, path: what is asked. params: its query. headers: sent along, credentials too; each value is a secret. body: what
    is posted as JSON; without one it is a GET. `{since}` and `{until}` in values of params and body become the time in ISO,
    `{since_unix}` and `{until_unix}` whole seconds since 1970.

    records: where the list is in the answer. fields: where in a record everything is, each a JSON pointer: load_id, status and
    finished_at must be told; a check that needs what is not mapped is refused. statuses: what the tool's own words mean.
    pipelines: those that should be there; where records do not name theirs, exactly one. timezone: of times that name none.

    next: where an answer names the next page, as a URL, or as what next_param is to be. page_param: a page's number, from
    first_page on, until an empty page.
    """

    path: str = ""
    params: dict[str, str] = Field(default_factory=dict)
    headers: dict[str, SecretStr] = Field(default_factory=dict)
    body: dict[str, Any] | None = None
    records: Pointer = ""
    fields: HttpFields
    statuses: dict[str, Status] = Field(default_factory=dict)
    pipelines: list[str] = Field(default_factory=list)
    timezone: ZoneName = "UTC"
    next: Pointer | None = None
    next_param: str | None = None
    page_param: str | None = None
    first_page: int = Field(default=1, ge=0, le=1)

    def narrowed(self, provides: frozenset[str]) -> frozenset[str]:
        """What the mapped fields tell."""
        return said_by(self.fields.model_dump(exclude_none=True), provides)

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        if odd := [name for name in value if not re.fullmatch(r"[A-Za-z0-9-]+", name) or name.lower() in ("host", "content-length")]:
            raise ValueError(f"{odd[0]!r} cannot be set as a header")
        return value

    @model_validator(mode="after")
    def _fit_together(self) -> HttpOptions:
        if self.fields.pipeline is None and len(self.pipelines) != 1:
            raise ValueError("set fields.pipeline, where a record names its pipeline, or exactly one name under pipelines")
        if self.next is not None and self.page_param:
            raise ValueError("set next or page_param: there is one way to the next page")
        if self.next_param and self.next is None:
            raise ValueError("next_param needs next, where an answer names what it is to be")
        return self


class Http:
    """Loads that a server lists as JSON, one record a load, for tools without a source of their own.

    A status is what `statuses` says of it, or one of dqmon's own words; any other one is UNKNOWN, never a success. What is
    absent or null is "cannot say". Of loads that have ended those with `finished_at` in the window count; queued and running
    ones have no end, whatever the tool foresees, and are told each time: let the server list them, too.

    A record that cannot be read (no id, a count of -1, a time that is none) fails the source as a whole, with its place: a
    load that is left out would look like one that never ran.

    Run against servers of our own that answer with pages, redirects, faults and too much; against no vendor's.
    """

    type: ClassVar[str] = "http"
    Options: ClassVar[builtins.type[BaseModel]] = HttpOptions
    provides: ClassVar[frozenset[str]] = frozenset(
        {"success", "failures", "running", "duration", "rows", "schema", "cursor", "rejects", "heartbeat"}
    )

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        del warehouse
        assert isinstance(options, HttpOptions)  # noqa: S101 - the configuration made them of this very class
        self.name = name
        self._options = options
        self._pointers: dict[str, str] = options.fields.model_dump(exclude_none=True)
        self._zone: tzinfo = ZoneInfo(options.timezone)
        own = {status.value: status for status in LoadStatus}
        self._statuses = own | {_folded(word): LoadStatus(meaning) for word, meaning in options.statuses.items()}
        self._http = HttpJson(options, name, {key: value.get_secret_value() for key, value in options.headers.items()})

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """The declared ones; where none is, all that the server names when it is asked for all time. By name."""
        names = set(self._options.pipelines) or {self._needed(place, one, "pipeline") for place, one in self._listed(*_ALL_TIME)}
        return tuple(PipelineInfo(self.name, name) for name in sorted(names))

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """Loads that ended in [since, until), and those without an end that began before `until`; oldest first."""
        return in_window((self._record(place, one, until) for place, one in self._listed(since, until)), since, until)

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """Nothing: the server lists loads."""
        del at
        return ()

    def _listed(self, since: datetime, until: datetime) -> Iterator[tuple[str, Json]]:
        """The records of all pages, each with where it stands."""
        given = self._options
        times = {"since": since, "until": until}
        values = {name: _iso(at) for name, at in times.items()} | {f"{name}_unix": str(int(at.timestamp())) for name, at in times.items()}
        params, body, path = _filled(given.params, values), _filled(given.body, values), given.path
        seen = set()
        for number in self._http.pages():
            if given.page_param:
                (params if body is None else body)[given.page_param] = number + given.first_page
            answer = self._http.get(path, params) if body is None else self._http.post(path, body)
            records = self._http.listed({given.records: pointed(answer, given.records)}, given.records)
            yield from ((f"record {index} of page {number + 1}", one) for index, one in enumerate(records, 1))
            following = text(pointed(answer, given.next)) if given.next is not None else None
            if not records or not (following or given.page_param):
                return
            if following and following in seen:
                raise self._http.error("a page names a next one that was read before")
            seen.add(following)
            if following and given.next_param:
                (params if body is None else body)[given.next_param] = following
            elif following:
                path, params = urljoin(f"{given.base_url.rstrip('/')}/{given.path.lstrip('/')}", following), {}

    def _record(self, place: str, one: Json, until: datetime) -> LoadRecord:
        word = pointed(one, self._pointers["status"])
        raw_status = text(str(word).lower() if isinstance(word, bool) else word)
        status = self._statuses.get(_folded(raw_status or ""), LoadStatus.UNKNOWN)
        fields = {name: self._value(place, one, name) for name in self._pointers if name not in _NEEDED}
        fields = {name: value for name, value in fields.items() if value is not None}
        started, finished = fields.get("started_at"), fields.get("finished_at")
        if status in _OPEN:
            fields["finished_at"] = None  # an end that a tool foresees, or when it last looked, is none
        elif started and finished and started > finished:
            fields["started_at"] = None  # of two clocks: how long it took cannot be said
        return LoadRecord(
            source=self.name,
            pipeline=self._needed(place, one, "pipeline") if "pipeline" in self._pointers else self._options.pipelines[0],
            load_id=self._needed(place, one, "load_id"),
            status=status,
            raw_status=raw_status,
            observed_at=until,
            **fields,
        )

    def _value(self, place: str, one: Json, name: str) -> Any:
        """What a LoadRecord holds under that name. Raises SourceError for what is there but is no such thing."""
        raw = pointed(one, self._pointers[name])
        if raw is None or raw == "":
            return None
        if name in _TIMES:
            found: object = instant(raw, self._zone)
        elif name in _COUNTS:
            found = count(raw)
        else:
            found = text(json.dumps(raw) if isinstance(raw, dict | list) else raw)
        if found is None:
            expected = "a time" if name in _TIMES else "a count" if name in _COUNTS else "a text"
            raise self._http.error(
                f"{name} of {place}, at {self._pointers[name]!r}, is {json.dumps(raw)[:_EXCERPT]}; {expected} is expected"
            )
        return found

    def _needed(self, place: str, one: Json, name: str) -> str:
        found = text(pointed(one, self._pointers[name]))
        if found is None:
            raise self._http.error(f"{place} has no {name} at {self._pointers[name]!r}")
        return found


def _filled(value: Json, values: Mapping[str, str]) -> Json:
    """A copy, with `{since}` and its like in all texts replaced."""
    if isinstance(value, dict):
        return {key: _filled(inner, values) for key, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, values) for inner in value]
    return re.sub(r"\{(since|until)(_unix)?\}", lambda m: values[m[0][1:-1]], value) if isinstance(value, str) else value


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _folded(word: str) -> str:
    return word.strip().casefold()
