"""Judging, without a warehouse: hand-made evidence in, verdict and sentence out."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from dqmon.checks.base.words import breaks, count, holds, number, percent
from dqmon.checks.schema_drift import DeclaredColumn, compare
from dqmon.core.check import Check, Evidence, Judgement, PartitionBy, SourceLine
from dqmon.core.history import History, Point
from dqmon.core.metric import Metric, Partition, Value
from dqmon.core.registry import Registry
from dqmon.core.table import Column, TableRef, TypeGroup
from dqmon.core.threshold import parse_threshold
from dqmon.core.verdict import Verdict
from dqmon.sql.metrics import ColumnList, FutureCount, LatestInstant, MissingCount, RowCount

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
TYPES = Registry("checks")
DATASET_TYPES = [name for name in TYPES.names() if TYPES.get(name).subject == "dataset"]
SECTIONS = (
    "What it measures",
    "Why it matters",
    "Parameters",
    "NULLs and empty tables",
    "SQL it runs",
    "Example",
    "Known limits",
    "References",
)


def check(kind: str, warn_if: str | None = None, fail_if: str | None = None, partition: PartitionBy | None = None, **options: Any) -> Check:
    limits = {key: parse_threshold(text) for key, text in (("warn_if", warn_if), ("fail_if", fail_if)) if text}
    table = TableRef("main", None, "s", "t")
    return Check("id", TYPES.get(kind)(**options), table, None, SourceLine("checks/a.yaml", 1), partition=partition, **limits)


def judge(declared: Check, values: dict[Metric, Value], **evidence: Any) -> Judgement:
    return declared.rule.judge(declared, Evidence(values, evidence.pop("scheduled_at", NOW), NOW, **evidence))


def completeness(missing: int, rows: int, warn_if: str | None = None, fail_if: str | None = None) -> Judgement:
    return judge(check("completeness", warn_if, fail_if, column="x"), {MissingCount("x"): missing, RowCount(): rows})


@pytest.mark.parametrize("name", DATASET_TYPES)
def test_every_type_documents_itself_in_the_agreed_sections(name: str) -> None:
    lines = inspect.cleandoc(TYPES.get(name).__doc__ or "").splitlines()
    titles = [line.removesuffix(":") for line in lines if line.removesuffix(":") in SECTIONS]
    assert titles == list(SECTIONS), f"{name} has the sections {titles}; write them all, in this order"


@pytest.mark.parametrize("name", DATASET_TYPES)
def test_every_option_is_documented(name: str) -> None:
    doc = TYPES.get(name).__doc__ or ""
    missing = [option for option in TYPES.get(name).model_fields if option not in doc.split("Parameters:")[1].split("NULLs and empty")[0]]
    assert not missing, f"{name}: say under Parameters what {', '.join(missing)} mean"


# --- thresholds -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("missing", "rows", "warn_if", "fail_if", "verdict"),
    [
        (0, 10, None, None, Verdict.PASS),
        (1, 10, None, None, Verdict.FAIL),
        (1, 10, "> 0", None, Verdict.WARN),
        (10, 10, "> 0", None, Verdict.WARN),
        (2, 10, "> 0", "> 20%", Verdict.WARN),
        (3, 10, "> 0", "> 20%", Verdict.FAIL),
        (0, 0, "> 0", "> 20%", Verdict.SKIPPED),
        (0, 0, None, "> 20%", Verdict.SKIPPED),
        (0, 0, None, "= 0", Verdict.SKIPPED),
        (1, 3, None, ">= 33.34%", Verdict.PASS),
        (1, 3, None, ">= 33.33%", Verdict.FAIL),
        (5, 10, None, "between 5 and 6", Verdict.FAIL),
        (7, 10, None, "not between 5 and 6", Verdict.FAIL),
        (7, 10, None, "!= 7", Verdict.PASS),
    ],
)
def test_thresholds(missing: int, rows: int, warn_if: str | None, fail_if: str | None, verdict: Verdict) -> None:
    judgement = completeness(missing, rows, warn_if, fail_if)
    assert judgement.verdict is verdict
    assert judgement.is_no_data == (rows == 0)


@given(rows=st.integers(1, 10**12), share=st.decimals(0, 100, places=3), data=st.data())
def test_a_percentage_is_exact(rows: int, share: Decimal, data: st.DataObject) -> None:
    """`> p %` fails exactly when missing / rows > p / 100, in fractions; floats would be off at the boundary."""
    edge = int(Fraction(share) * rows / 100)
    missing = min(rows, max(0, data.draw(st.integers(edge - 2, edge + 2))))
    is_bad = Fraction(missing, rows) > Fraction(share) / 100
    assert completeness(missing, rows, fail_if=f"> {share}%").verdict is (Verdict.FAIL if is_bad else Verdict.PASS)


@given(rows=st.integers(0, 10**6), data=st.data(), limit=st.integers(0, 100))
def test_the_expected_interval_says_what_the_verdict_says(rows: int, data: st.DataObject, limit: int) -> None:
    missing = data.draw(st.integers(0, rows))
    judgement = completeness(missing, rows, fail_if=f"> {limit}%")
    if judgement.verdict is not Verdict.SKIPPED:
        is_inside = missing <= (judgement.expected.high or 0) * (1 + 1e-12)
        assert (judgement.verdict is Verdict.PASS) == is_inside


@pytest.mark.parametrize(
    ("judgement", "reason", "expected"),
    [
        (completeness(203, 930, fail_if="> 20%"), "203 of 930 rows (21.8 %) have no x; fails above 20 %", "at most 20 % missing"),
        (completeness(1, 12400, "> 0", "> 5%"), "1 of 12,400 rows (0.01 %) has no x; warns above 0 rows", "no missing rows"),
        (completeness(2001, 10000, fail_if="> 20%"), "2,001 of 10,000 rows (20.01 %) have no x; fails above 20 %", "at most 20 % missing"),
        (completeness(0, 5, fail_if=">= 2"), "0 of 5 rows (0 %) have no x; fails from 2 rows", "less than 2 missing rows"),
    ],
)
def test_words_of_counts(judgement: Judgement, reason: str, expected: str) -> None:
    assert (judgement.reason, judgement.expected.text) == (reason, expected)


@pytest.mark.parametrize(
    ("bad", "breaks_text", "holds_text"),
    [
        ("> 20%", "above 20 %", "at most 20 %"),
        (">= 3", "from 3 rows", "less than 3 rows"),
        ("< 1000", "below 1,000 rows", "at least 1,000 rows"),
        ("<= 1000", "at 1,000 rows or less", "more than 1,000 rows"),
        ("= 0", "at exactly 0 rows", "anything but 0 rows"),
        ("!= 5", "at anything but 5 rows", "exactly 5 rows"),
        ("between 1 and 2", "from 1 to 2 rows", "less than 1 or more than 2 rows"),
        ("not between 9800 and 12400", "outside 9,800 to 12,400 rows", "between 9,800 and 12,400 rows"),
        ("> 0", "above 0 rows", "no rows"),
    ],
)
def test_words_of_thresholds(bad: str, breaks_text: str, holds_text: str) -> None:
    assert (breaks(parse_threshold(bad), "rows"), holds(parse_threshold(bad), "rows")) == (breaks_text, holds_text)


def test_words_of_numbers() -> None:
    assert [number(v) for v in (12400, Decimal("0.50"), 0.12345, 123456.7, Decimal(1000), -3)] == [
        "12,400",
        "0.5",
        "0.1235",
        "123,457",
        "1,000",
        "-3",
    ]
    assert [count(1, "rows"), count(0, "rows"), count(2, "rows")] == ["1 row", "0 rows", "2 rows"]
    assert percent(Decimal("99.99")) == "99.99 %"
    assert percent(Decimal(100)) == "100 %"
    assert percent(Decimal("0.0004")) == "0.0004 %"


# --- options ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "problem"),
    [
        (check("completeness", column="x", missing_pattern="("), "is not a regular expression"),
        (check("uniqueness", column="x", columns=["y"]), "column and columns are both given"),
        (check("uniqueness"), "no column is given"),
        (check("uniqueness", columns=["a", "b", "a"]), "names a twice"),
        (check("uniqueness", column="a", across="partition"), "needs a partition"),
        (check("range", column="x"), "no bound"),
        (check("range", column="x", min=2, max=1), "min 2 is above max 1"),
        (check("range", column="x", min=2, exclusive="max"), "exclusive: max names a bound that is not given"),
        (check("range", column="x", min=2, max="2013-01-01"), "different kinds"),
        (check("range", column="x", min="2013-01-02", max="2013-01-01T00:00:00Z"), "is above max"),
        (check("row_count"), "no limit"),
        (check("row_count", fail_if="> 3", min=1), "min/max and warn_if/fail_if are both given"),
        (check("row_count", min=3, max=1), "min 3 is above max 1"),
        (check("freshness", column="t"), "no limit"),
        (check("freshness", column="t", warn_after="2h", fail_after="1h"), "swap them"),
        (check("freshness", column="t", fail_after="1h", days="weekdays"), "belong to a deadline"),
        (check("freshness", column="t", deadline="07:00", event_column="u"), "write two checks"),
        (check("freshness", column="t", deadline="07:00", days=[]), "days is empty"),
        (check("freshness", column="t", deadline="07:00", calendar="Narnia"), "there is no calendar 'Narnia'"),
        (check("freshness", column="metadata", fail_after="1h"), "column: metadata is not offered"),
        (check("relationship", column="x", to={"dataset": "b"}), "to: no column is given"),
        (check("relationship", columns=["x", "y"], to={"dataset": "b", "column": "z"}), "2 columns here and 1 in to:"),
        (check("relationship", column="x", to={"dataset": "b", "column": "z", "warehouse": "else"}), "needs both in one warehouse"),
        (check("relationship", column="x", to={"dataset": "a..b", "column": "z"}), "to: 'a..b' is not a dataset"),
        (check("schema_drift", fail_on=["column_added"], warn_on=["column_added"]), "stands in fail_on and in warn_on"),
        (check("schema_drift", fail_on=[], warn_on=[]), "nothing is checked"),
        (check("schema_drift", columns=[{"name": "a"}, {"name": "a"}]), "declares a twice"),
        (check("volume_anomaly", warn_per_year=1), "is not above false_alerts_per_year"),
        (check("volume_anomaly", detector="crystal_ball"), "there is no detector 'crystal_ball'; there are"),
    ],
)
def test_what_is_wrong_with_options(declared: Check, problem: str) -> None:
    found = declared.rule.problems(declared)
    assert any(problem in sentence for sentence in found), f"found {found}, expected a sentence with {problem!r}"


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("completeness", {"column": 1}),
        ("completeness", {"column": "x", "unknown": 1}),
        ("range", {"column": "x", "min": "many"}),
        ("range", {"column": "x", "min": float("nan")}),
        ("range", {"column": "x", "min": True}),
        ("row_count", {"min": -1}),
        ("row_count", {"min": 1.5}),
        ("freshness", {"column": "t", "fail_after": "2 hours"}),
        ("freshness", {"column": "t", "deadline": 420}),
        ("freshness", {"column": "t", "deadline": "25:00"}),
        ("freshness", {"column": "t", "deadline": "07:00", "days": ["funday"]}),
        ("schema_drift", {"fail_on": ["column_moved"]}),
        ("schema_drift", {"columns": []}),
        ("volume_anomaly", {"false_alerts_per_year": 0}),
        ("volume_anomaly", {"direction": "sideways"}),
        ("volume_anomaly", {"min_history": 1}),
        ("uniqueness", {"column": "x", "nulls": "ignore"}),
    ],
)
def test_options_that_are_refused(kind: str, options: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TYPES.get(kind)(**options)


def test_options_are_exact() -> None:
    rule = TYPES.get("range")(column="x", min=0.1, max="2013-01-31", missing_values=[0.1, "", 5])
    assert rule.min == Decimal("0.1")
    assert rule.max == "2013-01-31"
    assert rule.missing_values == (Decimal("0.1"), "", 5)
    assert TYPES.get("freshness")(column="t", deadline="07:05").deadline == time(7, 5)
    assert TYPES.get("volume_anomaly")().false_alerts_per_year == Decimal(2)


def test_the_columns_of_the_id_stand_in_declared_order() -> None:
    assert check("uniqueness", columns=["b", "a"]).columns == ("b", "a")
    assert check("completeness", column="x").columns == ("x",)
    assert check("schema_drift", columns=[{"name": "a"}]).columns == ()
    assert check("row_count", min=1).columns == ()


def test_uniqueness_ignores_partitions_unless_told() -> None:
    assert TYPES.get("uniqueness")(column="a").across_table
    assert not TYPES.get("uniqueness")(column="a", across="partition").across_table


def test_relationship_reads_the_other_table_of_the_same_schema() -> None:
    (_, missing) = (declared := check("relationship", column="x", to={"dataset": "b", "column": "id", "filter": "ok"})).rule.metrics(
        declared
    )
    assert missing.other.table == TableRef("main", None, "s", "b")
    assert (missing.other.columns, missing.other.where) == (("id",), "ok")


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
