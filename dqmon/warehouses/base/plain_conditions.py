"""How SQL Server and Oracle write conditions and groups; registered when it is imported.

In their SQL a condition is no value, a value no condition, and GROUP BY takes no numbers of columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.elements import AsBoolean, False_, True_

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler


@compiles(True_, "mssql", "oracle")
@compiles(False_, "mssql", "oracle")
def _constant(element: True_ | False_, compiler: SQLCompiler, **kw: Any) -> str:
    del compiler, kw
    return "(1 = 1)" if isinstance(element, True_) else "(1 = 0)"


@compiles(AsBoolean, "mssql", "oracle")
def _as_condition(element: Any, compiler: SQLCompiler, **kw: Any) -> str:
    """A bit compared, or a condition as it is; either one, or its opposite."""
    inner, is_true = compiler.process(element.element, **kw), element.operator is sa.sql.operators.is_true
    if isinstance(element.element, sa.ColumnClause):
        return f"{inner} = {int(is_true)}"
    return inner if is_true else f"NOT {inner}"


@compiles(sa.Case, "mssql", "oracle")
def _case(element: sa.Case[Any], compiler: SQLCompiler, **kw: Any) -> str:
    """A choice between conditions is a condition."""
    if not isinstance(element.type, sa.Boolean):
        return str(compiler.visit_case(element, **kw))  # type: ignore[no-untyped-call]  # SQLAlchemy has no types there

    def bit(condition: Any) -> str:
        return f"CASE WHEN {compiler.process(condition, **kw)} THEN 1 ELSE 0 END"

    arms = " ".join(f"WHEN {compiler.process(when, **kw)} THEN {bit(then)}" for when, then in element.whens)
    last = f" ELSE {bit(element.else_)}" if element.else_ is not None else ""
    return f"(CASE {arms}{last} END = 1)"


@compiles(sa.Select, "mssql", "oracle")
def _select(element: sa.Select[Any], compiler: SQLCompiler, **kw: Any) -> str:
    """GROUP BY takes no numbers of columns: what they stand for is written out."""
    selected: list[Any] = list(element._raw_columns)  # noqa: SLF001 - only the compiled form has it otherwise
    groups = [getattr(group, "name", "") for group in element._group_by_clauses]  # noqa: SLF001 - as above
    if groups and all(str(group).isdigit() for group in groups):
        named = (selected[int(group) - 1] for group in groups)
        element = element.group_by(None).group_by(*(getattr(column, "element", column) for column in named))
    return str(compiler.visit_select(element, **kw))  # type: ignore[no-untyped-call]  # as above
