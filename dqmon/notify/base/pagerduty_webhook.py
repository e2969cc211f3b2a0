"""PagerDuty's V3 webhooks: whether it has signed one, and what one says. Pure.

https://developer.pagerduty.com/docs/verifying-webhook-signatures and https://developer.pagerduty.com/docs/webhooks-overview
"""

from __future__ import annotations

import hashlib
import hmac
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from dqmon.core.page_event import PageAct, PageEvent
from dqmon.notify.base.text import clean

if TYPE_CHECKING:
    from dqmon.core.plain import Json

_ACTS = {
    "incident.acknowledged": PageAct.ACKNOWLEDGED,
    "incident.unacknowledged": PageAct.TAKEN_BACK,
    "incident.resolved": PageAct.RESOLVED,
}
_SIGNATURES = 10
"""While a secret is replaced there are two; more than these are not looked at."""


def is_signed(body: bytes, header: str, secret: str) -> bool:
    """True when one of the header's signatures (`v1=HEX,v1=HEX`) is the body's by that secret. Takes the same time for any wrong one."""
    wanted = f"v1={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}".encode()
    given = [part.strip().encode("utf-8", "replace") for part in header.split(",", _SIGNATURES)[:_SIGNATURES]]
    found = [hmac.compare_digest(one, wanted) for one in given]
    return any(found)


def page_event(channel: str, data: Json) -> PageEvent | None:
    """What a body says of an incident; None for what dqmon has no use for.

    Only what a person resolves counts: PagerDuty also tells of what dqmon itself, or a time-out, has resolved. ValueError for a body
    that is none of PagerDuty's.
    """
    event = data.get("event") if isinstance(data, dict) else None
    if not isinstance(event, dict) or not isinstance(event.get("event_type"), str):
        raise ValueError("event.event_type is missing")  # noqa: TRY004 - what a sender wrote, as all else here
    act = _ACTS.get(event["event_type"])
    if act is None:
        return None
    agent, incident = event.get("agent"), event.get("data")
    key = incident.get("incident_key") if isinstance(incident, dict) else None
    if not isinstance(key, str) or not isinstance(event.get("id"), str) or not isinstance(event.get("occurred_at"), str):
        raise ValueError("event.id, event.occurred_at or event.data.incident_key is missing")  # noqa: TRY004 - as above
    at = datetime.fromisoformat(event["occurred_at"])
    is_person = isinstance(agent, dict) and agent.get("type") == "user_reference"
    if act is PageAct.RESOLVED and not is_person:
        return None
    name = clean(str(agent.get("summary") or ""), 100) if isinstance(agent, dict) else ""
    by = f"{name or 'somebody'} (PagerDuty)"
    return PageEvent(clean(event["id"], 100), channel, key, act, by, at if at.tzinfo else at.replace(tzinfo=UTC))
