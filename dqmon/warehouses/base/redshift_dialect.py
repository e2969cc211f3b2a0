"""SQLAlchemy's dialect for Redshift over psycopg 3, which its own package does not have; imported when an engine is made."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.engine.interfaces import BindTyping
from sqlalchemy_redshift.dialect import (  # type: ignore[import-untyped]  # it ships no types
    RedshiftDialectMixin,
    RedshiftIdentifierPreparer,
    RedshiftTypeCompiler,
)

from dqmon.warehouses.base import redshift_sql  # noqa: F401 - registers how Redshift writes things


class _Types(RedshiftTypeCompiler):  # type: ignore[misc]  # its base has no types
    """Texts as long as they get: without a number Redshift's have 256 bytes, and a cast cuts off the rest.

    https://docs.aws.amazon.com/redshift/latest/dg/r_Character_types.html
    """

    def visit_string(self, type_: Any, **kw: Any) -> str:
        del type_, kw
        return "VARCHAR(65535)"

    visit_text = visit_string

    def visit_VARCHAR(self, type_: Any, **kw: Any) -> str:  # noqa: N802 - SQLAlchemy's name
        return self.visit_string(type_, **kw)


class Dialect(RedshiftDialectMixin, PGDialect_psycopg):  # type: ignore[misc]  # its base has no types
    """`redshift+psycopg://`."""

    type_compiler = _Types
    preparer = RedshiftIdentifierPreparer
    supports_statement_cache = True
    # Values stand in the statement's text (`warehouses.redshift`), so that they need no casts to tell their types.
    bind_typing = BindTyping.NONE

    def initialize(self, connection: sa.Connection) -> None:
        """Asks nothing: PostgreSQL's dialect would look for types and settings that Redshift has not."""
        del connection
