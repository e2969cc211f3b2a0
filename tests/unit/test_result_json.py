"""The output contract: the keys of `results[]`, JSON types only, no NaN."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from dqmon.core.plain import plain
from dqmon.core.result import ResultRecord
from dqmon.core.result_json import result_json
from dqmon.core.table import Column, TypeGroup
from dqmon.core.verdict import Severity, Verdict

AT = datetime(2013, 2, 9, 12, tzinfo=UTC)
RECORD = ResultRecord(
    id="r1",
    run_id="run",
    check_id="main.flights.completeness.dep_time",
    name=None,
    type="completeness",
    dimension="completeness",
    warehouse="main",
    dataset="main.flights",
    pipeline=None,
    columns=("dep_time",),
    tags=("ops",),
    partition_column="flight_date",
    partition_start=datetime(2013, 2, 8, 5, tzinfo=UTC),
    partition_end=datetime(2013, 2, 9, 5, tzinfo=UTC),
    partition="2013-02-08T05:00:00Z/2013-02-09T05:00:00Z",
    segment='{"origin": "JFK"}',
    verdict=Verdict.FAIL,
    severity=Severity.CRITICAL,
    observed_value=473,
    unit="rows",
    ratio=0.508,
    rows_tested=930,
    expected_low=None,
    expected_high=0.2,
    expected_text="at most 20 % missing",
    reason="473 of 930 rows",
    owner="@ops",
    runbook="https://wiki.example.com/rb",
    description=None,
    source_path="checks/flights.yaml",
    source_line=12,
    sql=("select 1",),
    scheduled_at=AT,
    measured_at=AT,
    duration_s=0.25,
    is_learning=False,
    is_ad_hoc=False,
    as_of=None,
    baseline=(),
)


def test_the_keys_are_the_contract() -> None:
    found = result_json(RECORD)
    assert list(found) == [
        "check_id", "name", "type", "dimension", "warehouse", "dataset", "pipeline", "columns", "tags", "partition", "segment",
        "verdict", "severity", "observed", "expected", "reason", "owner", "runbook", "caused_by", "reused", "as_of", "source",
        "sql", "scheduled_at", "measured_at", "duration_s",
    ]  # fmt: skip
    assert found["partition"] == {"column": "flight_date", "start": "2013-02-08T05:00:00Z", "end": "2013-02-09T05:00:00Z"}
    assert found["segment"] == {"origin": "JFK"}
    assert found["observed"] == {"value": 473, "unit": "rows", "ratio": 0.508, "rows_tested": 930}
    assert found["measured_at"] == "2013-02-09T12:00:00Z"
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_rows_without_a_partition_key_are_told_from_no_partition() -> None:
    without = replace(RECORD, partition_column=None, partition_start=None, partition_end=None, partition="", segment="{}")
    assert result_json(without)["partition"] is None
    assert result_json(without)["segment"] is None
    null = replace(RECORD, partition_start=None, partition_end=None, partition="null")
    assert result_json(null)["partition"] == {"column": "flight_date", "start": None, "end": None}


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (None, None),
        (True, True),
        (7, 7),
        (0.5, 0.5),
        (float("nan"), "nan"),
        (float("inf"), "inf"),
        (Decimal("12.10"), "12.10"),
        (AT, "2013-02-09T12:00:00Z"),
        ("x", "x"),
        (("a", Decimal(1)), ["a", "1"]),
        ((Column("c", "int", TypeGroup.INTEGER, nullable=True, position=1),), ["c"]),
    ],
)
def test_values_are_plain_json(value: object, expected: object) -> None:
    assert plain(value) == expected
