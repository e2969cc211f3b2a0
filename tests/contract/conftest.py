"""The three warehouses of the contract suites, each empty, read by dqmon and written by its own driver."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from dqmon.core.registry import Registry
from dqmon.core.table import TableRef

ENGINES = ("duckdb", "sqlite", "postgres")


@dataclass
class Lab:
    """A warehouse and the way to write into it: `run(*statements)` as the owner."""

    engine: str
    warehouse: Any
    run: Callable[..., None]
    location: str

    def ref(self, name: str) -> TableRef:
        return TableRef("lab", None, self.warehouse.default_schema, name)

    def another(self, **options: Any) -> Any:
        """A second warehouse on the same data."""
        return make_warehouse(self.engine, self.location, **options)


def make_warehouse(engine: str, location: str, **options: Any) -> Any:
    kind = Registry("warehouses").get(engine)
    where = {"url": location} if engine == "postgres" else {"path": location}
    return kind("lab", kind.Options.model_validate(where | options))


@pytest.fixture(params=ENGINES)
def lab(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Lab]:
    """Each engine in turn."""
    yield from open_lab(request, request.param, tmp_path)


@pytest.fixture(scope="session")
def lab_database(postgres_url: str) -> str:
    """A database for all labs of this process, emptied for each: making one takes a second."""
    server = sa.make_url(postgres_url).set(drivername="postgresql")
    _run_postgres(server.render_as_string(hide_password=False), "create database lab")
    return server.set(database="lab").render_as_string(hide_password=False)


def open_lab(request: pytest.FixtureRequest, engine: str, folder: Path) -> Iterator[Lab]:
    if engine == "postgres":
        location = request.getfixturevalue("lab_database")
    else:
        location = str(folder / f"lab.{engine}")
    run = {"duckdb": _run_duckdb, "sqlite": _run_sqlite, "postgres": _run_postgres}[engine]
    run(location, *(("drop schema public cascade", "create schema public") if engine == "postgres" else ("select 1",)))
    lab = Lab(engine, make_warehouse(engine, location), lambda *statements: run(location, *statements), location)
    yield lab
    lab.warehouse.close()


def _run_duckdb(location: str, *statements: str) -> None:
    import duckdb

    with duckdb.connect(location) as connection:
        for statement in statements:
            connection.execute(statement)


def _run_sqlite(location: str, *statements: str) -> None:
    connection = sqlite3.connect(location)
    for statement in statements:
        connection.execute(statement)
    connection.commit()
    connection.close()


def _run_postgres(location: str, *statements: str) -> None:
    import psycopg

    with psycopg.connect(location, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)  # type: ignore[arg-type]
