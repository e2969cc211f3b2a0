"""What Slack's answers mean for a message: its Web API says so in the body, with status 200."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from dqmon.errors import OutcomeUnknown, Permanent, Transient
from dqmon.notify.base.outcome import problem, retry_after

if TYPE_CHECKING:
    from dqmon.core.plain import Json
    from dqmon.net import Answer

# docs.slack.dev/reference/methods/chat.postMessage, "Errors": all words but these are about the message or the set-up.
TRANSIENT_WORDS = frozenset({"ratelimited", "rate_limited", "internal_error", "service_unavailable", "request_timeout"})
# "It's possible some aspect of the operation succeeded before the error was raised."
UNCERTAIN_WORDS = frozenset({"fatal_error"})


def took(answer: Answer) -> None:
    """Raises unless the Web API says ok."""
    data = _json(answer)
    if error := problem(answer, str(data.get("error", ""))):
        raise error
    if data.get("ok") is True:
        return
    word = str(data.get("error", ""))
    if not word or word in UNCERTAIN_WORDS:
        raise OutcomeUnknown(f"Slack: {word or 'an answer that is not its own'}")
    if word in TRANSIENT_WORDS:
        raise Transient(f"Slack: {word}", retry_after(answer))
    more = data.get("response_metadata")
    reasons = more.get("messages", ()) if isinstance(more, dict) else ()
    raise Permanent(f"Slack: {word}" + (f" ({'; '.join(map(str, reasons))[:300]})" if reasons else ""))


def webhook_took(answer: Answer) -> None:
    """Raises unless the webhook says ok: anything else with status 200 is not Slack's answer."""
    if error := problem(answer, answer.text[:300]):
        raise error
    if answer.text.strip() != "ok":
        raise OutcomeUnknown("Slack: the webhook did not say ok")


def _json(answer: Answer) -> dict[str, Json]:
    try:
        data = json.loads(answer.body)
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
