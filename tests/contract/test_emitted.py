"""What lineage servers are told of, as both stores give it out: whole commits, in order, nothing twice, nothing of ad-hoc runs."""

from __future__ import annotations

import store_rows
from store_rows import DAY, HOUR, ORDERS, Rows, T, measurement, result

from dqmon.core.measurement import MetricRequest, Partition
from dqmon.store import emitted, measurements, results
from dqmon.store.database import Database

database, postgres_store = store_rows.database, store_rows.postgres_store


def commit(database: Database, run_id: str, *records, values=()):
    with database.write() as connection:
        measurements.add(connection, run_id, [measurement(*value) for value in values], scheduled_at=T)
        return results.add(connection, [*records], T)


def told(database: Database, after: int, limit: int = 20):
    with database.read() as connection:
        return emitted.committed(connection, after, limit)


def test_commits_come_whole_and_in_order(database: Database) -> None:
    for number in range(3):
        commit(database, f"run{number}", *(result(T + number * HOUR, run_id=f"run{number}", check_id=f"c{n}") for n in range(4)))
    first = told(database, 0, limit=2)
    assert ([record.run_id for record in first.results], first.has_more) == (["run0"] * 4 + ["run1"] * 4, True)
    rest = told(database, first.end, limit=2)
    assert ([record.run_id for record in rest.results], rest.has_more) == (["run2"] * 4, False)
    assert told(database, rest.end) == emitted.Committed((), rest.end, has_more=False)


def test_ad_hoc_runs_and_superseded_versions_are_left_out(database: Database) -> None:
    day = {"partition_column": "at", "partition_start": T - DAY, "partition_end": T, "partition": Partition("at", T - DAY, T).key}
    commit(database, "old", result(T, run_id="old", **day))
    end = told(database, 0).end
    commit(database, "adhoc", result(T, run_id="adhoc", is_ad_hoc=True))
    commit(database, "new", result(T + HOUR, run_id="new", **day))
    assert [record.run_id for record in told(database, end).results] == ["new"], "what was told before was told again, since it is outdated"
    assert [record.run_id for record in told(database, 0).results] == ["new"]


def test_of_what_a_run_measured_only_whole_tables_count(database: Database) -> None:
    part = Partition("at", T - DAY, T)
    whole, filtered = MetricRequest(ORDERS, Rows("a")), MetricRequest(ORDERS, Rows("b"), where="x = 1")
    of_a_day = MetricRequest(ORDERS, Rows("c"), partition=part)
    commit(database, "other", result(T - HOUR, run_id="other"), values=[(1, whole)])
    values = [(7, whole), (8, filtered), (9, of_a_day), (None, MetricRequest(ORDERS, Rows("d")))]
    commit(database, "run", result(T, run_id="run"), values=values)
    with database.read() as connection:
        assert emitted.measured(connection, ["run"]) == (("run", "main", "shop.orders", Rows("a").key, 7.0),)
        assert emitted.measured(connection, ["gone"]) == ()


def test_the_position_stays(database: Database) -> None:
    with database.write() as connection:
        assert emitted.position(connection) is None
        emitted.told(connection, 7)
    with database.read() as connection:
        assert emitted.position(connection) == 7
