"""A message as the event JSON of webhooks (output contract, schema_version 1). Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING

from dqmon.alerts.wording import affected_text
from dqmon.core.message import Affected, DeliveryKind
from dqmon.core.plain import plain
from dqmon.notify.base.text import clean, named_links

if TYPE_CHECKING:
    from dqmon.core.message import AlertFacts, Message
    from dqmon.core.plain import Json

EVENTS = {
    DeliveryKind.TRIGGER: "firing",
    DeliveryKind.REPEAT: "firing",
    DeliveryKind.UPDATE: "changed",
    DeliveryKind.ACKNOWLEDGE: "acknowledged",
    DeliveryKind.RESOLVE: "resolved",
}
"""A repeat says `firing` again: the same incident still does."""
TEXT_LIMIT = 500
SQL_LIMIT = 1_500
LISTED = 10


def event(message: Message) -> Json:
    """The event but for its `event_id`, which is the delivery's.

    Texts are cut at TEXT_LIMIT characters and have no control characters, lists at LISTED items, so that an event stays under
    1 MB whatever the values; instants are ISO 8601 in UTC.
    """
    return {
        "schema_version": 1,
        "event": EVENTS[message.kind],
        "incident": _incident(message),
        "alerts": [_alert(alert) for alert in message.alerts[:LISTED]],
    }


def event_text(payload: Json) -> str:
    """An event as a person reads it."""
    incident = payload["incident"]
    lines = [f"{payload['event'].upper()} {incident['severity']}: {incident['title']}"]
    for alert in payload["alerts"]:
        lines += _alert_lines(alert)
    lines += [f"changed: {text}" for text in incident["changes"]]
    lines += [f"affected: {affected_text(_item(item))}" for item in incident["affected"]]
    lines += [
        f"and {incident[key]} {what}" for key, what in (("more_affected", "more affected"), ("more_alerts", "more alerts")) if incident[key]
    ]
    lines += [f"{label}: {url}" for label, url in incident["links"].items() if label != "Runbook"]
    lines += [f"acknowledged by: {incident['acknowledged_by']}"] if incident["acknowledged_by"] else []
    return "\n".join(
        [*lines, f"runbook: {incident['runbook'] or 'none declared'}", f"incident: {incident['id']} of {incident['instance']}"]
    )


def _alert_lines(alert: Json) -> list[str]:
    result = alert["result"]
    told = {
        "alert": f"{alert['severity']} {alert['headline']}",
        "observed": alert["observed"],
        "expected": result["expected"]["text"],
        "since": alert["since"],
        "reason": result["reason"],
        "caused by": result["caused_by"],
        "owner": result["owner"] or "nobody",
        "last good": alert["last_good"] or "never seen",
        "first step": alert["first_step"],
        "where": ", ".join(alert["members"]),
        "source": ":".join(str(part) for part in result["source"].values() if part is not None),
        "sql": "\n".join(result["sql"]),
    }
    return [f"{label}: {text}" for label, text in told.items() if text]


def _incident(message: Message) -> Json:
    links = {clean(label, 100): clean(url, 2_000) for label, url in list(named_links(message).items())[:LISTED]}
    return {
        "id": _text(message.incident_id),
        "group_id": _text(message.group_id),
        "dedup_key": _text(message.dedup_key),
        "instance": _text(message.instance),
        "severity": message.severity.value,
        "title": _text(message.title),
        "opened_at": plain(message.opened_at),
        "at": plain(message.at),
        "acknowledged_by": _text(message.acknowledged_by),
        "resolved_after_s": message.resolved_after_s,
        "changes": _texts(message.changes),
        "more_alerts": message.more + max(0, len(message.alerts) - LISTED),
        "affected": [_affected(item) for item in message.affected[:LISTED]],
        "more_affected": message.affected_more + max(0, len(message.affected) - LISTED),
        "runbook": _text(message.alerts[0].runbook),
        "links": links,
    }


def _alert(alert: AlertFacts) -> Json:
    """What is told of one alert; `result` has those keys of a result's item that a message knows."""
    path, line = _place(alert.declared_at)
    return {
        "check_id": _text(alert.check_id),
        "kind": _text(alert.kind),
        "state": _text(alert.state),
        "severity": alert.severity.value,
        "headline": _text(alert.headline),
        "since": plain(alert.since),
        "resolved_at": plain(alert.resolved_at),
        "outcomes_in_a_row": alert.outcomes_in_a_row,
        "observed": _text(alert.observed),
        "last_good": _text(alert.last_good),
        "members": _texts(alert.members),
        "members_left": _texts(alert.members_left),
        "recent": list(alert.recent),
        "description": _text(alert.description),
        "first_step": _text(alert.first_step),
        "run_id": _text(alert.run_id),
        "result": {
            "check_id": _text(alert.check_id),
            "type": _text(alert.type),
            "severity": alert.severity.value,
            "expected": {"text": _text(alert.expected)},
            "reason": _text(alert.reason),
            "owner": _text(alert.owner),
            "runbook": _text(alert.runbook),
            "caused_by": _text(alert.caused_by),
            "source": {"path": path, "line": line},
            "sql": [clean(alert.sql, SQL_LIMIT, keep_lines=True)] if alert.sql else [],
        },
    }


def _affected(item: Affected) -> Json:
    return {
        "name": _text(item.name),
        "kind": _text(item.kind),
        "is_failing": item.is_failing,
        "last_good_at": plain(item.last_good_at),
        "owner": _text(item.owner),
        "url": _text(item.url),
    }


def _item(data: Json) -> Affected:
    at = data["last_good_at"]
    return Affected(**{**data, "last_good_at": datetime.fromisoformat(at) if at else None})


def _place(declared_at: str) -> tuple[str, int | None]:
    """`checks/orders.yml` and 12 of `checks/orders.yml:12`."""
    path, _, line = declared_at.rpartition(":")
    return (clean(path, TEXT_LIMIT), int(line)) if re.fullmatch("[0-9]{1,9}", line) else (clean(declared_at, TEXT_LIMIT), None)


def _text(value: str | None) -> str | None:
    return None if value is None else clean(value, TEXT_LIMIT)


def _texts(values: tuple[str, ...]) -> list[str]:
    return [clean(value, TEXT_LIMIT) for value in values[:LISTED]]
