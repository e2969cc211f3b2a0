"""Who loads into a DuckDB file gets in while dqmon reads it, and dqmon waits while somebody loads (ARCHITECTURE.md, rule 5)."""

from __future__ import annotations

import subprocess
import sys
import time

import duckdb

from dqmon.app import open_app
from dqmon.core.selector import parse_selector
from dqmon.core.verdict import Verdict

TABLES = 40

LOADER = """
import sys, time, duckdb
print("ready", flush=True)

def connected():
    try:
        return duckdb.connect(sys.argv[1])
    except duckdb.IOException:
        return None

while (connection := connected()) is not None:  # nobody reads yet
    connection.close()
    time.sleep(0.05)
while (connection := connected()) is None:
    time.sleep(0.005)
connection.execute("insert into loaded values (1)")
time.sleep(0.5)
connection.close()
print(time.time(), flush=True)
"""


def test_a_loader_gets_in_while_a_long_run_reads(tmp_path):
    for folder in ("config", "checks"):
        (tmp_path / folder).mkdir()
    path = tmp_path / "w.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create table loaded (x int)")
        for number in range(TABLES):
            # Each takes a twentieth of a second to read; between two of them the file is free for an instant, which a busy machine may miss.
            slow = "select count(*) as id from range(5000) a, range(4000) b where (a.range * b.range) % 7 = 3"
            connection.execute(f"create view t{number} as {slow}")
    (tmp_path / "config/dqmon.yaml").write_text(f"version: 1\nwarehouses: {{main: {{type: duckdb, path: {path}}}}}\n")
    listed = "".join(
        f"  - {{dataset: t{number}, checks: [statistic: {{column: id, metric: max, fail_if: '< 1'}}]}}\n" for number in range(TABLES)
    )
    (tmp_path / "checks/all.yaml").write_text(f"version: 1\ndatasets:\n{listed}")
    with subprocess.Popen([sys.executable, "-c", LOADER, str(path)], stdout=subprocess.PIPE, text=True) as loader:
        assert loader.stdout.readline() == "ready\n"
        with open_app(str(tmp_path / "config/dqmon.yaml")) as app:
            began = time.time()
            report = app.check(parse_selector(()), None, False)
            ended = time.time()
        loaded_at = float(loader.stdout.readline())
    print(f"\nloaded after {loaded_at - began:.1f} s, the run took {ended - began:.1f} s")
    assert {record.verdict for record in report.records} == {Verdict.PASS}, "dqmon waits for the loader, too"
    assert loaded_at < ended, "the loader waited for the whole run"
