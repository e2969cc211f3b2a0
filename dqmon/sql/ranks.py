"""Values at a quantile, of engines without an aggregate for them: rows are numbered by value, and the two about the place are picked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dqmon.sql.aggregates import as_double
from dqmon.sql.integers import integer

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from decimal import Decimal

    from sqlalchemy.sql import ColumnElement, Subquery


def numbered(
    rows: Subquery, values: Mapping[str, ColumnElement[Any]], groups: Sequence[ColumnElement[Any]]
) -> tuple[Subquery, dict[str, ColumnElement[Any]]]:
    """`rows` with each value as a double, its number from 1 on, and how many there are, in each group by itself.

    The second part is for `at_quantile`. NULLs come after the last value, and do not count.
    """
    found: dict[str, sa.Label[Any]] = {}
    for index, (name, value) in enumerate(values.items()):
        number = as_double(value)
        order = (sa.case((number.is_(None), integer(1)), else_=integer(0)), number)
        place = sa.func.row_number().over(partition_by=groups or None, order_by=order)
        count = sa.func.count(number).over(partition_by=groups or None)
        parts = {"value": number, "place": place, "count": count}
        found |= {_key(name, part): element.label(f"dq_{part}{index}") for part, element in parts.items()}
    ranked = sa.select(*rows.c, *found.values()).subquery("dq_numbered")
    return ranked, {key: ranked.c[label.name] for key, label in found.items()}


def at_quantile(columns: Mapping[str, ColumnElement[Any]], name: str, q: Decimal) -> ColumnElement[Any]:
    """The aggregate over numbered rows: the value at place q (n - 1), between neighbours in proportion; NULL of no values."""
    value, number, count = (columns[_key(name, part)] for part in ("value", "place", "count"))
    # As a decimal, so that 0.1 times 10 is 1.
    place = sa.literal_column(format(q, "f"), sa.Numeric()) * (count - integer(1))
    first = sa.func.floor(place)
    before = sa.func.max(sa.case((number == first + integer(1), value)))
    after = sa.func.max(sa.case((number == first + integer(2), value)))
    return before + sa.func.coalesce(after - before, integer(0)) * sa.func.max(place - first)


def _key(name: str, part: str) -> str:
    # No column is named so: names with line breaks are not made by engines.
    return f"{part}\n{name}"
