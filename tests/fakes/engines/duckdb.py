"""DuckDB, a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from engines.base import Engine


class Duckdb(Engine):
    kind = "duckdb"
    schema = "main"
    is_plain = True

    def place(self, server: str, folder: Path) -> str:
        del server
        path = folder / "lab.duckdb"
        path.unlink(missing_ok=True)
        with self.writer(str(path)) as execute:
            execute("select 1")
        return str(path)

    def options(self, location: str) -> dict[str, Any]:
        return {"path": location}

    @contextmanager
    def writer(self, location: str) -> Iterator[Callable[[str], object]]:
        import duckdb

        with duckdb.connect(location) as connection:
            yield connection.execute

    def owner(self, location: str) -> sa.Engine:
        return sa.create_engine(f"duckdb:///{location}", poolclass=sa.NullPool)
