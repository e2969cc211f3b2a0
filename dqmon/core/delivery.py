"""A message on its way to a channel, sent or not sent, with the reason."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

from dqmon.core.message import DeliveryKind, Message

if TYPE_CHECKING:
    from datetime import datetime

    from dqmon.core.plain import Json


class DeliveryState(StrEnum):
    """QUEUED until SENT, DEAD (given up, with the reason) or NOT_SENT (on purpose, with the reason)."""

    QUEUED = "queued"
    SENT = "sent"
    DEAD = "dead"
    NOT_SENT = "not_sent"


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast a vendor takes requests: `burst` at once, then `per_s` a second."""

    per_s: float
    burst: int = 1


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the vendor answered: `reference` names the message there (Slack: channel and ts), for later edits."""

    reference: dict[str, str] = field(default_factory=dict)
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One request to a channel. Per (channel, group) they are sent strictly in the order of `sequence`.

    `id` is random and made with the row: channels without idempotency carry it so that an uncertain send can be
    looked up. `lease_token` fences: only its holder may mark the row. `parent` is the receipt of the group's first message.
    `is_uncertain`: an earlier sending broke off, so the vendor may have it. `payload` is what was rendered, `text` the same
    for people. The store counts `sequence` up when it takes the row.
    """

    id: str
    sequence: int
    group_id: str
    channel: str
    dedup_key: str
    kind: DeliveryKind
    part: str
    message: Message
    created_at: datetime
    attempt: int = 0
    not_before: datetime | None = None
    lease_token: str | None = None
    is_uncertain: bool = False
    parent: Receipt | None = None
    state: DeliveryState = DeliveryState.QUEUED
    reason: str = ""
    sent_at: datetime | None = None
    payload: Json = None
    text: str = ""
