"""Rows of the store for its contract suites, and the store itself on both engines."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dqmon.core.measurement import Measurement, MetricRequest, Partition
from dqmon.core.metric_kinds import MetadataMetric
from dqmon.core.result import ResultRecord
from dqmon.core.table import TableRef
from dqmon.core.verdict import Severity, Verdict
from dqmon.store.database import Database
from dqmon.store.versions import VERSION_TABLE

T = datetime(2026, 3, 2, 6, tzinfo=UTC)
COUNTER = iter(range(10**9))
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
ORDERS = TableRef("main", None, "shop", "orders")


@pytest.fixture(scope="module")
def postgres_store(postgres_url: str) -> Iterator[str]:
    """The URL of a migrated PostgreSQL store, one for a module: `database` empties it."""
    name = f"store{uuid.uuid4().hex}"
    server = sa.create_engine(postgres_url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    with server.connect() as connection:
        connection.execute(sa.text(f"create database {name}"))
    url = sa.make_url(postgres_url).set(database=name).render_as_string(hide_password=False)
    made = Database(url)
    made.prepare()
    made.close()
    yield url
    with server.connect() as connection:
        connection.execute(sa.text(f"drop database {name} with (force)"))


@pytest.fixture(params=["sqlite", "postgres"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated store on each engine in turn."""
    if request.param == "sqlite":
        made = Database(f"sqlite:///{tmp_path}/deep/er/store.db")
        made.prepare()
    else:
        made = Database(request.getfixturevalue("postgres_store"))
        with made.write() as connection:
            names = [name for name in sa.inspect(connection).get_table_names() if name != VERSION_TABLE]
            connection.execute(sa.text(f"truncate {', '.join(names)} restart identity"))
    yield made
    made.close()


@dataclass(frozen=True, slots=True)
class Rows(MetadataMetric):
    name = "row_count"
    of: str = ""


def measurement(value: Any, request: MetricRequest | None = None, **fields: Any) -> Measurement:
    request = request or MetricRequest(ORDERS, Rows())
    return replace(Measurement(request, (), value, None, T, 0.5, "scan", ("select 1",)), **fields)


def result(slot: datetime = T, **fields: Any) -> ResultRecord:
    made = ResultRecord(
        id=f"id{next(COUNTER)}",
        run_id="run",
        check_id="shop.orders.row_count",
        name=None,
        type="row_count",
        dimension="volume",
        warehouse="main",
        dataset="shop.orders",
        pipeline=None,
        columns=("a", "b"),
        tags=(),
        partition_column=None,
        partition_start=None,
        partition_end=None,
        partition="",
        segment="{}",
        verdict=Verdict.PASS,
        severity=Severity.WARNING,
        observed_value=3,
        unit="rows",
        ratio=0.5,
        rows_tested=6,
        expected_low=None,
        expected_high=7.5,
        expected_text="> 0",
        reason="",
        owner=None,
        runbook=None,
        description=None,
        source_path="checks/a.yaml",
        source_line=3,
        sql=("select 1",),
        scheduled_at=slot,
        measured_at=slot + timedelta(seconds=2),
        duration_s=0.25,
        is_learning=False,
        is_ad_hoc=False,
        as_of=None,
        baseline=(),
    )
    return replace(made, **fields)


def in_day(start: datetime) -> dict[str, Any]:
    partition = Partition("day", start, start + DAY)
    return {"partition_column": "day", "partition_start": partition.start, "partition_end": partition.end, "partition": partition.key}
