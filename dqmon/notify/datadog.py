"""Datadog: an event for each message, aggregated by incident in its event stream."""

from __future__ import annotations

import builtins
import json
import re
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, SecretStr, model_validator

from dqmon.core.delivery import Receipt
from dqmon.core.message import DeliveryKind
from dqmon.core.options import ChannelOptions
from dqmon.core.verdict import Severity
from dqmon.notify.base.post import Request, post_for
from dqmon.notify.base.story import headline, plain_text, readable, story
from dqmon.notify.base.text import clean, units

if TYPE_CHECKING:
    from dqmon.core.delivery import Delivery
    from dqmon.core.message import Message
    from dqmon.core.plain import Json

# https://docs.datadoghq.com/api/latest/events/post-an-event/ (v1); tags: docs.datadoghq.com/getting_started/tagging.
TITLE_LIMIT = 100
TEXT_LIMIT = 4_000
KEY_LIMIT = 100
TAG_LIMIT = 200
_TYPES = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.ERROR: "error", Severity.CRITICAL: "error"}


class DatadogOptions(ChannelOptions):
    """Options of a Datadog channel. api_key: of the organization. site: as in the address of its pages, such as datadoghq.eu."""

    api_key: SecretStr | None = None
    site: str = Field(default="datadoghq.com", pattern=r"^[a-z0-9.-]+\.(com|eu)$")

    @model_validator(mode="after")
    def _has_key(self) -> DatadogOptions:
        if not self.api_key and not self.dry_run:
            raise ValueError("api_key is not set; set an API key of the organization")
        return self


class Datadog:
    """Posts each message as an event; Datadog shows those of a group together, by its dedup_key.

    The text is plain: Datadog reads Markdown only between %%%, and an @ notifies nobody.
    """

    type: ClassVar[str] = "datadog"
    Options: ClassVar[builtins.type[DatadogOptions]] = DatadogOptions
    pages: ClassVar[bool] = False
    opens: ClassVar[str] = "event"

    def __init__(self, name: str, options: DatadogOptions) -> None:
        """Keeps the options; connects to nothing."""
        self.name = name
        self.options = options
        self._key = options.api_key.get_secret_value() if options.api_key else ""

    def parts(self, message: Message) -> tuple[str, ...]:
        """One event each; digests are not for it."""
        return () if message.kind is DeliveryKind.DIGEST else ("event",)

    def render(self, message: Message, part: str) -> Json:
        """The event. Pure."""
        del part
        root = message.alerts[0]
        tags = {
            "severity": message.severity.value,
            "check": root.check_id,
            "check_type": root.type,
            "dataset": root.subject,
            "owner": root.owner or "nobody",
            "instance": message.instance,
        }
        return {
            "title": headline(message, TITLE_LIMIT),
            "text": plain_text(story(message, lambda told: units(plain_text(told)) <= TEXT_LIMIT)),
            "alert_type": "success" if message.kind is DeliveryKind.RESOLVE else _TYPES[message.severity],
            "priority": "normal" if message.severity.rank >= Severity.WARNING.rank else "low",
            "aggregation_key": clean(message.dedup_key, KEY_LIMIT),
            "source_type_name": "dqmon",
            "tags": ["source:dqmon", *(_tag(key, value) for key, value in tags.items() if clean(value, TAG_LIMIT))],
        }

    def text(self, payload: Json) -> str:
        """A rendered payload as a person reads it."""
        return readable(f"{payload['alert_type'].upper()}: {payload['title']}\n{payload['text']}\ntags: {', '.join(payload['tags'])}")

    def send(self, payload: Json, delivery: Delivery) -> Receipt:
        """One request. Raises Transient, Permanent or OutcomeUnknown."""
        del delivery
        base_url = (self.options.base_url or f"https://api.{self.options.site}").rstrip("/")
        body = json.dumps(payload, ensure_ascii=False).encode()
        answer = post_for(self.options, self._key).send(Request(f"{base_url}/api/v1/events", body, {"DD-API-KEY": self._key}))
        return Receipt(detail=f"HTTP {answer.status}")


def _tag(key: str, value: str) -> str:
    """A tag as Datadog keeps it: lower case, at most 200 characters, what it does not take as an underscore."""
    return re.sub(r"[^\w:./-]", "_", f"{key}:{clean(value, TAG_LIMIT)}".lower())[:TAG_LIMIT]
