"""What somebody did with a page in the service that paged: it comes back to dqmon."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class PageAct(StrEnum):
    """What was done; TAKEN_BACK: the acknowledgement, by a person or because its time was over."""

    ACKNOWLEDGED = "acknowledged"
    TAKEN_BACK = "taken_back"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class PageEvent:
    """id: the service's own, the same when it is sent again. dedup_key: of the group. by: for people and the record."""

    id: str
    channel: str
    dedup_key: str
    act: PageAct
    by: str
    at: datetime
