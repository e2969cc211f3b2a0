"""PagerDuty: Events API v2 trigger, acknowledge and resolve of one incident per group, by its dedup_key; change events."""

from __future__ import annotations

import builtins
import json
from typing import TYPE_CHECKING, ClassVar

from pydantic import SecretStr, model_validator

from dqmon.core.delivery import Rate, Receipt
from dqmon.core.message import DeliveryKind
from dqmon.core.options import ChannelOptions
from dqmon.errors import NotifyError, Permanent
from dqmon.net import NetError, Outgoing
from dqmon.notify.base import pagerduty_event
from dqmon.notify.base.outcome import broken, problem
from dqmon.notify.base.pagerduty_webhook import is_signed, page_event
from dqmon.notify.base.post import without_secrets
from dqmon.notify.base.quiet import SILENT

if TYPE_CHECKING:
    import httpx2
    from pagerduty import EventsApiV2Client

    from dqmon.core.delivery import Delivery
    from dqmon.core.message import Message
    from dqmon.core.page_event import PageEvent
    from dqmon.core.plain import Json

KEY_LENGTH = 32
"""PagerDuty/developer-docs docs/events-API-v2/02-Trigger-Events.md: `routing_key`, "the 32 character Integration Key"."""
SHORTEST_SECRET = 16
CHANGE = "change"
"""The part of a message that is a change event."""
# A negative count makes the client return these answers at once; 429 would be retried without end (measured, section (a)).
_NEVER = dict.fromkeys((429, 500, 502, 503, 504), -2)


class PagerDutyOptions(ChannelOptions):
    """Options of a PagerDuty channel.

    routing_key: of an Events API v2 integration of the service, 32 characters. change_events: each change of a schema that a check
    sees is told as a change event, once; nobody is paged. webhook_secret: of a webhook subscription (V3) of the service to
    `POST /api/v1/pagerduty/NAME` of `web:`, with the incidents' events acknowledged, unacknowledged and resolved; what people
    do in PagerDuty is then done here. Several, with blanks between them, while one is replaced.
    """

    routing_key: SecretStr | None = None
    change_events: bool = False
    webhook_secret: SecretStr | None = None

    @model_validator(mode="after")
    def _has_key(self) -> PagerDutyOptions:
        key = self.routing_key.get_secret_value() if self.routing_key else ""
        if not key and not self.dry_run:
            raise ValueError("routing_key is not set; set the integration key of an Events API v2 integration")
        if len(key) != KEY_LENGTH and not self.dry_run:
            raise ValueError(f"routing_key does not have {KEY_LENGTH} characters; copy the integration key of an Events API v2 integration")
        if self.webhook_secret and any(len(secret) < SHORTEST_SECRET for secret in self.webhook_secrets or ("",)):
            raise ValueError(f"webhook_secret has fewer than {SHORTEST_SECRET} characters; copy it from the webhook subscription")
        return self

    @property
    def webhook_secrets(self) -> tuple[str, ...]:
        """The secrets that sign webhooks."""
        return tuple(self.webhook_secret.get_secret_value().split()) if self.webhook_secret else ()


class PagerDuty:
    """Opens, updates, acknowledges and resolves PagerDuty incidents; safe to send twice.

    Where incidents have pages that a link opens (`web:`), an event links to the page and shows its chart.
    """

    type: ClassVar[str] = "pagerduty"
    Options: ClassVar[builtins.type[PagerDutyOptions]] = PagerDutyOptions
    pages: ClassVar[bool] = True
    rate: ClassVar[Rate] = Rate(per_s=1.5, burst=30)
    """In no minute more than 120 events: PagerDuty/developer-docs docs/events-API-v2/05-Rate-Limits.md."""

    def __init__(self, name: str, options: PagerDutyOptions) -> None:
        """Keeps the options; connects to nothing."""
        self.name = name
        self.options = options
        self._key = options.routing_key.get_secret_value() if options.routing_key else ""
        self._base_url = (options.base_url or "https://events.pagerduty.com").rstrip("/")
        self._outgoing = Outgoing(options.timeout, options.verify, options.allow_private_addresses)

    def has_signed(self, body: bytes, header: str) -> bool:
        """True for a webhook that was signed with one of the channel's secrets."""
        return any(is_signed(body, header, secret) for secret in self.options.webhook_secrets)

    def page_event(self, data: Json) -> PageEvent | None:
        """What a webhook says that people did; None for what dqmon has no use for. ValueError for a body that is none of PagerDuty's."""
        return page_event(self.name, data)

    def parts(self, message: Message) -> tuple[str, ...]:
        """One event each; digests are not for it."""
        return () if message.kind is DeliveryKind.DIGEST else ("event",)

    def change_part(self) -> str | None:
        """The part that tells a change of a schema, when such are wanted."""
        return CHANGE if self.options.change_events else None

    def render(self, message: Message, part: str) -> Json:
        """The event but for the routing key. Pure. An acknowledge or resolve is about its dedup_key; the rest is for people."""
        return pagerduty_event.change(message) if part == CHANGE else pagerduty_event.event(message)

    def text(self, payload: Json) -> str:
        """A rendered payload as a person reads it."""
        body = payload["payload"]
        lines = [f"CHANGE: {body['summary']}"]
        if "event_action" in payload:
            lines = [f"{payload['event_action'].upper()} {body['severity']}: {body['summary']}", f"dedup_key: {payload['dedup_key']}"]
        for key, value in body["custom_details"].items():
            lines += [f"{key}: {value}"] if isinstance(value, str) else [f"{key}:", *(f"  {item}" for item in value)]
        return "\n".join([*lines, *(f"{item['text']}: {item['href']}" for item in payload["links"])])

    def send(self, payload: Json, delivery: Delivery) -> Receipt:
        """One request. Raises Transient, Permanent or OutcomeUnknown. Any 2xx is success: the event was accepted."""
        from pagerduty import errors

        del delivery
        event = dict(payload)
        try:
            if "event_action" in event:
                self._client().send_event(event.pop("event_action"), **event)
            else:
                self._client().send_change_event(**event)
        except errors.ServerHttpError:
            # Only 2xx reach the client; what it misses is a body that it can read, and the event is in.
            return Receipt(detail="accepted, with an unreadable answer")
        except NetError as e:
            error = broken(e)
        except NotifyError as e:
            error = e
        except errors.UrlError:
            error = Permanent("base_url must begin with https://")
        else:
            return Receipt(detail="accepted")
        raise without_secrets(error, [self._key])

    def _client(self) -> EventsApiV2Client:
        """The client with its own retries off and dqmon's policy for outgoing requests under it."""
        import httpx2
        from pagerduty import EventsApiV2Client

        outgoing = self._outgoing

        class Transport(httpx2.BaseTransport):
            def handle_request(self, request: httpx2.Request) -> httpx2.Response:
                answer = outgoing.post(str(request.url), request.read(), dict(request.headers))
                if error := problem(answer, _vendor_reason(answer.body)):
                    raise error
                return httpx2.Response(answer.status, content=answer.body, request=request)

        client = EventsApiV2Client(self._key, base_url=self._base_url, transport=Transport(), trust_env=False)
        client.retry.update(_NEVER)
        client.max_network_attempts = 0
        client.log = SILENT
        return client


def _vendor_reason(body: bytes) -> str:
    """PagerDuty's words: its message and the errors that it lists."""
    try:
        data = json.loads(body)
    except ValueError:
        return ""
    if not isinstance(data, dict):
        return ""
    errors = data.get("errors")
    return "; ".join([str(data.get("message", "")), *map(str, errors if isinstance(errors, list) else [])])
