"""Who may tell what: bearer tokens of sources, and how many requests a client may send."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeVar

from dqmon.core.protocols import Told
from dqmon.web.refusal import Refused

if TYPE_CHECKING:
    from starlette.requests import Request

BURST = 300
"""Requests that a client may send at once: all cron jobs of a machine start in the same second."""
PER_SECOND = 50.0
_CLIENTS = 4_096
"""Addresses that are remembered; beyond, the one that was heard of least recently is forgotten."""
_LONGEST_TOKEN = 4_096
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="dqmon"'}
"""RFC 9110 asks for it beside 401."""


Source = TypeVar("Source", bound=Told)


def authorized(request: Request, sources: Iterable[Source]) -> Source:
    """The source whose token the request carries. Every one is compared, whichever it is.

    Refused with 401, in the same words for a missing, wrong or misspelt one.
    """
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    is_bearer = kind.lower() == "bearer" and 0 < len(token) <= _LONGEST_TOKEN
    found = [source for source in sources if source.admits(token if is_bearer else "")]
    if not is_bearer or not found:
        raise Refused(401, "send the token of a source that is told here: Authorization: Bearer TOKEN", _CHALLENGE)
    return found[0]


class Limiter:
    """Token buckets by client: BURST requests at once, PER_SECOND from then on. `clock` is in seconds and only goes forward."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allows(self, client: str) -> bool:
        """Counts one request; False when there were too many."""
        now = self._clock()
        left, at = self._buckets.pop(client, (float(BURST), now))
        left = min(float(BURST), left + (now - at) * PER_SECOND)
        is_allowed = left >= 1
        self._buckets[client] = (left - is_allowed, now)
        if len(self._buckets) > _CLIENTS:
            self._buckets.popitem(last=False)
        return is_allowed
