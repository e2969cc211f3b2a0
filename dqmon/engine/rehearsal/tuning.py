"""What to change of a check whose alerts are mostly not real, so that it keeps finding what was. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import TYPE_CHECKING, TypeAlias

from dqmon.core.alert import AlertKind
from dqmon.core.feedback import Feedback
from dqmon.core.threshold import Threshold, percentage
from dqmon.engine.rehearsal.compare import Known, data_alerts, findings

if TYPE_CHECKING:
    from datetime import datetime

    from dqmon.core.check import Check
    from dqmon.core.result import CheckResult
    from dqmon.engine.rehearsal.rehearse import Rehearsed
    from dqmon.engine.rehearsal.replay import Fired
    from dqmon.engine.rehearsal.trial import Period

Values: TypeAlias = Mapping[str, object]
"""Keys of a check file with values as YAML has them."""

_LONGER = (1, 2, 4)
"""Outcomes that `for` may wait besides."""
_FEWER = (2, 5, 10)
"""By what `false_alerts_per_year` may be divided."""


@dataclass(frozen=True, slots=True)
class Score:
    """What a form of a check would have done: its data alerts, how many of them told of no real incident, how many of the real
    ones it would have missed, and the longest by which it would have found one later.
    """

    alerts: int
    unreal: int
    missed: int
    delay: timedelta

    @property
    def precision(self) -> float | None:
        """Alerts that told of a real incident among all, 0 to 1; None without any."""
        return (self.alerts - self.unreal) / self.alerts if self.alerts else None


def candidates(check: Check, side: Rehearsed, real: Sequence[Known], period: Period) -> Iterator[Values]:
    """Changes that may make a check quieter, the smallest first. `side` is the replay of the check as it is."""
    alerts = data_alerts(side, check.id)
    if getattr(check.rule, "direction", None) == "both" and (one_sided := _direction(check, side, alerts, real, period)):
        yield {"direction": one_sided}
    level = _level(check, side, real, period)
    yearly = getattr(check.rule, "false_alerts_per_year", None)
    for place, (longer, fewer) in enumerate(zip(_LONGER, _FEWER, strict=True)):
        if check.hold_for.count is not None:
            yield {"for": check.hold_for.count + longer}
        if isinstance(yearly, int | float | Decimal):
            yield {"false_alerts_per_year": float(f"{float(yearly) / fewer:.2g}")}
        if place == 0 and level is not None:
            yield {"fail_if": str(level)}


def score(check_id: str, side: Rehearsed, real: Sequence[Known], period: Period) -> Score:
    """What a replayed form of the check is worth."""
    alerts = data_alerts(side, check_id)
    delays = [found.delay for found in findings(side, real, period.until)]
    unreal = sum(not any(_during(alert, one, period.until) for one in real) for alert in alerts)
    late = max((delay for delay in delays if delay is not None), default=timedelta(0))
    return Score(len(alerts), unreal, delays.count(None), late)


def best(before: Score, found: Iterable[tuple[Values, Score]], wanted: float) -> tuple[Values, Score] | None:
    """The first change that misses nothing and reaches the precision, else the one with fewest unreal alerts; None if none helps."""
    good = [(values, one) for values, one in found if one.missed <= before.missed and one.unreal < before.unreal]
    enough = (pair for pair in good if pair[1].precision is None or pair[1].precision >= wanted)
    return next(enough, None) or min(good, key=lambda pair: pair[1].unreal, default=None)


def real_ones(known: Iterable[Known], check_id: str) -> tuple[Known, ...]:
    """The incidents of the check's data alert that somebody called real."""
    return tuple(
        one
        for one in known
        if one.feedback is Feedback.REAL and any(key.check_id == check_id and key.kind is AlertKind.DATA for key in one.incident.members)
    )


def _during(alert: Fired, known: Known, until: datetime) -> bool:
    incident = known.incident
    return alert.at <= (incident.resolved_at or until) and (alert.until is None or alert.until > incident.opened_at)


def _bad_results(check: Check, side: Rehearsed) -> Iterator[CheckResult]:
    """The bad results of the check."""
    for track in side.tracks:
        if track.check.id == check.id:
            yield from (result for step in track.steps for result in step.results if result.verdict.is_bad)


def _direction(check: Check, side: Rehearsed, alerts: Sequence[Fired], real: Sequence[Known], period: Period) -> str | None:
    """The side on which all bad values of real incidents were, if there are any, and alerts beside them."""
    spans = [(one.at, one.until or period.until) for one in alerts if any(_during(one, known, period.until) for known in real)]
    sides = set()
    for result in _bad_results(check, side):
        value = result.observed.value if result.observed else None
        if any(start <= result.measured_at <= end for start, end in spans) and isinstance(value, int | float | Decimal):
            is_low = result.expected.low is not None and float(value) < result.expected.low
            sides.add("drop" if is_low else "rise")
    return sides.pop() if len(sides) == 1 else None


def _level(check: Check, side: Rehearsed, real: Sequence[Known], period: Period) -> Threshold | None:
    """The threshold that the values of all real incidents still pass, two digits short of the mildest of them; None without a
    one-sided threshold or a real incident.
    """
    limit = check.fail_if
    if limit is None or limit.operator not in (">", ">=", "<", "<="):
        return None
    is_upper = limit.operator[0] == ">"
    worst_of = []
    for known in real:
        start, end = known.incident.opened_at, known.incident.resolved_at or period.until
        seen = [v for r in _bad_results(check, side) if start <= r.measured_at <= end and (v := _compared(r, limit)) is not None]
        if not seen:
            return None
        worst_of.append(max(seen) if is_upper else min(seen))
    if not worst_of:
        return None
    mildest = min(worst_of) if is_upper else max(worst_of)
    step = Decimal(1).scaleb(mildest.adjusted() - 1) if mildest else Decimal("0.1")
    level = (mildest / step).to_integral_value(ROUND_CEILING if is_upper else ROUND_FLOOR) * step + (-step if is_upper else step)
    is_milder = level > limit.low if is_upper else level < limit.low
    return Threshold(limit.operator, level.normalize() + 0, None, limit.is_percent) if is_milder else None


def _compared(result: CheckResult, limit: Threshold) -> Decimal | None:
    """What of a result is held against the threshold."""
    observed = result.observed
    if observed is None:
        return None
    if limit.is_percent:
        return None if observed.ratio is None else percentage(Decimal(repr(observed.ratio)), 1)
    return Decimal(str(observed.value)) if isinstance(observed.value, int | float | Decimal) else None
