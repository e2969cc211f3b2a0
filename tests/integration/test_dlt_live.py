"""A live dlt run into DuckDB: what the source says of real loads, a failed one, and its recovery."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from dqmon.core.load_record import LoadStatus
from dqmon.engine.poll import poll
from dqmon.ingestion.dlt import Dlt, DltOptions
from dqmon.store import loads
from dqmon.store.database import Database
from dqmon.warehouses.duckdb import Duckdb

PROGRAM = """
import sys, dlt
pipeline = dlt.pipeline("shop", destination=dlt.destinations.duckdb(sys.argv[1]), dataset_name="raw", pipelines_dir=sys.argv[2])
first = int(sys.argv[3])
orders = [{"id": n, "lines": [{"sku": "a"}]} for n in range(first, first + 5)]
customers = [{"id": first, "name": None if sys.argv[4] == "broken" else "ada"}]
try:
    resume = sys.argv[4] == "resume"
    pipeline.run(None if resume else [dlt.resource(orders, name="orders"), dlt.resource(customers, name="customers", columns={"name": {"data_type": "text"}})])
except Exception as e:
    print("FAILED", type(e).__name__)
"""


@pytest.fixture
def shop(tmp_path):
    """Runs the pipeline in a process of its own, so that dlt's settings and locks end with it; returns what it printed."""
    path = tmp_path / "warehouse.duckdb"
    environment = os.environ | {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "DLT_DATA_DIR": str(tmp_path / "dlt"),
        "DLT_PROJECT_DIR": str(tmp_path),
        "LOAD__WORKERS": "1",
        "LOAD__RAISE_ON_MAX_RETRIES": "1",
        "PYTHONWARNINGS": "ignore",
    }

    def run(first, mode="good"):
        command = [sys.executable, "-c", PROGRAM, str(path), str(tmp_path / "pipelines"), str(first), mode]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return path, run


def summary(records):
    return sorted((record.table or "", record.status.value, record.rows) for record in records)


def test_live_loads_are_counted_a_failed_one_is_partial_and_recovers(shop, tmp_path):
    path, run = shop
    source = Dlt("live", DltOptions(warehouse="main", dataset="raw"), Duckdb("main", Duckdb.Options(path=str(path))))
    since = datetime.now(UTC) - timedelta(minutes=5)
    store = Database(f"sqlite:///{tmp_path / 'store.db'}")
    store.prepare()

    def kept():
        assert poll({"live": source}, store, datetime.now(UTC)) == {}
        with store.read() as connection:
            return loads.of_pipeline(connection, "live", "shop", since)

    assert "FAILED" not in run(0)
    assert summary(kept()) == [("", "succeeded", 6), ("customers", "succeeded", 1), ("orders", "succeeded", 5)]
    (pipeline,) = source.pipelines()
    assert (pipeline.pipeline, set(pipeline.tables)) == ("shop", {"customers", "orders"})
    (whole,) = [record for record in kept() if record.table is None]
    assert since < whole.started_at < whole.finished_at <= datetime.now(UTC)

    with duckdb.connect(str(path)) as connection:
        connection.execute("alter table raw.customers alter name set not null")
    assert "FAILED" in run(10, "broken")
    partial = [record for record in kept() if record.status is LoadStatus.PARTIAL]
    assert ("orders", "partial", 5) in summary(partial), summary(kept())

    with duckdb.connect(str(path)) as connection:
        connection.execute("alter table raw.customers alter name drop not null")
    assert "FAILED" not in run(10, "resume")
    assert {record.status for record in kept()} == {LoadStatus.SUCCEEDED}
    assert len({record.load_id for record in kept()}) == 2
