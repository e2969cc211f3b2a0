"""How long a large configuration takes to be read and planned, and in how much memory; `-s` prints the figures."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import duckdb

TABLES = 1_000
GOAL_S = 2.0
"""CPU seconds from the files to the statements, of 10,000 checks on 1,000 tables."""
GOAL_MB = 150
"""The most memory that this may take at once, libraries included, but for what DuckDB takes to open the file."""
SLACK = 2.5
"""A shared machine takes so many times as long; the figures are printed."""

COLUMNS = "tenant_id int, order_id int, customer_id int, amount decimal(12, 2), loaded_at timestamp, a int, b int, c int"
HEAD = 'version: 1\ndefaults: {runbook: "https://wiki.example.com/{check}", schedule: "*/30 * * * *"}\ndatasets:\n'
ENTRY = """\
  - dataset: t{number}
    owner: "@orders-team"
    tags: [finance]
    checks:
      - completeness: {{column: customer_id, warn_if: "> 0", fail_if: "> 0.5%"}}
      - uniqueness: {{columns: [tenant_id, order_id], severity: critical}}
      - range: {{column: amount, min: 0, max: 100000, fail_if: "> 0.1%"}}
      - freshness: {{column: loaded_at, warn_after: 1h, fail_after: 3h}}
      - row_count: {{min: 1000}}
      - volume_anomaly: {{direction: both}}
      - schema_drift
      - completeness: {{column: a}}
      - completeness: {{column: b}}
      - completeness: {{column: c}}
"""


def test_ten_thousand_checks_are_read_and_planned_in_seconds(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "checks").mkdir()
    (tmp_path / "config/dqmon.yaml").write_text("version: 1\nwarehouses: {main: {type: duckdb, path: x.duckdb}}\n")
    for file in range(4):
        numbers = range(file, TABLES, 4)
        (tmp_path / f"checks/{file}.yaml").write_text(HEAD + "".join(ENTRY.format(number=number) for number in numbers))
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        connection.execute("begin; " + "; ".join(f"create table t{number} ({COLUMNS})" for number in range(TABLES)) + "; commit")

    child = subprocess.run([sys.executable, "-W", "ignore", Path(__file__).with_name("plan_child.py")], cwd=tmp_path, stdout=-1, check=True)

    found = json.loads(child.stdout)
    peak = found["peak_mb"] - found["engine_mb"]
    spent = found["read_s"] + found["look_up_s"] + found["plan_s"]
    print(
        f"\n10,000 checks on {TABLES:,} tables: read {found['read_s']:.2f} s, columns looked up {found['look_up_s']:.2f} s, "
        f"{found['statements']:,} statements planned {found['plan_s']:.2f} s of CPU (goal {GOAL_S} s in all, found {spent:.2f}); "
        f"peak {peak:.0f} MB (goal {GOAL_MB}), and {found['engine_mb']:.0f} MB of DuckDB"
    )
    assert (found["checks"], found["failures"]) == (10_000, 0)
    assert spent <= SLACK * GOAL_S, f"found {spent:.2f} s of CPU, expected {SLACK * GOAL_S} s or less even on a busy machine"
    assert peak <= SLACK * GOAL_MB, f"found a peak of {peak:.0f} MB, expected {SLACK * GOAL_MB:.0f} or less"
