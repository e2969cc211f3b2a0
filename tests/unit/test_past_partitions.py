"""What of the past is asked for, and what of a scan over many partitions is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from dqmon.checks.row_count import RowCountCheck
from dqmon.checks.volume_anomaly import VolumeAnomaly
from dqmon.core.check import Check, PartitionBy, SourceLine
from dqmon.core.check_type import CheckType
from dqmon.core.measurement import Failure, FailureKind, Measurement, MetricRequest, Partition, Segment
from dqmon.core.metric import Metric, Value
from dqmon.core.table import TableRef
from dqmon.engine.past.past_partitions import BEFORE_FIRST_ROW, as_if_alone, counted, from_first_row, has_baseline, has_past, pasts, scanned
from dqmon.sql.metrics import MissingCount, RowCount

ORDERS = TableRef("main", None, "s", "orders")
NOW = datetime(2026, 4, 2, 9, tzinfo=UTC)
DAY = timedelta(days=1)
ROWS = RowCount()


def check(rule: CheckType, grain: str | None = "day", zone: str = "UTC") -> Check:
    partition = PartitionBy("at", grain, lag_s=3_600) if grain else None
    return Check(f"s.orders.{rule.type}", rule, ORDERS, None, SourceLine("a.yaml", 1), timezone=zone, partition=partition)


def request(day: int, metric: Metric = ROWS, **options: Any) -> MetricRequest:
    start = datetime(2026, 3, 1, tzinfo=UTC) + day * DAY
    return MetricRequest(ORDERS, metric, None, Partition("at", start, start + DAY), **options)


def measured(of: MetricRequest, value: Value, segment: Segment = (), failure: Failure | None = None) -> Measurement:
    return Measurement(of, segment, value, failure, NOW, 0.1, "scan")


def test_only_baselines_of_partitions_have_a_past():
    volume = VolumeAnomaly.model_validate({})
    assert (has_baseline(check(volume)), has_past(check(volume))) == (True, True)
    assert (has_baseline(check(volume, None)), has_past(check(volume, None))) == (True, False)
    assert not has_baseline(check(RowCountCheck.model_validate({"min": 1})))


def test_days_are_those_of_the_zone_over_clock_changes():
    (past,) = pasts([check(VolumeAnomaly.model_validate({}), "day", "Europe/Berlin")], NOW - 7 * DAY, NOW)
    hours = [(p.end - p.start) / timedelta(hours=1) for p in past.partitions]
    assert hours == [24, 24, 24, 23, 24, 24, 24], "clocks went forward on 29 March"
    assert past.partitions[-1].end == datetime(2026, 4, 1, 22, tzinfo=UTC)


def test_every_grain_reaches_as_far_back_as_asked():
    """An hour less of hours: with the lag of an hour the newest has not ended yet."""
    for grain, count in (("hour", 62 * 24 - 1), ("day", 62), ("week", 9), ("month", 3)):
        (past,) = pasts([check(VolumeAnomaly.model_validate({}), grain)], NOW - 62 * DAY, NOW)
        assert len(past.partitions) == count, grain
        assert past.partitions[0].end > NOW - 62 * DAY, grain
        assert past.partitions[0].start <= NOW - 62 * DAY + DAY, grain


def test_what_is_known_is_left_out():
    (past,) = pasts([check(VolumeAnomaly.model_validate({}))], NOW - 5 * DAY, NOW)
    assert len(past.without(frozenset(list(past.asked)[:2])).partitions) == 3


def test_segments_are_those_that_have_rows_in_the_partition():
    asked = [request(day, MissingCount("c"), segment_by=("shop",), max_segments=2) for day in range(3)]
    scans = scanned(asked)
    assert {scan.max_segments for scan in scans} == {6}, "of three partitions together there may be three times as many"
    rows = {0: {"a": 3, "b": 0}, 1: {"a": 0, "b": 0}, 2: {"a": 1, "b": 1, "c": 1}}
    found = {scan: tuple(measured(scan, 0, (("shop", shop),)) for shop in rows[day]) for day, scan in enumerate(scans)}
    found |= {
        count: tuple(measured(count, number, (("shop", shop),)) for shop, number in rows[day].items())
        for day, count in enumerate(counted(scans).values())
    }
    one, none, many = as_if_alone(found, scans).values()
    assert [(m.request, m.segment) for m in one] == [(asked[0], (("shop", "a"),))]
    assert [(m.segment, m.value) for m in none] == [((), 0)], "without any row there is the value of no rows, of no segment"
    assert [m.failure and m.failure.message for m in many] == ["segment_by [shop] has 3 value combinations, max_segments is 2"]


def test_without_its_count_a_segmented_value_is_none():
    asked = request(0, MissingCount("c"), segment_by=("shop",))
    scans = scanned([asked])
    (scan,) = scans
    failure = Failure(FailureKind.TIMEOUT, "too slow")
    (count,) = counted(scans).values()
    found = as_if_alone({scan: (measured(scan, 4, (("shop", "a"),)),), count: (measured(count, None, failure=failure),)}, scans)
    assert [(m.request, m.failure) for m in found[asked]] == [(asked, failure)]


def test_zeros_count_from_the_first_row_on():
    days = {request(day): (measured(request(day), value),) for day, value in enumerate((0, 0, 5, 0, 7))}
    kept = from_first_row(days, None)
    assert [m.value for group in kept.values() for m in group] == [None, None, 5, 0, 7]
    assert [m.way for group in kept.values() for m in group][:3] == [BEFORE_FIRST_ROW, BEFORE_FIRST_ROW, None]
    known = from_first_row(days, datetime(2026, 2, 1, tzinfo=UTC))
    assert [m.value for group in known.values() for m in group] == [0, 0, 5, 0, 7], "earlier values are known: these zeros are zeros"
    failed = {r: (replace(m, failure=Failure(FailureKind.QUERY, "no")),) for r, (m,) in days.items()}
    assert from_first_row(failed, None) == failed
