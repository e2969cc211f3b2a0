"""SQLAlchemy's dialect for Trino with what dqmon needs of types and names; imported when an engine is made."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import sqlalchemy as sa
from trino.sqlalchemy.compiler import TrinoIdentifierPreparer, TrinoTypeCompiler
from trino.sqlalchemy.dialect import TrinoDialect

from dqmon.warehouses.base import trino_sql  # noqa: F401 - registers how Trino writes things


class _Moment(sa.DateTime):
    """A timestamp, bound as text in ISO form: the client writes years below 1000 with too few digits."""

    def bind_processor(self, dialect: sa.Dialect) -> Any:
        del dialect
        return _written

    def literal_processor(self, dialect: sa.Dialect) -> Any:
        del dialect
        return lambda value: f"'{_written(value)}'"


def _written(value: Any) -> str | None:
    return None if value is None else value.isoformat(" ", "microseconds").replace("+00:00", " UTC")


class _Types(TrinoTypeCompiler):
    """Timestamps to the microsecond: without a number Trino's have milliseconds."""

    def visit_TIMESTAMP(self, type_: Any, **kw: Any) -> str:  # noqa: N802 - SQLAlchemy's name
        del kw
        return "TIMESTAMP(6) WITH TIME ZONE" if type_.timezone else "TIMESTAMP(6)"


class Dialect(TrinoDialect):
    """`trino://` of dqmon; found under the name of trino's own."""

    type_compiler = _Types
    preparer = TrinoIdentifierPreparer
    supports_statement_cache = False
    colspecs = TrinoDialect.colspecs | {sa.DateTime: _Moment}

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """The client's module; SQLAlchemy wants it said here, since trino's dialect says it in an older way, too."""
        return TrinoDialect.import_dbapi()  # type: ignore[no-any-return,no-untyped-call]  # trino has no types there
