"""Microsoft Teams: an Adaptive Card to a workflow's webhook, or to an incoming webhook of old."""

from __future__ import annotations

import builtins
import json
import re
from typing import TYPE_CHECKING, ClassVar

from pydantic import SecretStr, field_validator, model_validator

from dqmon.core.delivery import Receipt
from dqmon.core.options import ChannelOptions, server_address
from dqmon.errors import OutcomeUnknown
from dqmon.net import Answer
from dqmon.notify.base.outcome import DETAIL_LIMIT, problem
from dqmon.notify.base.post import Request, at_server, post_for, url_secrets
from dqmon.notify.base.teams_card import card, card_text

if TYPE_CHECKING:
    from dqmon.core.delivery import Delivery
    from dqmon.core.message import Message
    from dqmon.core.plain import Json
    from dqmon.errors import NotifyError

# What an incoming webhook says, with status 200, when Teams behind it refused:
# https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using#rate-limiting-for-connectors
_INNER_STATUS = re.compile(r"returned HTTP error ([0-9]{3})")


class TeamsOptions(ChannelOptions):
    """Options of a Teams channel.

    webhook_url: of the workflow `Send webhook alerts to a channel` (or `… to a chat`); it holds a key, so no message or log
    shows it.
    """

    webhook_url: SecretStr | None = None

    _is_url = field_validator("webhook_url")(server_address)

    @model_validator(mode="after")
    def _has_url(self) -> TeamsOptions:
        if not self.webhook_url and not self.dry_run:
            raise ValueError("webhook_url is not set; set the URL that the workflow shows in its first step")
        return self


class Teams:
    """Posts each message as a card of its own: webhooks can neither edit nor thread.

    Values stand in text runs, in which Teams reads no Markdown and no mention; links are those of the configuration.
    """

    type: ClassVar[str] = "teams"
    Options: ClassVar[builtins.type[TeamsOptions]] = TeamsOptions
    pages: ClassVar[bool] = False

    def __init__(self, name: str, options: TeamsOptions) -> None:
        """Keeps the options; connects to nothing."""
        self.name = name
        self.options = options
        self._url = options.webhook_url.get_secret_value() if options.webhook_url else ""

    def parts(self, message: Message) -> tuple[str, ...]:
        """One card each."""
        del message
        return ("card",)

    def render(self, message: Message, part: str) -> Json:
        """The message that holds the card, within 28 KB. Pure."""
        del part
        return card(message)

    def text(self, payload: Json) -> str:
        """A rendered payload as a person reads it."""
        return card_text(payload)

    def send(self, payload: Json, delivery: Delivery) -> Receipt:
        """One request. Raises Transient, Permanent or OutcomeUnknown.

        A card whose first sending broke off is sent again, marked: nobody can look up whether it is there.
        """
        body = json.dumps(_marked(payload) if delivery.is_uncertain else payload, ensure_ascii=False).encode()
        post_for(self.options, *url_secrets(self._url)).send(Request(at_server(self._url, self.options.base_url), body, {}), _problem)
        return Receipt(detail="accepted")


def _problem(answer: Answer) -> NotifyError | None:
    """A workflow says 202; an incoming webhook 200 and `1`, or 200 and the status that Teams behind it gave."""
    inner = _INNER_STATUS.search(answer.text[:1_000])
    if answer.status == 200 and inner:  # noqa: PLR2004 - only then is it the status of something else
        return problem(Answer(int(inner[1]), answer.headers, b""), answer.text[:DETAIL_LIMIT])
    if error := problem(answer, answer.text[:DETAIL_LIMIT]):
        return error
    if answer.status == 200 and answer.text.strip() not in ("1", ""):  # noqa: PLR2004 - as above
        return OutcomeUnknown("Teams: an answer that is not its own; is webhook_url right?")
    return None


def _marked(payload: Json) -> Json:
    """The payload saying that it may be there already."""
    attachment = payload["attachments"][0]
    note = {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": "(may repeat)", "isSubtle": True}]}
    content = {**attachment["content"], "body": [*attachment["content"]["body"], note]}
    return {**payload, "attachments": [{**attachment, "content": content}]}
