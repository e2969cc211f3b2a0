"""Webhook: the event JSON of dqmon's output contract to a URL of your own, signed as Standard Webhooks are."""

from __future__ import annotations

import base64
import binascii
import builtins
import hashlib
import hmac
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, ClassVar

from pydantic import SecretStr, field_validator, model_validator

from dqmon.core.delivery import Receipt
from dqmon.core.options import ChannelOptions, server_address
from dqmon.notify.base.event import event, event_text
from dqmon.notify.base.post import Request, at_server, post_for, url_secrets

if TYPE_CHECKING:
    from dqmon.core.delivery import Delivery
    from dqmon.core.message import Message
    from dqmon.core.plain import Json

SHORTEST_SECRET = 16
"""Characters; the specification asks for 24 random bytes, which are 32 characters of base64."""
_PREFIX = "whsec_"


class WebhookOptions(ChannelOptions):
    """Options of a webhook.

    url: may hold a token, so no message or log shows it. secret: signs each request; at least 16 characters. One that begins
    with `whsec_` is read as base64, as in the specification's libraries.
    """

    url: SecretStr | None = None
    secret: SecretStr | None = None

    _is_url = field_validator("url")(server_address)

    @model_validator(mode="after")
    def _can_send(self) -> WebhookOptions:
        if self.dry_run:
            return self
        if not self.url:
            raise ValueError("url is not set; set where the events go")
        if not self.secret or len(self.secret.get_secret_value()) < SHORTEST_SECRET:
            found = f"has fewer than {SHORTEST_SECRET} characters" if self.secret else "is not set"
            raise ValueError(f"secret {found}; set a random one of {SHORTEST_SECRET} or more, which the receiver knows too")
        _key(self.secret.get_secret_value())
        return self


class Webhook:
    """Posts each message as one event; `event_id` stays the same when a sending is repeated, so that a receiver can tell.

    Headers `webhook-id`, `webhook-timestamp` (seconds since 1970) and `webhook-signature`: `v1,` and the base64 of the
    HMAC-SHA256 of `id.timestamp.body`. A receiver compares the signature in constant time and refuses timestamps that are
    more than 5 minutes off: a recorded request cannot be replayed. Any 2xx says that the event was taken.
    https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
    """

    type: ClassVar[str] = "webhook"
    Options: ClassVar[builtins.type[WebhookOptions]] = WebhookOptions
    pages: ClassVar[bool] = False
    opens: ClassVar[str] = "incident"

    def __init__(self, name: str, options: WebhookOptions) -> None:
        """Keeps the options; connects to nothing."""
        self.name = name
        self.options = options
        self._url = options.url.get_secret_value() if options.url else ""
        self._secret = options.secret.get_secret_value() if options.secret else ""

    def parts(self, message: Message) -> tuple[str, ...]:
        """One event each."""
        del message
        return ("event",)

    def render(self, message: Message, part: str) -> Json:
        """The event but for its `event_id`. Pure."""
        del part
        return event(message)

    def text(self, payload: Json) -> str:
        """A rendered payload as a person reads it."""
        return event_text(payload)

    def send(self, payload: Json, delivery: Delivery) -> Receipt:
        """One request. Raises Transient, Permanent or OutcomeUnknown."""
        body = json.dumps({**payload, "event_id": delivery.id}, ensure_ascii=False, allow_nan=False).encode()
        signed = signature_headers(self._secret, delivery.id, datetime.now(UTC), body)
        post = post_for(self.options, *url_secrets(self._url), self._secret)
        answer = post.send(Request(at_server(self._url, self.options.base_url), body, signed))
        return Receipt(detail=f"HTTP {answer.status}")


def signature_headers(secret: str, event_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """The headers by which a receiver knows who sent `body` and when."""
    timestamp = str(int(at.timestamp()))
    signed = f"{event_id}.{timestamp}.".encode() + body
    digest = base64.b64encode(hmac.new(_key(secret), signed, hashlib.sha256).digest()).decode()
    return {"webhook-id": event_id, "webhook-timestamp": timestamp, "webhook-signature": f"v1,{digest}"}


def _key(secret: str) -> bytes:
    if not secret.startswith(_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error:
        raise ValueError("secret begins with whsec_, but what follows is no base64") from None
