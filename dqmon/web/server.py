"""The endpoint as it runs: uvicorn in a thread of its own, on a socket that is bound before anything else happens."""

from __future__ import annotations

import asyncio
import socket
from threading import Thread
from typing import TYPE_CHECKING

import uvicorn
from anyio.to_thread import current_default_thread_limiter
from uvicorn.protocols.http.h11_impl import H11Protocol

from dqmon.config.endpoints import address
from dqmon.errors import UsageError
from dqmon.telemetry import Log
from dqmon.web.access import Limiter
from dqmon.web.application import application
from dqmon.web.gate import HEAD_LIMIT
from dqmon.web.served import Current

if TYPE_CHECKING:
    from dqmon.web.served import Served

log = Log(__name__)

HEAD_S = 10
"""A connection that has sent no whole request head by then is closed."""
CONNECTIONS = 512
"""Open at once; further ones get 503."""
STORE_THREADS = 4
"""Requests that use the store at once, so that jobs cannot take all connections to it from the daemon."""
DRAIN_S = 5
"""How long requests may take to end once the endpoint stops."""


class Server:
    """Listens at `bind` (HOST:PORT; port 0: any free one) from its making on, and answers from `start` to `stop`.

    Raises UsageError when the address cannot be had. `current.served` may be replaced at any time, by any thread.
    """

    def __init__(self, bind: str, served: Served, limiter: Limiter | None = None) -> None:
        self.current = Current(served)
        self._socket = _listening(bind)
        self._server = uvicorn.Server(
            uvicorn.Config(
                application(self.current, limiter or Limiter()),
                http=_Connection,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                # Who asks is who has connected: a header that says otherwise would evade the limit of requests.
                proxy_headers=False,
                server_header=False,
                limit_concurrency=CONNECTIONS,
                h11_max_incomplete_event_size=HEAD_LIMIT,
                timeout_graceful_shutdown=DRAIN_S,
            )
        )
        self._thread = Thread(target=lambda: asyncio.run(self._serve()), name="dqmon web", daemon=True)
        self.port: int = self._socket.getsockname()[1]

    def start(self) -> None:
        """Begins to answer."""
        self._thread.start()
        host = self._socket.getsockname()[0]
        log.info("web endpoint listens", address=f"[{host}]:{self.port}" if ":" in host else f"{host}:{self.port}")

    def stop(self) -> None:
        """Takes no more requests, and returns when those that run have ended, after DRAIN_S and a little at the latest."""
        self._server.should_exit = True
        self._thread.join(DRAIN_S + 3)
        log.info("web endpoint stopped")

    async def _serve(self) -> None:
        current_default_thread_limiter().total_tokens = STORE_THREADS
        await self._server.serve([self._socket])


def _listening(bind: str) -> socket.socket:
    try:
        host, port = address(bind)
        return socket.create_server((host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=CONNECTIONS)
    except (OSError, ValueError) as e:
        reason = (e.strerror or str(e)).partition(" (")[0] if isinstance(e, OSError) else str(e)
        hint = "end what listens there, or write another bind: under web: in dqmon.yaml"
        raise UsageError(f"web: cannot listen on {bind}: {reason}; {hint}") from e


class _Connection(H11Protocol):
    """uvicorn's, which would wait for ever for the head of a request."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        super().connection_made(transport)
        self._deadline = self.loop.call_later(HEAD_S, self._lapse)

    def connection_lost(self, exc: Exception | None) -> None:
        self._deadline.cancel()
        super().connection_lost(exc)

    def _lapse(self) -> None:
        if self.cycle is None:
            self.transport.close()
