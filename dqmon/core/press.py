"""A button that somebody pressed under a message."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dqmon.core.feedback import Feedback


class Wish(StrEnum):
    """What a button is for: what the commands `incidents ack`, `snooze` (2 h), `feedback` and `resolve` do."""

    ACKNOWLEDGE = "acknowledge"
    SNOOZE = "snooze"
    FEEDBACK = "feedback"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True)
class Press:
    """Who pressed what under which message.

    channel: its name in the configuration. reference: the message, as the channel's receipts name it. feedback: what the incident was,
    with FEEDBACK and RESOLVE. by: for people and the record.
    """

    channel: str
    reference: Mapping[str, str]
    incident_id: str
    wish: Wish
    by: str
    feedback: Feedback | None = None
