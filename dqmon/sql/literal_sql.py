"""Statements as text with their values inlined: for people, `plan`, and reproduction. Never executed."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy.engine import Dialect
    from sqlalchemy.sql import Select


def literal_sql(statement: Select[tuple[object, ...]], dialect: Dialect) -> str:
    """The statement on one or more lines, as the engine's own shell takes it; strings escaped by doubling quotes.

    Never raises: a value or name that cannot be inlined leaves the placeholders, with the values in a comment after.
    """
    plain = _plain(type(dialect))  # type: ignore[arg-type]  # classes are hashable, the stubs say instances
    try:
        return str(statement.compile(dialect=plain, compile_kwargs={"literal_binds": True}))
    except Exception:  # noqa: BLE001 - text for people must not fail a check that was measured
        return _with_comment(statement, plain)


@lru_cache(64)
def _plain(dialect: type[Dialect]) -> Dialect:
    """The dialect with named parameters, so that no percent sign is doubled."""
    return dialect(paramstyle="named")  # type: ignore[call-arg]  # every dialect takes it, the base type does not say so


def _with_comment(statement: Select[tuple[object, ...]], dialect: Dialect) -> str:
    try:
        compiled = statement.compile(dialect=dialect)
    except Exception as e:  # noqa: BLE001 - as above
        return f"-- this statement cannot be shown: {type(e).__name__}"
    values = repr(dict(compiled.params)).replace("\n", " ")
    return f"{compiled}\n-- {values}"
