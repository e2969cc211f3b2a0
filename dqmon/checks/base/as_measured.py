"""What a check would have measured, if it found a given value: the metrics behind `values:` of rule tests."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from dqmon.core.check import Check
from dqmon.core.check_type import DatasetCheck
from dqmon.core.metric import Metric, MetricKind, Value
from dqmon.core.rule_test import Given
from dqmon.core.verdict import Unit
from dqmon.sql.metrics import FutureCount, LastChange, LatestInstant, RowCount

ROWS = 1_000
"""So many rows are tested where the file says only which share of them is bad, or how many."""
_MOST_ROWS = 10**12
_TOLD_ELSEWHERE = frozenset((MetricKind.BINNED, MetricKind.ROWS))
"""Kinds of metrics whose value is no number."""


def problem_of(check: Check, given: Given) -> str | None:
    """Why the check can never find that; None when it can."""
    try:
        as_measured(check, given, datetime.max.replace(tzinfo=UTC))
    except ValueError as e:
        return str(e)
    return None


def as_measured(check: Check, given: Given, at: datetime) -> dict[Metric, Value]:
    """The value of each metric of the check in a run at `at` in which it finds `given`; of no data those of no rows.

    ValueError says why the check can never find that: its type has no one number, or a number of another unit.
    """
    metrics = _metrics(check)
    if given.value is None:
        if len(metrics) == 1 and metrics[0].empty == 0 and not given.is_error:
            raise ValueError(f"{check.type} counts rows, and no data is 0 rows; write 0 instead of _")
        return {metric: metric.empty for metric in metrics}
    if check.rule.unit is Unit.SECONDS:
        return _aged(check, given, metrics, at)
    if len(metrics) == 1:
        return {metrics[0]: _number(check, given, is_count=metrics[0].empty == 0)}
    return _counted(check, given, metrics)


def _metrics(check: Check) -> tuple[Metric, ...]:
    """What the check measures of its own table. ValueError when that is not one number, or a number of bad rows among others."""
    rule = check.rule
    if not isinstance(rule, DatasetCheck):
        raise ValueError(f"{check.type} judges what a source has recorded, not a number; only checks of tables can be tested")  # noqa: TRY004 - a mistake in a file
    metrics = rule.metrics(check)
    is_counted = rule.allows_percent and rule.unit is Unit.ROWS
    is_number = len(metrics) == 1 or rule.unit is Unit.SECONDS or is_counted
    no_numbers = rule.unit is Unit.CHANGES or not _TOLD_ELSEWHERE.isdisjoint(metric.kind for metric in metrics)
    if not metrics or not is_number or no_numbers or rule.other_requests(check, None):
        raise ValueError(f"{check.id} does not judge one number; write rows: instead of values:")
    return metrics


def _counted(check: Check, given: Given, metrics: tuple[Metric, ...]) -> dict[Metric, Value]:
    if given.is_duration:
        raise ValueError(f"{given.text} is a duration, and {check.type} counts rows; write 12, 7% or 530/926")
    bad, tested = _rows(check, given)
    return {metric: tested if metric is metrics[0] or isinstance(metric, RowCount) else bad for metric in metrics}


def _rows(check: Check, given: Given) -> tuple[int, int]:
    """How many rows are bad, of how many."""
    value = given.value or Decimal(0)
    if value < 0:
        raise ValueError(f"{given.text} is below 0, and {check.type} counts rows")
    if given.is_percent:
        if value > 100:  # noqa: PLR2004 - per cent
            raise ValueError(f"{given.text} is more than all rows; write 100% at most")
        tested = ROWS
        while (share := value * tested / 100) != share.to_integral_value():
            tested *= 10
            if tested > _MOST_ROWS:
                raise ValueError(f"{given.text} has too many decimals; write 10 of them at most")
        return int(share), tested
    if value != value.to_integral_value():
        raise ValueError(f"{given.text} is no whole number, and {check.type} counts rows; write 12, 7% or 530/926")
    limits = [limit for limit in (check.warn_if, check.fail_if) if limit is not None]
    if given.of is None and any(limit.is_percent and limit.low for limit in limits):
        raise ValueError(f"{given.text} rows of how many? {check.id} judges their share; write 7% or {given.text}/{ROWS}")
    bad = int(value)
    return bad, given.of if given.of is not None else max(ROWS, bad)


def _aged(check: Check, given: Given, metrics: tuple[Metric, ...], at: datetime) -> dict[Metric, Value]:
    if given.is_percent or given.of is not None or (given.value and not given.is_duration):
        raise ValueError(f"{given.text} is no duration, and {check.type} observes one; write 90m")
    seconds = float(given.value or 0)
    newest = at - timedelta(seconds=seconds)
    ages: dict[type[Metric], Value] = {RowCount: 1, FutureCount: 0, LatestInstant: newest, LastChange: newest}
    return {metric: ages.get(type(metric), seconds) for metric in metrics}


def _number(check: Check, given: Given, *, is_count: bool) -> int | Decimal:
    value = given.value or Decimal(0)
    if given.is_percent or given.of is not None or given.is_duration:
        raise ValueError(f"{given.text} is no plain number, and {check.type} observes one; write 12")
    is_whole = value == value.to_integral_value()
    if is_count and (value < 0 or not is_whole):
        raise ValueError(f"{given.text} is no number of rows, and {check.type} counts them; write 12")
    return int(value) if is_whole else value
