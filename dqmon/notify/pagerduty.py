"""PagerDuty: Events API v2 trigger, acknowledge and resolve of one incident per group, by its dedup_key."""

from __future__ import annotations

import builtins
import json
from typing import TYPE_CHECKING, ClassVar

from pydantic import SecretStr, model_validator

from dqmon.alerts.wording import affected_text
from dqmon.core.delivery import Receipt
from dqmon.core.message import DeliveryKind
from dqmon.core.options import ChannelOptions
from dqmon.errors import NotifyError, Permanent, Transient
from dqmon.net import NetError, Outgoing
from dqmon.notify.base.outcome import broken, problem, redacted
from dqmon.notify.base.quiet import SILENT
from dqmon.notify.base.text import bare_title, clean, link, named_links

if TYPE_CHECKING:
    import httpx2
    from pagerduty import EventsApiV2Client

    from dqmon.core.delivery import Delivery
    from dqmon.core.message import AlertFacts, Message
    from dqmon.core.plain import Json

# PagerDuty/developer-docs docs/events-API-v2/02-Trigger-Events.md
SUMMARY_LIMIT = 1_024
DEDUP_KEY_LIMIT = 255
PAYLOAD_LIMIT = 512_000
SQL_LIMIT = 1_500
_VALUE_LIMIT = 1_000
_LINE_LIMIT = 300
_LINES = 20
_ACTIONS = {DeliveryKind.ACKNOWLEDGE: "acknowledge", DeliveryKind.RESOLVE: "resolve"}
# A negative count makes the client return these answers at once; 429 would be retried without end (measured, section (a)).
_NEVER = dict.fromkeys((429, 500, 502, 503, 504), -2)


class PagerDutyOptions(ChannelOptions):
    """Options of a PagerDuty channel. routing_key: of an Events API v2 integration of the service, 32 characters."""

    routing_key: SecretStr | None = None

    @model_validator(mode="after")
    def _has_key(self) -> PagerDutyOptions:
        if not self.routing_key and not self.dry_run:
            raise ValueError("routing_key is not set; set the integration key of an Events API v2 integration")
        return self


class PagerDuty:
    """Opens, updates, acknowledges and resolves PagerDuty incidents; safe to send twice."""

    type: ClassVar[str] = "pagerduty"
    Options: ClassVar[builtins.type[PagerDutyOptions]] = PagerDutyOptions
    pages: ClassVar[bool] = True

    def __init__(self, name: str, options: PagerDutyOptions) -> None:
        """Keeps the options; connects to nothing."""
        self.name = name
        self.options = options
        self._key = options.routing_key.get_secret_value() if options.routing_key else ""
        self._base_url = (options.base_url or "https://events.pagerduty.com").rstrip("/")
        self._outgoing = Outgoing(options.timeout, options.verify, options.allow_private_addresses)

    def parts(self, message: Message) -> tuple[str, ...]:
        """One event each."""
        del message
        return ("event",)

    def render(self, message: Message, part: str) -> Json:
        """The event but for the routing key. Pure. An acknowledge or resolve is about its dedup_key; the rest is for people."""
        del part
        root = message.alerts[0]
        event: dict[str, Json] = {
            "event_action": _ACTIONS.get(message.kind, "trigger"),
            "dedup_key": clean(message.dedup_key, DEDUP_KEY_LIMIT),
            "client": "dqmon",
            "payload": {
                "summary": clean(f"{bare_title(message)} [{message.instance}]", SUMMARY_LIMIT),
                "source": clean(root.subject, _LINE_LIMIT) or "dqmon",
                "severity": message.severity.value,
                "timestamp": message.opened_at.isoformat(),
                "component": clean(root.subject, _LINE_LIMIT),
                "group": clean(root.owner or message.instance, _LINE_LIMIT),
                "class": clean(root.type, _LINE_LIMIT),
                "custom_details": _details(message, root),
            },
            "links": _links(message),
        }
        if (page := message.links.get("incident")) and (url := link(page)):
            event["client_url"] = url
        return event

    def text(self, payload: Json) -> str:
        """A rendered payload as a person reads it."""
        body = payload["payload"]
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
            self._client().send_event(event.pop("event_action"), **event)
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
        text = redacted(str(error), [self._key])
        raise Transient(text, error.retry_after_s) if isinstance(error, Transient) else type(error)(text)

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


def _details(message: Message, root: AlertFacts) -> dict[str, Json]:
    """What the on-call reads below the summary; the first keys answer: how bad, since when, whose, what first."""
    texts = {
        "observed": root.observed,
        "expected": root.expected,
        "since": root.since.isoformat(),
        "bad_outcomes_in_a_row": str(root.outcomes_in_a_row) if root.outcomes_in_a_row else "",
        "last_good": root.last_good or "never seen",
        "owner": root.owner or "nobody",
        "runbook": named_links(message).get("Runbook", "none declared"),
        "first_step": root.first_step,
        "reason": root.reason,
        "caused_by": root.caused_by or "",
        "description": root.description or "",
        "check": root.check_id,
        "declared_at": root.declared_at,
        "run_id": root.run_id,
        "incident": message.incident_id,
        "acknowledged_by": message.acknowledged_by or "",
    }
    details: dict[str, Json] = {key: text for key, value in texts.items() if (text := clean(value, _VALUE_LIMIT))}
    if root.sql:
        details["reproduce"] = clean(root.sql, SQL_LIMIT, keep_lines=True)
    lists = {
        "where": _lines(root.members),
        "also": _lines(tuple(f"{a.severity}: {a.check_id}: {a.headline}" for a in message.alerts[1:]), message.more),
        "affected": _lines(tuple(map(affected_text, message.affected)), message.affected_more),
        "changes": _lines(message.changes),
    }
    return details | {key: lines for key, lines in lists.items() if lines}


def _lines(items: tuple[str, ...], more: int = 0) -> list[str]:
    hidden = more + max(0, len(items) - _LINES)
    return [clean(item, _LINE_LIMIT) for item in items[:_LINES]] + ([f"and {hidden} more"] if hidden else [])


def _links(message: Message) -> list[Json]:
    named = list(named_links(message).items())[:10]
    return [{"href": url, "text": clean(label, 100)} for label, target in named if (url := link(target))]


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
