"""`GET /livez` and `GET /readyz`: one word for whoever starts, restarts and routes to the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import PlainTextResponse, Response

from dqmon.errors import StoreError
from dqmon.store import meta

if TYPE_CHECKING:
    from starlette.requests import Request

    from dqmon.store.database import Database
    from dqmon.web.served import Served

STUCK_S = 60.0
"""A daemon whose last tick is longer ago is to be restarted."""


async def livez(request: Request) -> Response:
    """200 while the daemon ticks. It asks nobody, so that an outage elsewhere restarts nothing."""
    served: Served = request.state.served
    is_alive = served.idle_s() < STUCK_S
    return PlainTextResponse("ok" if is_alive else "the daemon has stopped ticking", 200 if is_alive else 503)


async def readyz(request: Request) -> Response:
    """200 when the store can be read; a warehouse is not asked. A daemon that stands by is ready, too."""
    served: Served = request.state.served
    is_ready = await run_in_threadpool(_answers, served.database)
    return PlainTextResponse("ok" if is_ready else "the store cannot be read", 200 if is_ready else 503)


def _answers(database: Database) -> bool:
    try:
        with database.read() as connection:
            meta.revision(connection)
    except StoreError:
        return False
    return True
