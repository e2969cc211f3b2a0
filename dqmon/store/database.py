"""The store's connections and transactions: SQLite in one file, or PostgreSQL by psycopg 3."""

from __future__ import annotations

import re
import sqlite3
import threading
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import sqlalchemy as sa

from dqmon.errors import StoreError
from dqmon.store.failures import masked, store_error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.engine import URL, Connection

BUSY_TIMEOUT_S = 15.0
"""How long a writer waits for another one on SQLite; `?timeout=` in the URL changes it."""

_POSTGRES_DEFAULTS = {"application_name": "dqmon", "connect_timeout": 10, "prepare_threshold": None}
_SCHEMES = "sqlite:///path/to/file.db or postgresql+psycopg://user@host/database"


class Database:
    """The store at `url`. Safe for threads; connects at first use.

    SQLite: WAL, so that readers never wait; synchronous NORMAL, so that a power cut may lose the last commits but
    never corrupts the file (a kill loses nothing, https://sqlite.org/pragma.html#pragma_synchronous); foreign keys on.
    PostgreSQL: a pool of at most 10 connections named `dqmon`; no server-side prepared statements, so that PgBouncer
    may stand between. Every driver error leaves as StoreError with one line that says what to do, password masked.
    """

    def __init__(self, url: str) -> None:
        self.url = _parse(url)
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._writing = threading.Lock()
        self._engine = self._sqlite() if self.is_sqlite else self._postgres()

    @property
    def file(self) -> Path | None:
        """The SQLite file, also of a `file:` URI; None on PostgreSQL."""
        if not self.is_sqlite or self.url.database is None:
            return None
        return Path(unquote(self.url.database.removeprefix("file:")) if "uri" in self.url.query else self.url.database)

    @property
    def name(self) -> str:
        """Its URL without any password."""
        return masked(self.url)

    def __repr__(self) -> str:
        return f"Database({self.name!r})"

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A read-only transaction; on SQLite it sees one moment. Writing in it raises StoreError."""
        with self._transaction(is_write=False) as connection:
            yield connection

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """A transaction that commits at the end and rolls back on any exception.

        On SQLite writers go one after the other (BEGIN IMMEDIATE; threads of this process queue first). Do not nest.
        """
        if not self.is_sqlite:
            with self._transaction(is_write=True) as connection:
                yield connection
            return
        if not self._writing.acquire(timeout=self._busy_timeout_s):
            msg = f"store {masked(self.url)}: another thread has been writing for {self._busy_timeout_s:g} s; try again"
            raise StoreError(msg)
        try:
            with self._transaction(is_write=True) as connection:
                yield connection
        finally:
            self._writing.release()

    def prepare(self) -> None:
        """Makes the store ready: an empty one is migrated, an up-to-date one costs one small query (no alembic import).

        StoreError when the store is behind ("run `dqmon migrate`"), or newer than this dqmon.
        """
        from dqmon.store import versions

        found = self._version()
        if found is None:
            self.migrate()
        elif found != versions.head():
            raise StoreError(f"store {masked(self.url)}: " + versions.mismatch(found))

    def is_new(self) -> bool:
        """True when nothing was ever kept there: no file, or no tables. Makes neither."""
        try:
            is_there = self.file is None or self.file.exists()
        except OSError:
            is_there = True  # connecting says why it cannot be read
        return not is_there or self._version() is None

    def migrate(self) -> tuple[str | None, str]:
        """Brings the store to this dqmon's version and returns (version before, version now); idempotent.

        One transaction under a lock, so two processes at first start do no harm. StoreError when the store is newer.
        """
        from dqmon.store import versions

        before = self._version()
        if before is not None and before not in versions.known():
            raise StoreError(f"store {masked(self.url)}: " + versions.mismatch(before))
        if before != versions.head():
            with self.write() as connection:
                versions.upgrade(connection)
        return before, versions.head()

    def close(self) -> None:
        """Drops all connections; the next use opens new ones."""
        self._engine.dispose()

    def _version(self) -> str | None:
        from dqmon.store import versions

        with self.read() as connection:
            return versions.current(connection)

    @property
    def _busy_timeout_s(self) -> float:
        return float(str(self.url.query.get("timeout", BUSY_TIMEOUT_S)))

    @contextmanager
    def _transaction(self, *, is_write: bool) -> Iterator[Connection]:
        try:
            with self._engine.connect() as connection:
                connection.execution_options(dqmon_write=is_write, **({} if self.is_sqlite else {"postgresql_readonly": not is_write}))
                with connection.begin():
                    yield connection
        except sa.exc.SQLAlchemyError as e:
            raise store_error(self.url, e) from e

    def _make_folder(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as e:
            msg = f"store {masked(self.url)}: the folder {folder} cannot be made ({e.strerror}); check the path and its rights"
            raise StoreError(msg) from e

    def _sqlite(self) -> sa.Engine:
        engine = sa.create_engine(self.url, connect_args={"timeout": self._busy_timeout_s}, pool_size=5, max_overflow=20)

        @sa.event.listens_for(engine, "do_connect")
        def folder(_dialect: Any, _record: Any, args: list[Any], options: dict[str, Any]) -> None:
            if not options.get("uri"):
                self._make_folder(Path(args[0]).parent)

        @sa.event.listens_for(engine, "connect")
        def settings(connection: Any, _record: Any) -> None:
            connection.isolation_level = None  # transactions are begun below, never by the driver
            if "uri" not in self.url.query:
                # The mode stays in the file, so that whoever holds the lock at a common first start sets it for all.
                with suppress(sqlite3.OperationalError):
                    connection.execute("PRAGMA journal_mode=WAL")
            for pragma in ("synchronous=NORMAL", "foreign_keys=ON"):
                connection.execute(f"PRAGMA {pragma}")

        @sa.event.listens_for(engine, "begin")
        def begin(connection: Connection) -> None:
            is_write = connection.get_execution_options().get("dqmon_write")
            connection.exec_driver_sql(f"PRAGMA query_only={'OFF' if is_write else 'ON'}")
            connection.exec_driver_sql("BEGIN IMMEDIATE" if is_write else "BEGIN")

        return engine

    def _postgres(self) -> sa.Engine:
        try:
            return sa.create_engine(
                self.url,
                pool_size=5,
                max_overflow=5,
                pool_pre_ping=True,
                connect_args={name: value for name, value in _POSTGRES_DEFAULTS.items() if name not in self.url.query},
            )
        except ImportError as e:
            msg = f"store {masked(self.url)}: the driver psycopg is not installed; pip install 'dqmon[postgres]'"
            raise StoreError(msg) from e


def _parse(text: str) -> URL:
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError) as e:
        msg = f"the store's url is not a database URL; write {_SCHEMES}"
        raise StoreError(msg) from e
    if url.drivername in ("postgres", "postgresql"):
        url = url.set(drivername="postgresql+psycopg")
    if url.drivername not in ("sqlite", "postgresql+psycopg"):
        msg = f"the store's url has the unknown scheme {url.drivername!r}; write {_SCHEMES}"
        raise StoreError(msg)
    if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
        msg = f"the store's url {masked(url)!r} names no file; the store must outlive the process: write {_SCHEMES}"
        raise StoreError(msg)
    timeout = str(url.query.get("timeout", ""))
    if url.drivername == "sqlite" and timeout and not re.fullmatch(r"\d+(\.\d+)?", timeout):
        msg = f"the store's url: timeout {timeout!r} is no number of seconds; write {_SCHEMES}"
        raise StoreError(msg)
    return url
