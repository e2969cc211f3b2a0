"""Alertmanager: pushes alerts to its API v2, where its own routes, silences and receivers take over."""

from __future__ import annotations

import builtins
import json
from base64 import b64encode
from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, SecretStr, field_validator, model_validator

from dqmon.alerts.wording import affected_text
from dqmon.core.delivery import Receipt
from dqmon.core.duration import Duration
from dqmon.core.message import DeliveryKind
from dqmon.core.options import ChannelOptions, server_address
from dqmon.core.plain import plain
from dqmon.core.verdict import Severity
from dqmon.notify.base.post import Request, at_server, post_for
from dqmon.notify.base.story import LINK_LIMIT, readable
from dqmon.notify.base.text import inert, link

if TYPE_CHECKING:
    from datetime import datetime

    from dqmon.core.delivery import Delivery
    from dqmon.core.message import AlertFacts, Message
    from dqmon.core.plain import Json

LABEL_LIMIT = 200
TEXT_LIMIT = 1_000
SQL_LIMIT = 1_500


class AlertmanagerOptions(ChannelOptions):
    """Options of an Alertmanager channel.

    url: of the server, with its path prefix. username and password: for basic authentication; token: for a bearer's.
    expires_after: Alertmanager takes an alert for resolved when dqmon has not repeated it for so long, so it must be longer
    than the repeat_interval (4h) of the routes that lead here.
    """

    url: str = Field(default="", description="https://alertmanager.example.com")
    username: str | None = None
    password: SecretStr | None = None
    token: SecretStr | None = None
    expires_after: Duration = 12 * 3600

    _is_url = field_validator("url")(server_address)

    @model_validator(mode="after")
    def _can_send(self) -> AlertmanagerOptions:
        if not self.url and not self.dry_run:
            raise ValueError("url is not set; set where Alertmanager listens")
        if (self.username is None) != (self.password is None):
            raise ValueError("set both username and password, or neither")
        if self.token and self.password:
            raise ValueError("set token, or username and password")
        return self


class Alertmanager:
    """Pushes the alerts that a message names; safe to send twice.

    An alert's labels are what it is: alertname (the check's type), check_id, kind, dataset, warehouse, severity, instance. Each is
    sent at its first message, at each change and repeat, and ended when resolved, also when others of its group go on. As the
    severity is a label, the same alert at the other severities is ended with each push. Alertmanager groups by itself: give this
    channel a route of its own with `group_by: [id]`. In a larger group an alert that is not among the ten that a message lists
    is ended only by `expires_after`.
    https://prometheus.io/docs/alerting/latest/alerts_api/
    """

    type: ClassVar[str] = "alertmanager"
    Options: ClassVar[builtins.type[AlertmanagerOptions]] = AlertmanagerOptions
    pages: ClassVar[bool] = False
    opens: ClassVar[str] = "alert"

    def __init__(self, name: str, options: AlertmanagerOptions) -> None:
        """Keeps the options; connects to nothing."""
        self.name = name
        self.options = options

    def parts(self, message: Message) -> tuple[str, ...]:
        """One push each; an acknowledgement, which Alertmanager does not know, is an annotation; digests are not for it."""
        return () if message.kind is DeliveryKind.DIGEST else ("alerts",)

    def render(self, message: Message, part: str) -> Json:
        """The alerts, each followed by the ends of its other severities. Pure."""
        del part
        is_over = message.kind is DeliveryKind.RESOLVE
        ended = [item for alert in message.left for item in self._alerts(message, alert, is_over=True)]
        return [item for alert in message.alerts for item in self._alerts(message, alert, is_over=is_over)] + ended

    def _alerts(self, message: Message, alert: AlertFacts, *, is_over: bool) -> list[Json]:
        ends_at = (alert.resolved_at or message.at) if is_over else message.at + timedelta(seconds=self.options.expires_after)
        told = _alert(message, alert, ends_at)
        # Alertmanager tells nobody of the end of an alert that it never told of.
        over = {"annotations": {}, "startsAt": plain(min(alert.since, message.at)), "endsAt": plain(message.at)}
        others = [severity for severity in Severity if severity is not alert.severity]
        return [told, *({**told, **over, "labels": told["labels"] | {"severity": severity.value}} for severity in others)]

    def text(self, payload: Json) -> str:
        """A rendered payload as a person reads it: the alerts without the ends of their other severities."""
        lines = []
        for item in payload:
            if "runbook_url" not in item["annotations"]:
                continue
            lines.append(f"{item['labels']['alertname']} from {item['startsAt']} to {item['endsAt']}")
            lines += [f"  {name.removesuffix('_url')}: {value}" for name, value in (item["labels"] | item["annotations"]).items()]
        return readable("\n".join(lines))

    def send(self, payload: Json, delivery: Delivery) -> Receipt:
        """One request. Raises Transient, Permanent or OutcomeUnknown."""
        del delivery
        password = self.options.password.get_secret_value() if self.options.password else ""
        token = self.options.token.get_secret_value() if self.options.token else ""
        basic = b64encode(f"{self.options.username}:{password}".encode()).decode() if password else ""
        headers = {"Authorization": f"Basic {basic}"} if basic else {"Authorization": f"Bearer {token}"} if token else {}
        url = at_server(self.options.url, self.options.base_url).rstrip("/") + "/api/v2/alerts"
        body = json.dumps(payload, ensure_ascii=False).encode()
        answer = post_for(self.options, password, token, basic).send(Request(url, body, headers))
        return Receipt(detail=f"HTTP {answer.status}")


def _alert(message: Message, alert: AlertFacts, ends_at: datetime) -> Json:
    labels = {
        "alertname": inert(alert.type, LABEL_LIMIT) or "dqmon",
        "severity": alert.severity.value,
        "dataset": alert.subject,
        "warehouse": (alert.result or {}).get("warehouse") or "",
        "check_id": alert.check_id,
        "kind": alert.kind,
        "instance": message.instance,
    }
    page = link(message.links.get("incident", ""))
    return {
        "labels": {name: text for name, value in labels.items() if (text := inert(value, LABEL_LIMIT))},
        "annotations": _annotations(message, alert),
        "startsAt": plain(min(alert.since, ends_at)),
        "endsAt": plain(ends_at),
    } | ({"generatorURL": page} if page and len(page) <= LINK_LIMIT else {})


def _annotations(message: Message, alert: AlertFacts) -> dict[str, str]:
    """What receivers show; inert, since their templates escape nothing."""
    runbook = link(alert.runbook or "")
    texts = {
        "summary": alert.headline,
        "observed": alert.observed,
        "expected": alert.expected,
        "description": alert.description or "",
        "reason": alert.reason,
        "caused_by": alert.caused_by or "",
        "owner": alert.owner or "nobody",
        "last_good": alert.last_good or "never seen",
        "first_step": alert.first_step,
        "declared_at": alert.declared_at,
        "acknowledged_by": message.acknowledged_by or "",
        "incident": message.incident_id,
        "affected": "; ".join(map(affected_text, message.affected))
        + (f" and {message.affected_more} more" if message.affected_more else ""),
    }
    shown = {name: text for name, value in texts.items() if (text := inert(value, TEXT_LIMIT))}
    return shown | {
        "query": inert(alert.sql or "", SQL_LIMIT, keep_lines=True),
        "runbook_url": runbook or inert(alert.runbook or "", LINK_LIMIT) or "none declared",
    }
