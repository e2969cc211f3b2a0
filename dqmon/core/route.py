"""Routes: which incidents go to which channels, and when."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dqmon.core.selector import Selector


@dataclass(frozen=True, slots=True)
class Route:
    """First match wins unless `goes_on`; the last route is the default. Times in seconds (defaults: Alertmanager's)."""

    name: str
    match: Selector | None
    to: tuple[str, ...]
    goes_on: bool = False
    group_by: tuple[str, ...] = ("incident",)
    group_wait_s: float = 30
    group_interval_s: float = 300
    repeat_interval_s: float = 14_400
