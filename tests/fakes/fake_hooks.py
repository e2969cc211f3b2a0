"""The vendors that take one POST and keep it: limits as documented, so that what they would refuse is refused here.

Sources: docs.opsgenie.com/docs/alert-api; adaptivecards.io and Teams' 28 KB; prometheus/alertmanager api/v2/openapi.yaml;
docs.datadoghq.com/api/latest/events; docs.aws.amazon.com/sns/latest/api/API_Publish.html. Shares no code with dqmon.
"""

import json
import re
from datetime import datetime
from urllib.parse import parse_qs

RICH = {"RichTextBlock", "Container", "TextRun", "Action.OpenUrl", "AdaptiveCard"}


class FakeHooks:
    def __init__(self):
        self.taken: list[dict] = []

    def takes(self, path):
        return path.startswith(("/hook", "/teams/", "/v2/alerts", "/am/api/v2/alerts", "/api/v1/events", "/sns"))

    def answer(self, path, headers, raw):
        """(status, content type, body)."""
        if path.startswith("/sns"):
            body = {name: values[0] for name, values in parse_qs(raw.decode()).items()}
            problem = sns_problem(body)
        else:
            body = json.loads(raw)
            problem = self._problem(path, headers, raw, body)
        if problem:
            return 400, "application/json", json.dumps({"message": problem}).encode()
        self.taken.append({"path": path, "body": body, "headers": dict(headers)})
        return {
            "/teams/": (200, "text/plain", b"1"),
            "/v2/ale": (202, "application/json", b'{"result": "Request will be processed", "requestId": "r"}'),
            "/api/v1": (202, "application/json", b'{"status": "ok"}'),
            "/sns": (200, "text/xml", SNS_OK),
        }.get(path[:7] if not path.startswith("/sns") else "/sns", (200, "application/json", b""))

    def _problem(self, path, headers, raw, body):
        if path.startswith("/v2/alerts"):
            if headers.get("Authorization") != "GenieKey genie-secret-key":
                return "Key format is not valid!"
            return opsgenie_problem(path, body)
        if path.startswith("/teams/"):
            return teams_problem(raw, body)
        if path.startswith("/am/"):
            return alertmanager_problem(body)
        if path.startswith("/api/v1/events"):
            return datadog_problem(body)
        return None


def size(text):
    """Characters as a Java or JavaScript service counts them."""
    return len(text.encode("utf-16-le")) // 2


def too_long(body, limits):
    found = [name for name, limit in limits.items() if size(body.get(name, "")) > limit]
    return f"{found} too long" if found else None


def opsgenie_problem(path, body):
    if path != "/v2/alerts":
        if not re.fullmatch(r"/v2/alerts/[^/?]{1,512}/(acknowledge|close|notes)\?identifierType=alias", path):
            return f"no such endpoint: {path}"
        return too_long(body, {"note": 25_000, "source": 100, "user": 100}) or (None if body["note"] else "note is empty")
    if not body.get("message"):
        return "message is empty"
    if any(size(tag) > 50 for tag in body["tags"]) or len(body["tags"]) > 20:
        return "tags"
    if sum(size(key) + size(value) for key, value in body["details"].items()) > 8_000:
        return "details"
    limits = {"message": 130, "alias": 512, "description": 15_000, "entity": 512, "source": 100, "user": 100}
    return too_long(body, limits) or (None if body["priority"] in ("P1", "P2", "P3", "P4", "P5") else "priority")


def teams_problem(raw, body):
    if len(raw) > 28 * 1024:
        return f"{len(raw)} bytes"
    content = body["attachments"][0]["content"]
    kinds = set(kinds_in(content))
    if not kinds <= RICH:
        return f"{kinds - RICH}: they read Markdown"
    if len(content["actions"]) > 6 or "entities" in content["msteams"]:
        return "actions or mentions"
    return None if all(item["text"] for item in runs_in(content)) else "an empty text run"


def kinds_in(node):
    if isinstance(node, dict):
        yield from [node["type"]] if "type" in node else []
        for value in node.values():
            yield from kinds_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from kinds_in(value)


def runs_in(node):
    return [run for block in node["body"] for inner in block.get("items", [block]) for run in inner["inlines"]]


def alertmanager_problem(body):
    for alert in body:
        if not alert["labels"].get("alertname") or not all(alert["labels"].values()):
            return "labels"
        if not all(re.fullmatch("[a-zA-Z_][a-zA-Z0-9_]*", name) for name in (*alert["labels"], *alert["annotations"])):
            return "names"
        start, end = (datetime.fromisoformat(alert[key]) for key in ("startsAt", "endsAt"))
        if start > end:
            return "start time must be before end time"
    return None if len({json.dumps(alert["labels"], sort_keys=True) for alert in body}) <= len(body) else "twice"


def datadog_problem(body):
    if not body["title"] or size(body["title"]) > 100 or size(body["text"]) > 4_000 or body["text"].startswith("%%%"):
        return "title or text"
    if size(body["aggregation_key"]) > 100 or any(size(tag) > 200 for tag in body["tags"]):
        return "key or tags"
    return None if body["alert_type"] in ("error", "warning", "info", "success") else "type"


def sns_problem(body):
    if body["Action"] != "Publish" or len(body["Message"].encode()) > 262_144 or not body["Message"]:
        return "message"
    return None if re.fullmatch(r"[!-~][ -~]{0,99}", body["Subject"]) else "subject"


SNS_OK = (
    b'<PublishResponse xmlns="https://sns.amazonaws.com/doc/2010-03-31/"><PublishResult><MessageId>m1</MessageId></PublishResult>'
    b"<ResponseMetadata><RequestId>r1</RequestId></ResponseMetadata></PublishResponse>"
)
