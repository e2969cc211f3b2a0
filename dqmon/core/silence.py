"""What keeps alerts quiet for a time: silences and snoozes, each once, and maintenance windows, again and again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from dqmon.core.check import Schedule
    from dqmon.core.selector import Selector

LONGEST_S = 30 * 86_400
"""The longest silence: whoever wants to hear nothing for longer changes the check or the route."""

Attributes: TypeAlias = Mapping[str, Iterable[str]]


@dataclass(frozen=True, slots=True)
class Silence:
    """Mutes what `match` means from `start` to `end`, the end not included.

    id: `S-14` of one made by hand, the file and line of one that is declared. incident_id: of a snooze; it mutes the alerts
    of that incident alone, and of those only what `match` means. expired_by: who ended it before its time; `end` is then when.
    """

    id: str
    match: Selector
    start: datetime
    end: datetime
    reason: str
    by: str
    incident_id: str | None = None
    expired_by: str | None = None

    def until(self, at: datetime) -> datetime | None:
        """When it ends, if it mutes at `at`; else None."""
        return self.end if self.start <= at < self.end else None

    def mutes(self, attributes: Attributes, incident_id: str | None) -> bool:
        """True for an alert of that incident that has those attributes (`alerts.route.attributes_of`)."""
        return self.incident_id in (None, incident_id) and self.match.matches(attributes)

    def words(self, until: datetime, now: datetime) -> str:
        """Why an alert is not told: `silenced S-14 until 09:00 UTC "backfill" @oncall`."""
        what = "silenced" if self.incident_id is None else "snoozed"
        reason = f' "{self.reason}"' if self.reason else ""
        return f"{what} {self.id} until {_clock(until, now)}{reason} {self.by}"


@dataclass(frozen=True, slots=True)
class Maintenance:
    """Mutes what `match` means for `lasts_s` seconds from each time that `schedule` fires.

    The start goes by the local clock as the schedules of checks do (`core.cron`), also where clocks change; from there on elapsed
    time counts, so that every window has the same length.
    """

    name: str
    match: Selector
    schedule: Schedule
    lasts_s: int

    def until(self, at: datetime) -> datetime | None:
        """The end of the window that covers `at`, of several the last; None outside of all of them."""
        from dqmon.core.cron import last_fire

        began_before = at - timedelta(seconds=self.lasts_s)
        end = last_fire(self.schedule, 0.0, began_before, at) + timedelta(seconds=self.lasts_s)
        return end if end > at else None

    def mutes(self, attributes: Attributes, incident_id: str | None) -> bool:
        """True for an alert that has those attributes, of whatever incident."""
        del incident_id
        return self.match.matches(attributes)

    def words(self, until: datetime, now: datetime) -> str:
        """Why an alert is not told: `maintenance "nightly load" until 04:00 UTC`."""
        return f'maintenance "{self.name}" until {_clock(until, now)}'


Quiet: TypeAlias = Silence | Maintenance


def _clock(at: datetime, now: datetime) -> str:
    """The time of day in UTC; of another day than `now` with its date."""
    shown, today = at.astimezone(UTC), now.astimezone(UTC).date()
    return f"{shown:%H:%M} UTC" if shown.date() == today else f"{shown:%Y-%m-%d %H:%M} UTC"
