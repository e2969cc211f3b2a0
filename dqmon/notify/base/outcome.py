"""One table: what each HTTP status of a vendor means for a message."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dqmon.errors import OutcomeUnknown, Permanent, Transient
from dqmon.net import Answer, Blocked, Broken, NetError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dqmon.errors import NotifyError

# 2xx is success for Slack and PagerDuty; 3xx is a wrong URL, since neither redirects; 4xx but these is a message or a key
# that will never be taken; 5xx is worth another try. docs.slack.dev/apis/web-api/rate-limits and
# PagerDuty/developer-docs docs/events-API-v2/01-Overview.md ("Response codes & retry logic").
RETRIED = frozenset({408, 425, 429})
# A gateway gave up waiting: what stands behind it may have taken the message all the same (RFC 9110, 15.6.3 and 15.6.5).
UNCERTAIN = frozenset({502, 504})
DETAIL_LIMIT = 300


def problem(answer: Answer, detail: str = "") -> NotifyError | None:
    """None when the status says that the message was taken, else the error to raise; `detail` is the vendor's reason."""
    status = answer.status
    text = f"HTTP {status}" + (f": {detail[:DETAIL_LIMIT]}" if detail else "")
    if 200 <= status < 300:  # noqa: PLR2004 - the class of success
        return None
    if status in UNCERTAIN:
        return OutcomeUnknown(text)
    if status in RETRIED or status >= 500:  # noqa: PLR2004 - the class of server errors
        return Transient(text, retry_after(answer))
    return Permanent(text)


def broken(error: NetError) -> NotifyError:
    """The error for a request that has no answer."""
    if isinstance(error, Blocked):
        return Permanent(str(error))
    if isinstance(error, Broken):
        return OutcomeUnknown(str(error))
    return Transient(str(error))


def retry_after(answer: Answer) -> float | None:
    """Seconds that the vendor asks to wait; None when it does not say (both send seconds, never a date)."""
    text = answer.headers.get("retry-after", "").strip()
    return float(text) if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,6})?", text) else None


def redacted(text: str, secrets: Iterable[str]) -> str:
    """`text` without control characters and without any of the secrets, also where a vendor echoes one."""
    for secret in secrets:
        text = text.replace(secret, "***") if secret else text
    return "".join(c if c.isprintable() else " " for c in text)
