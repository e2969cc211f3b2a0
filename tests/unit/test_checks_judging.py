"""Judging without a warehouse, where thresholds are not the point: freshness, schema drift, volume."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hand_made import NOW, check, judge
from hypothesis import given
from hypothesis import strategies as st

from dqmon.checks.schema_drift import DeclaredColumn, compare
from dqmon.core.history import History, Point
from dqmon.core.judgement import Judgement
from dqmon.core.measurement import Partition
from dqmon.core.table import Column, TypeGroup
from dqmon.core.verdict import Verdict
from dqmon.sql.metrics import ColumnList, FutureCount, LatestInstant, RowCount

# --- freshness --------------------------------------------------------------------------------------------------------


def fresh(age: timedelta, **options: Any) -> Judgement:
    declared = check("freshness", column="t", **options)
    return judge(declared, {LatestInstant("t"): NOW - age, RowCount(): 5, FutureCount("t"): 0})


@pytest.mark.parametrize(
    ("age", "verdict"),
    [(-300, Verdict.PASS), (3600, Verdict.PASS), (3601, Verdict.WARN), (7200, Verdict.WARN), (7201, Verdict.FAIL)],
)
def test_freshness_is_bad_only_above_its_limit(age: int, verdict: Verdict) -> None:
    judgement = fresh(timedelta(seconds=age), warn_after="1h", fail_after="2h")
    assert judgement.verdict is verdict
    assert judgement.observed.value == max(0, age)


def test_a_deadline_and_an_age_give_the_worst() -> None:
    assert fresh(timedelta(hours=3), deadline="07:00", covers="1d", fail_after="2h").verdict is Verdict.FAIL
    assert fresh(timedelta(hours=13), deadline="07:00", fail_after="2d").verdict is Verdict.FAIL
    assert fresh(timedelta(hours=3), deadline="07:00", warn_after="2h").verdict is Verdict.WARN
    assert fresh(timedelta(hours=3), deadline="07:00", fail_after="4h").verdict is Verdict.PASS


def test_no_value_is_no_data_and_fails_by_default() -> None:
    declared = check("freshness", column="t", fail_after="1h")
    judgement = judge(declared, {LatestInstant("t"): None, RowCount(): 0, FutureCount("t"): 0})
    assert (judgement.verdict, judgement.is_no_data, declared.rule.on_no_data) == (Verdict.SKIPPED, True, "fail")


# --- schema drift -----------------------------------------------------------------------------------------------------


def column(name: str, kind: str = "INTEGER", nullable: bool = True) -> Column:
    return Column(name, kind, TypeGroup.OTHER, nullable, 1)


def declared_column(name: str, kind: str = "INTEGER", nullable: bool = True) -> DeclaredColumn:
    return DeclaredColumn(name=name, type=kind, nullable=nullable)


@pytest.mark.parametrize(
    ("wanted", "found", "changes"),
    [
        ([("a",)], [("a",)], []),
        ([("a", "Decimal(10, 2)")], [("a", "DECIMAL(10,2)")], []),
        ([("a",), ("b",)], [("a",)], ["column_removed: b"]),
        ([("a",)], [("a",), ("b", "TEXT")], ["column_added: b (TEXT)"]),
        ([("a",)], [("a", "TEXT")], ["type_changed: a from INTEGER to TEXT"]),
        ([("a", "INTEGER", True)], [("a", "INTEGER", False)], ["nullable_changed: a is no longer nullable"]),
        ([("a",), ("b",), ("c",)], [("c",), ("b",)], ["column_removed: a", "order_changed: b, c is now c, b"]),
        ([("a",)], [("A",)], ["column_added: A (INTEGER)", "column_removed: a"]),
    ],
)
def test_changes_of_a_schema(wanted: list[tuple[Any, ...]], found: list[tuple[Any, ...]], changes: list[str]) -> None:
    assert [str(change) for change in compare(tuple(declared_column(*w) for w in wanted), tuple(column(*f) for f in found))] == changes


columns = st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from(["INT", "TEXT"]), st.booleans()), unique_by=lambda c: c[0])


@given(wanted=columns, found=columns)
def test_no_change_means_equal_and_every_name_is_accounted_for(wanted: list[Any], found: list[Any]) -> None:
    changes = compare(tuple(declared_column(*w) for w in wanted), tuple(column(*f) for f in found))
    assert (changes == ()) == (wanted == found)
    kinds = [change.kind for change in changes]
    assert kinds.count("column_added") == len({f[0] for f in found} - {w[0] for w in wanted})
    assert kinds.count("column_removed") == len({w[0] for w in wanted} - {f[0] for f in found})


def test_schema_verdicts() -> None:
    accepted = (column("a"), column("b"))
    drift = check("schema_drift")
    assert judge(drift, {ColumnList(): (column("a"),)}, accepted_schema=accepted).verdict is Verdict.FAIL
    assert judge(drift, {ColumnList(): (*accepted, column("c"))}, accepted_schema=accepted).verdict is Verdict.WARN
    first = judge(drift, {ColumnList(): accepted})
    assert (first.verdict, first.reason) == (Verdict.PASS, "2 columns recorded as the accepted schema")


# --- volume anomaly ---------------------------------------------------------------------------------------------------


def past(*values: float) -> History:
    return History(tuple(Point(NOW - timedelta(days=len(values) - i), value) for i, value in enumerate(values)))


NORMAL = past(*(1000 + 10 * (i % 5) for i in range(40)))


@pytest.mark.parametrize(
    ("rows", "direction", "verdict"),
    [
        (1010, "both", Verdict.PASS),
        (500, "both", Verdict.FAIL),
        (2000, "both", Verdict.FAIL),
        (500, "rise", Verdict.PASS),
        (2000, "rise", Verdict.FAIL),
        (500, "drop", Verdict.FAIL),
        (2000, "drop", Verdict.PASS),
        (0, "drop", Verdict.FAIL),
        (0, "rise", Verdict.PASS),
    ],
)
def test_volume_by_direction(rows: int, direction: str, verdict: Verdict) -> None:
    judgement = judge(check("volume_anomaly", direction=direction), {RowCount(): rows}, history=NORMAL)
    assert judgement.verdict is verdict, judgement.reason


def test_the_band_is_told_in_whole_rows_and_kept_for_explain() -> None:
    judgement = judge(check("volume_anomaly"), {RowCount(): 500}, history=NORMAL)
    assert judgement.expected.text in judgement.reason
    assert judgement.expected.low is not None
    assert judgement.expected.low == int(judgement.expected.low)
    assert any("false alerts a year" in line for line in judgement.baseline)
    assert any(line.startswith("2026-01-09T12:00:00Z: ") for line in judgement.baseline)


def test_a_wider_net_warns_before_the_band_fails() -> None:
    declared = check("volume_anomaly", warn_per_year=60)
    verdicts = [judge(declared, {RowCount(): rows}, history=NORMAL).verdict for rows in range(1020, 500, -1)]
    order = [Verdict.PASS, Verdict.WARN, Verdict.FAIL]
    assert sorted(verdicts, key=order.index) == verdicts
    assert set(verdicts) == set(order)


def test_a_partition_is_judged_for_the_time_that_it_describes() -> None:
    """A weekday is the partition's, not the slot's: Sundays are empty, and the run for Sunday takes place on Monday."""
    sunday = datetime(2026, 1, 4, tzinfo=UTC)
    days = [sunday - timedelta(days=70 - i) for i in range(70)]
    history = History(tuple(Point(day, 0.0 if day.weekday() == 6 else 1000.0 + 7 * (day.day % 3)) for day in days))
    partition = Partition("d", sunday, sunday + timedelta(days=1))
    arguments = {"history": history, "partition": partition, "scheduled_at": sunday + timedelta(days=1, hours=6)}
    assert judge(check("volume_anomaly"), {RowCount(): 0}, **arguments).verdict is Verdict.PASS
    assert judge(check("volume_anomaly"), {RowCount(): 1000}, **arguments).verdict is Verdict.FAIL


def test_zero_in_the_past_needs_a_band() -> None:
    assert judge(check("volume_anomaly"), {RowCount(): 0}, history=past(5, 0, 5)).is_learning
    assert judge(check("volume_anomaly"), {RowCount(): 0}, history=past(5, 5)).verdict is Verdict.FAIL
    assert judge(check("volume_anomaly"), {RowCount(): 0}).is_learning
