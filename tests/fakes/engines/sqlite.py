"""SQLite, a file; moments are texts there."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from engines.base import KINDS, Engine


class _ZonedText(sa.types.UserDefinedType[str]):
    def get_col_spec(self, **_: Any) -> str:
        return "TIMESTAMP WITH TIME ZONE"


class _Zoned(sa.types.TypeDecorator[Any]):
    """Instants; SQLAlchemy's own would write them without zone."""

    impl = _ZonedText
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:
        del dialect
        return None if value is None else value.isoformat(" ")


class Sqlite(Engine):
    kind = "sqlite"
    schema = "main"
    is_plain = True
    kinds = KINDS | {"timestamptz": _Zoned()}

    def place(self, server: str, folder: Path) -> str:
        del server
        path = folder / "lab.sqlite"
        path.unlink(missing_ok=True)
        path.touch()
        return str(path)

    def options(self, location: str) -> dict[str, Any]:
        return {"path": location}

    @contextmanager
    def writer(self, location: str) -> Iterator[Callable[[str], object]]:
        connection = sqlite3.connect(location, isolation_level=None)
        yield connection.execute
        connection.close()

    def owner(self, location: str) -> sa.Engine:
        return sa.create_engine(f"sqlite:///{location}", poolclass=sa.NullPool)
