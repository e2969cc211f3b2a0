"""A live dlt run into DuckDB: what the source says of real loads, a failed one, and its recovery."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from dqmon.core.load_record import LoadStatus
from dqmon.engine.polling.poll import poll
from dqmon.ingestion.dlt import Dlt, DltOptions
from dqmon.store import loads
from dqmon.store.database import Database
from dqmon.warehouses.duckdb import Duckdb

PROGRAM = """
import sys, dlt
from dlt.destinations.impl.duckdb.duck import DuckDbClient

def die(*args):
    raise SystemExit("FAILED before the load was marked as complete")

if sys.argv[4] == "broken":
    DuckDbClient.complete_load = die
pipeline = dlt.pipeline("shop", destination=dlt.destinations.duckdb(sys.argv[1]), dataset_name="raw", pipelines_dir=sys.argv[2])
first = int(sys.argv[3])
orders = [{"id": n, "lines": [{"sku": "a"}]} for n in range(first, first + 5)]
tables = [dlt.resource(orders, name="orders"), dlt.resource([{"id": first}], name="customers")]
pipeline.run(None if sys.argv[4] == "resume" else tables)
"""


@pytest.fixture
def shop(tmp_path):
    """Runs the pipeline in a process of its own, so that dlt's settings and locks end with it; `broken` dies before the end."""
    path = tmp_path / "warehouse.duckdb"
    environment = os.environ | {
        "RUNTIME__DLTHUB_TELEMETRY": "false",
        "DLT_DATA_DIR": str(tmp_path / "dlt"),
        "DLT_PROJECT_DIR": str(tmp_path),
        "PYTHONWARNINGS": "ignore",
    }

    def run(first, mode="good"):
        command = [sys.executable, "-c", PROGRAM, str(path), str(tmp_path / "pipelines"), str(first), mode]
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
        assert ("FAILED" in done.stderr) is (mode == "broken"), done.stderr

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

    run(0)
    assert summary(kept()) == [("", "succeeded", 6), ("customers", "succeeded", 1), ("orders", "succeeded", 5)]
    (pipeline,) = source.pipelines()
    assert (pipeline.pipeline, set(pipeline.tables)) == ("shop", {"customers", "orders"})
    (whole,) = [record for record in kept() if record.table is None]
    assert since < whole.started_at < whole.finished_at <= datetime.now(UTC)

    run(10, "broken")
    partial = [record for record in kept() if record.status is LoadStatus.PARTIAL]
    assert summary(partial) == [("", "partial", 6), ("customers", "partial", 1), ("orders", "partial", 5)]

    run(10, "resume")
    assert {record.status for record in kept()} == {LoadStatus.SUCCEEDED}
    assert len({record.load_id for record in kept()}) == 2
