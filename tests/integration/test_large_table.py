"""The ways by least and greatest value and by distinct values on a table that really is large: chosen, shown by plan, and right."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pytest

from dqmon.app import open_app
from dqmon.core.selector import parse_selector
from dqmon.engine.measuring.ways.way import LARGE

CHECKS = """
version: 1
datasets:
  - dataset: orders
    checks:
      - range: {column: quantity, min: 1, max: 100}
      - range: {column: bad_quantity, min: 1, max: 100}
      - accepted_values: {column: line_no, values: [1, 2, 3, 4]}
      - accepted_values: {column: status, values: [new, paid, sent]}
      - pattern: {column: status, regex: "^[a-z]+$"}
      - pattern: {column: order_ref, regex: "^R[0-9]+$"}
"""
ROWS = """
create table orders as select 1 + i % 100 as quantity, if(i = 7, -1, 1 + i % 100) as bad_quantity, 1 + i % 4 as line_no,
    if(i % 100_000 = 3, 'LOST', ['new', 'paid', 'sent'][1 + i % 3]) as status, 'R' || i as order_ref from range({rows}) as r(i)
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> str:
    root: Path = tmp_path_factory.mktemp("large")
    for folder in ("config", "checks"):
        (root / folder).mkdir()
    (root / "config/dqmon.yaml").write_text("version: 1\nwarehouses:\n  main: {type: duckdb, path: large.duckdb}\n")
    (root / "checks/orders.yaml").write_text(CHECKS)
    with duckdb.connect(str(root / "large.duckdb")) as connection:
        connection.execute(ROWS.format(rows=LARGE))
    return str(root / "config/dqmon.yaml")


def test_the_values_are_those_of_the_plain_statement(project: str) -> None:
    found = {}
    with open_app(project, clock=lambda: datetime(2026, 3, 1, tzinfo=UTC)) as app:
        everything = app.environment.ways
        for ways in ((), everything):
            app.environment = replace(app.environment, ways=ways, reuses=False)
            report = app.check(parse_selector(()), None, True)
            found[ways] = [(r.check_id, r.verdict, r.observed_value, r.ratio) for r in report.records]
            taken = {r.check_id.partition(".orders.")[2]: r.ways for r in report.records if r.ways}
    assert found[everything] == found[()]
    assert sum(value or 0 for *_, value, _ in found[()]) == 1 + 2 * (LARGE // 100_000), "the planted rows"
    assert taken == {
        "accepted_values.status": ("each different value was judged once",),
        "pattern.status": ("each different value was judged once",),
    }


def test_plan_shows_what_may_follow_and_for_whom(project: str) -> None:
    with open_app(project, clock=lambda: datetime(2026, 3, 1, tzinfo=UTC)) as app:
        shown = [(s.kind, len(s.checks), "GROUP BY" in s.sql) for s in app.plan(parse_selector(()))]
    assert shown == [
        ("aggregate", 6, False),
        ("sampled", 3, False),
        ("if needed", 3, False),
        ("if needed", 2, True),
        ("if needed", 1, True),
    ], "at last the three rules' own statement, and the two checks of status on its values, the one of order_ref on its own"
