"""How fast the mirror copies a store's rows into PostgreSQL: all of it, from reading the store to the last commit."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from engines import engine
from patience import seconds
from store_rows import DAY, ORDERS, Rows, T, in_day, measurement, result

from dqmon.core.measurement import MetricRequest
from dqmon.engine.mirror import Mirror
from dqmon.store import measurements, results
from dqmon.store.database import Database
from dqmon.store.mirrored import TARGETS

DAYS, CHECKS = 10, 1_000
AT_LEAST = 1_000
"""Rows a second: 10,000 checks a minute, a result and a measurement each, need 333."""


def test_rows_a_second(servers: Callable[[str], str], tmp_path: Path) -> None:
    found = engine("postgres")
    location = found.place(servers("postgres"), tmp_path)
    database = Database(f"sqlite:///{tmp_path}/store.db")
    database.prepare()
    for day in range(DAYS):
        records = [result(T + day * DAY, check_id=f"c{n}", dataset=f"shop.t{n % 50}", **in_day(T + day * DAY)) for n in range(CHECKS)]
        measured = [measurement(day, MetricRequest(ORDERS, Rows(str(n)))) for n in range(CHECKS)]
        with database.write() as connection:
            results.add(connection, records, T)
            measurements.add(connection, f"run {day}", measured, scheduled_at=T + day * DAY)
    counts = [DAYS * CHECKS, DAYS * CHECKS, DAYS * 50]

    def copied_s() -> float:
        with found.writer(location) as execute:
            execute("drop schema if exists quality cascade")
        mirror = Mirror(database, found.warehouse("dq", location).writer("quality", "prod"), "prod", tuple(TARGETS))
        now = datetime.now(UTC)
        taken_s = seconds(lambda: all(mirror.copy(now) is not None and not mirror.failures for _ in itertools.count()))
        mirror.close()
        with found.writer(location) as execute:
            there = [execute(f"select count(*) from quality.{name}").fetchone()[0] for name in TARGETS]  # type: ignore[attr-defined]
        assert there == counts
        return taken_s

    took_s = copied_s()
    database.close()
    rate = sum(counts) / took_s
    print(f"\n{sum(counts)} rows of {len(counts)} tables in {took_s:.1f} s: {rate:,.0f} rows a second")
    assert rate > AT_LEAST
