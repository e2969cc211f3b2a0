"""PagerDuty's Events API v2 as its documentation describes it: limits, words, and the state of incidents.

Source: PagerDuty/developer-docs docs/events-API-v2/01-Overview.md and 02-Trigger-Events.md. Shares no code with dqmon.
"""

import json
import re
import uuid
from dataclasses import asdict, dataclass, field

EVENT_LIMIT = 512 * 1024
SUMMARY_LIMIT = 1024
DEDUP_LIMIT = 255
ACTIONS = ("trigger", "acknowledge", "resolve")
SEVERITIES = ("critical", "error", "warning", "info")
TEXT_FIELDS = ("component", "group", "class")


@dataclass
class Incident:
    routing_key: str
    dedup_key: str
    state: str
    summary: str
    severity: str
    events: list = field(default_factory=list)


class FakePagerDuty:
    """Accepts events for the routing keys given (None: any key of 32 characters) and keeps the incidents they make."""

    def __init__(self, routing_keys=None):
        self.routing_keys = None if routing_keys is None else set(routing_keys)
        self.incidents: list[Incident] = []
        self.dropped: list[dict] = []
        self.events: list[dict] = []
        self.changes: list[dict] = []

    def enqueue(self, raw: bytes):
        """(status, JSON answer) of POST /v2/enqueue."""
        if len(raw) > EVENT_LIMIT:
            return 413, _invalid("Request Entity Too Large", [])
        try:
            event = json.loads(raw)
        except ValueError:
            return 400, _invalid("Event object is invalid", ["JSON is invalid"])
        if not isinstance(event, dict):
            return 400, _invalid("Event object is invalid", ["Event must be a JSON object"])
        problems = list(_problems(event))
        if not problems and self.routing_keys is not None and event["routing_key"] not in self.routing_keys:
            problems.append("'routing_key' is invalid")
        if problems:
            return 400, _invalid("Event object is invalid", problems)
        return 202, {"status": "success", "message": "Event processed", "dedup_key": self._apply(event)}

    def change(self, raw: bytes):
        """(status, JSON answer) of POST /v2/change/enqueue (docs/events-API-v2/03-Send-Change-Events.md)."""
        event = json.loads(raw)
        payload = event.get("payload") if isinstance(event.get("payload"), dict) else {}
        problems = [*_key_problems(event), *_context_problems(event)]
        summary = payload.get("summary")
        if not isinstance(summary, str) or not 0 < len(summary) <= SUMMARY_LIMIT:
            problems.append("'payload.summary' is missing or too long")
        if not re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d", str(payload.get("timestamp"))):
            problems.append("'payload.timestamp' is invalid (must be ISO 8601)")
        if not isinstance(payload.get("custom_details", {}), dict) or event.keys() - {"routing_key", "payload", "links", "images"}:
            problems.append("the event has fields that no change event has")
        if problems:
            return 400, _invalid("Change event object is invalid", problems)
        self.changes.append({name: value for name, value in event.items() if name != "routing_key"})
        return 202, {"status": "success", "message": "Change event processed"}

    def _apply(self, event):
        key = event.get("dedup_key") or uuid.uuid4().hex
        self.events.append({name: value for name, value in event.items() if name != "routing_key"})
        is_open = [i for i in self.incidents if (i.routing_key, i.dedup_key) == (event["routing_key"], key) and i.state != "resolved"]
        action = event["event_action"]
        if action == "trigger" and not is_open:
            body = event["payload"]
            self.incidents.append(Incident(event["routing_key"], key, "triggered", body["summary"], body["severity"], ["trigger"]))
        elif not is_open:
            self.dropped.append({"event_action": action, "dedup_key": key})
        else:
            is_open[0].events.append(action)
            is_open[0].state = {"trigger": is_open[0].state, "acknowledge": "acknowledged", "resolve": "resolved"}[action]
        return key

    def state(self):
        return {"incidents": [asdict(i) for i in self.incidents], "dropped": self.dropped, "events": self.events}


def _invalid(message, errors):
    return {"status": "invalid event", "message": message, "errors": errors}


def _key_problems(event):
    key = event.get("routing_key")
    if not isinstance(key, str) or not key:
        yield "'routing_key' is missing or blank"
    elif len(key) != 32:
        yield "Length of 'routing_key' is incorrect (should be 32 characters)"


def _problems(event):
    yield from _key_problems(event)
    action = event.get("event_action")
    if action is None or action == "":
        yield "'event_action' is missing or blank"
    elif action not in ACTIONS:
        yield "'event_action' is invalid (must be one of 'trigger', 'acknowledge', 'resolve')"
    dedup = event.get("dedup_key")
    if dedup is not None and not isinstance(dedup, str):
        yield "'dedup_key' must be a string"
    elif dedup is not None and len(dedup) > DEDUP_LIMIT:
        yield f"Length of 'dedup_key' is incorrect (maximum {DEDUP_LIMIT} characters)"
    if action in ("acknowledge", "resolve") and not dedup:
        yield f"'dedup_key' is required for event_action '{action}'"
    if action == "trigger":
        yield from _payload_problems(event.get("payload"))
    yield from _context_problems(event)


def _payload_problems(payload):
    if not isinstance(payload, dict):
        yield "'payload' is missing or blank"
        return
    for name in ("summary", "source", "severity"):
        if not isinstance(payload.get(name), str) or not payload[name].strip():
            yield f"'payload.{name}' is missing or blank"
    if len(str(payload.get("summary", ""))) > SUMMARY_LIMIT:
        yield f"Length of 'payload.summary' is incorrect (maximum {SUMMARY_LIMIT} characters)"
    if payload.get("severity") and payload["severity"] not in SEVERITIES:
        yield "'payload.severity' is invalid (must be one of 'critical', 'error', 'warning', 'info')"
    stamp = payload.get("timestamp")
    if stamp is not None and not (isinstance(stamp, str) and re.match(r"\d{4}-\d\d-\d\dT\d\d:\d\d", stamp)):
        yield "'payload.timestamp' is invalid (must be ISO 8601)"
    for name in TEXT_FIELDS:
        if payload.get(name) is not None and not isinstance(payload[name], str):
            yield f"'payload.{name}' must be a string"
    if payload.get("custom_details") is not None and not isinstance(payload["custom_details"], dict):
        yield "'payload.custom_details' must be an object"


def _context_problems(event):
    for name, required in (("links", "href"), ("images", "src")):
        items = event.get(name)
        if items is None:
            continue
        if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
            yield f"'{name}' must be an array of objects"
        elif not all(isinstance(item.get(required), str) and item[required] for item in items):
            yield f"'{name}.{required}' is missing or blank"
        elif name == "images" and not all(item["src"].startswith("https://") for item in items):
            yield "'images.src' must be served via HTTPS"
