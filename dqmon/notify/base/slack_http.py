"""slack_sdk's clients behind dqmon's own policy for outgoing requests.

The SDK forms and reads the requests; one of its methods is replaced, the one that opens the URL, because urllib follows
redirects, obeys proxy variables, connects to any address, and repeats a post when the server drops the connection after
taking it (measured, section (b) of the design). tests/contract/test_channels.py fails should the SDK rename it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqmon.notify.base.quiet import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable
    from urllib.request import Request

    from slack_sdk.web import WebClient
    from slack_sdk.webhook import WebhookClient

    from dqmon.core.plain import Json
    from dqmon.net import Answer, Outgoing


def web_client(token: str, base_url: str, outgoing: Outgoing, check: Callable[[Answer], None]) -> WebClient:
    """A WebClient that sends each request once; `check` raises a NotifyError unless the answer is a good one."""
    from slack_sdk.web import WebClient

    class Client(WebClient):
        def _perform_urllib_http_request_internal(self, url: str, req: Request) -> dict[str, Json]:
            answer = outgoing.post(url, _body(req), dict(req.header_items()))
            check(answer)
            return {"status": 200, "headers": answer.headers, "body": answer.text}  # the SDK knows no other 2xx

    return Client(token, base_url, retry_handlers=[], logger=SILENT)


def webhook_client(url: str, outgoing: Outgoing, check: Callable[[Answer], None]) -> WebhookClient:
    """A WebhookClient that sends each request once; `check` as above."""
    from slack_sdk.webhook import WebhookClient, WebhookResponse

    class Client(WebhookClient):
        def _perform_http_request_internal(self, url: str, req: Request) -> WebhookResponse:
            answer = outgoing.post(url, _body(req), dict(req.header_items()))
            check(answer)
            return WebhookResponse(url="", status_code=answer.status, body=answer.text, headers=dict(answer.headers))

    return Client(url, retry_handlers=[], logger=SILENT)


def _body(request: Request) -> bytes:
    return request.data if isinstance(request.data, bytes) else b""
