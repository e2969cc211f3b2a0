"""`GET /incidents/ID/chart.png`: the course of an incident's values as a picture, for services that show pictures by their address."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from dqmon.engine.incidents.incident_page import incident_page
from dqmon.notify.base.chart import png
from dqmon.web.refusal import Refused

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.requests import Request

    from dqmon.engine.environment import Environment
    from dqmon.web.served import Served

_ID = re.compile("[0-9a-z]{1,64}")


async def picture(request: Request) -> Response:
    """A PNG, for whoever has the link of a message to the incident's page. 401 without one, 404 where there is nothing to draw."""
    served: Served = request.state.served
    environment, id_, query = served.environment, request.path_params["incident"], request.query_params
    if environment is None or environment.pages is None or not _ID.fullmatch(id_):
        raise Refused(404, "there is nothing here")
    now = served.clock()
    if not environment.pages.opens(id_, query.get("until", ""), query.get("seal", ""), now):
        raise Refused(401, "the link opens nothing, or its time is over")
    drawn = await run_in_threadpool(_drawn, environment, id_, now)
    if drawn is None:
        raise Refused(404, "there is nothing to draw")
    return Response(drawn, media_type="image/png")


def _drawn(environment: Environment, incident_id: str, now: datetime) -> bytes | None:
    page = incident_page(environment, incident_id, now)
    return png(page.alerts[0]) if page is not None and page.alerts else None
