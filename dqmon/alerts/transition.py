"""The state machine of an alert. Total and pure: outcomes in, the next state and what is to be said out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from dqmon.alerts.wording import exit_text, member_text, more_trouble, some
from dqmon.core.alert import Alert, AlertEvent, AlertPolicy, AlertState, EventKind, MemberExit, MemberKey, Outcome
from dqmon.core.verdict import Severity, Verdict

if TYPE_CHECKING:
    from datetime import datetime

    from dqmon.core.check import Hold

Step: TypeAlias = tuple[Alert, tuple[AlertEvent, ...]]


def transition(alert: Alert, outcome: Outcome | None, policy: AlertPolicy, now: datetime, slot: datetime | None = None) -> Step:
    """The alert after an outcome, and its events: FIRED, CHANGED or RESOLVED, at most one.

    `slot` is the scheduled time of the outcome (without one, `now`): `since` and the durations of `for` and
    `recover_after` follow it, `fired_at` and the events' times are `now`. None changes nothing. There are never two
    FIRED without a RESOLVED between; a pending alert goes without a word; a changed policy counts from the next outcome on.
    """
    if outcome is None:
        return alert, ()
    slot = slot or now
    if outcome.verdict.is_bad:
        return _bad(alert, outcome, policy.hold_for, now, slot)
    return _good(alert, outcome, policy.recover_after, now, slot)


def close(alert: Alert, reason: str, now: datetime) -> Step:
    """The alert ended from outside (its check was removed, somebody resolved it by hand), said if it was open."""
    if alert.state is AlertState.RESOLVED:
        return alert, ()
    events = (_event(alert, EventKind.RESOLVED, now, now, reason),) if alert.is_open else ()
    return replace(alert, state=AlertState.RESOLVED, members={}, streak=0, recovering_since=None, resolved_at=now), events


def _bad(alert: Alert, outcome: Outcome, hold: Hold, now: datetime, slot: datetime) -> Step:
    after = replace(alert, severity=outcome.severity, members=outcome.members, streak=alert.streak + 1)
    match alert.state:
        case AlertState.FIRING:
            changes = _changes(alert, outcome)
            return after, (_event(after, EventKind.CHANGED, now, slot, "; ".join(changes)),) if changes else ()
        case AlertState.RECOVERING:
            after = replace(after, state=AlertState.FIRING, streak=1, recovering_since=None)
            return after, (_event(after, EventKind.CHANGED, now, slot, "bad again before it had recovered"),)
        case AlertState.PENDING:
            pass
        case AlertState.RESOLVED:
            after = Alert(alert.key, AlertState.PENDING, outcome.severity, outcome.members, 1, slot, last_good_at=alert.last_good_at)
    if not _is_over(hold, after.streak, after.since, slot):
        return after, ()
    after = replace(after, state=AlertState.FIRING, fired_at=now)
    return after, (_event(after, EventKind.FIRED, now, slot, _first_reason(outcome)),)


def _good(alert: Alert, outcome: Outcome, hold: Hold, now: datetime, slot: datetime) -> Step:
    match alert.state:
        case AlertState.RESOLVED:
            return alert, ()
        case AlertState.PENDING:
            return Alert(alert.key, last_good_at=slot), ()
        case AlertState.FIRING:
            # The members stay by name while recovering, as passing, so that no message calls them gone before the alert is.
            passed = {key: replace(member, verdict=Verdict.PASS) for key, member in alert.members.items()}
            after = replace(alert, state=AlertState.RECOVERING, members=passed, streak=1, recovering_since=slot, last_good_at=slot)
        case AlertState.RECOVERING:
            after = replace(alert, streak=alert.streak + 1, last_good_at=slot)
    if not _is_over(hold, after.streak, after.recovering_since, slot):
        return after, ()
    after = replace(after, state=AlertState.RESOLVED, members={}, streak=0, recovering_since=None, resolved_at=now)
    return after, (_event(after, EventKind.RESOLVED, now, slot, "; ".join(_exits(outcome.left)) or "passes again"),)


def _is_over(hold: Hold, streak: int, since: datetime | None, slot: datetime) -> bool:
    if hold.duration_s is not None:
        return since is not None and (slot - since).total_seconds() >= hold.duration_s
    return streak >= (hold.count or 1)


def _changes(alert: Alert, outcome: Outcome) -> tuple[str, ...]:
    """What an outcome changes of a firing alert, as sentences; empty when nothing."""
    said = []
    if outcome.severity is not alert.severity:
        said.append(severity_change(alert.severity, outcome.severity))
    added = sorted(outcome.members.keys() - alert.members.keys())
    if added:
        said.append(f"{more_trouble(added, alert.key.kind)}: {some(map(member_text, added))}")
    turned = [key for key in sorted(outcome.members) if key in alert.members and _is_turned(alert, outcome, key)]
    said.extend(f"now {outcome.members[key].verdict}: {member_text(key) or alert.key}" for key in turned)
    gone = dict.fromkeys(alert.members.keys() - outcome.members.keys() - outcome.left.keys(), MemberExit.PASSED)
    return (*said, *_exits({**outcome.left, **gone}))


def _is_turned(alert: Alert, outcome: Outcome, key: MemberKey) -> bool:
    return alert.members[key].verdict is not outcome.members[key].verdict


def severity_change(before: Severity, after: Severity) -> str:
    """`worse: warning → critical`."""
    return f"{'worse' if after.rank > before.rank else 'better'}: {before} → {after}"


def _exits(left: dict[MemberKey, MemberExit]) -> tuple[str, ...]:
    return tuple(exit_text([key for key, why in left.items() if why is kind], kind) for kind in MemberExit if kind in left.values())


def _first_reason(outcome: Outcome) -> str:
    """The reason of the worst member, the newest partition of those."""
    worst = max(outcome.members.items(), key=lambda item: (item[1].verdict is not Verdict.WARN, item[0]), default=None)
    return worst[1].reason if worst else ""


def _event(alert: Alert, kind: EventKind, now: datetime, slot: datetime, reason: str) -> AlertEvent:
    return AlertEvent(alert.key, kind, alert.severity, now, slot, reason)
