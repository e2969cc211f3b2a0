"""`POST /api/v1/ping/SOURCE/PIPELINE`: a job says that it has started, succeeded or failed."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Literal, get_args

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from dqmon.engine.polling.received import keep_ping
from dqmon.ingestion.base.json_fields import count, text
from dqmon.ingestion.base.pushed import LONGEST_RUN_ID, named
from dqmon.ingestion.heartbeat import Ping
from dqmon.web import body
from dqmon.web.access import authorized
from dqmon.web.refusal import Refused

if TYPE_CHECKING:
    from starlette.requests import Request

    from dqmon.core.load_record import LoadRecord
    from dqmon.core.plain import Json
    from dqmon.web.served import Served

BODY_LIMIT = 65_536
Status = Literal["start", "success", "fail"]
FIELDS = ("status", "run_id", "rows", "rows_rejected", "cursor", "error", "duration_s")
_LONGEST_RUN_S = 366 * 86_400


async def ping(request: Request) -> JSONResponse:
    """Keeps one run's word. 404: no pipeline of this name for this token, whether or not other sources have one."""
    served: Served = request.state.served
    source = authorized(request, served.heartbeats.values())
    name, pipeline = request.path_params["source"], request.path_params["pipeline"]
    if name != source.name or not source.knows(pipeline):
        raise Refused(404, "there is no such pipeline for this token; declare it under pipelines: of the source")
    given = body.read_form(request.scope["query_string"])
    content = await body.read(request, BODY_LIMIT)

    def keep() -> LoadRecord:
        told = _told(given, content, request.headers.get("content-type", ""))
        return keep_ping(served.database, source, pipeline, told, served.clock())

    kept = await run_in_threadpool(keep)
    return JSONResponse({"pipeline": f"{name}/{pipeline}", "run_id": kept.load_id, "status": kept.status.value})


def _told(query: dict[str, str], content: bytes, content_type: str) -> Ping:
    """What query and body say together. Refused with 400: a field twice, an unknown one, a value that is none."""
    more = _fields(content, content_type)
    if twice := sorted(query.keys() & more.keys()):
        raise Refused(400, f"{twice[0]} is in the query and in the body; send it once")
    given: dict[str, Any] = {key: value for key, value in {**query, **more}.items() if value not in (None, "")}
    if unknown := sorted(given.keys() - set(FIELDS)):
        raise Refused(400, f"unknown field {unknown[0][:40]!r}; there are {', '.join(FIELDS)}")
    status = given.get("status", "success")
    if status not in get_args(Status):
        raise Refused(400, f"status must be {', '.join(get_args(Status))}")
    if "error" in given and status != "fail":
        raise Refused(400, "error goes with status=fail only")
    try:
        run_id = named(given["run_id"], "run_id", LONGEST_RUN_ID) if "run_id" in given else None
    except ValueError as e:
        raise Refused(400, str(e)) from None
    return Ping(
        status,
        run_id,
        rows=_counted(given, "rows"),
        rows_rejected=_counted(given, "rows_rejected"),
        cursor=_text(given, "cursor"),
        error=_text(given, "error"),
        duration_s=_duration(given),
    )


def _fields(content: bytes, content_type: str) -> dict[str, Json]:
    """A JSON object, or a form; which of them, the body itself tells, since curl calls anything a form."""
    if not content.strip():
        return {}
    if not content.lstrip().startswith((b"{", b"[")) and "json" not in content_type:
        return dict(body.read_form(content.strip()))
    found = body.read_json(content)
    if not isinstance(found, dict):
        raise Refused(400, "a JSON object is expected")
    return found


def _counted(given: dict[str, Json], key: str) -> int | None:
    found = count(given.get(key))
    if key in given and found is None:
        raise Refused(400, f"{key} must be a whole number, 0 or more")
    return found


def _text(given: dict[str, Json], key: str) -> str | None:
    found = text(given.get(key))
    if key in given and found is None:
        raise Refused(400, f"{key} must be a text")
    return found


def _duration(given: dict[str, Json]) -> float | None:
    """Seconds that the run took; None where nothing is said."""
    value = given.get("duration_s")
    if value is None:
        return None
    try:
        seconds = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError, OverflowError):
        seconds = math.nan
    if not 0 <= seconds <= _LONGEST_RUN_S:
        raise Refused(400, "duration_s must be a number of seconds, from 0 to a year")
    return seconds
