"""What people say of an incident afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime


class Feedback(StrEnum):
    """What an incident was.

    REAL: the data was wrong; it is never learned. EXPECTED: a change that is how it is by now. BAD_THRESHOLD: nothing had
    changed, the limit was wrong. Baselines learn from both of the latter as from any other data.
    """

    REAL = "real"
    EXPECTED = "expected"
    BAD_THRESHOLD = "bad_threshold"


NOTE_LIMIT = 1_000
"""Characters of a note that are kept."""


@dataclass(frozen=True, slots=True)
class Label:
    """What somebody says of an incident, with a note or without one."""

    feedback: Feedback
    note: str = ""


@dataclass(frozen=True, slots=True)
class Said:
    """Who said what of an incident, and when; `note` is why, or how it was repaired, for those who meet it again."""

    incident_id: str
    feedback: Feedback
    said_by: str
    said_at: datetime
    note: str = ""
