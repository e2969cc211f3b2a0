"""A digest as the event JSON of webhooks: its title and lines. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dqmon.core.plain import plain
from dqmon.notify.base.text import clean

if TYPE_CHECKING:
    from dqmon.core.message import Message
    from dqmon.core.plain import Json

_TEXT_LIMIT = 500


def digest_event(message: Message) -> Json:
    """The event but for its `event_id`, which is the delivery's."""
    lines = [{"label": clean(label, _TEXT_LIMIT), "text": clean(text, _TEXT_LIMIT)} for label, text in message.lines]
    told = {"instance": clean(message.instance, _TEXT_LIMIT), "title": clean(message.title, _TEXT_LIMIT), "lines": lines}
    period = {"since": plain(message.opened_at), "until": plain(message.at)}
    return {"schema_version": 1, "event": "digest", "digest": {**told, **period}}


def digest_event_text(payload: Json) -> str:
    """Such an event as a person reads it."""
    digest = payload["digest"]
    return "\n".join([digest["title"], *(f"{line['label']}: {line['text']}" for line in digest["lines"]), f"of {digest['instance']}"])
