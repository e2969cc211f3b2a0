"""Which alerts are muted, and what that leaves of a group. Pure.

A muted alert is in its incident and its groups as any other. Of one that nobody was told of, nothing is said; of one that was
told, nothing more than its end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from dqmon.alerts.group import Decision, decide, first_due
from dqmon.core.message import DeliveryKind
from dqmon.core.verdict import worst

if TYPE_CHECKING:
    from dqmon.alerts.group import GroupView
    from dqmon.core.alert import AlertKey
    from dqmon.core.incident import Group
    from dqmon.core.route import Route
    from dqmon.core.silence import Attributes, Quiet


@dataclass(frozen=True, slots=True)
class Mute:
    """Why an alert is not told, and when to look again whether it is."""

    reason: str
    until: datetime


def mute_of(quiet: Iterable[Quiet], attributes: Attributes, incident_id: str | None, now: datetime) -> Mute | None:
    """What mutes an alert at `now`, of several the one that lasts longest; None for an alert that is to be told."""
    covering = [(until, one) for one in quiet if (until := one.until(now)) is not None and one.mutes(attributes, incident_id)]
    if not covering:
        return None
    until, one = max(covering, key=lambda item: item[0])
    return Mute(one.words(until, now), until)


@dataclass(frozen=True, slots=True)
class Hush:
    """The muted ones of a group's open alerts. `hidden`: those that its messages have never named, or not since they recovered."""

    mutes: Mapping[AlertKey, Mute]
    hidden: frozenset[AlertKey] = frozenset()

    @property
    def texts(self) -> dict[str, str]:
        """Why each is muted, by its text: what the group keeps."""
        return {str(key): self.mutes[key].reason for key in sorted(self.mutes)}


def hush(group: Group, mutes: Mapping[AlertKey, Mute]) -> Hush:
    """`mutes` of a group's open alerts, with what that hides."""
    return Hush(mutes, frozenset(key for key in mutes if not _told_names(group, str(key))))


def decide_quietly(group: Group, view: GroupView, quiet: Hush, route: Route, now: datetime) -> Decision:
    """What the group says at `now`, as `alerts.group.decide` has it, when some of its alerts are muted.

    view: of its open alerts that are not muted. Of what was said of a muted alert nothing changes until it resolves; a group that
    has nothing but muted alerts says no more than that some have resolved, and repeats itself only afterwards. When a mute ends it is
    time to decide again.
    """
    kept = replace(group, muted=quiet.texts)
    if not quiet.mutes:
        decision = decide(kept, view, route, now)
        is_unheard = not view.members and not decision.says and decision.group.resolved_at == now
        return replace(decision, reason=f"resolved meanwhile; {_reasons(group)}") if is_unheard and group.muted else decision
    until = min(mute.until for mute in quiet.mutes.values())
    shown = _with_told(view, group, quiet)
    if not shown.members and group.last_told_at is None:
        due_at = max(until, first_due(group.opened_at, route, pages=view.pages))
        is_begun = group.due_at is not None or not route.unless_acknowledged
        return Decision((), _reasons(kept), replace(kept, due_at=due_at) if is_begun else kept)
    decision = decide(kept, shown, route, now)
    if not view.members and [saying.kind for saying in decision.says] == [DeliveryKind.REPEAT]:
        return replace(decision, group=replace(kept, due_at=until), withheld=_reasons(kept))
    if decision.group.last_told_at is None or decision.group.resolved_at is not None:
        return decision
    return replace(decision, group=replace(decision.group, due_at=min(until, decision.group.due_at or until)))


def never_told(group: Group, open_keys: Iterable[str]) -> frozenset[str]:
    """The texts of the alerts that were muted when the group was looked at last, and have resolved without a word of them."""
    return frozenset(key for key in group.muted.keys() - set(open_keys) if not _told_names(group, key))


def _with_told(view: GroupView, group: Group, quiet: Hush) -> GroupView:
    """The view with what was said of the muted alerts, as it was said."""
    names = [name for key in quiet.mutes for name in _told_names(group, str(key))]
    if not names or group.told_severity is None:
        return view
    return replace(view, members=tuple(sorted({*view.members, *names})), severity=worst(view.severity, group.told_severity))


def _told_names(group: Group, alert: str) -> tuple[str, ...]:
    """What the group's last message named of an alert: itself, or its partitions."""
    return tuple(name for name in group.told_members if name == alert or name.startswith(f"{alert} ["))


def _reasons(group: Group) -> str:
    return "; ".join(dict.fromkeys(group.muted.values()))
