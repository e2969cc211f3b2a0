"""When routes speak and digests are sent, and from how many groups on it is a storm, as `config/dqmon.yaml` says it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from dqmon.alerts.group import PAGING_SEVERITIES
from dqmon.alerts.storm import STORM_ABOVE
from dqmon.checks.base.due_days import Clock, Days
from dqmon.config.report import Report, suggest
from dqmon.config.silences import plain_cron
from dqmon.config.words import check_timezone
from dqmon.config.yaml_lines import YamlMap, line_of
from dqmon.core.check import Schedule
from dqmon.core.digest import DigestPlan
from dqmon.core.due_days import DAY_NAMES, holidays_of
from dqmon.core.timetable import ALWAYS, Digest, Hours, Timetable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dqmon.config.registries import Registries
    from dqmon.config.settings import Configured, RouteKeys
    from dqmon.config.settings_file import SettingsFile
    from dqmon.core.selector import Selector, Term

Zone: TypeAlias = Annotated[str, BeforeValidator(check_timezone)]


class _Keys(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class StormKeys(_Keys):
    """When so many messages wait for a channel that they become one for each owner."""

    above: int = Field(default=STORM_ABOVE, ge=1, description="More groups than that, waiting for one channel at once, are a storm.")


class TimesKeys(_Keys):
    """Certain times, by a cron expression."""

    cron: Annotated[str, BeforeValidator(plain_cron)] = Field(description="A cron expression with five fields.")
    timezone: Zone = Field(default="UTC", description="Time zone of the cron expression.")

    @property
    def schedule(self) -> Schedule:
        """The times as checks have them."""
        return Schedule(self.cron, None, self.timezone)


class HoursKeys(_Keys):
    """Certain hours on certain days, by the clock of a time zone."""

    days: Days = Field(default=DAY_NAMES, description="all, weekdays, weekends, or names: [mon, wed].")
    start: Clock = Field(alias="from", description='The first moment, such as "08:00".')
    end: Clock = Field(alias="to", description='The end, such as "18:00"; not after `from`, it is on the day after.')
    timezone: Zone = Field(default="UTC", description="Time zone of days and times.")
    calendar: str | None = Field(default=None, description="Whose holidays are left out: a country (US), part (US-NY) or market (XNYS).")

    @model_validator(mode="after")
    def _has_a_break(self) -> HoursKeys:
        if not self.days:
            raise ValueError("days: names none; write weekdays, say, or [mon, wed]")
        if self.start == self.end:
            raise ValueError("from: and to: are the same time; leave hours: out where every hour is meant")
        if self.calendar is not None:
            holidays_of(self.calendar)
        return self


class DigestKeys(_Keys):
    """What each owner is told of all of their checks together, at certain times."""

    schedule: TimesKeys = Field(description="When.")
    to: tuple[str, ...] = Field(min_length=1, description="Names under `channels:`.")
    owners: dict[str, tuple[str, ...]] = Field(default_factory=dict, description="Other channels for an owner's digest; [] for none.")

    @property
    def plan(self) -> DigestPlan:
        """The same for the engine."""
        return DigestPlan(self.schedule.schedule, self.to, self.owners)


def read_timetable(keys: RouteKeys, item: YamlMap, match: Selector | None, report: Report) -> Timetable:
    """When the route speaks; a warning for one that keeps back nothing but pages."""
    if keys.digest is not None and keys.hours is not None:
        report.error(line_of(item, ("hours",)), f"route {keys.name!r} has both digest and hours", "keep one")
    if keys.digest is None and keys.hours is None:
        return ALWAYS
    key = "hours" if keys.digest is None else "digest"
    severities = {value for term in (match.terms if match else ()) if _is_of_severity(term) for value in term.values}
    if severities and severities <= PAGING_SEVERITIES:
        report.warn(
            line_of(item, (key,)),
            f"route {keys.name!r} takes what pages, and {key}: keeps that back",
            f"leave {key}: out, so that it is told at any time",
        )
    if keys.hours is None:
        assert keys.digest is not None  # noqa: S101 - one of them is set
        return Digest(keys.digest.schedule)
    hours = keys.hours
    return Hours(hours.days, hours.start, hours.end, hours.timezone, hours.calendar)


def digest_channels(file: SettingsFile) -> tuple[str, ...]:
    """The channels that `digest:` names."""
    digest = file.keys.digest
    return (*digest.to, *(name for names in digest.owners.values() for name in names)) if digest else ()


def check_digest(file: SettingsFile, channels: Mapping[str, Configured], registries: Registries) -> None:
    """Reports each channel that digests go to and that is not there, or that wakes people."""
    digest, known = file.keys.digest, file.names("channels")
    places: list[tuple[str | int, ...]] = [("to", at) for at in range(len(digest.to))] if digest else []
    places += [("owners", owner, at) for owner, names in digest.owners.items() for at in range(len(names))] if digest else []
    for place, name in zip(places, digest_channels(file), strict=True):
        line = line_of(file.data, ("digest", *place))
        if name not in known:
            file.report.error(line, f"digest: unknown channel {name!r}", suggest(name, known) or "declare it under channels:")
        elif name in channels and registries.channels.get(channels[name].type).pages:
            hint = "name a channel that people read, such as Slack or mail"
            file.report.error(line, f"digest: {name} wakes people, and takes no digests", hint)


def _is_of_severity(term: Term) -> bool:
    return term.key == "severity" and not term.is_negated
