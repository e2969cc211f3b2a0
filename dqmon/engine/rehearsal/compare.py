"""Two replays side by side, and against the incidents that there really were. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from dqmon.core.alert import AlertKey, AlertKind
from dqmon.core.feedback import Feedback

if TYPE_CHECKING:
    from dqmon.core.incident import Incident
    from dqmon.core.verdict import Verdict
    from dqmon.engine.rehearsal.rehearse import Rehearsed
    from dqmon.engine.rehearsal.replay import Fired


@dataclass(frozen=True, slots=True)
class Known:
    """An incident that there really was, and what was said of it."""

    incident: Incident
    feedback: Feedback | None = None

    @property
    def counts(self) -> bool:
        """False of what somebody called expected or the mistake of a threshold: nobody misses that."""
        return self.feedback in (None, Feedback.REAL)


@dataclass(frozen=True, slots=True)
class Totals:
    """What one configuration would have made of the past; messages and pages are by channel."""

    verdicts: Mapping[Verdict, int]
    alerts: int
    incidents: int
    messages: Mapping[str, int]
    pages: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class OfCheck:
    """The same of one check. messages: those that tell of it."""

    check_id: str
    verdicts: Mapping[Verdict, int]
    alerts: int
    messages: int
    pages: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What came of a known incident: after how long one of its alerts would have fired; None when none would."""

    known: Known
    delay: timedelta | None


def totals(side: Rehearsed) -> Totals:
    """The sums of a replay."""
    verdicts: Counter[Verdict] = Counter()
    for track in side.tracks:
        verdicts.update(track.verdicts)
    messages = Counter(one.channel for one in side.sent)
    pages = Counter(one.channel for one in side.sent if one.pages)
    return Totals(verdicts, sum(len(track.alerts) for track in side.tracks), len(side.incidents), messages, pages)


def by_check(side: Rehearsed) -> dict[str, OfCheck]:
    """The sums of each check, by its id."""
    messages = Counter(check_id for one in side.sent for check_id in one.checks)
    pages = Counter(check_id for one in side.sent if one.pages for check_id in one.checks)
    return {(id_ := track.check.id): OfCheck(id_, track.verdicts, len(track.alerts), messages[id_], pages[id_]) for track in side.tracks}


def findings(side: Rehearsed, known: Iterable[Known], until: datetime) -> tuple[Finding, ...]:
    """Of each incident that counts and in which a replayed check was, when the replay would have found it."""
    replayed = {track.check.id for track in side.tracks}
    alerts = _by_key(side)
    found = []
    for one in known:
        incident = one.incident
        if one.counts and any(key.check_id in replayed for key in incident.members):
            end = incident.resolved_at or until
            mine = [fired for key in incident.members for fired in alerts.get(key, ())]
            times = [fired.at for fired in mine if fired.at <= end and (fired.until is None or fired.until > incident.opened_at)]
            found.append(Finding(one, max(timedelta(0), min(times) - incident.opened_at) if times else None))
    return tuple(found)


def new_alerts(before: Rehearsed, after: Rehearsed) -> tuple[Fired, ...]:
    """The alerts of `after` at whose time the same check had none in `before`, by time."""
    old = _by_key(before)
    new = [one for track in after.tracks for one in track.alerts if not _overlaps(one, old.get(one.key, ()))]
    return tuple(sorted(new, key=lambda one: (one.at, one.key)))


def misses(found: Sequence[Finding], *, only_real: bool = False) -> int:
    """How many incidents would have been missed; with `only_real` of those that somebody called real."""
    return sum(one.delay is None for one in found if not only_real or one.known.feedback is Feedback.REAL)


def data_alerts(side: Rehearsed, check_id: str) -> tuple[Fired, ...]:
    """The data alerts of one check."""
    return tuple(one for track in side.tracks if track.check.id == check_id for one in track.alerts if one.key.kind is AlertKind.DATA)


def _by_key(side: Rehearsed) -> dict[AlertKey, list[Fired]]:
    found: dict[AlertKey, list[Fired]] = {}
    for track in side.tracks:
        for one in track.alerts:
            found.setdefault(one.key, []).append(one)
    return found


def _overlaps(one: Fired, others: Iterable[Fired]) -> bool:
    return any((o.until is None or one.at < o.until) and (one.until is None or o.at < one.until) for o in others)
