"""Teams' form of a message: an Adaptive Card within 28 KB; pure.

Everything is a RichTextBlock of TextRuns: those alone have no Markdown, no date functions and no mentions.
https://adaptivecards.io/explorer/RichTextBlock.html; the limit:
https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using (28 KB a message).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dqmon.core.message import DeliveryKind
from dqmon.core.verdict import Severity
from dqmon.notify.base.story import Story, readable, story

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dqmon.core.message import Message
    from dqmon.core.plain import Json

SIZE_LIMIT = 27_000
"""Bytes of the whole message, a little under the 28 KB, for the mark that it may repeat."""
_STYLES = {Severity.INFO: "default", Severity.WARNING: "warning", Severity.ERROR: "attention", Severity.CRITICAL: "attention"}


def card(message: Message) -> Json:
    """A message with one card."""
    style = "good" if message.kind is DeliveryKind.RESOLVE else _STYLES[message.severity]

    def payload(told: Story) -> Json:
        return {
            "type": "message",
            "attachments": [
                {
                    "contentType": "application/vnd.microsoft.card.adaptive",
                    "contentUrl": None,
                    "content": {
                        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                        "type": "AdaptiveCard",
                        "version": "1.4",
                        "msteams": {"width": "Full"},
                        "body": list(_body(told, style)),
                        "actions": [
                            {"type": "Action.OpenUrl", "title": item.label, "url": item.url} for item in told.links if item.url is not None
                        ],
                    },
                }
            ],
        }

    return payload(story(message, lambda told: _size(payload(told)) <= SIZE_LIMIT))


def card_text(payload: Json) -> str:
    """The card as a person reads it, line by line."""
    content = payload["attachments"][0]["content"]
    blocks = [inner for block in content["body"] for inner in block.get("items", [block])]
    lines = ["".join(run["text"] for run in block["inlines"]) for block in blocks]
    return readable("\n".join([*lines, *(f"{action['title']}: {action['url']}" for action in content["actions"])]))


def _body(told: Story, style: str) -> Iterator[Json]:
    head = [_run(f"[{told.status}] ", weight="Bolder", size="Medium"), _run(told.title, weight="Bolder", size="Medium")]
    yield {"type": "Container", "style": style, "bleed": True, "items": [_block(*head)]}
    for label, value in told.facts:
        yield _block(_run(f"{label}: ", weight="Bolder"), _run(value))
    for label, items in told.lists:
        yield _block(_run(f"{label}:", weight="Bolder"))
        yield from (_block(_run(f"• {item}")) for item in items)
    if told.sql:
        yield _block(_run("Reproduce:", weight="Bolder"))
        yield from (_block(_run(line, fontType="Monospace")) for line in told.sql.split("\n"))
    # What cannot be a button is shown, so that the runbook is always there.
    yield from (_block(_run(f"{item.label}: ", weight="Bolder"), _run(item.text)) for item in told.links if item.url is None)
    yield _block(_run(told.origin, isSubtle=True, size="Small"))


def _block(*runs: Json) -> Json:
    return {"type": "RichTextBlock", "inlines": list(runs)}


def _run(text: str, **look: str | bool) -> Json:
    return {"type": "TextRun", "text": text or " ", **look}


def _size(payload: Json) -> int:
    return len(json.dumps(payload, ensure_ascii=False).encode())
