"""Values as keys that group and join the same way on every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from dqmon.core.table import TypeGroup
from dqmon.sql.columns import stored

if TYPE_CHECKING:
    from sqlalchemy.sql import ColumnElement
    from sqlalchemy.sql.compiler import SQLCompiler


def exact_key(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The value, whose text groups and joins character by character; other values as they are."""
    return ExactKey(column)


class ExactKey(FunctionElement[Any]):
    """It keeps the column's type. Only columns that may compare in a way of their own are changed: that can cost an index."""

    name = "exact_key"
    inherit_cache = True

    def __init__(self, column: ColumnElement[Any]) -> None:
        super().__init__(column)
        self.type = column.type


@compiles(ExactKey)
def _bare(element: ExactKey, compiler: SQLCompiler, **kw: Any) -> str:
    return compiler.process(element.clauses, **kw)


@compiles(ExactKey, "sqlite")
def _in_binary(element: ExactKey, compiler: SQLCompiler, **kw: Any) -> str:
    value, group = _bare(element, compiler, **kw), stored(element).group
    return f"({value} COLLATE BINARY)" if group in (TypeGroup.TEXT, TypeGroup.OTHER) else value


@compiles(ExactKey, "duckdb")
def _in_c(element: ExactKey, compiler: SQLCompiler, **kw: Any) -> str:
    value, kind = _bare(element, compiler, **kw), stored(element)
    # Its catalogue does not tell a column's collation; enumerations and JSON have none, and break when they are given one.
    return f'({value} COLLATE "C")' if kind.declared == "VARCHAR" else value


@compiles(ExactKey, "postgresql")
def _in_c_if_folded(element: ExactKey, compiler: SQLCompiler, **kw: Any) -> str:
    value, declared = _bare(element, compiler, **kw), stored(element).declared
    # dqmon.warehouses.postgres names the collation of a type when texts that differ may be equal in it. JSON and XML have no equality.
    return f'(CAST({value} AS TEXT) COLLATE "C")' if " collate " in declared or declared in ("json", "xml") else value
