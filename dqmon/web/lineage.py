"""`POST /api/v1/lineage` and `/api/v1/lineage/batch`: OpenLineage events (https://openlineage.io/apidocs/openapi)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse, Response

from dqmon.engine.polling.received import keep_events
from dqmon.web import body
from dqmon.web.access import authorized
from dqmon.web.refusal import Refused

if TYPE_CHECKING:
    from asyncio import Semaphore

    from starlette.requests import Request

    from dqmon.core.plain import Json
    from dqmon.ingestion.openlineage import Openlineage
    from dqmon.web.served import Served

BODY_LIMIT = 1_048_576
BODIES = 16
"""Bodies that are in memory at once; further ones wait."""
EVENTS_LIMIT = 1_000
"""Events of one batch."""


async def event(request: Request) -> Response:
    """Keeps one event: 200 without a body; 400 with the reason."""
    (reason,) = await _keep(request, is_batch=False)
    if reason is not None:
        raise Refused(400, reason)
    return Response()


async def batch(request: Request) -> Response:
    """Keeps the events of a list, each by itself; which were refused, and why, stands in the answer, as the specification has it."""
    reasons = await _keep(request, is_batch=True)
    failed = [{"index": index, "reason": reason, "retriable": False} for index, reason in enumerate(reasons) if reason is not None]
    summary = {"received": len(reasons), "successful": len(reasons) - len(failed), "failed": len(failed)}
    more = {"retriable": 0, "non_retriable": len(failed)}
    return JSONResponse({"status": "partial_success" if failed else "success", "summary": summary | more, "failed_events": failed})


async def _keep(request: Request, *, is_batch: bool) -> tuple[str | None, ...]:
    """Why each event was refused, None where it was not. The token tells which source they are of."""
    served: Served = request.state.served
    source = authorized(request, served.openlineages.values())
    bodies: Semaphore = request.app.state.bodies
    async with bodies:
        return await _read(request, served, source, is_batch=is_batch)


async def _read(request: Request, served: Served, source: Openlineage, *, is_batch: bool) -> tuple[str | None, ...]:
    content = await body.read(request, BODY_LIMIT)

    def keep() -> tuple[str | None, ...]:
        found: Json = body.read_json(content)
        if is_batch and not isinstance(found, list):
            raise Refused(400, "a list of events is expected; a single one goes to /api/v1/lineage")
        events = found if is_batch else [found]
        if len(events) > EVENTS_LIMIT:
            raise Refused(413, f"the batch has {len(events):,} events; {EVENTS_LIMIT:,} are taken at most")
        return keep_events(served.database, events, source.names(served.resolve), served.clock())

    return await run_in_threadpool(keep)
