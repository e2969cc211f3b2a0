"""The cases of tests/cases/ once more, on frames: what a table says, a frame of the same rows says, and it names the bad rows."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pandas as pd
import polars as pl
import pytest
from test_check_cases import CASES as OF_TABLES

from dqmon.core.check import Check, SourceLine
from dqmon.core.check_type import DatasetCheck
from dqmon.core.registry import Registry
from dqmon.core.table import TableRef
from dqmon.core.threshold import parse_threshold
from dqmon.core.verdict import Verdict
from dqmon.frames.frame import Frame

TABLE = TableRef("w", None, "main", "rows")
POLARS: dict[str, Any] = {
    "int": pl.Int64,
    "float": pl.Float64,
    "decimal": pl.Decimal(18, 4),
    "text": pl.String,
    "bool": pl.Boolean,
    "date": pl.Date,
    "timestamp": pl.Datetime("us"),
    "timestamptz": pl.Datetime("us", "UTC"),
}


LIBRARIES = ("polars", "pandas, Arrow types", "pandas, objects")


def judges_rows(name: str) -> bool:
    rule = Registry("checks").get(name)
    return issubclass(rule, DatasetCheck) and rule.row_rule is not DatasetCheck.row_rule


def needs_nan(case: dict[str, Any]) -> bool:
    """True when the case is about NaN as a value, which pandas' objects have not: it is NULL there."""
    has_nan = any(isinstance(value, float) and value != value for row in case["rows"] for value in row)  # noqa: PLR0124
    return has_nan and (case["type"] in ("uniqueness", "condition") or case["options"].get("nan") == "value")


CASES = [
    pytest.param(case, library, id=f"{case['type']}: {case['name']}, {library}")
    for case in OF_TABLES
    if judges_rows(case["type"])
    for library in LIBRARIES
    if library != "pandas, objects" or not needs_nan(case)
]


def _value(value: Any, kind: str) -> Any:
    match value, kind:
        case None, _:
            return None
        case int() | float() | str(), "decimal":
            return Decimal(str(value))
        case str(), "timestamp":
            return datetime.fromisoformat(value)
        case str(), "timestamptz":
            return datetime.fromisoformat(value).astimezone(UTC)
        case str(), "date":
            return date.fromisoformat(value)
        case int(), "float":
            return float(value)
    return value


def frame_of(case: dict[str, Any], library: str) -> Any:
    columns = list(case["columns"].items())
    values = {name: [_value(row[i], kind) for row in case["rows"]] for i, (name, kind) in enumerate(columns)}
    frame = pl.DataFrame(values, schema={name: POLARS[kind] for name, kind in columns}, strict=True)
    match library:
        case "polars":
            return frame
        case "pandas, Arrow types":
            return frame.to_pandas(use_pyarrow_extension_array=True)
        case _:
            return pd.DataFrame({name: pd.Series(items, dtype=object) for name, items in values.items()})


@pytest.mark.parametrize(("case", "library"), CASES)
def test_case(case: dict[str, Any], library: str) -> None:
    rule = Registry("checks").get(case["type"])(**case["options"])
    check = Check("case", rule, TABLE, None, SourceLine("cases.yaml", 1), timezone=case.get("timezone", "UTC"))
    limits = {key: parse_threshold(case[key]) for key in ("warn_if", "fail_if") if key in case}
    check = replace(check, **limits, naive_timezone=case.get("naive_timezone", "UTC"))
    wanted = {**case["expect"], **case.get("on", {}).get("duckdb", {})}
    with Frame(frame_of(case, library), TABLE) as frame:
        (result,) = frame.results((check,))
        bad = frame.bad((result,)).get(result.id, ())
    assert result.observed is not None, result.reason
    found = {
        "verdict": str(result.verdict),
        "value": result.observed.value,
        "ratio": result.observed.ratio,
        "tested": result.observed.rows_tested,
    }
    found = {key: found[key] for key in wanted if key != "reason"}
    assert found == {key: wanted[key] for key in found}, f"{library}, {case['type']}, {case['name']}: {result.reason}"
    assert wanted.get("reason", "") in result.reason
    assert len(bad) == (result.observed.value if result.verdict is Verdict.FAIL else 0), f"bad rows {bad}: {result.reason}"


def test_the_types_that_judge_rows() -> None:
    names = {name for name in Registry("checks").names() if judges_rows(name)}
    assert names >= {"accepted_values", "completeness", "condition", "forbidden_values", "length", "pattern", "range", "uniqueness"}
