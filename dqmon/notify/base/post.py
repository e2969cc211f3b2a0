"""One POST to a vendor: by the policy for outgoing requests, by the one table of outcomes, without secrets in any error."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from dqmon.errors import NotifyError, Transient
from dqmon.net import Answer, NetError, Outgoing
from dqmon.notify.base.outcome import DETAIL_LIMIT, broken, problem, redacted

if TYPE_CHECKING:
    from dqmon.core.options import ChannelOptions


@dataclass(frozen=True, slots=True)
class Request:
    """A body of JSON (unless `headers` say otherwise) and where it goes."""

    url: str
    body: bytes
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Post:
    """Sends requests of one channel. `secrets` appear in no error, also where a vendor echoes one."""

    outgoing: Outgoing
    secrets: tuple[str, ...]

    def send(self, request: Request, check: Callable[[Answer], NotifyError | None] | None = None) -> Answer:
        """The answer of a request that was taken. Raises Transient, Permanent or OutcomeUnknown.

        check: what is wrong with an answer, where a vendor says more than its status.
        """
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "dqmon", **request.headers}
        try:
            answer = self.outgoing.post(request.url, request.body, headers)
        except NetError as e:
            error: NotifyError | None = broken(e)
        else:
            error = check(answer) if check else problem(answer, answer.text[:DETAIL_LIMIT])
            if error is None:
                return answer
        assert error is not None  # noqa: S101 - both branches say so
        raise without_secrets(error, self.secrets) from None


def post_for(options: ChannelOptions, *secrets: str) -> Post:
    """The way out of a channel with these options."""
    return Post(Outgoing(options.timeout, options.verify, options.allow_private_addresses), secrets)


def url_secrets(url: str) -> tuple[str, ...]:
    """What of a URL that holds a key may stand in no text: all of it, and what comes after the host."""
    parts = urlsplit(url)
    rest = urlunsplit(("", "", parts.path, parts.query, ""))
    return (url, *([rest] if len(rest) > 1 else []))


def without_secrets(error: NotifyError, secrets: Iterable[str]) -> NotifyError:
    """The same error without any of the secrets in its text."""
    text = redacted(str(error), secrets)
    return Transient(text, error.retry_after_s) if isinstance(error, Transient) else type(error)(text)


def at_server(url: str, base_url: str | None) -> str:
    """`url` with the server of `base_url` in place of its own; `url` itself without one."""
    if not base_url:
        return url
    parts = urlsplit(url)
    return base_url.rstrip("/") + urlunsplit(("", "", parts.path, parts.query, ""))
