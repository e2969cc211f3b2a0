"""A message in PagerDuty's words (Events API v2): events of incidents, and change events; pure.

PagerDuty/developer-docs docs/events-API-v2/02-Trigger-Events.md and 03-Send-Change-Events.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from dqmon.alerts.wording import affected_text
from dqmon.core.message import DeliveryKind
from dqmon.notify.base.story import also_text
from dqmon.notify.base.text import bare_title, clean, link, named_links, utc

if TYPE_CHECKING:
    from dqmon.core.message import AlertFacts, Message
    from dqmon.core.plain import Json

SUMMARY_LIMIT = 1_024
DEDUP_KEY_LIMIT = 255
SQL_LIMIT = 1_500
_VALUE_LIMIT = 1_000
_LINE_LIMIT = 300
_LINES = 20
_ACTIONS = {DeliveryKind.ACKNOWLEDGE: "acknowledge", DeliveryKind.RESOLVE: "resolve"}


def event(message: Message) -> Json:
    """The event but for the routing key. An acknowledge or resolve is about its dedup_key; the rest is for people."""
    root = message.alerts[0]
    found: dict[str, Json] = {
        "event_action": _ACTIONS.get(message.kind, "trigger"),
        "dedup_key": clean(message.dedup_key, DEDUP_KEY_LIMIT),
        "client": "dqmon",
        "payload": {
            "summary": clean(f"{bare_title(message)} [{message.instance}]", SUMMARY_LIMIT),
            "source": clean(root.subject, _LINE_LIMIT) or "dqmon",
            "severity": message.severity.value,
            "timestamp": message.opened_at.isoformat(),
            "component": clean(root.subject, _LINE_LIMIT),
            "group": clean(root.owner or message.instance, _LINE_LIMIT),
            "class": clean(root.type, _LINE_LIMIT),
            "custom_details": _details(message, root),
        },
        "links": _links(message),
    }
    if (page := message.links.get("incident")) and (url := link(page)):
        found["client_url"] = url
        found |= _images(url, root)
    return found


def change(message: Message) -> Json:
    """A change event but for the routing key: shown beside the service's incidents, pages nobody."""
    root = message.alerts[0]
    details = {"changes": _lines(message.changes), "owner": root.owner or "nobody", "check": root.check_id, "run_id": root.run_id}
    return {
        "payload": {
            "summary": clean(f"{bare_title(message)} [{message.instance}]", SUMMARY_LIMIT),
            "source": clean(root.subject, _LINE_LIMIT) or "dqmon",
            "timestamp": message.at.isoformat(),
            "custom_details": {key: clean(value, _VALUE_LIMIT) if isinstance(value, str) else value for key, value in details.items()},
        },
        "links": _links(message),
    }


def _details(message: Message, root: AlertFacts) -> dict[str, Json]:
    """What the on-call reads below the summary; the first keys answer: how bad, since when, whose, what first."""
    texts = {
        "observed": root.observed,
        "expected": root.expected,
        "since": utc(root.since),
        "bad_outcomes_in_a_row": str(root.outcomes_in_a_row) if root.outcomes_in_a_row else "",
        "last_good": root.last_good or "never seen",
        "owner": root.owner or "nobody",
        "runbook": named_links(message).get("Runbook", "none declared"),
        "first_step": root.first_step,
        "reason": root.reason,
        "caused_by": root.caused_by or "",
        "description": root.description or "",
        "check": root.check_id,
        "declared_at": root.declared_at,
        "run_id": root.run_id,
        "incident": message.incident_id,
        "acknowledged_by": message.acknowledged_by or "",
    }
    details: dict[str, Json] = {key: text for key, value in texts.items() if (text := clean(value, _VALUE_LIMIT))}
    if root.sql:
        details["reproduce"] = clean(root.sql, SQL_LIMIT, keep_lines=True)
    lists = {
        "where": _lines(root.members),
        "also": _lines(tuple(map(also_text, message.alerts[1:])), message.more),
        "affected": _lines(tuple(map(affected_text, message.affected)), message.affected_more),
        "changes": _lines(message.changes),
    }
    return details | {key: lines for key, lines in lists.items() if lines}


def _lines(items: tuple[str, ...], more: int = 0) -> list[str]:
    hidden = more + max(0, len(items) - _LINES)
    return [clean(item, _LINE_LIMIT) for item in items[:_LINES]] + ([f"and {hidden} more"] if hidden else [])


def _links(message: Message) -> list[Json]:
    named = list(named_links(message).items())[:10]
    return [{"href": url, "text": clean(label, 100)} for label, target in named if (url := link(target))]


def _images(page: str, root: AlertFacts) -> dict[str, Json]:
    """The chart of the incident's page, where the page can be opened by its link; PagerDuty shows pictures of https alone."""
    parts = urlsplit(page)
    if parts.scheme != "https" or not parts.query or len(root.series) < 2:  # noqa: PLR2004 - one value has no course
        return {}
    src = urlunsplit(parts._replace(path=f"{parts.path}/chart.png"))
    return {"images": [{"src": src, "href": page, "alt": clean(f"the last values of {root.check_id}", _LINE_LIMIT)}]}
