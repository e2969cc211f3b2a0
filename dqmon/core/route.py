"""Routes: which incidents go to which channels, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dqmon.core.timetable import ALWAYS, Timetable

if TYPE_CHECKING:
    from dqmon.core.selector import Selector


@dataclass(frozen=True, slots=True)
class Route:
    """First match wins unless `goes_on`; the last route is the default. Times in seconds (defaults: Alertmanager's).

    speaks: when it may say anything at all; what becomes due at other times waits. unless_acknowledged: it is a step of an
    escalation, whose `group_wait_s` begins with the incident's first message, and which says nothing once somebody is at it.
    """

    name: str
    match: Selector | None
    to: tuple[str, ...]
    goes_on: bool = False
    group_by: tuple[str, ...] = ("incident",)
    group_wait_s: float = 30
    group_interval_s: float = 300
    repeat_interval_s: float = 14_400
    speaks: Timetable = ALWAYS
    unless_acknowledged: bool = False
