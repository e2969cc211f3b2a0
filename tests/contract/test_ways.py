"""Every way to a value gives what the plain statement gives, on random tables of every engine (issue: a rewrite is proved equal)."""

from __future__ import annotations

import itertools
import math
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from random_tables import tried

from dqmon.core.measurement import MetricRequest, Partition
from dqmon.engine.measuring.means import Means
from dqmon.engine.measuring.measure import measure
from dqmon.engine.measuring.measured import Measured
from dqmon.engine.measuring.ways import WAYS
from dqmon.sql import metrics as m

AT = datetime(2026, 3, 1, tzinfo=UTC)
DAY = timedelta(days=1)


class Large:
    """A warehouse that takes all its tables for large ones, so that all ways are open.

    `distinct` is what it tells of the number of values of every column; None for nothing.
    """

    def __init__(self, warehouse: Any, distinct: int | None = None) -> None:
        self.warehouse = warehouse
        self.distinct = distinct

    def __getattr__(self, name: str) -> Any:
        return getattr(self.warehouse, name)

    @contextmanager
    def open(self):
        with self.warehouse.open() as session:
            told = session.facts

            def facts(table: Any) -> Any:
                known = {} if self.distinct is None else {c.name: self.distinct for c in session.columns(table)}
                return replace(told(table), about_rows=10**9, about_distinct=known)

            session.facts = facts
            yield session


def measured(warehouse: Any, requests: list[MetricRequest], ways: tuple[str, ...]) -> Measured:
    ids = itertools.count()
    return measure(warehouse, requests, Means(lambda: AT, lambda: str(next(ids)), ways=ways))


def values(found: Measured) -> dict[MetricRequest, Any]:
    failures = {r.metric: ms[0].failure for r, ms in found.by_request.items() if ms[0].failure}
    assert not failures, failures
    return {request: ms[0].value for request, ms in found.by_request.items()}


def taken(found: Measured) -> set[str]:
    """The names of the metrics that were had in another way than by their own statement."""
    return {r.metric.name for r, ms in found.by_request.items() if ms[0].way}


INTS = st.one_of(st.none(), st.integers(-3, 3), st.just(2**62))
DECIMALS = st.one_of(st.none(), st.decimals("-2", "2", places=2))
FLOATS = st.one_of(st.none(), st.sampled_from([0.1, 0.30000000000000004, -0.0, 1e300, math.nan, math.inf]), st.floats(-2, 2, width=32))
TEXTS = st.one_of(st.none(), st.sampled_from(["", "a", "A", "b ", "b", "É", "é", "e\u0301", "paid", "PAID", "x@y.de"]))
MOMENTS = st.one_of(st.none(), st.sampled_from([AT - DAY, AT, AT + DAY / 2]).map(lambda at: at.replace(tzinfo=None)))
ROWS = st.lists(st.tuples(INTS, DECIMALS, FLOATS, TEXTS, TEXTS, MOMENTS, MOMENTS.map(lambda at: at and at.date())), max_size=30)
TAME = [(i, Decimal(i) / 2, i / 4, text, text, AT.replace(tzinfo=None), date(2026, 3, 1)) for i, text in enumerate(["a", "paid", "a"])]
"""Rows that break few rules."""
WILD = [
    (0, Decimal(-1), 0.5, "a", "a", datetime(2026, 3, 1), date(2026, 3, 1)),
    (1, Decimal(2), 2.0, "A", "A", None, None),
    (2, Decimal("-0.5"), math.nan, None, "PAID", datetime(2026, 2, 28), date(9999, 12, 31)),
    (None, None, None, "", "paid", datetime(2026, 3, 1, 11), date(2026, 2, 28)),
]
"""Rows that break rules between a least and a greatest value that break none; texts that differ in case alone."""


def table(lab: Any) -> str:
    """The columns i d f s c t day; the texts of c are equal in any case as far as the column is asked."""
    folding = "" if lab.engine == "postgres" else " collate nocase"
    return f"create table t (i bigint, d decimal(12, 2), f double precision, s varchar(9), c varchar(9){folding}, t timestamp, day date)"


def sql(engine: str, value: Any) -> str:
    match value:
        case None:
            return "null"
        case float() if math.isfinite(value):
            return repr(value)
        case float():
            return "null" if engine == "sqlite" else f"cast('{value}' as double precision)"
        case str() | date():
            return "'" + str(value).replace("'", "''") + "'"
    return format(value, "f") if isinstance(value, Decimal) else repr(value)


def fill(lab: Any, rows: list[tuple[Any, ...]]) -> None:
    listed = ", ".join(f"({', '.join(sql(lab.engine, value) for value in row)})" for row in rows)
    lab.run("delete from t", *([f"insert into t values {listed}"] if rows else []))


LIMITS = [(Decimal(-1), Decimal(1), None), (Decimal("0.1"), None, "both"), (None, Decimal("0.3"), "max"), (Decimal(-5), Decimal(5), None)]
SPANS = [
    ("2026-02-28", "2026-03-02", None),
    ("2026-03-01", AT, "min"),
    (None, "2026-03-01T12:00:00+01:00", "max"),
    (AT - 9 * DAY, None, None),
]
PLACEHOLDERS = ("", "a", "n/a")
LISTS = {
    "i": [("0", "1", "2"), ("-1", "1", "0"), ("0", "2"), ("true", "2", "3"), tuple(map(str, range(-3, 20)))],
    "d": [("0", "0.50", "1"), ("7", "8.25"), tuple(f"{n / 100:.2f}" for n in range(30))],
    "f": [("0", "0.25", "0.5"), ("0.1", "7"), tuple(str(n / 10) for n in range(20))],
    "s": [("a", "paid", "b"), ("x", "y", "z"), ("paid", "é", "")],
    "c": [("a", "paid", "b"), ("x", "y", "z"), ("A", "É", "")],
    "t": [("2026-03-01", "2026-02-28T00:00:00Z"), ("1900-01-01", "2100-01-01")],
    "day": [("2026-03-01", "2026-02-28"), ("1900-01-01", "9999-12-31")],
}
METRICS = [
    *(m.InvalidRangeCount(c, min=low, max=high, exclusive=how) for c in ("i", "d", "f") for low, high, how in LIMITS),
    *(m.InvalidRangeCount(c, min=low, max=high, exclusive=how) for c in ("t", "day") for low, high, how in SPANS),
    *(m.InvalidRangeCount(c, missing_values=(-1, 2), min=Decimal(0), max=Decimal(1)) for c in ("i", "d", "f")),
    *(m.InvalidRangeCount("f", nan="value", min=low, max=high) for low, high, _ in LIMITS),
    *(kind(c, values=listed) for kind in (m.UnlistedCount, m.ListedCount) for c, lists in LISTS.items() for listed in lists),
    *(kind(c, values=("A", "PAID", "É"), ignore_case=True) for kind in (m.UnlistedCount, m.ListedCount) for c in ("s", "c")),
    *(kind("i", missing_values=(3, -1), values=("0", "1", "2")) for kind in (m.UnlistedCount, m.ListedCount)),
    *(m.UnlistedCount("f", nan=nan, missing_values=(0,), values=LISTS["f"][2]) for nan in ("missing", "value")),
    *(m.InvalidPatternCount(c, rule=rule, pattern="^[a-z]+$") for c in ("s", "c") for rule in ("regex", "not_regex")),
    *(m.InvalidPatternCount(c, missing_values=PLACEHOLDERS, rule="like", pattern="%a%") for c in ("s", "c")),
    m.InvalidPatternCount("i", missing_pattern="^-", pattern="^[0-2]$"),
    *(m.InvalidFormatCount(c, format=name) for c in ("s", "c") for name in ("email", "country")),
    *(m.InvalidLengthCount(c, missing_pattern="^p", min=1, max=2) for c in ("s", "c")),
    *(kind(c, missing_values=PLACEHOLDERS) for kind in (m.MissingCount, m.NonMissingCount) for c in ("s", "c")),
    *(kind(c, missing_pattern="^[0-9aA-]") for kind in (m.MissingCount, m.NonMissingCount) for c in ("i", "d", "s", "c", "day")),
    *(m.MissingCount("f", nan=nan, missing_values=tuple(range(20))) for nan in ("missing", "value")),
    m.statistic("s", "distinct_count"),
    m.DuplicatedKeys(("c",)),
]
PARTITIONS = [Partition("t", AT - DAY, AT), Partition("t", AT, AT + DAY), Partition("t", None, None)]
COLUMNAR_WAYS = {
    "distinct_values": {
        *("unlisted_count", "listed_count", "invalid_pattern_count", "invalid_format_count", "invalid_length_count"),
        *("missing_count", "non_missing_count"),
    },
}
"""What each way of DuckDB's must have answered for at least once."""


@pytest.mark.random
@pytest.mark.parametrize(
    ("where", "partitions", "distinct"),
    [
        pytest.param(None, [None], None, id="all rows"),
        pytest.param(None, [None], 1, id="all rows, few values known"),
        pytest.param("i > 0", [None], None, id="filter"),
        pytest.param(None, PARTITIONS[:1], 1, id="one partition"),
        pytest.param("d < 1 OR d IS NULL", PARTITIONS, None, id="filter and partitions"),
    ],
)
def test_all_ways_are_the_plain_statement(lab, where, partitions, distinct) -> None:
    lab.run(table(lab))
    warehouse, used = Large(lab.warehouse, distinct), {way: set[str]() for way in WAYS}

    @tried(10)
    @given(ROWS, st.sets(st.sampled_from(METRICS), min_size=10, max_size=20), st.tuples(st.sampled_from(WAYS)))
    @example(TAME, METRICS, tuple(COLUMNAR_WAYS))
    @example(WILD, METRICS, tuple(COLUMNAR_WAYS))
    def prove(rows, metrics, ways) -> None:
        fill(lab, rows)
        requests = [MetricRequest(lab.ref("t"), metric, where, partition) for metric in metrics for partition in partitions]
        plain = values(measured(warehouse, requests, ()))
        for way in ways:
            found = measured(warehouse, requests, (way,))
            used[way] |= taken(found)
            assert differing(plain, values(found)) == {}, f"found and expected by {way}; the way must give what the statement gives"
        assert differing(plain, values(measured(warehouse, requests, WAYS))) == {}, "found and expected by all ways together"

    prove()
    is_whole = where is None and partitions == [None]
    if lab.engine == "duckdb":
        expected = {way: names for way, names in COLUMNAR_WAYS.items() if is_whole or way == "distinct_values"}
        assert {way: names - used[way] for way, names in expected.items() if names - used[way]} == {}, "never taken: nothing is proved"
    elif lab.engine == "postgres" and is_whole and distinct:
        assert used["distinct_values"] >= {"unlisted_count", "invalid_pattern_count", "invalid_format_count", "missing_count"}
    else:
        assert not used["distinct_values"], "a further scan of this engine costs more than it saves"


def differing(expected: dict[Any, Any], found: dict[Any, Any]) -> dict[str, tuple[Any, Any]]:
    return {f"{r.metric.key} {r.partition}": (found[r], value) for r, value in expected.items() if found[r] != value}
