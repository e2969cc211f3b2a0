"""A message as the event JSON of webhooks (output contract, schema_version 1). Pure."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from dqmon.alerts.wording import affected_text
from dqmon.core.message import Affected, DeliveryKind
from dqmon.core.plain import plain
from dqmon.notify.base.digest_event import digest_event, digest_event_text
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
EVENT_LIMIT = 500_000
"""Bytes of an event: receivers commonly take 512 KiB, and its id is still to come."""
_LINK_LIMIT = 2_000
_ENTRIES = 40
"""Keys of one object; a result has 27."""


@dataclass(frozen=True, slots=True)
class _Room:
    """The place that there is: characters of a text and of a statement, items of a list."""

    text: int
    sql: int
    items: int


# The last one always fits: 3 alerts of some 100 texts of 100 characters, each of 3 bytes at most.
_ROOMS = (_Room(500, 1_500, 10), _Room(500, 0, 10), _Room(150, 0, 10), _Room(100, 0, 3))


def event(message: Message) -> Json:
    """The event but for its `event_id`, which is the delivery's.

    `alerts` has those that are open, the root first, then those that have resolved since the last message; the `result` of each
    is its item of `results[]`. Texts are cut and have no control characters, lists are cut, so that an event stays under
    EVENT_LIMIT whatever the values: the statements go first. Instants are ISO 8601 in UTC.
    """
    if message.kind is DeliveryKind.DIGEST:
        return digest_event(message)
    for room in _ROOMS:
        told = _event(message, room)
        if len(json.dumps(told, ensure_ascii=False).encode()) <= EVENT_LIMIT:
            break
    return told


def _event(message: Message, room: _Room) -> Json:
    alerts = (*message.alerts[: room.items], *message.left[: room.items])
    return {
        "schema_version": 1,
        "event": EVENTS[message.kind],
        "incident": _incident(message, room),
        "alerts": [_alert(alert, room) for alert in alerts],
    }


def event_text(payload: Json) -> str:
    """An event as a person reads it."""
    if payload["event"] == DeliveryKind.DIGEST:
        return digest_event_text(payload)
    incident = payload["incident"]
    lines = [f"{payload['event'].upper()} {incident['severity']}: {incident['title']}"]
    for alert in payload["alerts"]:
        has_left = alert["state"] == "resolved" and payload["event"] != "resolved"
        lines += [f"recovered: {alert['check_id']}: {alert['observed']}"] if has_left else _alert_lines(alert)
    lines += [f"changed: {text}" for text in incident["changes"]]
    lines += [f"affected: {affected_text(_item(item))}" for item in incident["affected"]]
    lines += [
        f"and {incident[key]} {what}" for key, what in (("more_affected", "more affected"), ("more_alerts", "more alerts")) if incident[key]
    ]
    lines += [f"{label}: {url}" for label, url in incident["links"].items() if label != "runbook"]
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


def _incident(message: Message, room: _Room) -> Json:
    links = {clean(label.lower(), 100): clean(url, _LINK_LIMIT) for label, url in list(named_links(message).items())[: room.items]}
    return {
        "id": _text(message.incident_id, room),
        "group_id": _text(message.group_id, room),
        "dedup_key": _text(message.dedup_key, room),
        "instance": _text(message.instance, room),
        "severity": message.severity.value,
        "title": _text(message.title, room),
        "opened_at": plain(message.opened_at),
        "at": plain(message.at),
        "acknowledged_by": _text(message.acknowledged_by, room),
        "resolved_after_s": message.resolved_after_s,
        "changes": _texts(message.changes, room),
        "more_alerts": message.more + max(0, len(message.alerts) - room.items),
        "affected": [_affected(item, room) for item in message.affected[: room.items]],
        "more_affected": message.affected_more + max(0, len(message.affected) - room.items),
        "runbook": _text(message.alerts[0].runbook, room),
        "links": links,
    }


def _alert(alert: AlertFacts, room: _Room) -> Json:
    """What is told of one alert."""
    return {
        "check_id": _text(alert.check_id, room),
        "kind": _text(alert.kind, room),
        "state": _text(alert.state, room),
        "severity": alert.severity.value,
        "headline": _text(alert.headline, room),
        "since": plain(alert.since),
        "resolved_at": plain(alert.resolved_at),
        "outcomes_in_a_row": alert.outcomes_in_a_row,
        "observed": _text(alert.observed, room),
        "last_good": _text(alert.last_good, room),
        "members": _texts(alert.members, room),
        "members_left": _texts(alert.members_left, room),
        "recent": [point.value for point in alert.series],
        "description": _text(alert.description, room),
        "first_step": _text(alert.first_step, room),
        "run_id": _text(alert.run_id, room),
        "result": _result(alert, room),
    }


def _result(alert: AlertFacts, room: _Room) -> Json:
    """The item of `results[]`; of a message that does not keep it those keys that the message knows all the same."""
    if alert.result is not None:
        sql = [clean(text, room.sql, keep_lines=True) for text in alert.result["sql"]] if room.sql else []
        return _cut(alert.result, room) | {"sql": sql}
    path, line = _place(alert.declared_at, room)
    return {
        "check_id": _text(alert.check_id, room),
        "type": _text(alert.type, room),
        "severity": alert.severity.value,
        "expected": {"text": _text(alert.expected, room)},
        "reason": _text(alert.reason, room),
        "owner": _text(alert.owner, room),
        "runbook": _text(alert.runbook, room),
        "caused_by": _text(alert.caused_by, room),
        "source": {"path": path, "line": line},
        "sql": [clean(alert.sql, room.sql, keep_lines=True)] if alert.sql and room.sql else [],
    }


def _cut(value: Json, room: _Room) -> Json:
    """The same JSON with all texts clean and cut, and lists cut."""
    match value:
        case str():
            return clean(value, room.text)
        case list():
            return [_cut(item, room) for item in value[: room.items]]
        case dict():
            return {clean(key, room.text): _cut(item, room) for key, item in list(value.items())[:_ENTRIES]}
        case _:
            return plain(value)


def _affected(item: Affected, room: _Room) -> Json:
    return {
        "name": _text(item.name, room),
        "kind": _text(item.kind, room),
        "is_failing": item.is_failing,
        "last_good_at": plain(item.last_good_at),
        "owner": _text(item.owner, room),
        "url": _text(item.url, room),
    }


def _item(data: Json) -> Affected:
    at = data["last_good_at"]
    return Affected(**{**data, "last_good_at": datetime.fromisoformat(at) if at else None})


def _place(declared_at: str, room: _Room) -> tuple[str, int | None]:
    """`checks/orders.yml` and 12 of `checks/orders.yml:12`."""
    path, _, line = declared_at.rpartition(":")
    return (clean(path, room.text), int(line)) if re.fullmatch("[0-9]{1,9}", line) else (clean(declared_at, room.text), None)


def _text(value: str | None, room: _Room) -> str | None:
    return None if value is None else clean(value, room.text)


def _texts(values: tuple[str, ...], room: _Room) -> list[str]:
    return [clean(value, room.text) for value in values[: room.items]]
