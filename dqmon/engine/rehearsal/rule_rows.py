"""The tables of rule tests with rows: files of DuckDB or SQLite that stand in the place of the project's warehouses."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dqmon.core.check_type import DatasetCheck
from dqmon.core.registry import Registry
from dqmon.core.rule_test import RuleTest, TableRows
from dqmon.core.table import TableRef
from dqmon.errors import ConfigError, Problem

if TYPE_CHECKING:
    from dqmon.core.protocols import Warehouse


class Tables:
    """What the tables of a test hold. `kinds` are the types of the configured warehouses: SQLite stays SQLite, all others are DuckDB."""

    def __init__(self, folder: Path, test: RuleTest, kinds: Mapping[str, str]) -> None:
        self._given = test.tables
        self._filled: dict[TableRef, TableRows] = {}
        self._files = {
            name: _File(folder, name, _catalog(test, name), is_sqlite=kinds.get(name) == "sqlite") for name in sorted(_names(test))
        }

    @property
    def warehouses(self) -> Mapping[str, Warehouse]:
        """The stand-ins by the names of the warehouses that the test's checks read."""
        return {name: file.warehouse for name, file in self._files.items()}

    def fill(self, at: datetime) -> None:
        """Makes the tables as they are at that time. ConfigError names the rows that do not fit their columns' types."""
        now = {rows.table: rows for rows in sorted(self._given, key=lambda rows: rows.since) if rows.since <= at}
        for table, rows in now.items():
            if self._filled.get(table) is not rows:
                self._files[table.warehouse].replace(rows)
        self._filled = now

    def close(self) -> None:
        """Frees the files."""
        for file in self._files.values():
            file.warehouse.close()


class _File:
    """One database file, written to here and read by a warehouse of its kind."""

    def __init__(self, folder: Path, name: str, catalog: str | None, *, is_sqlite: bool) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._is_sqlite = is_sqlite
        # DuckDB calls a database as its file is called, so that a table may be named with its catalog.
        self._path = folder / name / f"{catalog or 'dqmon_rule_test'}.db"
        self._path.parent.mkdir()
        kind = Registry("warehouses").get("sqlite" if is_sqlite else "duckdb")
        self.warehouse: Warehouse = kind(name, kind.Options(path=str(self._path)))
        with closing(self._connect()) as connection:
            connection.execute("select 1")

    def replace(self, given: TableRows) -> None:
        """The table with exactly those rows."""
        table = given.table
        name = ".".join(_quoted(part) for part in (table.schema, table.name) if part is not None)
        columns = ", ".join(f"{_quoted(column)} {kind}" for column, kind in given.columns)
        row = f"({', '.join('?' for _ in given.columns)})"
        rows = list(given.rows)
        try:
            with closing(self._connect()) as connection:
                if table.schema is not None and not self._is_sqlite:
                    connection.execute(f"create schema if not exists {_quoted(table.schema)}")
                connection.execute(f"drop table if exists {name}")
                connection.execute(f"create table {name} ({columns})")
                if rows:
                    connection.executemany(f"insert into {name} values {row}", rows)  # noqa: S608 - names are quoted, values are bound
                connection.commit()
        except Exception as e:  # two drivers' errors, and nothing else is done here
            if not isinstance(e, _errors()):
                raise
            said = " ".join(str(e).split())
            raise ConfigError(
                (Problem(given.source.path, given.source.line, f"{table.dataset}: the rows cannot be loaded: {said}"),)
            ) from e

    def _connect(self) -> Any:
        if self._is_sqlite:
            return sqlite3.connect(self._path)
        import duckdb

        connection = duckdb.connect(str(self._path))
        connection.execute("set TimeZone = 'UTC'")
        return connection


def _errors() -> tuple[type[Exception], ...]:
    try:
        import duckdb
    except ImportError:
        return (sqlite3.Error,)
    return sqlite3.Error, duckdb.Error


def _names(test: RuleTest) -> frozenset[str]:
    """The warehouses of the test's tables and checks."""
    tables = [rows.table.warehouse for rows in test.tables]
    own = [check.table.warehouse for check in test.checks if check.table]
    rules = (check.rule for check in test.checks)
    return frozenset((*tables, *own, *(name for rule in rules if isinstance(rule, DatasetCheck) for name in rule.other_warehouses)))


def _catalog(test: RuleTest, warehouse: str) -> str | None:
    """The catalog that the test's tables are in there; the first one where they are in several."""
    tables: tuple[TableRef | None, ...] = (*(rows.table for rows in test.tables), *(check.table for check in test.checks))
    return next((table.catalog for table in tables if table and table.warehouse == warehouse and table.catalog), None)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
