"""`dqmon backtest`: what a check would have said of known values, each judged by those before it alone."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from statistics import pstdev
from typing import TYPE_CHECKING, TypeAlias, cast

from dqmon.alerts.transition import transition
from dqmon.core.alert import Alert, AlertEvent, AlertKey, AlertKind, AlertPolicy, EventKind, Outcome
from dqmon.core.check import Check, SourceLine
from dqmon.core.check_type import DatasetCheck
from dqmon.core.history import History, Point
from dqmon.core.judgement import Evidence, Judgement
from dqmon.core.registry import Registry
from dqmon.core.table import TableRef
from dqmon.core.verdict import Verdict
from dqmon.engine.judging.knowledge import HISTORY
from dqmon.engine.measuring.asked import Task, requests, windows
from dqmon.engine.select import no_check
from dqmon.errors import UsageError
from dqmon.store.feedback import alerted
from dqmon.store.measurements import POINTS, history
from dqmon.store.recall import segments
from dqmon.store.series import HistoryKey, series

if TYPE_CHECKING:
    from dqmon.core.metric import Metric
    from dqmon.engine.environment import Environment

Judge: TypeAlias = Callable[[Point, History], Judgement]
"""The verdict on a point by the points before it."""

_AT_ONCE = AlertPolicy()
_MOST = 99.0
_RECENT, _RECENT_POINTS = timedelta(days=14), 28


@dataclass(frozen=True, slots=True)
class Judged:
    """What was said of the value at a time; `has_fired` when the alert began with it. spread: of a bad one, the standard deviation
    of the recent values before it.
    """

    at: datetime
    judgement: Judgement
    has_fired: bool = False
    spread: float = 0.0

    @property
    def value(self) -> float | None:
        """What was observed, as a number; None when nothing was."""
        value = self.judgement.observed.value
        return float(value) if isinstance(value, int | float | Decimal) else None

    @property
    def is_bad(self) -> bool:
        """True for WARN and FAIL."""
        return self.judgement.verdict.is_bad


@dataclass(frozen=True, slots=True)
class Replayed:
    """The points of one segment (its stored text, `{}` without segments), oldest first, since the day that was asked for."""

    segment: str
    points: tuple[Judged, ...]

    @property
    def alerts(self) -> tuple[Judged, ...]:
        """The points at which the alert fired."""
        return tuple(point for point in self.points if point.has_fired)

    @property
    def judged(self) -> tuple[Judged, ...]:
        """The points that were judged: neither still learning nor without a value."""
        return tuple(point for point in self.points if point.judgement.verdict is not Verdict.SKIPPED)

    @property
    def days(self) -> float:
        """From the first judged point to the end of the last one's step; 0 without any."""
        judged = self.judged
        if len(judged) < 2:  # noqa: PLR2004 - one point has no length
            return float(len(judged))
        span = judged[-1].at - judged[0].at
        return (span + span / (len(judged) - 1)) / timedelta(days=1)


class Replay:
    """Judges points in their order of time, as a run at each would have, and keeps what the next one is judged by.

    A baseline is what the store would have given: the newest POINTS points of HISTORY, strictly before the tested one, those
    under a firing alert excluded. The alert is that of `for` and `recover_after`, of one partition a run.
    """

    def __init__(self, judge: Judge, policy: AlertPolicy = _AT_ONCE, past: Iterable[Point] = ()) -> None:
        self._judge = judge
        self._policy = policy
        self._points: deque[Point] = deque(past, POINTS)
        self._alert = Alert(AlertKey("", AlertKind.DATA))

    def take(self, point: Point) -> Judged | None:
        """The verdict on the next point; None of an estimate, which is learned from only."""
        if point.is_estimate:
            self._points.append(point)
            return None
        return self.step(point)

    def step(self, point: Point) -> Judged:
        """The verdict on the next point."""
        while self._points and point.at - self._points[0].at > HISTORY:
            self._points.popleft()
        before = tuple(self._points)
        while before and before[-1].at >= point.at:
            before = before[:-1]
        judgement = self._judge(point, History(before))
        events: tuple[AlertEvent, ...] = ()
        if judgement.verdict in (Verdict.PASS, Verdict.WARN, Verdict.FAIL):
            outcome = Outcome(judgement.verdict, self._alert.severity)
            self._alert, events = transition(self._alert, outcome, self._policy, point.at)
        self._points.append(replace(point, is_excluded=self._alert.is_open))
        spread = _spread(before, point.at) if judgement.verdict.is_bad else 0.0
        return Judged(point.at, judgement, any(event.kind is EventKind.FIRED for event in events), spread)


def replay_series(points: Iterable[Point], method: str | None = None) -> Iterator[Judged]:
    """The verdicts of the anomaly checks' defaults on the values of one series, oldest first.

    Whole numbers from 0 up, as far as the series has been seen, are judged as `volume_anomaly` does, others as
    `metric_anomaly`. `method`: as the option of that name. Raises UsageError for a method that does not exist.
    """
    checks = {is_count: _check(is_count=is_count, method=method) for is_count in (True, False)}
    is_count = True

    def judge(point: Point, past: History) -> Judgement:
        check, rule = checks[is_count]
        (metric,) = rule.metrics(check)
        value = int(point.value) if is_count and point.value.is_integer() else point.value
        return rule.judge(check, Evidence({metric: value}, point.at, point.at, history=past))

    replay = Replay(judge)
    for point in points:
        yield replay.step(point)
        is_count = is_count and point.value >= 0 and point.value.is_integer()


def backtest(environment: Environment, check_id: str, days: int, now: datetime) -> tuple[Replayed, ...]:
    """The stored history of a check through its own judgement, by segment; what is older than `days` is only learned from.

    UsageError for a check that is not declared, has no baseline, or has no history yet.
    """
    check, rule, metric = _with_baseline(environment, check_id)
    task = Task(check, now)
    window = next(window for window in reversed(windows(task)) if window is None or window.start is not None)
    request = next(request for request in requests(task, window) if request.metric == metric)
    with environment.database.read() as connection:
        name = series(request)
        keys = [HistoryKey(name, segment, check.id) for segment in segments(connection, name)]
        found = history(connection, keys, now, None, alerted(connection, (check.id,)))
    if not any(found.values()):
        hint = f"dqmon backfill {check_id}" if window is not None else f"dqmon check {check_id}"
        raise UsageError(f"{check_id} has no history yet; type: {hint}")
    since = now - timedelta(days=days)

    def judge(point: Point, past: History) -> Judgement:
        value = metric.restore(point.value, point.text)
        return rule.judge(check, Evidence({metric: value}, point.at, point.at, history=past))

    replayed = []
    for key, points in found.items():
        replay = Replay(judge, AlertPolicy(check.hold_for, check.recover_after), (p for p in points if p.at < since))
        replayed.append(Replayed(key.segment, tuple(one for p in points if p.at >= since if (one := replay.take(p)) is not None)))
    return tuple(replayed)


def score(judged: Judged) -> float:
    """How unusual the value is: above 1 is outside of the band, 99 at most; 0 without a band.

    Inside it is the distance from the band's middle in half widths. Outside it is 1 and how many standard deviations of the recent
    values the bound is passed by: bands are of different widths, and what leaves a narrow one by little is no large incident.
    """
    low, high, value = judged.judgement.expected.low, judged.judgement.expected.high, judged.value
    if value is None or (low is None and high is None):
        return 0.0
    passed = max(0.0 if low is None else low - value, 0.0 if high is None else value - high)
    if passed > 0:
        return min(_MOST, 1 + passed / judged.spread) if judged.spread > 0 else _MOST
    if low is None or high is None or high <= low:
        return 0.0
    return abs(value - low - (high - low) / 2) / ((high - low) / 2)


def _spread(points: Sequence[Point], at: datetime) -> float:
    """The standard deviation of the values of the last 14 days, of 28 points at least; 0 below two."""
    recent = [point.value for place, point in enumerate(reversed(points)) if place < _RECENT_POINTS or at - point.at <= _RECENT]
    return pstdev(recent) if len(recent) > 1 else 0.0


def _check(*, is_count: bool, method: str | None) -> tuple[Check, DatasetCheck]:
    """An anomaly check with the defaults of the daemon, and its type. Raises UsageError."""
    if method is not None and method not in (known := Registry("detectors").names()):
        raise UsageError(f"there is no method {method!r}; there are {', '.join(known)}")
    options: dict[str, object] = {} if method is None else {"method": method}
    name, own = ("volume_anomaly", {}) if is_count else ("metric_anomaly", {"column": "value", "metric": "avg"})
    rule: DatasetCheck = Registry("checks").get(name).model_validate(options | own)
    return Check(name, rule, TableRef("", None, None, "series"), None, SourceLine("", 0)), rule


def _with_baseline(environment: Environment, check_id: str) -> tuple[Check, DatasetCheck, Metric]:
    """The check, its type, and the metric of its baseline. Raises UsageError."""
    check = environment.checks.get(check_id)
    if check is None:
        raise UsageError(no_check(check_id, environment.checks))
    metric = check.rule.history_metric(check) if isinstance(check.rule, DatasetCheck) else None
    if metric is None:
        raise UsageError(f"{check_id} has nothing to replay: {check.type} does not compare with measured values of the past")
    return check, cast("DatasetCheck", check.rule), metric
