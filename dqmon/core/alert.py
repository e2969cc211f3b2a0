"""The alert's types; what happens to alerts is in `dqmon/alerts/`."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING

from dqmon.core.check import Hold
from dqmon.core.verdict import Severity, Verdict

if TYPE_CHECKING:
    from datetime import datetime


HOLD = timedelta(minutes=2)
"""The longest that an alert waits for what its ancestors say: nobody should be paged later than that."""


class AlertKind(StrEnum):
    """DATA: the data is bad. ERROR: the check could not be measured."""

    DATA = "data"
    ERROR = "error"


class AlertState(StrEnum):
    """Where an alert stands; RESOLVED is also the state of one that never fired."""

    PENDING = "pending"
    FIRING = "firing"
    RECOVERING = "recovering"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True, order=True)
class AlertKey:
    """An alert's identity: the check and what kind of trouble."""

    check_id: str
    kind: AlertKind

    def __str__(self) -> str:
        return self.check_id if self.kind is AlertKind.DATA else f"{self.check_id}#error"


@dataclass(frozen=True, slots=True, order=True)
class MemberKey:
    """One partition and segment of a check, as stored texts (`""`: no partition, `{}`: no segments)."""

    partition: str = ""
    segment: str = "{}"


@dataclass(frozen=True, slots=True)
class Member:
    """A partition and segment that is bad, since when, and what was said of it last."""

    verdict: Verdict
    since: datetime
    reason: str
    result_id: str = ""
    observed: str = ""
    expected: str = ""


class MemberExit(StrEnum):
    """Why a member left: measured as passing, out of the lookback, absent from a successful measurement, or the configuration
    has no such partitions or segments any more.
    """

    PASSED = "passed"
    AGED_OUT = "aged_out"
    GONE = "gone"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Outcome:
    """The fold of one run's results of one check: `verdict` is PASS, WARN or FAIL for either kind of alert.

    For the data alert: the worst of the judged results and the members still open. For the error alert: FAIL when any
    result is ERROR, else PASS. `left` are the members that went, with why.
    """

    verdict: Verdict
    severity: Severity
    members: dict[MemberKey, Member] = field(default_factory=dict)
    left: dict[MemberKey, MemberExit] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class AlertPolicy:
    """How many bad outcomes (or how long) fire an alert, and how many good ones resolve it."""

    hold_for: Hold = field(default_factory=Hold)
    recover_after: Hold = field(default_factory=Hold)


@dataclass(frozen=True, slots=True)
class Alert:
    """The state machine of one check. `streak` counts the outcomes in a row that led to the present state
    (bad ones while pending or firing, good ones while recovering); `since` is the first of the bad ones,
    `recovering_since` the first of the good ones, `fired_at` when FIRED was said. `recent` are its last outcomes
    (`alerts.flapping`), `flapping_since` is when they began to change too often. `missing_since`: the configuration has no such
    check since then.
    """

    key: AlertKey
    state: AlertState = AlertState.RESOLVED
    severity: Severity = Severity.INFO
    members: dict[MemberKey, Member] = field(default_factory=dict)
    streak: int = 0
    since: datetime | None = None
    fired_at: datetime | None = None
    recovering_since: datetime | None = None
    resolved_at: datetime | None = None
    last_good_at: datetime | None = None
    recent: str = ""
    flapping_since: datetime | None = None
    missing_since: datetime | None = None

    @property
    def is_open(self) -> bool:
        """True from FIRED to RESOLVED."""
        return self.state in (AlertState.FIRING, AlertState.RECOVERING)

    @property
    def is_flapping(self) -> bool:
        """True while its outcomes change too often for each change to be told; such an alert is open."""
        return self.flapping_since is not None


class EventKind(StrEnum):
    """What an alert says to the second step."""

    FIRED = "fired"
    CHANGED = "changed"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class AlertEvent:
    """One thing that happened to an alert. `at` is when; `slot` the scheduled time of the outcome behind it."""

    key: AlertKey
    kind: EventKind
    severity: Severity
    at: datetime
    slot: datetime
    reason: str = ""
