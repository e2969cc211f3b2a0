"""What every request passes first: the address that it names, how many there were, and that no error ever shows its inside."""

from __future__ import annotations

import asyncio
import re
from contextlib import suppress
from typing import TYPE_CHECKING

from starlette.datastructures import Headers

from dqmon.telemetry import Log
from dqmon.web.refusal import Refused, answer
from dqmon.web.served import LOOPBACK

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from dqmon.web.access import Limiter
    from dqmon.web.served import Current, Served

log = Log(__name__)

OPEN_PATHS = ("/livez", "/readyz")
"""Kubernetes asks by the pod's address, which nobody knows beforehand; there is nothing to be had there."""
LINGER_S = 2.0
"""How long a body that nobody wants is read and thrown away after the answer, so that the sender comes to read that one."""
HEAD_LIMIT = 16_384
"""Bytes of a request's headers."""
_BAD = 400
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(:[0-9]{1,5})?")


class Gate:
    """Wraps the application. Each request sees one `Served` from its begin to its end, and each connection serves one request,
    so that none can be held open for nothing.
    """

    def __init__(self, app: ASGIApp, current: Current, limiter: Limiter) -> None:
        self._app = app
        self._current = current
        self._limiter = limiter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            return
        served = self._current.served
        scope.setdefault("state", {})["served"] = served
        exchange = _Exchange(receive, send)
        refused = self._refused(scope, served)
        if refused is not None:
            await answer(refused)(scope, exchange.receive, exchange.send)
        else:
            try:
                await self._app(scope, exchange.receive, exchange.send)
            except Exception as e:  # noqa: BLE001 - the top of one request: it is logged, and its inside is shown to nobody
                log.error("a request failed", path=scope["path"], error=f"{type(e).__name__}: {e}")
        await exchange.finish()

    def _refused(self, scope: Scope, served: Served) -> Refused | None:
        client = scope.get("client")
        if not self._limiter.allows(client[0] if client else ""):
            return Refused(429, "there were too many requests; come again in a second", {"Retry-After": "1"})
        headers = Headers(scope=scope)
        if sum(len(name) + len(value) for name, value in headers.raw) > HEAD_LIMIT:
            return Refused(431, f"the request's headers are longer than {HEAD_LIMIT // 1024} KB")
        if "content-length" in headers and "transfer-encoding" in headers:
            return Refused(400, "the request has a length and is in chunks; which one is meant nobody can tell")
        if scope["path"] not in OPEN_PATHS and not names_host(headers, served.hosts):
            return Refused(421, "this host is not served here; list it under allow_hosts: of web: in dqmon.yaml")
        return None


def names_host(headers: Headers, allowed: frozenset[str]) -> bool:
    """True when the request names exactly one host, which is this machine or one of `allowed`; ports do not matter.

    A page of another site that makes a browser call a name of its own, rebound to this address, is kept out by that.
    """
    found = headers.getlist("host")
    match = _HOST.fullmatch(found[0].lower()) if len(found) == 1 else None
    return match is not None and (match[1] in LOOPBACK or match[1] in allowed)


class _Exchange:
    """One request and its answer, which ends the connection. The last part of a refusal waits until the rest of the body is gone."""

    def __init__(self, receive: Receive, send: Send) -> None:
        self._receive = receive
        self._send = send
        self._is_refusal = False
        self._is_read = False
        self._last: Message | None = None

    async def receive(self) -> Message:
        """The next part of the body."""
        message = await self._receive()
        self._is_read = self._is_read or not message.get("more_body")
        return message

    async def send(self, message: Message) -> None:
        """The next part of the answer."""
        if message["type"] == "http.response.start":
            self._is_refusal = message["status"] >= _BAD
            own = [(b"connection", b"close"), (b"cache-control", b"no-store"), (b"x-content-type-options", b"nosniff")]
            message = {**message, "headers": [*message.get("headers", ()), *own]}
        elif self._is_refusal and not self._is_read and not message.get("more_body"):
            self._last = {"type": "http.response.body", "body": b""}
            message = {**message, "more_body": True}
        await self._send(message)

    async def finish(self) -> None:
        """Sends what was held back."""
        if self._last is None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(LINGER_S):
                while not self._is_read:
                    await self.receive()
        await self._send(self._last)
