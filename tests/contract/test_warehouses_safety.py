"""What no warehouse may do: outlive its limit, open too many connections, speak in tracebacks. Names and writes: test_safety.py."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
from attacks import HOSTILE
from patience import seconds

from dqmon.core.measurement import MetricRequest
from dqmon.core.plan import plan
from dqmon.core.table import Column, TableRef, TypeGroup
from dqmon.errors import (
    ConnectFailed,
    PermissionDenied,
    QueryFailed,
    QueryTimeout,
    TableMissing,
    WarehouseBusy,
    WarehouseError,
)
from dqmon.sql import metrics as m
from dqmon.sql.compile import compile_scan
from dqmon.sql.literal_sql import literal_sql
from dqmon.sql.raw import condition

AT = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)


def of(lab, ref, *found, session=None, **how):
    """The values of metrics of a table, in a given session or one of its own."""
    with nullcontext(session) if session else lab.warehouse.open() as opened:
        values = {}
        for scan in plan([MetricRequest(ref, metric, **how) for metric in found], lambda _: True):
            compiled = compile_scan(scan, opened.columns(ref), (), lab.warehouse.capabilities, AT)
            assert literal_sql(compiled.statement, lab.warehouse.dialect)
            values.update(compiled.decode(opened.fetch(compiled.statement, 30)))
        return values


def test_hostile_values_are_values(lab):
    lab.run("create table canary (x varchar(300))", "insert into canary values ('a')")
    values = tuple(name for name in HOSTILE if "\0" not in name)
    found = of(lab, lab.ref("canary"), m.MissingCount("x", (*values, "a")), m.RowCount())
    assert found == {(None, (), m.MissingCount("x", (*values, "a"))): 1, (None, (), m.RowCount()): 1}


SLOW = {
    "duckdb": "select count(*) from range(10000000) a, range(10000000) b where (a.range * b.range) % 7 = 3",
    "sqlite": "with recursive n(i) as (select 1 union all select i + 1 from n where i < 10000000000) select count(*) from n",
    "postgres": "select pg_sleep(60) /* slow */",
    "mysql": "select sleep(60)",
    "clickhouse": "select count() from numbers(1000000000000) where sipHash64(number) % 7 = 3",
}


def test_a_slow_statement_is_gone_in_time(lab):
    lab.run("create table t (x int)")
    with lab.warehouse.open() as session:

        def run_into_limit():
            with pytest.raises(QueryTimeout, match="limit of 1 s"):
                session._rows(sa.text(SLOW[lab.engine]), {}, 1)

        assert seconds(run_into_limit) < 3, "the thread came back late"
        assert session.columns(lab.ref("t"))[0].name == "x", "the connection is still good"
        if lab.engine == "postgres":
            busy = "select count(*) from pg_stat_activity where query like '%slow %' and state = 'active' and pid <> pg_backend_pid()"
            assert session._rows(sa.text(busy), {}, 5) == [(0,)], "the statement still runs on the server"


def test_a_cancel_of_the_client_is_the_second_net(request, tmp_path, lab):
    if lab.engine != "postgres":
        pytest.skip("file engines have one net: the interrupt")

    def run_into_limit():
        with lab.warehouse.open() as session:
            session.prepare = lambda timeout_s: None  # a server that ignores its own limit
            with pytest.raises(QueryTimeout):
                session._rows(sa.text(SLOW["postgres"]), {}, 1)

    assert seconds(run_into_limit) < 3


def test_connections_never_pass_the_cap(lab):
    lab.run("create table t (x int)")
    warehouse = lab.another(max_connections=3)
    now, most, lock = 0, 0, threading.Lock()

    def work():
        nonlocal now, most
        for _ in range(5):
            with warehouse.open() as session:
                with lock:
                    now += 1
                    most = max(most, now)
                session.columns(lab.ref("t"))
                with lock:
                    now -= 1

    threads = [threading.Thread(target=work) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    with warehouse.open() as session:
        if lab.engine == "postgres":
            count = "select count(*) from pg_stat_activity where application_name = 'dqmon' and datname = current_database()"
            assert session._rows(sa.text(count), {}, 5)[0][0] <= 3, "the server saw more connections than the cap"
    warehouse.close()
    assert 1 <= most <= 3
    assert now == 0


def test_no_free_connection_is_said(lab):
    warehouse = lab.another(max_connections=1, connect_timeout="1s")
    with warehouse.open(), pytest.raises(WarehouseBusy, match="all 1 connections are in use"), warehouse.open():
        pass
    warehouse.close()


@contextmanager
def holder(code: str):
    """Another process that runs `code`, prints a line, and waits."""
    child = subprocess.Popen(
        [sys.executable, "-c", code + "\nprint('ready', flush=True)\ninput()"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "ready\n"
    yield child
    child.communicate("\n", timeout=10)


@pytest.mark.parametrize("lab", ["duckdb"], indirect=True)
def test_a_locked_duckdb_file_is_busy_and_says_who(lab):
    lab.run("create table t (x int)")
    words = "held by somebody who writes"
    with (
        holder(f"import duckdb\nc = duckdb.connect({lab.location!r})") as other,
        pytest.raises(WarehouseBusy, match=rf"{words}.*PID {other.pid}"),
        lab.another(connect_timeout="1s").open(),
    ):
        pass
    with lab.warehouse.open() as session:
        assert len(session.columns(lab.ref("t"))) == 1


@pytest.mark.parametrize("lab", ["duckdb"], indirect=True)
def test_a_duckdb_file_is_free_between_batches(lab):
    lab.run("create table t (x int)")
    with lab.warehouse.open() as session:
        session.columns(lab.ref("t"))
    code = f"import duckdb; duckdb.connect({lab.location!r}).execute('insert into t values (1)')"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)
    assert of(lab, lab.ref("t"), m.RowCount()) == {(None, (), m.RowCount()): 1}


@pytest.mark.parametrize("lab", ["sqlite"], indirect=True)
def test_a_locked_sqlite_file_is_busy(lab):
    lab.run("create table t (x int)")
    warehouse = lab.another(connect_timeout="1s")
    writer = sqlite3.connect(lab.location, isolation_level=None)
    writer.execute("begin exclusive")
    with pytest.raises(WarehouseBusy, match="locked by another process"), warehouse.open():
        pass
    writer.close()
    with warehouse.open() as session:
        assert len(session.columns(lab.ref("t"))) == 1


@pytest.mark.parametrize("lab", ["duckdb", "sqlite"], indirect=True)
def test_a_missing_or_broken_file_says_what_to_do(lab, tmp_path):
    Path(lab.location).unlink()
    with pytest.raises(ConnectFailed, match=r"lab: there is no file .*; load data into it first, or correct `path:`"), lab.warehouse.open():
        pass
    assert not Path(lab.location).exists(), "looking must not make the file"
    Path(lab.location).write_bytes(b"this is no database" * 1000)
    with pytest.raises(ConnectFailed), lab.warehouse.open() as session:
        session.columns(lab.ref("t"))


def test_a_dead_server_is_said_at_connect():
    from dqmon.warehouses.postgres import Postgres, PostgresOptions

    url = "postgresql://dq:canary-secret@127.0.0.1:9/shop"
    warehouse = Postgres("shop", PostgresOptions.model_validate({"url": url, "connect_timeout": "1s"}))
    with pytest.raises(ConnectFailed, match=r"shop: no connection to 127\.0\.0\.1:9/shop") as error, warehouse.open():
        pass
    assert "canary-secret" not in str(error.value)
    assert "canary-secret" not in repr(warehouse.options)


@pytest.mark.parametrize("lab", ["postgres"], indirect=True)
def test_a_connection_that_dies_mid_run_is_said_and_replaced(lab):
    lab.run("create table t (x int)")
    kill = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'dqmon' and datname = current_database()"
    with lab.warehouse.open() as session:
        session.columns(lab.ref("t"))
        lab.run(kill)
        with pytest.raises(ConnectFailed):
            session.tables(None)
    with lab.warehouse.open() as session:
        assert len(session.columns(lab.ref("t"))) == 1
        lab.run(kill)
    with lab.warehouse.open() as session:
        assert len(session.columns(lab.ref("t"))) == 1, "a connection that died in the pool is replaced unseen"


@pytest.mark.parametrize("lab", ["postgres"], indirect=True)
def test_no_permission_is_said(lab):
    lab.run(
        "create table t (x int)",
        "do $$ begin create role reader login; exception when duplicate_object then null; end $$",
        "grant usage on schema public to reader",
    )
    url = sa.make_url(lab.location).set(username="reader").render_as_string(hide_password=False)
    warehouse = type(lab.warehouse)("lab", lab.warehouse.Options.model_validate({"url": url}))
    with warehouse.open() as session:
        columns = session.columns(lab.ref("t"))
        (scan,) = plan([MetricRequest(lab.ref("t"), m.RowCount())], lambda _: True)
        with pytest.raises(PermissionDenied, match="permission denied for table t"):
            session.fetch(compile_scan(scan, columns, (), warehouse.capabilities, AT).statement, 5)
    warehouse.close()


def test_files_as_tables(tmp_path):
    import duckdb

    from dqmon.warehouses.duckdb import Duckdb, DuckdbOptions

    data = tmp_path / "it's data"
    data.mkdir()
    duckdb.sql("select 1 as id, date '2026-01-01' as d").write_parquet(str(data / "a.parquet"))
    duckdb.sql("select 2 as id, date '2026-01-01' as d").write_parquet(str(data / "b.parquet"))
    (data / "c.csv").write_text("id,name\n1,x\n2,\n")
    (data / "d.ndjson").write_text('{"id": 1}\n{"id": 2}\n{"id": 3}\n')
    (tmp_path / "secret.csv").write_text("a\n1\n")
    files = {"orders": f"{data}/*.parquet", "names": f"{data}/c.csv", "events": f"{data}/d.ndjson", "gone": f"{data}/no-*.csv"}
    with duckdb.connect(tmp_path / "w.duckdb") as writer:
        writer.execute("create table stored as select 1 as x")
    for path, stored in ((None, 0), (str(tmp_path / "w.duckdb"), 1)):
        warehouse = Duckdb("files", DuckdbOptions(path=path, files=files))
        # Twice at once: connections of one process share their settings.
        with warehouse.open() as session, warehouse.open() as second:
            names = {ref.name for ref, _ in session.tables("main")}
            assert names == {"orders", "names", "events"} | ({"stored"} if stored else set())
            for name, count in {"orders": 2, "names": 2, "events": 3}.items():
                (scan,) = plan([MetricRequest(TableRef("files", None, "main", name), m.RowCount())], lambda _: True)
                statement = compile_scan(scan, second.columns(scan.table), (), warehouse.capabilities, AT).statement
                assert second.fetch(statement, 5) == [(count,)]
            assert [c.group for c in session.columns(TableRef("files", None, "main", "orders"))] == [TypeGroup.INTEGER, TypeGroup.DATE]
            with pytest.raises(TableMissing, match=r"'gone' cannot be read from its file: .*No files found"):
                session.columns(TableRef("files", None, "main", "gone"))
            with pytest.raises(WarehouseError):
                session._rows(sa.text(f"select * from read_csv('{tmp_path}/secret.csv')"), {}, 5)
        warehouse.close()


@pytest.mark.parametrize(("options", "words"), [
    ({}, "give `path:`"), ({"files": {"a": "x.xlsx"}}, "ends in none of parquet"), ({"path": "x", "pth": "y"}, "pth"),
])  # fmt: skip
def test_wrong_duckdb_options(options, words):
    from dqmon.warehouses.duckdb import DuckdbOptions

    with pytest.raises(ValueError, match=words):
        DuckdbOptions.model_validate(options)


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "", "sqlite:///x"])
def test_wrong_postgres_urls(url):
    from dqmon.warehouses.postgres import PostgresOptions

    with pytest.raises(ValueError, match="no PostgreSQL URL"):
        PostgresOptions.model_validate({"url": url})


@pytest.mark.parametrize("lab", ["sqlite"], indirect=True)
@pytest.mark.parametrize(("value", "metric", "words"), [
    ("'yesterday'", m.LatestInstant("t"), "'yesterday' is no timestamp"),
    ("1e300", m.LatestInstant("t"), "is no timestamp"),
    ("'aaaa'", m.MissingCount("t", (), "(a+)+$"), "repeats a group that repeats itself"),
    ("'aaaa'", m.MissingCount("t", (), "(a"), "unterminated"),
    ("'" + "a" * 5000 + "'", m.MissingCount("t", (), "^a"), "text of 5,000 characters"),
])  # fmt: skip
def test_what_sqlite_cannot_read_is_an_error_in_words(lab, value, metric, words):
    lab.run("create table t (t text)", f"insert into t values ({value})")
    with pytest.raises(QueryFailed, match=words):
        of(lab, lab.ref("t"), metric)


def test_literal_sql_never_raises(lab):
    columns = [Column(name, "text", TypeGroup.TEXT, True, i) for i, name in enumerate(HOSTILE, start=1)]
    for name in HOSTILE:
        (scan,) = plan([MetricRequest(lab.ref(name), m.MissingCount(name, tuple(HOSTILE)))], lambda _: True)
        statement = compile_scan(scan, columns, (), lab.warehouse.capabilities, AT).statement
        assert "count" in literal_sql(statement, lab.warehouse.dialect).lower()
    assert literal_sql(sa.select(condition("a like '%:x'", lab.engine)), lab.warehouse.dialect) == "SELECT (a like '%:x'\n)"
