"""What owners are told once a week, say, of all of their checks together: when, where, and what it is about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dqmon.core.check import Schedule


@dataclass(frozen=True, slots=True)
class DigestPlan:
    """When digests are sent, and to which channels: `owners` names those of an owner, `to` those of all others."""

    schedule: Schedule
    to: tuple[str, ...]
    owners: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def channels(self, owner: str) -> tuple[str, ...]:
        """Where the owner's digest goes."""
        return self.owners.get(owner, self.to)
