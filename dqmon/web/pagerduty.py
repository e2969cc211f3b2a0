"""`POST /api/v1/pagerduty/CHANNEL`: what somebody did with a page, in a webhook that PagerDuty has signed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool
from starlette.responses import JSONResponse

from dqmon.web import body
from dqmon.web.refusal import Refused

if TYPE_CHECKING:
    from starlette.requests import Request

    from dqmon.web.served import Served

BODY_LIMIT = 65_536
SIGNATURE = "x-pagerduty-signature"
_NOBODY = "the channel does not exist, has no webhook_secret, or did not sign this"


async def webhook(request: Request) -> JSONResponse:
    """202 with what became of it, also for events that mean nothing here; 401, in the same words whatever is wrong, unless signed."""
    served: Served = request.state.served
    content = await body.read(request, BODY_LIMIT)
    channel = served.pagers.get(request.path_params["channel"])
    if channel is None or not channel.has_signed(content, ",".join(request.headers.getlist(SIGNATURE))):
        raise Refused(401, _NOBODY)
    try:
        event = channel.page_event(body.read_json(content))
    except ValueError as e:
        raise Refused(400, f"this is no webhook of PagerDuty: {str(e)[:100]}") from None
    if event is None:
        return JSONResponse({"status": "ignored: dqmon has no use for it"}, 202)
    return JSONResponse({"status": await run_in_threadpool(served.paged, event)}, 202)
