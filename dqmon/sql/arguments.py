"""The arguments of a function, for engines that write it in their own way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dqmon.core.table import TypeGroup
from dqmon.sql.columns import stored

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlalchemy.sql.functions import FunctionElement


def arguments(element: FunctionElement[Any], compiler: SQLCompiler, kw: dict[str, Any]) -> list[str]:
    """Each argument as the engine writes it; `kw` is what SQLAlchemy hands from one compiled element to the next."""
    return [compiler.process(clause, **kw) for clause in element.clauses]


def first_group(element: FunctionElement[Any]) -> TypeGroup:
    """The group of the type that the first argument is stored in."""
    return stored(next(iter(element.clauses))).group
