"""500 pipelines polled every minute: what that costs in CPU, with a week of kept loads (a replayed Airflow, dlt in DuckDB, SQLite)."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import duckdb
from replay_server import Replay

from dqmon.core.load_record import LoadRecord, LoadStatus
from dqmon.engine.polling.poll import poll
from dqmon.ingestion.airflow import Airflow, AirflowOptions
from dqmon.ingestion.dlt import Dlt, DltOptions
from dqmon.store import loads, pipelines
from dqmon.store.database import Database
from dqmon.warehouses.duckdb import Duckdb

DAGS, DLT_TABLES, KEPT_DAYS, MINUTES = 500, 40, 7, 6
NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def iso(at):
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def run(n, fire, at):
    """The hourly run of DAG `n`; it takes three minutes."""
    ended = fire + timedelta(minutes=3)
    is_over = ended <= at
    return {
        "dag_id": f"dag_{n:03}",
        "dag_run_id": f"scheduled__{iso(fire)}",
        "state": "success" if is_over else "running",
        "run_type": "scheduled",
        "run_after": iso(fire),
        "logical_date": iso(fire),
        "start_date": iso(fire + timedelta(seconds=5)),
        "end_date": iso(ended) if is_over else None,
        "conf": {},
        "dag_versions": [],
    }


class Tool:
    """An Airflow with DAGs of every minute of the hour, by its clock `at`."""

    def __init__(self):
        self.at = NOW

    def dags(self, request):
        dags = []
        for n in range(DAGS):
            fire = self.at.replace(minute=n % 60, second=0)
            due = fire if fire > self.at else fire + timedelta(hours=1)
            facts = {"is_paused": False, "is_stale": False, "timetable_summary": f"{n % 60} * * * *", "next_dagrun_run_after": iso(due)}
            dags.append(
                {"dag_id": f"dag_{n:03}", "fileloc": "/dags/d.py", "tags": [], "owners": ["airflow"], "file_token": "x" * 80} | facts
            )
        return self.page("dags", dags, request)

    def runs(self, request):
        low = request.query.get("end_date_gte")
        since = datetime.fromisoformat(low) if low else self.at
        fires = (self.at - timedelta(minutes=ago) for ago in range(int((self.at - since).total_seconds() // 60) + 4))
        found = [run(n, fire, self.at) for fire in fires for n in range(fire.minute, DAGS, 60)]
        return self.page("dag_runs", [one for one in found if (one["end_date"] is not None) == (low is not None)], request)

    @staticmethod
    def page(key, items, request):
        start, size = int(request.query.get("offset", 0)), int(request.query.get("limit", 50))
        return {key: items[start : start + size], "total_entries": len(items)}


def kept(source):
    """The whole loads of the last week, as earlier polls have left them."""
    for n in range(DAGS):
        for hour in range(24 * KEPT_DAYS):
            fire = NOW.replace(minute=n % 60) - timedelta(hours=hour + 1)
            ended = fire + timedelta(minutes=3)
            yield LoadRecord(source, f"dag_{n:03}", f"old__{iso(fire)}", LoadStatus.SUCCEEDED, ended, started_at=fire, finished_at=ended)


def dlt_tables(path):
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema raw")
        connection.execute("create table raw._dlt_loads (load_id text, schema_name text, status bigint, inserted_at timestamptz)")
        columns = '{"columns": {"_dlt_load_id": {}}}'
        tables = ", ".join(f'"t{n}": {columns}' for n in range(DLT_TABLES))
        connection.execute("create table raw._dlt_version (version bigint, schema_name text, schema text)")
        connection.execute("insert into raw._dlt_version values (1, 'shop', ?)", [f'{{"tables": {{{tables}}}}}'])
        ids = [f"{(NOW - timedelta(hours=hour)).timestamp():.6f}" for hour in range(24)]
        connection.executemany(
            "insert into raw._dlt_loads values (?, 'shop', 0, to_timestamp(?::double) + interval 1 minute)", [(i, i) for i in ids]
        )
        for n in range(DLT_TABLES):
            connection.execute(f"create table raw.t{n} as select unnest(?) as _dlt_load_id, i from range(1000) r(i)", [ids])


def seconds_of_cpu(sources, tool, database):
    """CPU of the polling thread for each of some minutes, after a first poll."""
    found = []
    for minute in range(MINUTES + 1):
        tool.at = NOW + timedelta(minutes=minute)
        began = time.thread_time()
        failures = poll(sources, database, tool.at)
        found.append(time.thread_time() - began)
        assert not failures, failures
    return found[1:]


def test_five_hundred_pipelines_a_minute(tmp_path):
    database, tool = Database(f"sqlite:///{tmp_path / 'store.db'}"), Tool()
    database.prepare()
    with database.write() as connection:
        loads.upsert(connection, list(kept("airflow")))
        pipelines.polled(connection, "airflow", NOW - timedelta(minutes=1))
    dlt_tables(tmp_path / "w.duckdb")
    warehouse = Duckdb("main", Duckdb.Options(path=str(tmp_path / "w.duckdb")))
    with Replay() as server:
        server.add("/api/v2/dags", tool.dags)
        server.add("/api/v2/dags/~/dagRuns", tool.runs)
        server.add("/api/v2/assets/events", {"asset_events": [], "total_entries": 0})
        server.add("/api/v2/importErrors", {"import_errors": [], "total_entries": 0})
        server.add("/api/v2/monitor/health", {"scheduler": {"status": "healthy", "latest_scheduler_heartbeat": iso(NOW)}})
        airflow = Airflow("airflow", AirflowOptions(base_url=server.url, allow_private_addresses=True, api="v2"), None)
        dlt = Dlt("raw_dlt", DltOptions(warehouse="main", dataset="raw"), warehouse)
        of_airflow = sorted(seconds_of_cpu({"airflow": airflow}, tool, database))
        of_dlt = sorted(seconds_of_cpu({"raw_dlt": dlt}, tool, database))
        warehouse.close()
    middle = MINUTES // 2
    print(
        f"\n{DAGS} DAGs and {DLT_TABLES} dlt tables, {DAGS * 24 * KEPT_DAYS:,} kept loads: {of_airflow[middle]:.2f} s + {of_dlt[middle]:.2f} s of CPU a minute"
    )
    assert of_airflow[middle] + of_dlt[middle] < 3, "polling 500 pipelines takes more than 3 s of each minute"
