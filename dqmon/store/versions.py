"""Which version the store has, and bringing it to this one's. Alembic is imported only to migrate."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

if TYPE_CHECKING:
    from sqlalchemy.engine import Connection

VERSION_TABLE = "dq_alembic_version"
"""Alembic's table under a name of our own, so that the store may share a database with other programs."""

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK = 0x64716D6F6E  # "dqmon": the advisory lock under which PostgreSQL stores are migrated


def known() -> tuple[str, ...]:
    """The versions that this dqmon can migrate from, oldest first: the numbers of the files in migrations/versions."""
    return tuple(sorted(path.name[1:].split("_")[0] for path in (MIGRATIONS / "versions").glob("v*_*.py")))


def head() -> str:
    """The version that this dqmon works with."""
    return known()[-1]


def current(connection: Connection) -> str | None:
    """The store's version; None when it is empty."""
    if not sa.inspect(connection).has_table(VERSION_TABLE):
        return None
    return connection.scalar(sa.select(sa.column("version_num", sa.Text)).select_from(sa.table(VERSION_TABLE)))


def mismatch(found: str) -> str:
    """What to do about a store of version `found`."""
    if found in known():
        return f"it has version {found} and this dqmon needs {head()}; run `dqmon migrate`"
    return f"it has version {found}, made by a newer dqmon than this one (which knows up to {head()}); upgrade dqmon"


def upgrade(connection: Connection) -> None:
    """Runs the missing migrations in the connection's transaction; the second of two at once finds nothing to do."""
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
