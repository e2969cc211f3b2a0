"""What the mirror reads, on both engines of the store: rows in the order of their last change, each commit later than all before."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

import pytest
import sqlalchemy as sa
import store_rows
from store_rows import DAY, HOUR, ORDERS, Rows, T, in_day, measurement, result

from dqmon.core.measurement import MetricRequest
from dqmon.core.mirror import START, Position
from dqmon.core.verdict import Verdict
from dqmon.store import measurements, meta, mirrored, results
from dqmon.store.database import Database

database, postgres_store = store_rows.database, store_rows.postgres_store


def judge(database: Database, *records: Any) -> None:
    with database.write() as connection:
        results.add(connection, records, T)


def measure(database: Database, *values: float, at: datetime = T) -> None:
    measured = [measurement(value, MetricRequest(ORDERS, Rows(str(n)))) for n, value in enumerate(values)]
    with database.write() as connection:
        measurements.add(connection, "run", measured, scheduled_at=at)


def read(database: Database, name: str, limit: int, after: Position = START) -> list[mirrored.Batch]:
    """All batches from a position on."""
    found = []
    with database.read() as connection:
        while True:
            found.append(mirrored.batch(connection, name, after, limit))
            if not found[-1].has_more:
                return found
            after = found[-1].end


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_every_row_is_read_once_in_the_order_of_commits(database: Database, limit: int) -> None:
    for day in range(3):
        judge(database, *(result(T + day * DAY, check_id=f"c{n}", id=f"{9 - day}{n}") for n in range(2)))
        measure(database, 1, 2, 3, at=T + day * DAY)
    for name, count in (("dq_results", 6), ("dq_measurements", 9)):
        rows = [row for batch in read(database, name, limit) for row in batch.rows]
        assert len({row["id"] for row in rows}) == len(rows) == count
        revisions = [row["revision"] for row in rows]
        assert revisions == sorted(revisions)
        assert len(set(revisions)) == 3, "one for each commit, whatever the ids"


def test_a_row_that_changes_comes_again(database: Database) -> None:
    first = result(T + DAY, **in_day(T))
    judge(database, first, result(T + DAY, check_id="other"))
    measure(database, 1)
    ends = {name: read(database, name, 100)[-1].end for name in mirrored.TARGETS}
    judge(database, result(T + DAY + HOUR, **in_day(T), verdict=Verdict.FAIL))
    measure(database, 2)
    (again,) = read(database, "dq_results", 100, ends["dq_results"])
    assert [(row["id"] == first.id, row["is_current"]) for row in sorted(again.rows, key=lambda row: row["version"])] == [
        (True, False),
        (False, True),
    ]
    (values,) = read(database, "dq_measurements", 100, ends["dq_measurements"])
    assert sorted((row["value"], row["is_current"]) for row in values.rows) == [(1.0, False), (2.0, True)]
    (scores,) = read(database, "dq_daily_score", 100, ends["dq_daily_score"])
    assert [(row["dataset"], row["day"], row["passed"], row["judged"]) for row in scores.rows] == [("shop.orders", date(2026, 3, 2), 0, 1)]


def test_days_of_pipelines_have_no_score(database: Database) -> None:
    judge(database, result(dataset=None, warehouse=None, pipeline="a/b"))
    (batch,) = read(database, "dq_daily_score", 100)
    assert (batch.rows, batch.end.revision) == ((), 1)


def test_texts_are_read_as_they_are_stored(database: Database) -> None:
    judge(database, result(tags=("a", "ü"), observed_value=["x"]))
    (batch,) = read(database, "dq_results", 100)
    (row,) = batch.rows
    assert (row["tags"], row["observed_value"], row["verdict"]) == ('["a", "ü"]', '["x"]', "pass")
    assert row["scheduled_at"] == T
    assert set(row) | {"instance"} == set(mirrored.TARGETS["dq_results"].columns)


def test_a_number_is_never_given_twice(database: Database) -> None:
    judge(database, result(id="a"))
    with database.write() as connection:
        connection.execute(sa.delete(results.results))
    judge(database, result(id="b"))
    with database.read() as connection:
        assert meta.revision(connection) == 2
        assert connection.execute(sa.select(results.results.c.revision)).scalars().all() == [2], "else the mirror had passed it already"
        assert mirrored.start(connection, Position(2, "b")) == Position(2, "b")
        assert mirrored.start(connection, Position(3, "c")) == START, "a store that is not so far is another one"
