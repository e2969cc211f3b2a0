"""Small tables written in YAML: their columns, with SQL types that DuckDB and SQLite both know."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

_TYPE = re.compile(r"[A-Za-z][A-Za-z ]*(\(\s*\d+\s*(,\s*\d+\s*)?\))?")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?")
_ZONED = re.compile(rf"({_TIME.pattern})(Z|[+-]\d\d:?\d\d)")
_WORDS = ((_DAY, "date"), (_TIME, "timestamp"), (_ZONED, "timestamp with time zone"))


def columns_of(rows: Sequence[Mapping[str, object]], declared: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    """The columns in the order in which they are written, declared ones first, each with its declared type or that of its values.

    ValueError for a type that is none, a column without any value and type, and a table without columns.
    """
    names = dict.fromkeys((*declared, *(name for row in rows for name in row)))
    if not names:
        raise ValueError("the table has no columns; write rows, or columns: {id: bigint}")
    found = []
    for name in names:
        kind = declared.get(name) or _type_of(row.get(name) for row in rows)
        if kind is None:
            raise ValueError(f"no row has a value of {name}; write its type: columns: {{{name}: varchar}}")
        if not _TYPE.fullmatch(kind):
            raise ValueError(f"{kind!r} is no SQL type; write one such as bigint, decimal(10, 2) or timestamp")
        found.append((name, kind))
    return tuple(found)


def _type_of(values: Iterable[object]) -> str | None:
    """The narrowest type of all values that are not null; None without any. Texts of one form of date or time are dates or times."""
    there = [value for value in values if value is not None]
    kinds = {type(value) for value in there}
    if not there:
        return None
    if kinds <= {bool}:
        return "boolean"
    if kinds <= {int}:
        return "bigint"
    if kinds <= {int, float}:
        return "double precision"
    return next((word for form, word in _WORDS if all(isinstance(v, str) and form.fullmatch(v) for v in there)), "varchar")
