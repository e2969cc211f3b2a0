"""Slack: with a bot token one message per group, edited as things change, with a thread; with a webhook single posts."""

from __future__ import annotations

import builtins
import json
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, model_validator

from dqmon.core.delivery import Receipt
from dqmon.core.message import DeliveryKind
from dqmon.core.options import ChannelOptions
from dqmon.errors import NotifyError, OutcomeUnknown, Permanent, Transient
from dqmon.net import Answer, NetError, Outgoing
from dqmon.notify.base import slack_card
from dqmon.notify.base.outcome import broken, problem, redacted, retry_after

if TYPE_CHECKING:
    from slack_sdk.web import WebClient

    from dqmon.core.delivery import Delivery
    from dqmon.core.message import Message
    from dqmon.core.plain import Json

# docs.slack.dev/reference/methods/chat.postMessage, "Errors": all words but these are about the message or the set-up.
TRANSIENT_WORDS = frozenset({"ratelimited", "rate_limited", "internal_error", "service_unavailable", "request_timeout"})
# "It's possible some aspect of the operation succeeded before the error was raised."
UNCERTAIN_WORDS = frozenset({"fatal_error"})
_LOOK_BACK = timedelta(minutes=5)
_LOOK_UP_BYTES = 2**20
_LOOK_UP_MESSAGES = 100


class SlackOptions(ChannelOptions):
    """Options of a Slack channel: a bot token and a channel, or a webhook's URL.

    token: of a bot with `chat:write`; with `channels:history` (and the channel given by its ID) a message whose sending
    broke off is looked up before it is sent again. webhook_url: degraded: no thread, no edits.
    """

    token: SecretStr | None = None
    channel: str = Field(default="", description="#name or ID")
    webhook_url: SecretStr | None = None

    @model_validator(mode="after")
    def _one_way(self) -> SlackOptions:
        if self.token and self.webhook_url:
            raise ValueError("both token and webhook_url are set; keep one (token: threads and edits)")
        if self.dry_run:
            return self
        if not self.token and not self.webhook_url:
            raise ValueError("neither token nor webhook_url is set; set token and channel, or webhook_url")
        if self.token and not self.channel:
            raise ValueError('token is set without channel; add channel: "#name" or a channel\'s ID')
        return self


class Slack:
    """Posts, edits and threads in one Slack channel."""

    type: ClassVar[str] = "slack"
    Options: ClassVar[builtins.type[SlackOptions]] = SlackOptions
    pages: ClassVar[bool] = False

    def __init__(self, name: str, options: SlackOptions) -> None:
        """Keeps the options; connects to nothing."""
        self.name = name
        self.options = options
        self._outgoing = Outgoing(options.timeout, options.verify, options.allow_private_addresses, _LOOK_UP_BYTES)

    def parts(self, message: Message) -> tuple[str, ...]:
        """`post` opens; later messages edit the parent and reply in its thread. A webhook can only post."""
        if self.options.webhook_url or message.kind is DeliveryKind.TRIGGER:
            return ("post",)
        return ("reply",) if message.kind is DeliveryKind.REPEAT else ("edit", "reply")

    def render(self, message: Message, part: str) -> Json:
        """The body of chat.postMessage, chat.update or the webhook, but for channel, ts and metadata. Pure."""
        return slack_card.reply(message) if part == "reply" else slack_card.card(message)

    def text(self, payload: Json) -> str:
        """A rendered payload as a person reads it."""
        return slack_card.plain(payload)

    def send(self, payload: Json, delivery: Delivery) -> Receipt:
        """One request (and a look-up before it when an earlier sending broke off). Raises Transient, Permanent, OutcomeUnknown.

        An edit or a reply whose parent was never posted is posted in its own right, so that people are told.
        """
        try:
            if self.options.webhook_url:
                return self._send_webhook(payload, delivery)
            return self._send_bot(payload, delivery)
        except NetError as e:
            error = broken(e)
        except NotifyError as e:
            error = e
        raise _without_secrets(error, self._secrets()) from None

    def _send_webhook(self, payload: Json, delivery: Delivery) -> Receipt:
        from dqmon.notify.base.slack_http import webhook_client

        assert self.options.webhook_url is not None  # noqa: S101 - send() asked
        url = self.options.webhook_url.get_secret_value()
        if self.options.base_url:
            url = self.options.base_url.rstrip("/") + urlsplit(url).path
        body = {key: value for key, value in payload.items() if key != "reply_broadcast"}
        webhook_client(url, self._outgoing, _webhook_took).send_dict(_marked(body) if delivery.is_uncertain else body)
        return Receipt(detail="ok")

    def _send_bot(self, payload: Json, delivery: Delivery) -> Receipt:
        from dqmon.notify.base.slack_http import web_client

        token = self.options.token.get_secret_value() if self.options.token else ""
        base_url = self.options.base_url.rstrip("/") + "/api/" if self.options.base_url else "https://slack.com/api/"
        client = web_client(token, base_url, self._outgoing, _took)
        parent = delivery.parent.reference if delivery.parent else {}
        if delivery.part == "edit" and parent:
            body = {key: value for key, value in payload.items() if not key.startswith("unfurl_")}
            return _receipt(client.api_call("chat.update", json={**body, **parent}).data)
        if delivery.is_uncertain:
            found, is_certain = self._look_up(client, delivery, parent)
            if found:
                return found
            payload = payload if is_certain else _marked(payload)
        metadata = {"event_type": "dqmon_delivery", "event_payload": {"delivery_id": delivery.id}}
        body = {"channel": self.options.channel, **payload, "metadata": metadata}
        if parent:
            body |= {"channel": parent["channel"], "thread_ts": parent["ts"]}
        else:
            body.pop("reply_broadcast", None)
        return _receipt(client.api_call("chat.postMessage", json=body).data)

    def _look_up(self, client: WebClient, delivery: Delivery, parent: dict[str, str]) -> tuple[Receipt | None, bool]:
        """The receipt of an earlier sending, if Slack has it; and whether Slack could say.

        Transient trouble is raised: asking again later costs less than a message twice.
        """
        channel = parent.get("channel", self.options.channel)
        query = {
            "channel": channel,
            "oldest": f"{(delivery.created_at - _LOOK_BACK).timestamp():.6f}",
            "include_all_metadata": True,
            "limit": _LOOK_UP_MESSAGES,
        }
        method = "conversations.replies" if parent else "conversations.history"
        try:
            answer = client.api_call(method, params=query | ({"ts": parent["ts"]} if parent else {})).data
        except Permanent:
            return None, False
        for message in answer.get("messages", ()):  # type: ignore[union-attr]  # JSON, never bytes
            payload = message.get("metadata", {}).get("event_payload", {})
            if payload.get("delivery_id") == delivery.id:
                return Receipt({"channel": channel, "ts": message["ts"]}, "found after a broken connection"), True
        return None, not answer.get("has_more")  # type: ignore[union-attr]  # as above

    def _secrets(self) -> list[str]:
        return [secret.get_secret_value() for secret in (self.options.token, self.options.webhook_url) if secret]


def _took(answer: Answer) -> None:
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


def _webhook_took(answer: Answer) -> None:
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


def _receipt(data: Json) -> Receipt:
    return Receipt({"channel": str(data.get("channel", "")), "ts": str(data.get("ts", ""))}, "ok")


def _marked(payload: Json) -> Json:
    """The payload saying that it may be there already."""
    note = {"type": "context", "elements": [{"type": "plain_text", "text": "(may repeat)"}]}
    return {**payload, "text": f"{payload['text']} (may repeat)", "blocks": [*payload["blocks"], note]}


def _without_secrets(error: NotifyError, secrets: list[str]) -> NotifyError:
    text = redacted(str(error), secrets)
    return Transient(text, error.retry_after_s) if isinstance(error, Transient) else type(error)(text)
