"""Rows of two large tables compared, 17 of them different: statements, rows fetched and seconds; `-s` prints them."""

from __future__ import annotations

import time
from pathlib import Path

import duckdb
import pytest
import sqlalchemy as sa

from dqmon.app import open_app
from dqmon.core.metric import Totals
from dqmon.core.result import CheckResult
from dqmon.core.verdict import Verdict
from dqmon.engine.measuring.asked import Run, Task
from dqmon.engine.run import evaluate
from dqmon.sql.metrics import RowHashes

MOST_FETCHED = 5_000
"""Rows of all statements together; the figure that is promised."""

ORDERS = """
select i::bigint as order_id, 'status ' || (i % 7)::text as status, (i % 100000) / 100.0::decimal(12, 2) as amount,
  timestamp '2013-01-01 00:00:00' + i * interval '7 seconds' as ordered_at
from generate_series(1, {rows}) as s(i)
"""
CHECKS = """
version: 1
datasets:
  - dataset: main.orders
    checks:
      - reconciliation: {{to: {{warehouse: other, dataset: public.orders}}, rows: {{key: [{key}]}}}}
"""
CONFIG = """
version: 1
warehouses:
  main: {{type: duckdb, path: {root}/main.duckdb, statement_timeout: 10m}}
  other: {{type: postgres, url: "{url}", statement_timeout: 10m}}
"""


def spread(rows: int) -> list[int]:
    """17 order ids, all over the table."""
    return [1 + (number * 7_919 * rows // 137_000) % rows for number in range(17)]


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path, postgres_database: str) -> Path:
    """A project whose two tables differ by nine rows changed, five that are gone there and three that are gone here."""
    rows: int = request.param
    ids = spread(rows)
    assert len(set(ids)) == 17, "found the same order twice; spread them otherwise"
    changed, gone_there, gone_here = (", ".join(map(str, part)) for part in (ids[:9], ids[9:14], ids[14:]))
    with duckdb.connect(str(tmp_path / "main.duckdb")) as connection:
        connection.execute(f"create table orders as {ORDERS.format(rows=rows)}")
        connection.execute(f"delete from orders where order_id in ({gone_here})")
    engine = sa.create_engine(postgres_database, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.execute(sa.text(f"create table orders as {ORDERS.format(rows=rows).replace('::', chr(92) + ':' + chr(92) + ':')}"))
        connection.execute(sa.text(f"delete from orders where order_id in ({gone_there})"))
        connection.execute(sa.text(f"update orders set amount = amount + 0.01 where order_id in ({changed})"))
        connection.execute(sa.text("alter table orders add primary key (order_id)"))
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("vacuum analyze orders"))
    engine.dispose()
    url = sa.make_url(postgres_database).set(drivername="postgresql").render_as_string(hide_password=False)
    for folder in ("config", "checks"):
        (tmp_path / folder).mkdir()
    (tmp_path / "config/dqmon.yaml").write_text(CONFIG.format(root=tmp_path, url=url))
    return tmp_path


def fetched(result: CheckResult) -> int:
    """The rows of all statements behind a result."""
    total = 0
    for metric, value in {m.scan_id: (m.request.metric, m.value) for m in result.measurements if m.sql}.values():
        if isinstance(value, Totals):
            total += sum(len(hashes) for hashes in value.by_key.values()) if isinstance(metric, RowHashes) else len(value.by_key)
        else:
            total += 1
    return total


@pytest.mark.parametrize("key", ["order_id", "order_id, ordered_at"], ids=["integer key", "hashed key"])
@pytest.mark.parametrize(
    "project", [pytest.param(200_000, id="200k"), pytest.param(5_000_000, id="5M", marks=pytest.mark.long)], indirect=True
)
def test_seventeen_differing_rows_are_found_by_few_statements(project: Path, key: str, request: pytest.FixtureRequest) -> None:
    (project / "checks/orders.yaml").write_text(CHECKS.format(key=key))
    with open_app(str(project / "config/dqmon.yaml")) as app:
        environment = app.environment
        tasks = tuple(Task(check, environment.clock()) for check in environment.checks.values())
        started = time.perf_counter()
        outcome = evaluate(environment, Run(environment.new_id()), tasks)
        spent = time.perf_counter() - started
    (result,) = outcome.results
    assert (result.verdict, result.observed and result.observed.value) == (Verdict.FAIL, 17), result.reason
    assert "9 changed, 5 only here, 3 only there" in result.reason, result.reason
    rows = fetched(result)
    print(f"\n{request.node.callspec.id}: {outcome.statements} statements, {rows:,} rows fetched, {spent:.1f} s")
    assert outcome.statements <= 12, f"found {outcome.statements} statements, expected 12 at most"
    assert rows <= MOST_FETCHED, f"found {rows:,} rows fetched, expected {MOST_FETCHED:,} at most"
