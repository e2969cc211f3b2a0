"""The one gate for SQL that users write (`filter`): parsed, one boolean expression, reads only (R31).

It is the first of several nets: statements also run read-only, alone, with a timeout, and are rolled back.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

import sqlalchemy as sa

from dqmon.errors import UnsafeSql

if TYPE_CHECKING:
    from sqlalchemy.sql import ColumnElement
    from sqlglot import exp

LENGTH_LIMIT = 20_000
"""Characters of one condition; longer ones are generated and belong in a view."""

_FORBIDDEN = re.compile(
    # PostgreSQL: server files, other sessions, settings, sleeping, locks; large objects; other servers; sequences; SQL in a text.
    r"pg_.*|lo_.*|lo|dblink.*|nextval|setval|lastval|currval|set_config|txid_.*|.*_to_xml.*|ts_stat|crosstab.*|xpath_table|binary_upgrade_.*|"
    # DuckDB: files, its own state, SQL in a text, environment, secrets.
    r"read_.*|.*_scan|scan_.*|sniff_.*|glob|parquet_.*|duckdb_.*|pragma_.*|query|query_table|json_execute.*|getenv|which_secret|"
    r"getvariable|http_.*|iceberg_.*|delta_.*|st_read.*|shellfs.*|write_.*|checkpoint|force_checkpoint|"
    # SQLite: code, files.
    r"load_extension|readfile|writefile|edit|fts3_tokenizer|zipfile|lsdir|fsdir|eval|sqlite_.*|"
    # Others: sleeping, locks, files.
    r"sleep|benchmark|get_lock|release_.*lock.*|load_file|load_data|sys_.*|xp_.*|openrowset|opendatasource|system\$.*",
    re.IGNORECASE,
)

_PATH = re.compile(r"[/\\:*?.$]")
"""What a table's name in a filter may not hold: DuckDB takes `'x.csv'` for the file."""

_PARAMETER = re.compile(r"%\([^)]*\)s")
"""What the drivers' own parameters look like; in a text it would be taken for one."""

_FORM = "write one condition on the rows, such as \"status = 'paid' and amount > 0\""


def condition(text: str, grammar: str = "") -> ColumnElement[bool]:
    """The condition as an element whose text is taken as it is: `:`, `%` and `?` in it mean nothing to the driver.

    `grammar` is the engine's name in sqlglot. Raises UnsafeSql, which says what was found, when the text is anything but
    one expression of known harmless parts.
    """
    _check(text, grammar)
    # On a line of its own, so that nothing in the text can reach the closing parenthesis.
    # Without the type Boolean, of which SQLAlchemy makes `(…) = 1` on SQLite.
    return sa.literal_column(f"({text}\n)")


@lru_cache(4_096)
def _check(text: str, grammar: str) -> None:
    import logging

    import sqlglot
    from sqlglot import errors

    # It warns on stderr of what it does not know; that is refused below, with better words.
    logging.getLogger("sqlglot").setLevel(logging.ERROR)

    if not text.strip() or len(text) > LENGTH_LIMIT or any(c < " " and c not in "\t\r\n" for c in text):
        raise UnsafeSql(f"the SQL {_shown(text)} is empty, longer than {LENGTH_LIMIT:,} characters or has control characters; {_FORM}")
    try:
        tokens = sqlglot.tokenize(text, read=grammar or None)
        roots = sqlglot.parse(text, read=grammar or None)
    except (errors.SqlglotError, RecursionError) as e:
        raise UnsafeSql(f"the SQL {_shown(text)} cannot be understood ({str(e).splitlines()[0]}); {_FORM}") from e
    if any(token.comments or token.token_type.name == "SEMICOLON" for token in tokens) or len(roots) != 1:
        raise UnsafeSql(f"the SQL {_shown(text)} has a semicolon or a comment; {_FORM}")
    if _PARAMETER.search(text):
        raise UnsafeSql(f"the SQL {_shown(text)} has %(…)s, which reads as a parameter; write '%(' || '…)s'")
    if roots[0] is None or not _is_condition(roots[0]):
        raise UnsafeSql(f"the SQL {_shown(text)} is no condition; {_FORM}")
    for node in roots[0].walk():
        if problem := _problem(node):
            raise UnsafeSql(f"the SQL {_shown(text)} has {problem}, which may do more than read rows; {_FORM}")


def _is_condition(root: exp.Expr) -> bool:
    from sqlglot import exp

    while isinstance(root, exp.Paren):
        root = root.this
    numbers_and_names = (exp.Literal, exp.Star, exp.Tuple, exp.Query, exp.Alias, exp.Placeholder, exp.Null)
    return isinstance(root, exp.Condition) and not isinstance(root, numbers_and_names)


def _problem(node: exp.Expr) -> str | None:
    """What about a part is not harmless, for people; None when it is."""
    from sqlglot import exp

    acts = (exp.DML, exp.DDL, exp.Command, exp.Set, exp.SetItem, exp.Into, exp.Lock, exp.Pragma, exp.Attach, exp.Copy, exp.Use, exp.Kill)
    if isinstance(node, acts) and not isinstance(node, exp.Query):
        return f"a {node.key} statement"
    if isinstance(node, exp.Placeholder | exp.Parameter | exp.SessionParameter):
        return f"a parameter ({node.sql()})"
    if isinstance(node, exp.Table) and (not isinstance(node.this, exp.Identifier) or _PATH.search(node.name)):
        return "a file or function in place of a table"
    if isinstance(node, exp.Func):
        names = [node.name] if isinstance(node, exp.Anonymous | exp.AnonymousAggFunc) else [node.key, *type(node).sql_names()]
        for name in names:
            if _FORBIDDEN.fullmatch(name.strip('"')) and not isinstance(node, exp.Glob):
                return f"the function {name.lower()}"
    return None


def _shown(text: str) -> str:
    return repr(text if len(text) <= 200 else text[:200] + "…")  # noqa: PLR2004 - enough to find it by
