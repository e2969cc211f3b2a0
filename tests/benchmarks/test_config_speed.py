"""How long a large configuration takes to load; `-s` prints the figure."""

from __future__ import annotations

import time
from pathlib import Path

from dqmon.config.project import load_project

LIMIT_S = 4.0
"""CPU seconds for 1,000 tables with 10 checks each."""

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


def test_ten_thousand_checks_are_read_in_seconds(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "checks").mkdir()
    (tmp_path / "config/dqmon.yaml").write_text("version: 1\nwarehouses: {main: {type: duckdb, path: x.duckdb}}\n")
    head = 'version: 1\ndefaults: {runbook: "https://wiki.example.com/{check}", schedule: "*/30 * * * *"}\ndatasets:\n'
    for file in range(4):
        entries = (ENTRY.format(number=file * 250 + at) for at in range(250))
        (tmp_path / f"checks/{file}.yaml").write_text(head + "".join(entries))
    started = time.process_time()
    project = load_project(tmp_path / "config/dqmon.yaml", {})
    spent = time.process_time() - started
    print(f"10,000 checks on 1,000 tables read in {spent:.2f} s of CPU")
    assert len(project.checks) == 10_000
    assert spent <= LIMIT_S, f"found {spent:.2f} s, expected {LIMIT_S} s or less"
