"""The source sql: a user's query over a log of loads, in real DuckDB, PostgreSQL and SQLite tables."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import sqlalchemy as sa
from ingestion_contract import check_source
from pydantic import ValidationError

from dqmon.core.load_record import LoadStatus
from dqmon.errors import SourceError
from dqmon.ingestion.base import sql_rows
from dqmon.ingestion.base.sql_rows import count, instant, text
from dqmon.ingestion.sql import Sql, SqlOptions
from dqmon.warehouses.duckdb import Duckdb

SINCE = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
COLUMNS = {
    "pipeline": "job",
    "load_id": "run",
    "status": "state",
    "table": "target",
    "attempt": "try_no",
    "kind": "mode",
    "started_at": "began",
    "finished_at": "ended",
    "heartbeat_at": "beat",
    "data_through": "through_at",
    "rows": "n",
    "rows_rejected": "bad",
    "schema_version": "shape",
    "cursor": "mark",
    "error": "problem",
}
TYPES = """job text, run integer, state text, target text, try_no integer, mode text, began {t}, ended {t}, beat {t}, through_at {t},
n integer, bad integer, shape text, mark text, problem text"""
ROWS = """
('orders', 1, 'OK', 'raw.orders', 1, 'load', '2026-11-20 05:00:00', '2026-11-20 05:10:00', '2026-11-20 05:09:00',
    '2026-11-20 04:00:00', 42, 2, 'v1', '17', null),
('orders', 2, 'err', null, 1, null, '2026-11-20 06:00:00', '2026-11-20 06:01:00', null, null, null, null, null, null, 'no disk'),
('orders', 2, ' Succeeded', null, 2, 'backfill', '2026-11-20 06:05:00', '2026-11-20 06:10:00', null, null, 0, null, null, null, ''),
('orders', 3, 'running', null, 1, null, '2026-11-10 07:00:00', '2026-11-20 23:00:00', null, null, null, null, null, null, null),
('people', 1, 'half-done', null, null, null, null, '2026-11-20 08:00:00', null, null, null, null, null, null, null),
('people', 0, 'OK', null, null, null, null, '2026-11-19 08:00:00', null, null, null, null, null, null, null)
"""
QUERY = "select * from etl_runs where ended is null or state = 'running' or ended >= {since}"
STATUSES = {"OK": "succeeded", "err": "failed"}


def made(warehouse, query=QUERY, columns=None, **options):
    written = {"warehouse": "lab", "query": query, "columns": columns or COLUMNS, "statuses": STATUSES} | options
    return Sql("loader", SqlOptions.model_validate(written), warehouse)


@pytest.fixture
def source(lab):
    kind = {"duckdb": "timestamp", "sqlite": "text"}.get(lab.engine, "timestamp with time zone")
    lab.run(f"create table etl_runs ({TYPES.format(t=kind)})", f"insert into etl_runs values {ROWS}")
    return made(lab.warehouse)


def summary(records):
    return [(r.pipeline, r.load_id, r.attempt, r.status.value, r.rows) for r in records]


def test_every_column_arrives_in_its_place(source):
    records = check_source(source, SINCE, NOW)
    assert summary(records) == [
        ("orders", "3", 1, "running", None),
        ("orders", "1", 1, "succeeded", 42),
        ("orders", "2", 1, "failed", None),
        ("orders", "2", 2, "succeeded", 0),
        ("people", "1", 1, "unknown", None),
    ], "zero rows are not NULL, an unknown word is no success, and a load of yesterday is not of this window"
    running, first, failed, again, _ = records
    assert (first.table, first.kind, first.rows_rejected, first.schema_version, first.cursor) == ("raw.orders", "load", 2, "v1", "17")
    assert first.finished_at - first.started_at == timedelta(minutes=10)
    assert (first.heartbeat_at, first.data_through) == (SINCE.replace(hour=5, minute=9), SINCE.replace(hour=4))
    assert (failed.error, failed.raw_status, again.error, again.kind) == ("no disk", "err", None, "backfill")
    assert running.finished_at is None, "an end that is foreseen is none"


def test_pipelines_are_those_that_ran_and_those_that_should(source, lab):
    assert [(p.pipeline, p.tables) for p in source.pipelines()] == [("orders", ("raw.orders",)), ("people", ())]
    assert [p.pipeline for p in made(lab.warehouse, pipelines=["absent"]).pipelines()] == ["absent", "orders", "people"]
    assert source.backlog(NOW) == ()


def test_the_window_is_in_the_statement_a_moment_early(source, lab):
    seen = []
    sa.event.listen(lab.warehouse.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
    source.loads(SINCE + timedelta(microseconds=5), NOW)
    assert any("'2026-11-19 23:59:59+00:00'" in statement for statement in seen), seen


def test_a_misspelt_column_is_an_error_on_every_engine(lab, source):
    with pytest.raises(SourceError, match=r"loader \(sql in lab\) cannot be read: .*Stat"):
        made(lab.warehouse, columns=COLUMNS | {"status": "Stat"}).loads(SINCE, NOW)


def test_a_missing_table_is_a_source_error(lab):
    with pytest.raises(SourceError, match=r"loader \(sql in lab\) cannot be read: .*etl_runs"):
        made(lab.warehouse).loads(SINCE, NOW)
    with pytest.raises(SourceError, match="etl_runs"):
        made(lab.warehouse).pipelines()


@pytest.fixture
def duck(tmp_path):
    import duckdb

    path = str(tmp_path / "w.duckdb")
    duckdb.connect(path).close()
    with closing(Duckdb("lab", Duckdb.Options(path=path, naive_timezone="Europe/Berlin"))) as warehouse:
        yield warehouse


NARROW = {"pipeline": "p", "load_id": "id", "status": "s"}


@pytest.mark.parametrize(
    ("query", "more", "message"),
    [
        ("select null p, 1 id, 'failed' s", {}, "pipeline of a row is NULL or empty"),
        ("select 'a' p, '  ' id, 'failed' s", {}, "load_id of a row is NULL or empty"),
        ("select 'a' p, 1 id, 'failed' s, -1 n", {"rows": "n"}, "rows of load_id '1' of 'a': '-1' is no count"),
        ("select 'a' p, 1 id, 'failed' s, 1.5 n", {"rows": "n"}, "'1.5' is no count"),
        ("select 'a' p, 1 id, 'failed' s, 'soon' f", {"finished_at": "f"}, "finished_at of load_id '1' of 'a': 'soon' is no time"),
        ("select 'a' p, 1 id, 'failed' s, 'full' k", {"kind": "k"}, "'full' is none of load, backfill"),
        ("select 'a' p, 1 id, 'failed' s union all select 'a', 1, 'succeeded'", {}, "two rows for load_id '1' of 'a', attempt 1"),
        (f"select 'a' p, range id, 'failed' s from range({sql_rows.ROW_LIMIT + 1})", {}, "more than 50,000 rows"),
    ],
    ids=["pipeline", "id", "negative", "half", "time", "kind", "twice", "many"],
)
def test_a_row_that_cannot_be_read_fails_the_source_and_says_where(duck, query, more, message):
    # DuckDB's gate takes no `range(…)`: a generated series is made by a cross join instead.
    query = query.replace("range id", "a.n * 1000 + b.n id").replace(
        f"range({sql_rows.ROW_LIMIT + 1})", "(select unnest(generate_series(0, 50)) n) a, (select unnest(generate_series(0, 999)) n) b"
    )
    with pytest.raises(SourceError, match=r"loader \(sql in lab\) cannot be read: ") as caught:
        made(duck, query, NARROW | more).loads(SINCE, NOW)
    assert message in str(caught.value)


def one(duck, values, more):
    (record,) = made(duck, f"select 'a' p, 1 id, {values}", NARROW | more).loads(SINCE - timedelta(days=1), NOW)
    return record


def test_times_without_zone_are_those_of_the_warehouse_and_numbers_are_unix_seconds(duck):
    more = {"finished_at": "f"}
    assert one(duck, "'OK' s, timestamp '2026-11-20 06:00:00' f", more).finished_at == SINCE.replace(hour=5), "Berlin is an hour ahead"
    assert one(duck, "'OK' s, timestamptz '2026-11-20 06:00:00+00' f", more).finished_at == SINCE.replace(hour=6)
    assert one(duck, "'OK' s, '2026-11-20T06:00:00Z' f", more).finished_at == SINCE.replace(hour=6)
    assert one(duck, "'OK' s, 1795154400 f", more).finished_at == SINCE.replace(hour=6)
    assert one(duck, "'OK' s, date '2026-11-20' f", more).finished_at == SINCE - timedelta(hours=1)


def test_a_start_after_the_end_is_left_out(duck):
    record = one(duck, "'OK' s, '2026-11-20T06:00:00Z' f, '2026-11-20T06:00:01Z' b", {"finished_at": "f", "started_at": "b"})
    assert (record.started_at, record.finished_at) == (None, SINCE.replace(hour=6))


@pytest.mark.parametrize(("word", "expected"), [("0", "succeeded"), ("1", "unknown"), ("null", "unknown"), ("'SKIPPED'", "skipped")])
def test_a_status_is_a_declared_word_or_one_of_dqmons_own(duck, word, expected):
    source = made(duck, f"select 'a' p, 1 id, {word} s", NARROW, statuses={"0": "succeeded"})
    (record,) = source.loads(SINCE, NOW)
    assert record.status is LoadStatus(expected)


def test_nothing_of_the_future_is_told(duck):
    more = {"started_at": "b", "finished_at": "f"}
    early = "select 'a' p, 1 id, 'running' s, '2026-11-20T14:00:00Z' b, null f"
    late = "select 'a' p, 1 id, 'OK' s, '2026-11-20T13:00:00Z' b, '2026-11-20T14:00:00Z' f"
    assert made(duck, early, NARROW | more).loads(SINCE, NOW) == ()
    assert made(duck, late, NARROW | more).loads(SINCE, NOW) == ()
    assert len(made(duck, late, NARROW | more).loads(NOW, NOW + timedelta(seconds=1))) == 1


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("delete from etl_runs", "a delete statement"),
        ("select 1; select 2", "semicolon"),
        ("select pg_sleep(10)", "pg_sleep"),
        ("select * from read_csv('/etc/passwd')", "read_csv"),
        ("select * from {dataset}", "{dataset} stands for a dataset's table"),
        ("select * from t where at >= '{since}'", "cannot be understood"),
        ("", "empty"),
    ],
)
def test_a_query_that_may_do_more_than_read_is_refused_when_it_is_declared(query, words):
    with pytest.raises(ValidationError) as caught:
        SqlOptions.model_validate({"warehouse": "lab", "query": query, "columns": NARROW})
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "wrong", [{"columns": {"pipeline": "p", "load_id": "i"}}, {"columns": NARROW | {"rws": "n"}}, {"statuses": {"ok": "fine"}}]
)
def test_unknown_and_missing_columns_and_statuses_are_refused(wrong):
    with pytest.raises(ValidationError):
        SqlOptions.model_validate({"warehouse": "lab", "query": "select 1", "columns": NARROW} | wrong)


def test_a_warehouse_that_is_not_there_is_a_source_error(tmp_path):
    with pytest.raises(SourceError, match=r"warehouse 'lab' is not configured"):
        made(None)
    with pytest.raises(SourceError, match=r"nowhere\.duckdb"):
        made(Duckdb("lab", Duckdb.Options(path=str(tmp_path / "nowhere.duckdb")))).loads(SINCE, NOW)


@pytest.mark.parametrize("value", ["2026-13-01", float("nan"), float("inf"), 10**30, True, "", b"x", datetime.max.replace(tzinfo=None)])
def test_what_is_no_time_is_a_value_error(value):
    if value == datetime.max:
        assert instant(value, "UTC") == datetime.max.replace(tzinfo=UTC)
        value = datetime.min.replace(tzinfo=None)  # in UTC that is before the year 1
    with pytest.raises(ValueError, match="no time"):
        instant(value, "Asia/Tokyo")


@pytest.mark.parametrize("value", [True, "x", float("nan"), float("inf"), Decimal("0.5"), -1, "", "1e999999999"])
def test_what_is_no_count_is_a_value_error(value):
    with pytest.raises(ValueError, match="no count"):
        count(value)


def test_counts_and_texts_of_other_types():
    assert [count(v) for v in (3, 3.0, "3", Decimal("3.00"), None)] == [3, 3, 3, 3, None]
    assert [text(v) for v in ("  a ", "", " ", None, 0, "x" * 5_000)] == ["a", None, None, None, "0", "x" * sql_rows.TEXT_LIMIT]
