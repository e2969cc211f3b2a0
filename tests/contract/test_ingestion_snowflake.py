"""The snowflake source behind a session that gives rows in the documented shape; its SQL by Snowflake's own dialect, as golden files."""

from __future__ import annotations

import json
import os
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from golden_sql import golden
from ingestion_contract import check_record, check_source
from pydantic import ValidationError

from dqmon.core.load_record import LoadStatus
from dqmon.core.table import TableRef
from dqmon.errors import PermissionDenied, SourceError
from dqmon.ingestion.base import snowflake_statements as ask
from dqmon.ingestion.snowflake import SnowflakeLoads, SnowflakeOptions
from dqmon.warehouses.sqlite import Sqlite

FIXTURES = Path(__file__).parents[1] / "fixtures" / "ingestion" / "snowflake"
GOLDEN = Path(__file__).parents[1] / "golden" / "snowflake_ingestion"
SINCE = datetime(2026, 11, 20, tzinfo=UTC)
NOW = datetime(2026, 11, 20, 14, tzinfo=UTC)
OWNER = ("SHOP", "RAW")


class Told:
    """A Snowflake that knows rows by what a statement asks for, and keeps the statements."""

    type, name, timeout_s, default_schema, default_catalog = "snowflake", "snow", 60, "public", "shop"
    dialect = golden("snowflake").warehouse.dialect

    def __init__(self):
        self.rows, self.sent, self.broken = {}, [], None

    @contextmanager
    def open(self):
        yield self

    def fetch(self, statement, timeout_s):
        assert timeout_s == self.timeout_s
        compiled = statement.compile(dialect=self.dialect)
        text = str(compiled)
        self.sent.append((text, compiled.params))
        if self.broken:
            raise PermissionDenied(self.broken)
        width = len(statement.selected_columns)
        (found,) = [rows for word, rows in self.rows.items() if word in text] or [()]
        rows = found(compiled.params) if callable(found) else found
        # A listing asks for the names alone.
        return [row[:width] for row in rows]


@pytest.fixture
def snow():
    return Told()


def source(snow, **options):
    return SnowflakeLoads("load", SnowflakeOptions.model_validate({"warehouse": "snow"} | options), snow)


def at(hour, minute=0):
    return SINCE + timedelta(hours=hour, minutes=minute)


def recorded_file(**changes):
    found = json.loads((FIXTURES / "copy_history.json").read_text())[0] | changes
    columns = ("FILE_NAME", "LAST_LOAD_TIME", "ROW_COUNT", "ROW_PARSED", "ERROR_COUNT", "FIRST_ERROR_MESSAGE", "STATUS", "PIPE_NAME")
    return (None, None, None, *(found[column] for column in columns))


def task(name, state, due, begun=None, ended=None, **more):
    run = {"error": None, "run": int(due.timestamp() * 1000), "attempt": 1} | more
    return (*OWNER, name, state, run["error"], due, begun, ended, run["run"], run["attempt"])


def refresh(state, data_at, begun, ended, **more):
    return (*OWNER, "DAILY", state, more.get("message"), data_at, begun, ended, more.get("target"))


def only(found):
    (item,) = found
    return item


def test_a_copied_file_of_which_rows_were_rejected(snow):
    snow.rows["copy_history"] = [recorded_file()]
    found = source(snow, tables=["raw.orders"], tasks=False, dynamic_tables=False)
    record = only(check_source(found, SINCE, NOW))
    assert (record.pipeline, record.load_id) == ("copy.raw.orders", "orders/1.csv@2026-11-20T06:00:00+00:00")
    assert (record.status, record.raw_status, record.rows, record.rows_rejected) == (LoadStatus.PARTIAL, "Partially loaded", 98, 2)
    assert (record.finished_at, record.started_at) == (at(6), None)
    assert (record.error, record.extra) == ("Numeric value 'x' is not recognized", {"pipe": "ORDERS_PIPE"})
    assert [(i.pipeline, i.tables) for i in found.pipelines()] == [("copy.raw.orders", ("raw.orders",))]
    text, values = snow.sent[0]
    assert "information_schema.copy_history(table_name => %(object)s" in text
    assert values["object"] == '"RAW"."ORDERS"'


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("Loaded", "succeeded"),
        ("LOADED", "succeeded"),
        ("Load failed", "failed"),
        ("Load skipped", "skipped"),
        ("Load in progress", "running"),
        ("A word of the future", "unknown"),
        (None, "unknown"),
    ],
)
def test_statuses_of_files(snow, status, expected):
    snow.rows["copy_history"] = [recorded_file(STATUS=status, ROW_PARSED=None, ERROR_COUNT=None)]
    record = only(check_source(source(snow, tables=["orders"], tasks=False, dynamic_tables=False), SINCE, NOW))
    assert (record.status.value, record.rows_rejected, record.pipeline) == (expected, None, "copy.public.orders")


def test_tasks(snow):
    due = at(8)
    snow.rows["task_history"] = [
        task("A", "SUCCEEDED", due, at(8, 1), at(8, 5)),
        task("B", "SKIPPED", due, None, at(8, 1)),
        task("C", "FAILED", due, at(8, 1), at(8, 2), error="Division by zero"),
        task("C", "SUCCEEDED", due, at(8, 3), at(8, 4), attempt=2),
        task("D", "EXECUTING", at(13), at(13, 1)),
        task("E", "SCHEDULED", at(20), run=None),
        task("F", "CANCELLED", due),
        task("g", "FAILED_AND_AUTO_SUSPENDED", due, at(8, 1), at(8, 2)),
        task("OLD", "SUCCEEDED", SINCE - timedelta(hours=5), SINCE - timedelta(hours=5), SINCE - timedelta(hours=4)),
    ]
    records = check_source(source(snow, dynamic_tables=False), SINCE, NOW)
    found = [(r.pipeline, r.attempt, r.status.value) for r in records]
    assert sorted(found) == [
        ('task.raw."""g"""', 1, "failed"),
        ("task.raw.a", 1, "succeeded"),
        ("task.raw.b", 1, "skipped"),
        ("task.raw.c", 1, "failed"),
        ("task.raw.c", 2, "succeeded"),
        ("task.raw.d", 1, "running"),
        ("task.raw.e", 1, "queued"),
        ("task.raw.f", 1, "cancelled"),
    ]
    done = next(r for r in records if r.pipeline == "task.raw.a")
    assert (done.scheduled_for, done.started_at, done.finished_at) == (due, at(8, 1), at(8, 5))
    assert {r.error for r in records if r.status is LoadStatus.FAILED} == {"Division by zero", "Snowflake gives no reason"}
    names = [i.pipeline for i in source(snow, dynamic_tables=False).pipelines()]
    assert names == sorted({r.pipeline for r in records} | {"task.raw.old"})


def test_a_run_that_was_due_long_before_the_window_is_looked_for(snow):
    source(snow, dynamic_tables=False).loads(SINCE, NOW)
    assert snow.sent[0][1]["since"] == "2026-11-19 00:00:00+00:00"


def test_the_functions_are_not_asked_for_what_they_do_not_keep(snow):
    source(snow, tables=["orders"]).loads(NOW - timedelta(days=90), NOW)
    asked = {text.partition("information_schema.")[2].partition("(")[0]: values["since"] for text, values in snow.sent}
    assert asked == {
        "copy_history": "2026-11-06 15:00:00+00:00",
        "task_history": "2026-11-13 15:00:00+00:00",
        "dynamic_table_refresh_history": "2026-11-13 15:00:00+00:00",
    }


def test_dynamic_tables_are_as_fresh_as_their_data(snow):
    snow.rows["dynamic_table_refresh_history"] = [
        refresh("SUCCEEDED", at(6), at(6, 10), at(7), target=at(6, 30)),
        refresh("SUCCEEDED", at(7), at(7, 1), at(7, 2), target=at(8)),
        refresh("FAILED", at(8), at(8, 1), at(8, 2), message="Numeric overflow"),
        refresh("UPSTREAM_FAILED", at(9), None, at(9, 1)),
        refresh("EXECUTING", at(10), at(10, 1), None),
    ]
    records = check_source(source(snow, tasks=False), SINCE, NOW)
    assert [(r.status.value, r.data_through, r.cursor is not None, r.extra.get("late")) for r in records] == [
        ("succeeded", at(6), True, "true"),
        ("succeeded", at(7), True, None),
        ("failed", None, False, None),
        ("skipped", None, False, None),
        ("running", None, False, None),
    ]
    assert {r.pipeline for r in records} == {"dynamic_table.raw.daily"}
    assert records[2].error == "Numeric overflow"
    assert "a dynamic table that it reads has failed" in records[3].error


def test_the_lag_of_a_dynamic_table_is_its_backlog(snow):
    snow.rows["dynamic_tables("] = [
        (*OWNER, "DAILY", at(12), '{"state": "RUNNING"}'),
        (*OWNER, "NEW", None, '{"state": "SUSPENDED", "reason_code": "USER_SUSPENDED"}'),
        (*OWNER, "UNSEEN", None, None),
    ]
    found = source(snow, tasks=False)
    waiting = only(found.backlog(NOW))
    assert (waiting.pipeline, waiting.pending, waiting.unit, waiting.oldest_pending_at) == (
        "dynamic_table.raw.daily",
        7_200,
        "seconds",
        at(12),
    )
    infos = {i.pipeline: (i.tables, i.is_paused) for i in found.pipelines()}
    assert infos == {
        "dynamic_table.raw.daily": (("raw.daily",), False),
        "dynamic_table.raw.new": (("raw.new",), True),
        "dynamic_table.raw.unseen": (("raw.unseen",), None),
    }


def test_a_pipe_with_files_that_wait(snow):
    snow.rows["pipe_status"] = [((FIXTURES / "pipe_status.json").read_text(),)]
    found = source(snow, pipes=["raw.orders_pipe"], tasks=False, dynamic_tables=False)
    record = only(check_source(found, SINCE, NOW))
    assert (record.pipeline, record.status, record.raw_status, record.error) == (
        "pipe.raw.orders_pipe",
        LoadStatus.RUNNING,
        "RUNNING",
        None,
    )
    assert record.extra == {"last_ingested_at": "2026-11-20T02:59:00+00:00"}
    waiting = only(found.backlog(NOW))
    assert (waiting.pending, waiting.unit, waiting.oldest_pending_at) == (3, "files", at(3))


@pytest.mark.parametrize(
    ("told", "status", "error"),
    [
        ({"executionState": "PAUSED"}, "unknown", None),
        ({"executionState": "STOPPED_MISSING_TABLE"}, "failed", "Snowflake gives no reason"),
        ({"executionState": "STALLED_COMPILATION_ERROR", "error": "no such column"}, "failed", "no such column"),
        ({"executionState": "RUNNING", "fault": "the queue is gone"}, "running", "the queue is gone"),
        ({}, "unknown", None),
    ],
)
def test_pipes_that_are_not_well(snow, told, status, error):
    snow.rows["pipe_status"] = [(json.dumps(told | {"pendingFileCount": 0, "oldestFileTimestamp": 1}),)]
    found = source(snow, pipes=["p"], tasks=False, dynamic_tables=False)
    record = only(found.loads(SINCE, NOW))
    check_record(found, record, NOW)
    assert (record.status.value, record.error) == (status, error)
    assert only(found.backlog(NOW)).oldest_pending_at is None, "an empty queue has no oldest file"


@pytest.mark.parametrize("told", ["", "[]", "nothing", "[" * 100_000, '{"executionState": "RUNNING"}'])
def test_a_pipe_whose_status_cannot_be_read_is_an_error(snow, told):
    snow.rows["pipe_status"] = [(told,)]
    with pytest.raises(SourceError, match=r"ingestion load \(snowflake in snow\) cannot be read: .*(JSON|pendingFileCount|value)"):
        source(snow, pipes=["p"]).backlog(NOW)


def test_streams_fail_once_they_are_stale_and_warn_before(snow):
    days = {"FINE": 10, "SOON": 1, "GONE": -1}
    snow.rows["account_usage.streams"] = [(*OWNER, name, NOW + timedelta(days=n)) for name, n in days.items()] + [(*OWNER, "SHARED", None)]
    found = source(snow, account_usage=True, streams=True, tasks=False, dynamic_tables=False)
    records = check_source(found, SINCE, NOW)
    assert [(r.pipeline, r.status.value, r.raw_status) for r in records] == [
        ("stream.raw.fine", "running", "fresh"),
        ("stream.raw.gone", "failed", "stale"),
        ("stream.raw.shared", "unknown", None),
        ("stream.raw.soon", "partial", "stale soon"),
    ]
    assert records[3].error == "nothing reads it: it becomes stale at 2026-11-21 14:00 UTC"
    assert [i.pipeline for i in found.pipelines()] == [r.pipeline for r in records]


def test_account_usage_has_all_tables_and_is_read_again_for_two_days(snow):
    row = ("SHOP", "RAW", "ORDERS", *recorded_file(STATUS="LOADED")[3:])
    snow.rows["account_usage.copy_history"] = [row, ("EU", "RAW", "Users", *row[3:])]
    found = source(snow, account_usage=True, dynamic_tables=False, tasks=False)
    records = found.loads(SINCE, NOW)
    for record in records:
        check_record(found, record, NOW)
    assert [(r.pipeline, r.status.value) for r in records] == [("copy.eu.raw.Users", "succeeded"), ("copy.raw.orders", "succeeded")]
    later = at(6) + timedelta(days=2)
    assert [r.pipeline for r in found.loads(later, later)] == [r.pipeline for r in records], "it may come into the view two days late"
    assert found.loads(later + timedelta(seconds=1), later + timedelta(hours=1)) == ()
    assert [i.pipeline for i in found.pipelines()] == [r.pipeline for r in records]


def test_a_full_answer_is_asked_again_in_halves(snow, monkeypatch):
    """The functions leave out the oldest rows beyond their limit, without a word."""
    monkeypatch.setattr(ask, "AT_ONCE", 4)
    runs = [task("A", "SUCCEEDED", at(h), at(h), at(h, 1)) for h in range(14)]

    def newest(values):
        low, high = (datetime.fromisoformat(values[key]) for key in ("since", "until"))
        return [run for run in reversed(runs) if low <= run[5] <= high][:4]

    snow.rows["task_history"] = newest
    assert len(source(snow, dynamic_tables=False).loads(SINCE, NOW)) == 14
    runs[:] = [task(str(n), "SUCCEEDED", at(3), at(3), at(4)) for n in range(5)]
    with pytest.raises(SourceError, match="more than 4 rows of one second"):
        source(snow, dynamic_tables=False).loads(SINCE, NOW)


def test_what_the_role_may_not_read_is_a_source_error(snow):
    snow.broken = "the role lacks MONITOR"
    for call in (lambda s: s.pipelines(), lambda s: s.loads(SINCE, NOW), lambda s: s.backlog(NOW)):
        with pytest.raises(SourceError, match=r"ingestion load \(snowflake in snow\) cannot be read: the role lacks MONITOR"):
            call(source(snow))


def test_a_count_that_is_none_is_a_source_error(snow):
    snow.rows["copy_history"] = [recorded_file(ROW_COUNT="many")]
    with pytest.raises(SourceError, match="'many' is no count"):
        source(snow, tables=["orders"], tasks=False, dynamic_tables=False).loads(SINCE, NOW)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"streams": True}, "streams: true needs account_usage: true"),
        ({"tables": ["a"], "account_usage": True}, "so leave tables out"),
        ({"tables": ["a..b"]}, "is not a dataset"),
        ({"pipes": ['"a']}, "open quote"),
    ],
)
def test_options_that_make_no_sense(options, problem):
    with pytest.raises(ValidationError, match=problem):
        SnowflakeOptions.model_validate({"warehouse": "snow"} | options)


def test_another_engine_is_refused(tmp_path):
    with pytest.raises(SourceError, match="'w' is of type sqlite; one of Snowflake is needed"):
        SnowflakeLoads("load", SnowflakeOptions(warehouse="w"), Sqlite("w", Sqlite.Options(path=str(tmp_path / "w.db"))))
    with pytest.raises(SourceError, match="'w' is not configured"):
        SnowflakeLoads("load", SnowflakeOptions(warehouse="w"), None)


ORDERS = TableRef("snow", None, "raw", "orders")
STATEMENTS = {
    "copies": ask.copies_of(ORDERS)(SINCE, NOW),
    "copies_of_another_database": ask.copies_of(replace(ORDERS, catalog='E:"u', name='"small"'))(SINCE, NOW),
    "all_copies": ask.all_copies(SINCE, NOW),
    "all_copied_names": ask.all_copied_names(),
    "tasks": ask.tasks(SINCE, NOW),
    "task_names": ask.task_names(),
    "all_tasks": ask.all_tasks(SINCE, NOW),
    "all_task_names": ask.all_task_names(),
    "refreshes": ask.refreshes(SINCE, NOW),
    "all_refreshes": ask.all_refreshes(SINCE, NOW),
    "dynamic_tables": ask.dynamic_tables(),
    "streams": ask.streams(),
    "pipe_status": ask.pipe_status(ORDERS),
}


@pytest.mark.parametrize("name", STATEMENTS)
def test_statements_by_the_real_dialect(name):
    compiled = STATEMENTS[name].compile(dialect=Told.dialect)
    found = "\n".join([str(compiled), *(f"-- {key}: {value!r}" for key, value in compiled.params.items()), ""])
    path = GOLDEN / f"{name}.sql"
    if os.environ.get("DQMON_WRITE_GOLDEN"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert path.is_file(), f"there is no {path.name}; write it with DQMON_WRITE_GOLDEN=1 and read it"
    assert found == path.read_text(encoding="utf-8"), f"other SQL than {path}; if it is meant, write the file anew and read it"
