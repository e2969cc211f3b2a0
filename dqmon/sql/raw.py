"""The one gate for SQL that users write (filters, conditions, queries): parsed, one expression or one SELECT, reads only.

It is the first of several nets: statements also run read-only, alone, with a timeout, and are rolled back.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles

from dqmon.errors import UnsafeSql
from dqmon.sql.forbidden import forbidden
from dqmon.sql.grammars import STANDARD_MYSQL, has_texts_in_double_quotes, reading
from dqmon.sql.tables import NamedTable

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy.sql import ColumnElement, FromClause
    from sqlalchemy.sql.compiler import SQLCompiler
    from sqlglot import Token, exp

LENGTH_LIMIT = 20_000
"""Characters of one text; longer ones are generated and belong in a view."""

DATASET = "{dataset}"
"""What a query writes in place of the table that it is declared for."""

_PARAMETER = re.compile(r"%\([^)]*\)s")
"""What the drivers' own parameters look like; in a text it would be taken for one."""

_AGGREGATES = frozenset({"total", "every", "json_group_array", "json_group_object"})
"""Aggregates that sqlglot takes for functions of one row."""

_GRAMMARS = (
    "",
    "postgres",
    "duckdb",
    "sqlite",
    "snowflake",
    STANDARD_MYSQL,
    "tsql",
    "oracle",
    "clickhouse",
    "bigquery",
    "databricks",
    "trino",
    "redshift",
)
"""What is tried while the engine is not known."""

_PLACE = "dqmon_dataset"
"""The name that stands for DATASET while a query is parsed."""

_CONDITION = "write one condition on the rows, such as \"status = 'paid' and amount > 0\""
_QUERY = 'write one SELECT that returns the bad rows, such as "select * from {dataset} where amount < 0"'


def condition(text: str, grammar: str = "") -> ColumnElement[bool]:
    """The condition as an element whose text is taken as it is: `:`, `%` and `?` in it mean nothing to the driver.

    `grammar` is the engine's name in sqlglot. Raises UnsafeSql, which says what was found, when the text is anything but
    one expression of known harmless parts.
    """
    if _check_condition(text, grammar):
        # Spark takes `FROM t WHERE (a)` for the table under the name `where` with a column `a`.
        text = f"({text}\n)"
    # On a line of its own, so that nothing in the text can reach the closing parenthesis.
    # Without the type Boolean, of which SQLAlchemy makes `(…) = 1` on SQLite.
    return sa.literal_column(f"({text}\n)")


def query(text: str, table: NamedTable, grammar: str = "") -> FromClause:
    """The query in brackets, to select from; each DATASET in it is the quoted table, everything else is taken as it is.

    Raises UnsafeSql, which says what was found, when the text is anything but one SELECT (WITH, UNION) of known harmless parts.
    """
    _check_query(text, grammar)
    return WrittenQuery(text, table)


def refused_by_all(gate: Callable[[str, str], object], text: str) -> str | None:
    """Why `gate` takes the text in no engine's grammar; None when one does: what can be said before the engine is known."""
    problem = None
    for grammar in _GRAMMARS:
        try:
            gate(text, grammar)
        except UnsafeSql as e:
            problem = problem or str(e)
        else:
            return None
    return problem


@lru_cache(4_096)
def quoted_names(text: str) -> tuple[str, ...]:
    """The columns that a condition names in quotes, outside of sub-queries; none of a text that is no condition.

    They have to be looked up: SQLite takes a misspelt one for a text (https://sqlite.org/quirks.html, section 8), so that
    `"amuont" > 0` would be true of every row.
    """
    if not text:
        return ()
    from sqlglot import exp

    for grammar in _GRAMMARS:
        with suppress(UnsafeSql):
            root, _ = _parsed(text, grammar, _CONDITION)
            nodes = root.walk(prune=lambda node: isinstance(node, exp.Query))
            columns = (node.this for node in nodes if isinstance(node, exp.Column) and not node.table)
            return tuple(dict.fromkeys(name.this for name in columns if isinstance(name, exp.Identifier) and name.quoted))
    return ()


class WrittenQuery(sa.TableClause):
    """A query as it was written, in FROM."""

    inherit_cache = False

    def __init__(self, text: str, table: NamedTable) -> None:
        super().__init__("dq_query")
        self.text = text
        self.table = table


@compiles(WrittenQuery)
def _in_brackets(element: WrittenQuery, compiler: SQLCompiler, *, asfrom: bool = False, ashint: bool = False, **kw: Any) -> str:
    del kw
    if not (asfrom or ashint):
        return ""
    # On lines of its own and without colons or percent signs that would mean something to the driver.
    text = compiler.escape_literal_column(element.text)  # type: ignore[no-untyped-call]  # SQLAlchemy has no types there
    text = text.replace(DATASET, compiler.process(element.table, asfrom=True))
    return f"(\n{text}\n) AS dq_query"


@lru_cache(4_096)
def _check_condition(text: str, grammar: str) -> bool:
    """True for a condition that is no more than a name. Raises UnsafeSql."""
    from sqlglot import exp

    root, _ = _parsed(text, grammar, _CONDITION)
    if not _is_condition(root):
        raise _unsafe(text, "is no condition", _CONDITION)
    for node in root.walk(prune=lambda node: isinstance(node, exp.Query)):
        if isinstance(node, exp.AggFunc | exp.Window) or (isinstance(node, exp.Anonymous) and node.name.lower() in _AGGREGATES):
            raise _unsafe(text, f"has {node.sql()}, which looks at more than one row", _CONDITION)
    return isinstance(root, exp.Column)


@lru_cache(4_096)
def _check_query(text: str, grammar: str) -> None:
    from sqlglot import exp

    root, tokens = _parsed(text.replace(DATASET, _PLACE), grammar, _QUERY)
    places = sum(token.token_type.name == "VAR" and token.text == _PLACE for token in tokens)
    if places != text.count(DATASET) or _PLACE in text.lower():
        raise _unsafe(text, f"has {DATASET} inside of a text or a name", "it stands for the table only")
    if not isinstance(root, exp.Select | exp.SetOperation | exp.Subquery):
        raise _unsafe(text, "is no SELECT", _QUERY)


def _parsed(text: str, grammar: str, form: str) -> tuple[exp.Expr, list[Token]]:
    """The one harmless expression or statement that the text is, and its tokens; `form` says what should have been written."""
    import logging

    import sqlglot
    from sqlglot import errors

    # It warns on stderr of what it does not know; that is refused below, with better words.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)

    if not text.strip() or len(text) > LENGTH_LIMIT or any(c < " " and c not in "\t\r\n" for c in text):
        raise _unsafe(text, f"is empty, longer than {LENGTH_LIMIT:,} characters or has control characters", form)
    try:
        tokens = sqlglot.tokenize(text, read=reading(grammar))
        roots = sqlglot.parse(text, read=reading(grammar))
    except (errors.SqlglotError, RecursionError) as e:
        raise _unsafe(text, f"cannot be understood ({str(e).splitlines()[0]})", form) from e
    if any(token.comments or token.token_type.name == "SEMICOLON" for token in tokens) or len(roots) != 1:
        raise _unsafe(text, "has a semicolon or a comment", form)
    if has_texts_in_double_quotes(grammar) and any(text[token.start] == '"' for token in tokens):
        raise _unsafe(text, f"has double quotes, which make a text in {grammar}", "write 'x' for a text, `x` for a name")
    if _PARAMETER.search(text):
        raise _unsafe(text, "has %(…)s, which reads as a parameter", "write '%(' || '…)s'")
    if roots[0] is None:
        raise _unsafe(text, "says nothing", form)
    for node in roots[0].walk():
        if found := forbidden(node):
            raise _unsafe(text, f"has {found}, which may do more than read rows", form)
    return roots[0], tokens


def _is_condition(root: exp.Expr) -> bool:
    from sqlglot import exp

    while isinstance(root, exp.Paren):
        root = root.this
    numbers_and_names = (exp.Literal, exp.Star, exp.Tuple, exp.Query, exp.Alias, exp.Placeholder, exp.Null)
    return isinstance(root, exp.Condition) and not isinstance(root, numbers_and_names)


def _unsafe(text: str, what: str, instead: str) -> UnsafeSql:
    """The error: which SQL, what is wrong with it, what to write."""
    shown = repr(text if len(text) <= 200 else text[:200] + "…")  # noqa: PLR2004 - enough to find it by
    return UnsafeSql(f"the SQL {shown} {what}; {instead}".replace(_PLACE, DATASET))
