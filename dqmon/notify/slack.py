"""Slack: with a bot token one message per group, edited as things change, with a thread; with a webhook single posts."""

from __future__ import annotations

import builtins
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, ClassVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator

from dqmon.core.delivery import Rate, Receipt
from dqmon.core.message import DeliveryKind
from dqmon.core.options import ChannelOptions, server_address
from dqmon.errors import NotifyError, Permanent, Transient
from dqmon.net import NetError, Outgoing
from dqmon.notify.base import slack_card
from dqmon.notify.base.outcome import broken, redacted
from dqmon.notify.base.post import without_secrets
from dqmon.notify.base.slack_answers import took, webhook_took
from dqmon.notify.base.slack_upload import upload

if TYPE_CHECKING:
    from collections.abc import Callable

    from slack_sdk.web import WebClient

    from dqmon.core.delivery import Delivery
    from dqmon.core.message import Message
    from dqmon.core.plain import Json
    from dqmon.core.press import Press

_LOOK_BACK = timedelta(minutes=5)
_LOOK_UP_BYTES = 2**20
_LOOK_UP_MESSAGES = 100
CHART_TRIES = 4
"""How often a chart is tried; the message has its numbers anyway."""
_CHART_WAIT_S = 2.0
"""Slack takes moments to look at a picture before a message may show it."""
_CHART_LONGEST_WAIT_S = 15.0
"""A channel that has not taken something for minutes is taken for broken; a chart must never be why."""


class SlackOptions(ChannelOptions):
    """Options of a Slack channel: a bot token and a channel, or a webhook's URL.

    token: of a bot with `chat:write`; with `channels:history` (and the channel given by its ID) a message whose sending
    broke off is looked up before it is sent again. webhook_url: degraded: no thread, no edits.
    app_token: of the same app, with `connections:write`: messages get buttons (acknowledge, snooze, expected, resolve), and the
    daemon hears of them through Socket Mode, so that Slack need not reach it. Whoever sees the channel may press them.
    chart: a picture of the last values, with the extra `images`, and `files:write` for the bot; else they are a line of text.
    """

    token: SecretStr | None = None
    channel: str = Field(default="", description="#name or ID")
    webhook_url: SecretStr | None = None
    app_token: SecretStr | None = None
    chart: bool = False

    _is_url = field_validator("webhook_url")(server_address)

    @model_validator(mode="after")
    def _one_way(self) -> SlackOptions:
        if self.token and self.webhook_url:
            raise ValueError("both token and webhook_url are set; keep one (token: threads and edits)")
        if self.dry_run:
            return self
        if not self.token and (self.app_token or self.chart):
            raise ValueError("app_token and chart need a token; a webhook has neither buttons nor pictures")
        if self.app_token and not self.app_token.get_secret_value().startswith("xapp-"):
            raise ValueError("app_token does not begin with xapp-; set an app-level token with connections:write")
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
    rate: ClassVar[Rate] = Rate(per_s=1)
    """https://docs.slack.dev/apis/web-api/rate-limits/: one message a second into a channel, by bots and webhooks."""

    def __init__(self, name: str, options: SlackOptions) -> None:
        """Keeps the options; connects to nothing."""
        self.name = name
        self.options = options
        self._outgoing = Outgoing(options.timeout, options.verify, options.allow_private_addresses, _LOOK_UP_BYTES)
        self._uploaded: dict[str, str] = {}

    def parts(self, message: Message) -> tuple[str, ...]:
        """`post` opens, `chart` puts the picture into it; later messages edit it and reply in its thread. A webhook can only post."""
        if message.kind is DeliveryKind.DIGEST:
            return ("post",)
        if self.options.webhook_url or message.kind is DeliveryKind.TRIGGER:
            return ("post", "chart") if self.options.chart and len(message.alerts[0].series) > 1 else ("post",)
        return ("reply",) if message.kind is DeliveryKind.REPEAT else ("edit", "reply")

    def render(self, message: Message, part: str) -> Json:
        """The body of chat.postMessage, chat.update or the webhook, but for channel, ts and metadata. Pure."""
        if part == "reply":
            return slack_card.reply(message)
        return slack_card.card(message, has_buttons=self.options.app_token is not None)

    def text(self, payload: Json) -> str:
        """A rendered payload as a person reads it."""
        return slack_card.plain(payload)

    def send(self, payload: Json, delivery: Delivery) -> Receipt:
        """One request (and a look-up before it when an earlier sending broke off). Raises Transient, Permanent, OutcomeUnknown.

        An edit or a reply whose parent was never posted is posted in its own right, so that people are told. A chart takes
        up to four requests, three of them with a third of the time-out; that there is none is no error, and the receipt says why.
        """
        try:
            if self.options.webhook_url:
                return self._send_webhook(payload, delivery)
            return self._send_bot(payload, delivery)
        except NetError as e:
            error = broken(e)
        except NotifyError as e:
            error = e
        raise without_secrets(error, self._secrets()) from None

    def listen(self, act: Callable[[Press], str]) -> Callable[[], None] | None:
        """Hears presses of this channel's buttons; None without an app_token."""
        if self.options.app_token is None or self.options.dry_run:
            return None
        from dqmon.notify.base.slack_socket import Presses

        client = partial(self._client, self._outgoing)
        presses = Presses(self.name, self.options.app_token.get_secret_value(), client, self._outgoing, act)
        presses.start()
        return presses.stop

    def _client(self, outgoing: Outgoing) -> WebClient:
        from dqmon.notify.base.slack_http import web_client

        token = self.options.token.get_secret_value() if self.options.token else ""
        base_url = self.options.base_url.rstrip("/") + "/api/" if self.options.base_url else "https://slack.com/api/"
        return web_client(token, base_url, outgoing, took)

    def _send_webhook(self, payload: Json, delivery: Delivery) -> Receipt:
        from dqmon.notify.base.slack_http import webhook_client

        assert self.options.webhook_url is not None  # noqa: S101 - send() asked
        url = self.options.webhook_url.get_secret_value()
        if self.options.base_url:
            url = self.options.base_url.rstrip("/") + urlsplit(url).path
        body = {key: value for key, value in payload.items() if key != "reply_broadcast"}
        webhook_client(url, self._outgoing, webhook_took).send_dict(slack_card.marked(body) if delivery.is_uncertain else body)
        return Receipt(detail="ok")

    def _send_bot(self, payload: Json, delivery: Delivery) -> Receipt:
        client = self._client(self._outgoing)
        parent = delivery.parent.reference if delivery.parent else {}
        if delivery.part == "chart" and parent:
            return self._send_chart(client, payload, delivery, parent)
        if delivery.part == "edit" and parent:
            return _edit(client, payload, parent)
        if delivery.is_uncertain:
            # Half the time-out, so that with the post after it no worker is kept for more than 15 s.
            brief = self._client(replace(self._outgoing, timeout_s=self._outgoing.timeout_s / 2))
            found, is_certain = self._look_up(brief, delivery, parent)
            if found:
                return found
            payload = payload if is_certain else slack_card.marked(payload)
        metadata = {"event_type": "dqmon_delivery", "event_payload": {"delivery_id": delivery.id}}
        body = {"channel": self.options.channel, **payload, "metadata": metadata}
        if parent:
            body |= {"channel": parent["channel"], "thread_ts": parent["ts"]}
        else:
            body.pop("reply_broadcast", None)
        return _receipt(client.api_call("chat.postMessage", json=body).data)

    def _send_chart(self, client: WebClient, payload: Json, delivery: Delivery, parent: dict[str, str]) -> Receipt:
        """Uploads the picture, once in this process, and shows it in the parent. Raises Transient while it is worth another try."""
        from dqmon.notify.base.chart import png

        picture = png(delivery.message.alerts[0])
        if picture is None:
            return Receipt(detail="no chart: it needs the extra `images`: pip install 'dqmon[images]'")
        try:
            if delivery.id not in self._uploaded:
                short = replace(self._outgoing, timeout_s=self._outgoing.timeout_s / 3)
                self._uploaded = {delivery.id: upload(self._client(short), short, picture)}
            file = {"file": self._uploaded[delivery.id]}
            return _edit(client, payload, {**parent, **file}, must_show=True)
        except (NotifyError, NetError) as e:
            text = redacted(str(e), self._secrets())
            wait_s = max(_CHART_WAIT_S, (isinstance(e, Transient) and e.retry_after_s) or 0)
            is_worth_it = not isinstance(e, Permanent) or "invalid_blocks" in text
            if is_worth_it and delivery.attempt < CHART_TRIES and wait_s <= _CHART_LONGEST_WAIT_S:
                raise Transient(f"no chart yet: {text}", wait_s) from None
            return Receipt(detail=f"no chart: {text}")

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
        secrets = (self.options.token, self.options.webhook_url, self.options.app_token)
        return [secret.get_secret_value() for secret in secrets if secret]


def _edit(client: WebClient, payload: Json, parent: dict[str, str], *, must_show: bool = False) -> Receipt:
    """Edits the parent, with the picture that it has; without it where Slack has lost that, unless it must be shown."""
    place = {name: parent[name] for name in ("channel", "ts")}
    body = {key: value for key, value in payload.items() if not key.startswith("unfurl_")} | place
    file = {"file": parent["file"]} if "file" in parent else {}
    try:
        shown = slack_card.with_chart(body, parent["file"]) if file else body
        found = _receipt(client.api_call("chat.update", json=shown).data)
    except Permanent as e:
        if not file or must_show or "invalid_blocks" not in str(e):
            raise
        found, file = _receipt(client.api_call("chat.update", json=body).data), {}
    return replace(found, reference=found.reference | file)


def _receipt(data: Json) -> Receipt:
    return Receipt({"channel": str(data.get("channel", "")), "ts": str(data.get("ts", ""))}, "ok")
