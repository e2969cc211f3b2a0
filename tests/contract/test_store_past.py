"""What the store knows of the past when it is to be filled up, on both engines."""

from __future__ import annotations

from dataclasses import replace

import sqlalchemy as sa
import store_rows
from store_rows import DAY, ORDERS, Rows, T, measurement

from dqmon.core.measurement import Failure, FailureKind, MetricRequest, Partition
from dqmon.store import measurements, recall
from dqmon.store.database import Database
from dqmon.store.series import series

database, postgres_store = store_rows.database, store_rows.postgres_store

DAYS = [MetricRequest(ORDERS, Rows(), partition=Partition("day", T + n * DAY, T + (n + 1) * DAY)) for n in range(5)]
SEGMENTED = replace(DAYS[0], segment_by=("shop",))


def fill(database: Database) -> None:
    """The first day without a value, the second and third with one, the fourth failed, the fifth ad hoc; and one of segments."""
    with database.write() as connection:
        none, *valued = (measurement(value, request) for value, request in zip((None, 0, 7), DAYS, strict=False))
        shops = (replace(measurement(value, SEGMENTED), segment=(("shop", shop),)) for shop, value in (("b", 1), (None, 2), ("c", None)))
        measurements.add(connection, "past", [none, *valued, *shops], scheduled_at=None)
        failure = Failure(FailureKind.TIMEOUT, "after 60 s")
        measurements.add(connection, "run", [measurement(None, DAYS[3], failure=failure)], scheduled_at=T + 5 * DAY)
        measurements.add(connection, "ad-hoc", [measurement(9, DAYS[4])], scheduled_at=T + 5 * DAY, is_ad_hoc=True)


def test_what_is_measured_is_what_has_a_current_row(database: Database) -> None:
    fill(database)
    with database.read() as connection:
        assert recall.measured(connection, [*DAYS, SEGMENTED]) == {*DAYS[:3], SEGMENTED}
        assert recall.measured(connection, []) == frozenset()


def test_the_first_value_is_the_first_that_is_one(database: Database) -> None:
    fill(database)
    name, other = series(DAYS[0]), series(SEGMENTED)
    with database.read() as connection:
        assert recall.first_values(connection, [name, other, "none such"]) == {name: T + DAY, other: T}


def test_segments_are_those_with_values(database: Database) -> None:
    fill(database)
    with database.read() as connection:
        assert recall.segments(connection, series(SEGMENTED)) == ('{"shop": "b"}', '{"shop": null}')
        assert recall.segments(connection, series(DAYS[0])) == ("{}",)


def test_partitions_of_the_past_have_the_slot_of_their_end(database: Database) -> None:
    fill(database)
    m = measurements.measurements.c
    with database.read() as connection:
        rows = connection.execute(sa.select(m.partition_end, m.scheduled_at, m.described_at).where(m.run_id == "past")).all()
    assert len(rows) == 6
    assert all(slot == end and at == end - DAY for end, slot, at in rows)
