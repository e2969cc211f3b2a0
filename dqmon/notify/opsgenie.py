"""Opsgenie, and Jira Service Management, which takes its place: one alert per group, by its alias."""

from __future__ import annotations

import builtins
import json
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import Field, SecretStr, model_validator

from dqmon.core.delivery import Receipt
from dqmon.core.message import DeliveryKind
from dqmon.core.options import ChannelOptions
from dqmon.core.verdict import Severity
from dqmon.net import Answer
from dqmon.notify.base.outcome import problem
from dqmon.notify.base.post import Request, post_for
from dqmon.notify.base.story import Story, plain_text, readable, story
from dqmon.notify.base.text import bare_title, inert, units

if TYPE_CHECKING:
    from dqmon.core.delivery import Delivery
    from dqmon.core.message import Message
    from dqmon.core.plain import Json
    from dqmon.errors import NotifyError

# https://docs.opsgenie.com/docs/alert-api, "Create Alert", and "Close", "Acknowledge", "Add Note"; characters.
MESSAGE_LIMIT = 130
DESCRIPTION_LIMIT = 15_000
ENTITY_LIMIT = 512
SOURCE_LIMIT = 100
TAG_LIMIT = 50
NOTE_LIMIT = 25_000
_SERVERS = {"us": "https://api.opsgenie.com", "eu": "https://api.eu.opsgenie.com", "jsm": "https://api.atlassian.com/jsm/ops/integration"}
_PRIORITIES = {Severity.CRITICAL: "P1", Severity.ERROR: "P2", Severity.WARNING: "P3", Severity.INFO: "P5"}
_ACTIONS = {DeliveryKind.ACKNOWLEDGE: "acknowledge", DeliveryKind.RESOLVE: "close", DeliveryKind.UPDATE: "notes"}


class OpsgenieOptions(ChannelOptions):
    """Options of an Opsgenie channel.

    api_key: of an API integration that may create and update. service: `us` and `eu` are Opsgenie's, until it ends in
    April 2027; `jsm` is Jira Service Management's, which takes the same requests. team: who is responsible; without one the
    integration's own team is.
    """

    api_key: SecretStr | None = None
    service: Literal["us", "eu", "jsm"] = "us"
    team: str | None = Field(default=None, description="its name")

    @model_validator(mode="after")
    def _has_key(self) -> OpsgenieOptions:
        if not self.api_key and not self.dry_run:
            raise ValueError("api_key is not set; set the key of an API integration")
        return self


class Opsgenie:
    """Opens, annotates, acknowledges and closes Opsgenie alerts; safe to send twice.

    The alias is the group's dedup_key. A trigger or repeat that finds the alert open counts it up; a change is a note on
    it. Opsgenie does its work after it has answered: an acknowledge of an alert that somebody closed there changes nothing.
    """

    type: ClassVar[str] = "opsgenie"
    Options: ClassVar[builtins.type[OpsgenieOptions]] = OpsgenieOptions
    pages: ClassVar[bool] = True

    def __init__(self, name: str, options: OpsgenieOptions) -> None:
        """Keeps the options; connects to nothing."""
        self.name = name
        self.options = options
        self.base_url = (options.base_url or _SERVERS[options.service]).rstrip("/")
        self._key = options.api_key.get_secret_value() if options.api_key else ""

    def parts(self, message: Message) -> tuple[str, ...]:
        """One request each; digests are not for it."""
        return () if message.kind is DeliveryKind.DIGEST else ("alert",)

    def render(self, message: Message, part: str) -> Json:
        """`path`, below /v2/alerts, and `body`, of the request. Pure."""
        del part
        if action := _ACTIONS.get(message.kind):
            note = plain_text(story(message, lambda told: units(plain_text(told)) <= NOTE_LIMIT))
            body: dict[str, Json] = {"source": inert(message.instance, SOURCE_LIMIT), "user": "dqmon", "note": note}
            return {"path": f"/{inert(message.dedup_key, 512)}/{action}?identifierType=alias", "body": body}
        return {"path": "", "body": self._alert(message)}

    def _alert(self, message: Message) -> Json:
        root = message.alerts[0]
        told = story(message, lambda told: units(plain_text(told)) <= DESCRIPTION_LIMIT)
        body = {
            "message": inert(f"{bare_title(message)} [{message.instance}]", MESSAGE_LIMIT) or "dqmon",
            "alias": inert(message.dedup_key, 512),
            "description": plain_text(told),
            "entity": inert(root.subject, ENTITY_LIMIT),
            "source": inert(message.instance, SOURCE_LIMIT),
            "user": "dqmon",
            "priority": _PRIORITIES[message.severity],
            "tags": [tag for text in ("dqmon", message.severity.value, root.type) if (tag := inert(text, TAG_LIMIT))],
            "details": _details(told),
        }
        return body | ({"responders": [{"name": self.options.team, "type": "team"}]} if self.options.team else {})

    def text(self, payload: Json) -> str:
        """A rendered payload as a person reads it."""
        path, body = payload["path"], payload["body"]
        if path:
            return readable(f"{path.rpartition('/')[2].partition('?')[0].upper()} {path.split('/')[1]}\n{body['note']}")
        return readable(f"{body['priority']}: {body['message']}\nalias: {body['alias']}\n{body['description']}")

    def send(self, payload: Json, delivery: Delivery) -> Receipt:
        """One request. Raises Transient, Permanent or OutcomeUnknown. Any 2xx says that the request was taken."""
        del delivery
        request = Request(
            f"{self.base_url}/v2/alerts{payload['path']}",
            json.dumps(payload["body"], ensure_ascii=False).encode(),
            {"Authorization": f"GenieKey {self._key}"},
        )
        answer = post_for(self.options, self._key).send(request, _problem)
        return Receipt(detail=f"HTTP {answer.status}")


def _details(told: Story) -> dict[str, str]:
    """For rules and filters: the links and who is responsible. Opsgenie takes 8,000 characters in all."""
    return {item.label: item.url or item.text for item in told.links} | {label: text for label, text in told.facts if label == "Owner"}


def _problem(answer: Answer) -> NotifyError | None:
    try:
        data = json.loads(answer.body)
    except ValueError:
        data = None
    return problem(answer, str(data.get("message", "")) if isinstance(data, dict) else "")
