"""The state machine of an alert. Total and pure: outcomes in, the next state and what is to be said out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeAlias

from dqmon.alerts.flapping import at_rest, began_text, ended_text, is_steady, is_unsteady, remember
from dqmon.alerts.wording import exit_text, member_text, more_trouble, some
from dqmon.core.alert import Alert, AlertEvent, AlertPolicy, AlertState, EventKind, MemberExit, MemberKey, Outcome
from dqmon.core.verdict import Severity, Verdict, worst

if TYPE_CHECKING:
    from datetime import datetime

    from dqmon.core.check import Hold

Step: TypeAlias = tuple[Alert, tuple[AlertEvent, ...]]


def transition(alert: Alert, outcome: Outcome | None, policy: AlertPolicy, now: datetime, slot: datetime | None = None) -> Step:
    """The alert after an outcome, and its events: FIRED, CHANGED or RESOLVED, at most one.

    `slot` is the scheduled time of the outcome (without one, `now`): `since` and the durations of `for` and
    `recover_after` follow it, `fired_at` and the events' times are `now`. None changes nothing. There are never two
    FIRED without a RESOLVED between; a pending alert goes without a word; a changed policy counts from the next outcome on.

    An open alert whose outcomes change too often flaps: that is said once, and then nothing but a rise of its severity (it keeps
    the worst) until its outcomes are steady; then it resolves, or goes on firing, and says so.
    """
    if outcome is None:
        return alert, ()
    slot, is_bad = slot or now, outcome.verdict.is_bad
    if (recent := remember(alert.recent, outcome.verdict)) != alert.recent:
        alert = replace(alert, recent=recent)
    is_held = not is_steady(recent) if alert.is_flapping else is_unsteady(recent)
    if is_bad:
        after, events = _bad(alert, outcome, policy.hold_for, now, slot)
    else:
        after, events = _good(alert, outcome, None if is_held else policy.recover_after, now, slot)
    if not alert.is_flapping:
        return _begin_flapping(after, events, now, slot) if is_held and after.is_open else (after, events)
    if is_held or after.state is AlertState.RECOVERING:
        return _held(alert, after, now, slot)
    rested = replace(after, flapping_since=None, recent=at_rest(recent))
    kind = EventKind.CHANGED if is_bad else EventKind.RESOLVED
    return rested, (_event(rested, kind, now, slot, ended_text(is_bad=is_bad)),)


def close(alert: Alert, reason: str, now: datetime) -> Step:
    """The alert ended from outside (its check was removed, somebody resolved it by hand), said if it was open."""
    if alert.state is AlertState.RESOLVED:
        return alert, ()
    events = (_event(alert, EventKind.RESOLVED, now, now, reason),) if alert.is_open else ()
    ended = replace(alert, state=AlertState.RESOLVED, members={}, streak=0, recovering_since=None, resolved_at=now)
    return replace(ended, flapping_since=None, missing_since=None), events


def _begin_flapping(after: Alert, events: tuple[AlertEvent, ...], now: datetime, slot: datetime) -> Step:
    """The alert as one that flaps; that is said with what was to be said anyway."""
    said = events or (_event(after, EventKind.CHANGED, now, slot, ""),)
    reason = "; ".join(text for text in (said[0].reason, began_text(after.recent)) if text)
    return replace(after, flapping_since=slot), (replace(said[0], reason=reason),)


def _held(before: Alert, after: Alert, now: datetime, slot: datetime) -> Step:
    """One that flaps still, with the worst severity that it has had meanwhile; only a rise of that is said."""
    held = replace(after, severity=worst(before.severity, after.severity))
    if held.severity is before.severity:
        return held, ()
    return held, (_event(held, EventKind.CHANGED, now, slot, severity_change(before.severity, held.severity)),)


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
            after = Alert(alert.key, AlertState.PENDING, outcome.severity, outcome.members, 1, slot)
            after = replace(after, last_good_at=alert.last_good_at, recent=alert.recent)
    if not _is_over(hold, after.streak, after.since, slot):
        return after, ()
    after = replace(after, state=AlertState.FIRING, fired_at=now)
    return after, (_event(after, EventKind.FIRED, now, slot, _first_reason(outcome)),)


def _good(alert: Alert, outcome: Outcome, hold: Hold | None, now: datetime, slot: datetime) -> Step:
    """Without a `hold` an open alert does not resolve."""
    match alert.state:
        case AlertState.RESOLVED:
            return alert, ()
        case AlertState.PENDING:
            return Alert(alert.key, last_good_at=slot, recent=alert.recent), ()
        case AlertState.FIRING:
            # The members stay by name while recovering, as passing, so that no message calls them gone before the alert is.
            passed = {key: replace(member, verdict=Verdict.PASS) for key, member in alert.members.items()}
            after = replace(alert, state=AlertState.RECOVERING, members=passed, streak=1, recovering_since=slot, last_good_at=slot)
        case AlertState.RECOVERING:
            after = replace(alert, streak=alert.streak + 1, last_good_at=slot)
    if hold is None or not _is_over(hold, after.streak, after.recovering_since, slot):
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
