"""Options: what is refused, in which words, and what the accepted ones mean."""

from __future__ import annotations

from datetime import time
from decimal import Decimal
from typing import Any

import pytest
from hand_made import TYPES, check
from pydantic import ValidationError

from dqmon.core.check import Check
from dqmon.core.table import TableRef


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
        (check("freshness", column="metadata", event_column="t", fail_after="1h"), "column: metadata has no event_column:"),
        (check("relationship", column="x", to={"dataset": "b"}), "to: no column is given"),
        (check("relationship", columns=["x", "y"], to={"dataset": "b", "column": "z"}), "2 columns here and 1 in to:"),
        (check("relationship", column="x", to={"dataset": "b", "column": "z", "warehouse": "else"}), "write its schema, too: schema.b"),
        (check("relationship", column="x", to={"dataset": "a..b", "column": "z"}), "to: 'a..b' is not a dataset"),
        (check("schema_drift", fail_on=["column_added"], warn_on=["column_added"]), "stands in fail_on and in warn_on"),
        (check("schema_drift", fail_on=[], warn_on=[]), "nothing is checked"),
        (check("schema_drift", columns=[{"name": "a"}, {"name": "a"}]), "declares a twice"),
        (check("volume_anomaly", warn_per_year=1), "is not above false_alerts_per_year"),
        (check("volume_anomaly", method="crystal_ball"), "there is no method 'crystal_ball'; there are"),
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
