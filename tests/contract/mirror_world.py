"""A store with rows, a warehouse that they are copied into, and what stands in both."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from engines import Engine
from store_rows import DAY, ORDERS, Rows, T, in_day, measurement, result

from dqmon.core.measurement import MetricRequest
from dqmon.core.verdict import Verdict
from dqmon.engine.mirror import Mirror
from dqmon.store import measurements, results
from dqmon.store.database import Database
from dqmon.store.mirrored import TARGETS

NAMES = tuple(TARGETS)
KINDS = ("duckdb", "postgres", "snowflake")
"""The engines that are written to."""


class World:
    """One store and one target; `instance` tells installations apart."""

    def __init__(self, engine: Engine, location: str, folder: Path, instance: str = "prod") -> None:
        self.engine, self.location, self.instance = engine, location, instance
        self.database = Database(f"sqlite:///{folder}/{instance}.db")
        self.database.prepare()

    def mirror(self, schema: str = "quality") -> Mirror:
        warehouse = self.engine.warehouse("dq", self.location)
        return Mirror(self.database, warehouse.writer(schema, self.instance), self.instance, NAMES)

    def judge(self, day: int, *, checks: int = 1, verdict: Verdict = Verdict.PASS, again: int = 0) -> None:
        """One commit of a day's results and measurements; with another `again` the same day is judged anew."""
        start, slot = T + day * DAY, T + (day + 1) * DAY + again * DAY / 24
        records = [
            result(
                slot, check_id=f"check {number}", dataset=f"shop.t{number % 3}", verdict=verdict, reason="100 % 'so' \\ é", **in_day(start)
            )
            for number in range(checks)
        ]
        measured = [measurement(day + number / 8, MetricRequest(ORDERS, Rows(str(number)))) for number in range(checks)]
        with self.database.write() as connection:
            results.add(connection, records, slot)
            measurements.add(connection, f"run {day}.{again}", measured, scheduled_at=T + day * DAY)

    def stored(self, name: str) -> list[Mapping[str, Any]]:
        """The rows of the store, and whose they are."""
        with self.database.read() as connection:
            columns = [column for column in TARGETS[name].columns if column != "instance"]
            table = {"dq_results": results.results, "dq_measurements": measurements.measurements}.get(name)
            shown = (
                [sa.type_coerce(table.c[c], sa.Text()) if _is_text(name, c) else table.c[c] for c in columns] if table is not None else None
            )
            statement = sa.select(*shown) if shown else sa.select(*map(sa.column, columns)).select_from(sa.table(name))
            return [{"instance": self.instance} | dict(zip(columns, row, strict=True)) for row in connection.execute(statement)]

    def there(self, name: str, schema: str = "quality") -> list[Mapping[str, Any]]:
        """The rows of the copy."""
        owner = self.engine.owner(self.location)
        with owner.connect() as connection:
            found = connection.execute(sa.text(f"select * from {schema}.{name}"))
            rows = [{key.lower(): value for key, value in row._mapping.items()} for row in found]
        owner.dispose()
        return rows

    def run(self, *statements: str) -> None:
        with self.engine.writer(self.location) as execute:
            for statement in statements:
                execute(statement)

    def assert_same(self) -> None:
        """Every row is there once, as the store has it."""
        for name in NAMES:
            keys = TARGETS[name].keys
            stored, there = (sorted((_plain(row) for row in rows), key=lambda row: [row[k] for k in keys]) for rows in
                             (self.stored(name), self.there(name)))  # fmt: skip
            assert len(there) == len(stored), f"{name}: {len(there)} rows in the copy, {len(stored)} in the store"
            assert there == stored, f"{name}: the copy's rows are others than the store's"


def _is_text(name: str, column: str) -> bool:
    return TARGETS[name].columns[column].value == "text"


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: _value(value) for key, value in row.items()}


def _value(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.timestamp()
    if isinstance(value, bool) or value is None:
        return value
    return float(value) if isinstance(value, int | float) else str(value)
