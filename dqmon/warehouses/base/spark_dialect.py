"""SQLAlchemy's dialect for Spark's Thrift server, by pyhive's client; imported when an engine is made.

pyhive's own dialect is Hive's: it doubles no backtick in a name, writes DATE as TIMESTAMP, and reflects what Spark does not answer.
"""

from __future__ import annotations

from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import sqlalchemy as sa
from pyhive import hive  # type: ignore[import-untyped]  # it ships no types
from sqlalchemy.engine.default import DefaultDialect
from sqlalchemy.sql.compiler import GenericTypeCompiler, IdentifierPreparer

from dqmon.warehouses.base import spark_sql  # noqa: F401 - registers how Spark writes things


class _Moment(sa.DateTime):
    """A timestamp; the client has those with zone on the session's clock, which is UTC."""

    def result_processor(self, dialect: sa.Dialect, coltype: object) -> Any:
        del dialect, coltype
        return _in_utc if self.timezone else None


def _in_utc(value: Any) -> Any:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value


class _Preparer(IdentifierPreparer):
    """Every name in backticks, those in it doubled: words that need them differ between versions."""

    def __init__(self, dialect: sa.Dialect) -> None:
        super().__init__(dialect, initial_quote="`", escape_quote="`")

    def _requires_quotes(self, value: str) -> bool:
        del value
        return True


class _Types(GenericTypeCompiler):
    """Spark's names of types, for casts (https://spark.apache.org/docs/latest/sql-ref-datatypes.html)."""

    def visit_string(self, type_: Any, **kw: Any) -> str:
        del type_, kw
        return "STRING"

    visit_text = visit_string

    def visit_numeric(self, type_: Any, **kw: Any) -> str:
        return self.visit_DECIMAL(type_, **kw)

    def visit_datetime(self, type_: Any, **kw: Any) -> str:
        del kw
        return "TIMESTAMP" if type_.timezone else "TIMESTAMP_NTZ"


class SparkDialect(DefaultDialect):
    """For connections of `spark_client`."""

    name = "spark"
    driver = "pyhive"
    preparer: type[IdentifierPreparer] = _Preparer
    type_compiler_cls = _Types
    default_paramstyle = "pyformat"
    supports_statement_cache = True
    supports_native_boolean = True
    supports_native_decimal = True
    supports_sane_rowcount = False
    # `/` of whole numbers has a fraction.
    div_is_floordiv = False
    colspecs = {  # noqa: RUF012 - SQLAlchemy declares it so
        sa.DateTime: _Moment,
    }

    @classmethod
    def import_dbapi(cls) -> ModuleType:
        """The client's module, for its exceptions."""
        return hive  # type: ignore[no-any-return]  # as above

    def do_rollback(self, dbapi_connection: Any) -> None:
        """Nothing: Spark has no transactions."""

    def do_ping(self, dbapi_connection: Any) -> bool:
        """True when the server knows the session; asks it without running a statement."""
        dbapi_connection.ping()
        return True

    def is_disconnect(self, e: Exception, connection: Any, cursor: Any) -> bool:
        """As the client says."""
        del connection, cursor
        return bool(getattr(e, "is_gone", False))
