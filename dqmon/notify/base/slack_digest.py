"""Slack's form of a digest: a header and a line for each figure; pure. Limits: docs.slack.dev/reference/block-kit/blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqmon.notify.base.text import clean, mrkdwn

if TYPE_CHECKING:
    from dqmon.core.message import Message
    from dqmon.core.plain import Json

HEADER_LIMIT = 150
_VALUE_LIMIT = 300
_GREY = "#8d8d8d"


def digest_card(message: Message) -> Json:
    """A message of its own: nothing is edited or answered later."""
    lines = [f"*{mrkdwn(label, 40)}:* {mrkdwn(text, _VALUE_LIMIT)}" for label, text in message.lines]
    origin = {"type": "context", "elements": [_text(mrkdwn(message.instance, 200))]}
    title = mrkdwn(message.title, _VALUE_LIMIT)
    return {
        "text": title,
        "blocks": [{"type": "header", "text": {"type": "plain_text", "text": clean(message.title, HEADER_LIMIT), "emoji": False}}],
        "attachments": [
            {"color": _GREY, "fallback": title, "blocks": [*({"type": "section", "text": _text(line)} for line in lines), origin]},
        ],
        "unfurl_links": False,
        "unfurl_media": False,
    }


def _text(text: str) -> Json:
    return {"type": "mrkdwn", "text": text, "verbatim": True}
