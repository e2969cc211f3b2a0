"""The application: which path leads where."""

from __future__ import annotations

from asyncio import Semaphore
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.routing import Route

from dqmon.errors import StoreError
from dqmon.telemetry import Log
from dqmon.web import incident, lineage, pagerduty, picture, ping, probes
from dqmon.web.access import Limiter
from dqmon.web.gate import Gate
from dqmon.web.refusal import Refused, answer

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

    from dqmon.web.served import Current

log = Log(__name__)

_SENTENCES = {404: "there is nothing here", 405: "this method is not served here"}


def application(current: Current, limiter: Limiter) -> ASGIApp:
    """The ASGI application on whatever `current` is at each request."""
    routes = [
        Route("/api/v1/ping/{source}/{pipeline:path}", ping.ping, methods=["POST"]),
        Route("/api/v1/lineage", lineage.event, methods=["POST"]),
        Route("/api/v1/lineage/batch", lineage.batch, methods=["POST"]),
        Route("/incidents/{incident}", incident.show, methods=["GET"]),
        Route("/incidents/{incident}", incident.act, methods=["POST"]),
        Route("/incidents/{incident}/chart.png", picture.picture, methods=["GET"]),
        Route("/login", incident.login, methods=["POST"]),
        Route("/page.css", incident.style, methods=["GET"]),
        Route("/api/v1/pagerduty/{channel}", pagerduty.webhook, methods=["POST"]),
        Route("/livez", probes.livez, methods=["GET"]),
        Route("/readyz", probes.readyz, methods=["GET"]),
    ]
    handlers = {Refused: _refused, HTTPException: _http, StoreError: _store, Exception: _failed}
    inner = Starlette(routes=routes, exception_handlers=handlers)
    inner.router.redirect_slashes = False
    inner.state.bodies = Semaphore(lineage.BODIES)
    return Gate(inner, current, limiter)


async def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)  # noqa: S101 - Starlette calls it for nothing else
    log.info("request refused", status=error.status, path=request.url.path, reason=error.sentence)
    return answer(error)


async def _http(request: Request, error: Exception) -> Response:
    del request
    assert isinstance(error, HTTPException)  # noqa: S101 - as above
    return answer(Refused(error.status_code, _SENTENCES.get(error.status_code, "the request is not understood"), error.headers))


async def _store(request: Request, error: Exception) -> Response:
    """Nothing was kept, so that the sender should come again."""
    log.error("the store did not take what was told", path=request.url.path, error=str(error))
    return answer(Refused(503, "dqmon's store cannot be used just now; send it again", {"Retry-After": "5"}))


async def _failed(request: Request, error: Exception) -> Response:
    """The gate logs it."""
    del request, error
    return answer(Refused(500, "the request failed; dqmon's log says why"))
