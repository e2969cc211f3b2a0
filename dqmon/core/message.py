"""What is to be told, before any channel gives it its form."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from dqmon.core.verdict import Severity

if TYPE_CHECKING:
    from dqmon.core.plain import Json


class DeliveryKind(StrEnum):
    """What a message does to the group that it speaks of; a DIGEST speaks of none."""

    TRIGGER = "trigger"
    UPDATE = "update"
    REPEAT = "repeat"
    ACKNOWLEDGE = "acknowledge"
    RESOLVE = "resolve"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True)
class Reading:
    """A past value of what an alert is about, and the good range that it was held against, in the same unit; None: no such bound.

    at: the partition's start, else the scheduled time.
    """

    at: datetime
    value: float
    low: float | None = None
    high: float | None = None
    is_bad: bool = False


@dataclass(frozen=True, slots=True)
class AlertFacts:
    """One alert of the message, in texts for people. Nothing here is escaped: each channel does that.

    `first_step` is the command that shows why. `caused_by` names what upstream explains the newest result. `series` are the
    newest values, oldest first. `result` is the item of `results[]` that speaks for the alert, its texts and lists cut; None in
    messages of versions that did not keep it.
    """

    check_id: str
    kind: str
    state: str
    severity: Severity
    subject: str
    type: str
    headline: str
    observed: str
    expected: str
    reason: str
    since: datetime
    outcomes_in_a_row: int
    owner: str | None = None
    runbook: str | None = None
    description: str | None = None
    declared_at: str = ""
    sql: str | None = None
    last_good: str | None = None
    series: tuple[Reading, ...] = ()
    members: tuple[str, ...] = ()
    members_left: tuple[str, ...] = ()
    run_id: str = ""
    resolved_at: datetime | None = None
    first_step: str = ""
    caused_by: str | None = None
    result: Json = None


@dataclass(frozen=True, slots=True)
class Affected:
    """Something that is made from what the message's root is about: a table, a pipeline or an exposure.

    kind: table, pipeline, or the exposure's type (dashboard, ...). last_good_at: of what fails, until when all that fails of it
    was measured as good; else when anything of it was; None when that was never.
    """

    name: str
    kind: str
    is_failing: bool = False
    last_good_at: datetime | None = None
    owner: str | None = None
    url: str | None = None


@dataclass(frozen=True, slots=True)
class BlastRadius:
    """All that is affected: those that a message lists, and how many more there are."""

    listed: tuple[Affected, ...] = ()
    more: int = 0


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a group. `alerts` has the root first; `more` counts alerts beyond those listed, `affected_more` the affected.

    `affected` is there when the root of the incident is among the alerts. `left` are the first of the alerts that the message before
    named and that have resolved since, while others go on.
    Of a digest there are no alerts, but `lines`, each a label and what is to be said; it is about the time from `opened_at` to `at`.
    """

    kind: DeliveryKind
    instance: str
    incident_id: str
    group_id: str
    dedup_key: str
    severity: Severity
    title: str
    opened_at: datetime
    at: datetime
    alerts: tuple[AlertFacts, ...]
    changes: tuple[str, ...] = ()
    more: int = 0
    acknowledged_by: str | None = None
    resolved_after_s: float | None = None
    links: dict[str, str] = field(default_factory=dict)
    affected: tuple[Affected, ...] = ()
    affected_more: int = 0
    left: tuple[AlertFacts, ...] = ()
    lines: tuple[tuple[str, str], ...] = ()


def to_json(message: Message) -> Json:
    """A JSON object that `from_json` reads back to an equal message."""
    return _plain(asdict(message))


def from_json(data: Json) -> Message:
    """The message that `to_json` wrote, in this version or one before; keys that it does not know are left out."""
    return Message(
        **{
            **_known(Message, data),
            "kind": DeliveryKind(data["kind"]),
            "severity": Severity(data["severity"]),
            "opened_at": _when(data["opened_at"]),
            "at": _when(data["at"]),
            "alerts": tuple(map(_facts, data["alerts"])),
            "left": tuple(map(_facts, data.get("left", ()))),
            "changes": tuple(data["changes"]),
            "lines": tuple((label, text) for label, text in data.get("lines", ())),
            "affected": tuple(Affected(**{**item, "last_good_at": _when(item["last_good_at"])}) for item in data["affected"]),
        }
    )


def _facts(data: Json) -> AlertFacts:
    return AlertFacts(
        **{
            **_known(AlertFacts, data),
            "severity": Severity(data["severity"]),
            "since": _when(data["since"]),
            "resolved_at": _when(data["resolved_at"]),
            "series": tuple(Reading(**{**item, "at": _when(item["at"])}) for item in data.get("series", ())),
            "members": tuple(data["members"]),
            "members_left": tuple(data["members_left"]),
        }
    )


def _known(kind: type[Message | AlertFacts], data: Json) -> dict[str, Json]:
    return {name: data[name] for name in kind.__slots__ if name in data}


def _when(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None


def _plain(value: Json) -> Json:
    match value:
        case datetime():
            return value.isoformat()
        case dict():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value
