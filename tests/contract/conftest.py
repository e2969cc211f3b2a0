"""The three warehouses of the contract suites, each empty, read by dqmon and written by its own driver."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
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
    """A warehouse and the way to write into it: `run(*statements)`, or `with writer() as execute`, as the owner."""

    engine: str
    warehouse: Any
    location: str

    def writer(self) -> AbstractContextManager[Callable[[str], object]]:
        return _WRITERS[self.engine](self.location)

    def run(self, *statements: str) -> None:
        with self.writer() as execute:
            for statement in statements:
                execute(statement)

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
    with _postgres(server.render_as_string(hide_password=False)) as execute:
        execute("create database lab")
    return server.set(database="lab").render_as_string(hide_password=False)


def open_lab(request: pytest.FixtureRequest, engine: str, folder: Path) -> Iterator[Lab]:
    location = request.getfixturevalue("lab_database") if engine == "postgres" else str(folder / f"lab.{engine}")
    lab = Lab(engine, make_warehouse(engine, location), location)
    lab.run(*(("drop schema public cascade", "create schema public") if engine == "postgres" else ("select 1",)))
    yield lab
    lab.warehouse.close()


@contextmanager
def _duckdb(location: str) -> Iterator[Callable[[str], object]]:
    import duckdb

    with duckdb.connect(location) as connection:
        yield connection.execute


@contextmanager
def _sqlite(location: str) -> Iterator[Callable[[str], object]]:
    connection = sqlite3.connect(location, isolation_level=None)
    yield connection.execute
    connection.close()


@contextmanager
def _postgres(location: str) -> Iterator[Callable[[str], object]]:
    import psycopg

    with psycopg.connect(location, autocommit=True) as connection:
        yield connection.execute  # type: ignore[misc]


_WRITERS = {"duckdb": _duckdb, "sqlite": _sqlite, "postgres": _postgres}
