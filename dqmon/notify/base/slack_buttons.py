"""The buttons under a Slack message and what a press of one says. Pure.

What is pressed comes back with the `block_id`, so that carries the incident.
https://docs.slack.dev/reference/interaction-payloads/block_actions-payload
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from dqmon.core.feedback import Feedback
from dqmon.core.message import DeliveryKind
from dqmon.core.press import Press, Wish
from dqmon.notify.base.text import clean

if TYPE_CHECKING:
    from dqmon.core.message import Message
    from dqmon.core.plain import Json

Key: TypeAlias = tuple[str, str, str]
"""What tells one press from another, however often it is delivered: the user, the button and the time of pressing."""

_PREFIX = "dqmon:"
_ID_LIMIT = 200
"""Of the 255 characters of a block_id."""
_NAME_LIMIT = 80
_WORDS = {Feedback.REAL: "real", Feedback.EXPECTED: "expected", Feedback.BAD_THRESHOLD: "bad threshold"}


def buttons(message: Message) -> Json:
    """The block of buttons: of an open incident what to do, of a resolved one what it was."""
    if message.kind is DeliveryKind.RESOLVE:
        elements = [_button(f"It was {text}" if n == 0 else text.capitalize(), word) for n, (word, text) in enumerate(_WORDS.items())]
    else:
        elements = [] if message.acknowledged_by else [_button("Acknowledge", Wish.ACKNOWLEDGE, style="primary")]
        elements += [_button("Snooze 2h", Wish.SNOOZE), _button("Expected", Feedback.EXPECTED), _resolve()]
    return {"type": "actions", "block_id": f"{_PREFIX}{clean(message.incident_id, _ID_LIMIT)}", "elements": elements}


def read_press(channel: str, payload: Json) -> tuple[Key, Press] | None:
    """What a payload of Socket Mode says; None when it is not of one of these buttons, or not whole."""
    try:
        action, user = payload["actions"][0], payload["user"]
        block_id, word, stamp, user_id = (str(text) for text in (action["block_id"], action["action_id"], action["action_ts"], user["id"]))
        reference = {"channel": str(payload["container"]["channel_id"]), "ts": str(payload["container"]["message_ts"])}
        chosen = str(action["selected_option"]["value"]) if word == Wish.RESOLVE else word
        wish = Wish(word) if word in tuple(Wish) else Wish.FEEDBACK
        feedback = Feedback(chosen) if wish in (Wish.FEEDBACK, Wish.RESOLVE) else None
    except (KeyError, IndexError, TypeError, ValueError):
        return None
    if payload.get("type") != "block_actions" or not block_id.startswith(_PREFIX):
        return None
    name = clean(str(user.get("username") or user.get("name") or user_id), _NAME_LIMIT)
    press = Press(channel, reference, block_id.removeprefix(_PREFIX), wish, f"{name} (Slack)", feedback)
    return (user_id, word, stamp), press


def _button(text: str, action: str, *, style: str | None = None) -> Json:
    button = {"type": "button", "action_id": str(action), "text": _plain(text)}
    return button | {"style": style} if style else button


def _resolve() -> Json:
    options = [{"text": _plain(f"Resolve: {text}"), "value": word.value} for word, text in _WORDS.items()]
    return {"type": "static_select", "action_id": Wish.RESOLVE.value, "placeholder": _plain("Resolve…"), "options": options}


def _plain(text: str) -> Json:
    return {"type": "plain_text", "text": text, "emoji": False}
