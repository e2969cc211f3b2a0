"""Late loads told from lost rows."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hand_made import check

from dqmon.core.judgement import Expected, Observed
from dqmon.core.load_record import LoadRecord, LoadStatus
from dqmon.core.measurement import Partition
from dqmon.core.result import CheckResult
from dqmon.core.verdict import Severity, Unit, Verdict
from dqmon.engine.judging.cause import Condition, Upstream, with_cause
from dqmon.engine.judging.late_rows import late_rows

END = datetime(2026, 1, 10, tzinfo=UTC)
NOW = END + timedelta(hours=6)
HOUR = timedelta(hours=1)
DAY = Partition("d", END - 24 * HOUR, END)


def result(
    value: float, low: float | None = 900.0, partition: Partition | None = DAY, kind: str = "volume_anomaly", **options: Any
) -> CheckResult:
    return CheckResult(
        "r",
        check(kind, **options),
        partition,
        (),
        Verdict.FAIL,
        Severity.ERROR,
        Observed(value, Unit.ROWS),
        Expected(low, None, "at least 900 rows"),
        f"there are {value} rows",
        (),
        "run",
        NOW,
        NOW,
        0.0,
    )


def pipeline(*ended: timedelta, name: str = "orders", known: timedelta = 6 * HOUR, status: LoadStatus = LoadStatus.SUCCEEDED) -> Upstream:
    loads = tuple(LoadRecord("shop", name, str(e), status, END + e, finished_at=END + e) for e in ended)
    return Upstream(f"shop/{name}", Condition.FINE, "", loads, END + known)


@pytest.mark.parametrize(
    ("above", "is_late"),
    [
        ([pipeline(-30 * HOUR, -5 * HOUR)], True),
        ([pipeline(-5 * HOUR, 2 * HOUR)], False),
        ([pipeline(2 * HOUR), pipeline(-5 * HOUR, name="customers")], True),
        ([pipeline(-5 * HOUR, known=-HOUR)], False),
        ([pipeline(-5 * HOUR, status=LoadStatus.SKIPPED)], False),
        ([pipeline()], False),
        ([], False),
    ],
)
def test_too_few_rows_may_be_late_when_no_load_has_ended_since_the_partition(above: list[Upstream], is_late: bool) -> None:
    for rows in (0, 300):
        found = with_cause(result(rows), above)
        assert found.verdict is Verdict.FAIL, "what is not there is judged, late or not"
        assert ("late, not lost" in found.reason) is is_late, found.reason
        assert found.caused_by is None, "the pipeline is in no trouble that anybody knows of"


def test_the_reason_names_pipeline_and_time() -> None:
    assert late_rows(result(300), [pipeline(-5 * HOUR)]) == (
        "shop/orders has not loaded since this partition ended (its newest load ended 2026-01-09 19:00 UTC): the rows may be late, not lost"
    )


@pytest.mark.parametrize(
    "other",
    [
        result(9000),
        result(300, low=None),
        result(300, partition=None),
        result(300, partition=Partition("d", None, None)),
        result(300, kind="metric_anomaly", column="x", metric="avg"),
    ],
)
def test_nothing_is_said_of_results_that_are_not_about_too_few_rows_of_a_time(other: CheckResult) -> None:
    assert late_rows(other, [pipeline(-5 * HOUR)]) is None


def test_a_pipeline_in_trouble_is_the_cause_instead() -> None:
    broken = Upstream("shop/orders", Condition.BROKEN, "shop/orders failed at 03:00", pipeline(-5 * HOUR).ended)
    found = with_cause(result(300), [broken])
    assert (found.caused_by, "late, not lost" in found.reason) == ("shop/orders", False)
