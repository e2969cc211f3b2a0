"""A frame and a table of the same rows: the same verdicts, numbers and words; and the bad rows are those that plain Python finds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count
from typing import Any

import pandas as pd
import polars as pl
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from dqmon.core.check import Check, SourceLine
from dqmon.core.registry import Registry
from dqmon.core.result import CheckResult
from dqmon.core.table import TableRef
from dqmon.core.threshold import parse_threshold
from dqmon.core.verdict import Verdict
from dqmon.engine.frames import judge_frame
from dqmon.frames.frame import Frame
from dqmon.warehouses.base.duckdb_session import DuckdbSession
from dqmon.warehouses.duckdb import Duckdb, DuckdbOptions

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
TABLE = TableRef("w", None, None, "t")
COLUMNS = {"k": ("BIGINT", pl.Int64), "s": ("VARCHAR", pl.String), "f": ("DOUBLE", pl.Float64), "d": ("DECIMAL(18, 4)", pl.Decimal(18, 4))}
Row = tuple[int | None, str | None, float | None, Decimal | None]

_decimals = st.sampled_from([None, *map(Decimal, ("-0.0001", "0", "0.0001", "9.9999", "10", "10.0001", "99999999999999.9999"))])
_floats = st.sampled_from([None, math.nan, math.inf, -math.inf, -0.0, 0.1, 0.30000000000000004, 1e308])
_texts = st.sampled_from([None, "", " ", "a", "A", "ä", "a\u0308", "😀", "NA", "a'b", "a\nb", "%"]) | st.text(max_size=3)
_rows = st.lists(st.tuples(st.integers(0, 4) | st.none(), _texts.filter(lambda s: "\0" not in (s or "")), _floats, _decimals), max_size=12)
_limits = st.sampled_from(["> 0", "> 1", "> 25%", ">= 50%", "= 2", "not between 1 and 2"])


def is_nothing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def surplus(rows: Sequence[Row]) -> list[int]:
    """All copies of a full key (k, s) but the first."""
    keys = [row[:2] for row in rows]
    return [i for i, key in enumerate(keys) if None not in key and key in keys[:i]]


OPTIONS: dict[str, dict[str, Any]] = {
    "completeness": {"column": "s", "missing_values": ("NA", "")},
    "uniqueness": {"columns": ("k", "s")},
    "range": {"column": "d", "min": Decimal("0.0001"), "max": 10, "exclusive": "max"},
    "accepted_values": {"column": "s", "values": ["a", "ä", "😀", "a'b"]},
    "forbidden_values": {"column": "f", "values": [0, "0.1"]},
    "pattern": {"column": "s", "like": "a%"},
    "length": {"column": "s", "max": 1},
    "condition": {"expression": "d < k * 5 or s = 'a'"},
}


def bad_in_python(kind: str, rows: Sequence[Row]) -> list[int]:
    """Which rows break the rule of OPTIONS, by the definitions of the check types, without SQL."""

    def is_bad(row: Row) -> bool:
        k, s, f, d = row
        match kind:
            case "completeness":
                return s is None or s in ("NA", "")
            case "range":
                return d is not None and (d < Decimal("0.0001") or d >= 10)
            case "accepted_values":
                return s is not None and s not in ("a", "ä", "😀", "a'b")
            case "forbidden_values":
                return not is_nothing(f) and f in (0, 0.1)
            case "pattern":
                return s is not None and not s.startswith("a")
            case "length":
                return s is not None and len(s) > 1
        is_less = None if d is None or k is None else d < k * 5
        return not is_less and is_less is not None and s is not None and s != "a"

    return surplus(rows) if kind == "uniqueness" else [i for i, row in enumerate(rows) if is_bad(row)]


class Loaded(Duckdb):
    """The rows in a table with declared types, as a loader leaves them."""

    def __init__(self, rows: Sequence[Row]) -> None:
        super().__init__("w", DuckdbOptions.model_construct())
        self.loaded = rows

    def session(self, connection: sa.Connection) -> DuckdbSession:
        session = super().session(connection)
        session.driver.execute(f"create table t ({', '.join(f'{name} {kind}' for name, (kind, _) in COLUMNS.items())})")
        if self.loaded:
            session.driver.executemany("insert into t values (?, ?, ?, ?)", [list(row) for row in self.loaded])
        return session


def frame_of(rows: Sequence[Row], library: str) -> Any:
    values = {name: [row[i] for row in rows] for i, name in enumerate(COLUMNS)}
    if library == "pandas, NumPy":
        return pd.DataFrame({name: pd.Series(items, dtype="float64" if name == "f" else object) for name, items in values.items()})
    polars = pl.DataFrame(values, schema={name: kind for name, (_, kind) in COLUMNS.items()})
    return polars if library == "polars" else polars.to_pandas(use_pyarrow_extension_array=True)


def said(results: Sequence[CheckResult]) -> list[object]:
    return [(r.check.id, r.segment, r.verdict, r.severity, r.observed, r.expected, r.reason) for r in results]


@settings(max_examples=30, deadline=None)
@given(
    _rows,
    st.lists(_limits, min_size=len(OPTIONS), max_size=len(OPTIONS)),
    st.sampled_from([None, "k <> 1", "t.s like 'a%'"]),
    st.sampled_from(["polars", "pandas, Arrow types", "pandas, NumPy"]),
)
def test_a_frame_is_judged_as_the_table_of_its_rows(rows: list[Row], limits: list[str], where: str | None, library: str) -> None:
    if library == "pandas, NumPy":  # NaN is how NULL is written there.
        rows = [(k, s, None if is_nothing(f) else f, d) for k, s, f, d in rows]
    checks = []
    for (kind, options), limit in zip(OPTIONS.items(), limits, strict=True):
        rule = Registry("checks").get(kind)(**options)
        checks.append(Check(kind, rule, TABLE, None, SourceLine("t.yaml", 1), fail_if=parse_threshold(limit), where=where))
    ids = count(1)
    expected = said(judge_frame(Loaded(rows), checks, NOW, lambda: str(next(ids))))
    assert Verdict.ERROR not in {row[2] for row in expected}, expected
    with Frame(frame_of(rows, library), TABLE) as judged:
        results = judged.results(checks)
        every = judged.bad([replace(result, verdict=Verdict.FAIL) for result in results])
    assert said(results) == expected
    for result in results:
        bad = list(every[result.id])
        assert len(bad) == result.observed.value, f"{result.check.id}: {result.reason}"
        if where is None:
            assert bad == bad_in_python(result.check.id, rows), f"{result.check.id}: {result.reason}"


@settings(max_examples=15, deadline=None)
@given(_rows)
def test_bad_rows_of_a_segment_are_its_own(rows: list[Row]) -> None:
    """With `segment_by`, keys repeat within their segment alone, and each segment's verdict blames its own rows."""
    rule = Registry("checks").get("uniqueness")(column="s", nulls="forbid")
    check = Check("u", rule, TABLE, None, SourceLine("t.yaml", 1), segment_by=("k",))
    with Frame(frame_of(rows, "polars"), TABLE) as judged:
        results = [result for result in judged.results((check,)) if result.segment]
        bad = judged.bad(results)
        found = {dict(result.segment)["k"]: list(bad.get(result.id, ())) for result in results}
    for k in {row[0] for row in rows}:
        inside = [i for i, row in enumerate(rows) if row[0] == k]
        expected = [i for n, i in enumerate(inside) if rows[i][1] is None or rows[i][1] in [rows[j][1] for j in inside[:n]]]
        assert found[None if k is None else str(k)] == expected


@pytest.mark.parametrize("kind", sorted(OPTIONS))
def test_the_reference_tells_good_from_bad(kind: str) -> None:
    rows: list[Row] = [(1, "a", 0.1, Decimal(1)), (1, "a", 0.5, Decimal(11)), (2, "", None, None), (0, "bb", 0.0, Decimal(3))]
    assert 0 < len(bad_in_python(kind, rows)) < len(rows), "the reference would pass for a check that finds nothing, or all"
