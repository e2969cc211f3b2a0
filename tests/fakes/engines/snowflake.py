"""A stand-in for Snowflake that the real connector signs in to (tests/fakes/snowflake_server.py); it needs an environment of its own."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from snowflake_stand_in import PYTHON, stand_in

from engines.base import Engine


class Snowflake(Engine):
    kind = "snowflake"
    schema = "public"

    def why_not(self) -> str | None:
        return None if PYTHON.exists() else f"there is no {PYTHON}; make .venv-snowflake/installed"

    @contextmanager
    def server(self) -> Iterator[str]:
        """Its port."""
        with stand_in() as port:
            yield str(port)

    def place(self, server: str, folder: Path) -> str:
        """Port and database: a new one each time, which is made when it is signed in to; the stand-in cannot drop one."""
        del folder
        return f"{server}/LAB_{uuid.uuid4().hex.upper()}"

    def options(self, location: str) -> dict[str, Any]:
        port, database = location.split("/")
        where = {"account": "ACME-EU1", "user": "dqmon", "database": database, "host": "127.0.0.1", "port": int(port), "protocol": "http"}
        return where | {"token": "t"}

    @contextmanager
    def writer(self, location: str) -> Iterator[Callable[[str], object]]:
        with closing(self._connect(location)) as connection, closing(connection.cursor()) as cursor:
            yield cursor.execute

    def owner(self, location: str) -> sa.Engine:
        return sa.create_engine("snowflake://", creator=lambda: self._connect(location), poolclass=sa.NullPool)

    def fill(self, connection: sa.Connection, name: str, columns: Mapping[str, str], rows: Sequence[Sequence[Any]]) -> None:
        """By one statement, each value as text, so that neither connector nor stand-in rounds it."""
        table = sa.Table(name, sa.MetaData(), *(sa.Column(column, self.kinds[kind]) for column, kind in columns.items()))
        table.create(connection)
        if rows:
            kinds = [self.kinds[kind] for kind in columns.values()]
            selects = (sa.select(*(_cast(value, kind) for value, kind in zip(row, kinds, strict=True))) for row in rows)
            connection.execute(table.insert().from_select(list(table.columns), sa.union_all(*selects)))

    def _connect(self, location: str) -> Any:
        import snowflake.connector

        from dqmon.warehouses.base.snowflake_connect import SnowflakeOptions, arguments

        options = SnowflakeOptions.model_validate(self.options(location))
        return snowflake.connector.connect(**arguments("owner", options, self.schema) | {"autocommit": True})


def _cast(value: Any, kind: Any) -> sa.ColumnElement[Any]:
    return sa.cast(sa.literal(None if value is None else str(value), sa.String()), kind)
