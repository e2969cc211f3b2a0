"""`arrival: learned`: what arrived, from kept loads or from the history of the newest row, and what that says by now."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from dqmon.checks.base.load_runs import ended_at
from dqmon.core.judgement import Evidence, Judgement
from dqmon.core.load_record import LoadStatus
from dqmon.core.verdict import Verdict

if TYPE_CHECKING:
    from dqmon.core.check import Check
    from dqmon.core.load_record import LoadRecord
    from dqmon.core.metric import Metric
    from dqmon.core.table import TableRef

_RANK = (Verdict.SKIPPED, Verdict.PASS, Verdict.WARN, Verdict.FAIL)


@dataclass(frozen=True, slots=True)
class Learned:
    """What is expected: on which days, and how often a year it may be wrong."""

    days: tuple[str, ...]
    calendar: str | None
    per_year: float

    def judge(self, check: Check, evidence: Evidence, metric: Metric | None) -> Judgement:
        """The verdict by the pipelines that load the table, each by its own loads; else by when `metric` changed.

        Loads say nothing of a part of the table (`filter`, `segment_by`).
        """
        is_whole = check.where is None and not check.segment_by
        found: list[Judgement] = []
        if is_whole and check.table is not None:
            for node, ends in _loaded(evidence.loads, check.table).items():
                judged = self._judged(check, evidence, ends, "loads")
                found.append(replace(judged, reason=f"{node}: {judged.reason}"))
        if metric is not None and all(judged.verdict is Verdict.SKIPPED for judged in found):
            found.append(self._judged(check, evidence, _seen(evidence, metric), "arrivals"))
        return worst(found) if found else self._judged(check, evidence, (), "loads")

    def _judged(self, check: Check, evidence: Evidence, ends: Iterable[datetime], noun: str) -> Judgement:
        from dqmon.checks.base.habit import Arrival, Habit  # not before it is needed: every project has a check of freshness

        arrivals = tuple(Arrival(at, _is_inside(at, evidence.incidents)) for at in ends)
        return Habit(arrivals, check.timezone, self.days, self.calendar, self.per_year).judge(evidence.measured_at, noun)


def worst(judged: Iterable[Judgement]) -> Judgement:
    """The judgement that counts of several, the first of equals: FAIL before WARN before PASS before SKIPPED."""
    return max(judged, key=lambda judgement: _RANK.index(judgement.verdict))


def both(fixed: Judgement, learned: Judgement) -> Judgement:
    """The worse of two; where neither is bad, what both say."""
    if learned.verdict.is_bad and _RANK.index(learned.verdict) > _RANK.index(fixed.verdict):
        return learned
    return fixed if fixed.verdict.is_bad else replace(fixed, reason=f"{fixed.reason}; {learned.reason}")


def _loaded(loads: Iterable[LoadRecord], table: TableRef) -> dict[str, list[datetime]]:
    """The ends of successful plain loads, by pipeline: of those that touched the table, where the tool names tables."""
    whole: dict[str, set[datetime]] = {}
    touched: dict[str, set[datetime]] = {}
    for record in loads:
        if record.status is LoadStatus.SUCCEEDED and record.kind == "load":
            node = f"{record.source}/{record.pipeline}"
            if record.table is None:
                whole.setdefault(node, set()).add(ended_at(record))
            elif table.is_called(record.table):
                touched.setdefault(node, set()).add(ended_at(record))
    return {node: sorted(found) for node, found in sorted((whole | touched).items())}


def _is_inside(at: datetime, spans: Iterable[tuple[datetime, datetime | None]]) -> bool:
    """True when rows came while the check's alert fired; the slot that saw them ended it."""
    return any(start <= at and (end is None or at <= end) for start, end in spans)


def _seen(evidence: Evidence, metric: Metric) -> list[datetime]:
    """When the newest row became a newer one: the time that the row itself tells, where that lies between the two measurements."""
    found: list[datetime] = []
    last: datetime | None = None
    for change in evidence.changes:
        value = metric.restore(None, change.text)
        if isinstance(value, datetime) and (last is None or value > last):
            found.append(value if change.after < value <= change.at else change.at)
        last = value if isinstance(value, datetime) else None
    newest = evidence.values.get(metric)
    if isinstance(newest, datetime) and last is not None and newest > last:
        found.append(evidence.measured_at)
    return found
