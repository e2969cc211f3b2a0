"""How the values of a column are distributed: rows by value or by bin of the grid, counted where the rows are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from dqmon.core.histogram import GRID, HIGHEST, LISTED, LOWEST, Histogram, read_histogram
from dqmon.core.metric import Value
from dqmon.core.metric_kinds import BinnedMetric
from dqmon.core.table import TypeGroup
from dqmon.errors import QueryFailed
from dqmon.sql.aggregates import as_double, numbers
from dqmon.sql.columns import MOMENTS, NUMBERS, stored
from dqmon.sql.integers import integer
from dqmon.sql.metrics.totals import key_text
from dqmon.sql.texts import exact_text

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy.sql import ColumnElement, Select
    from sqlalchemy.sql.compiler import SQLCompiler

    from dqmon.core.capabilities import Capabilities

GRID_CODE = "dqmon_grid_code"
"""The function that an engine without logarithms is given: `core.histogram.grid_code`."""

NUMBER_BINS = 1_024
"""Bins between the least and the greatest number of one histogram: far more than tenths of the rows are ever cut into."""


@dataclass(frozen=True, slots=True)
class ColumnHistogram(BinnedMetric):
    """Rows by value (texts, booleans) or by bin of the grid (numbers), as a Histogram; of no rows it is the empty one.

    Numbers are counted as doubles, NaN as missing.
    """

    name: ClassVar[str] = "histogram"
    empty: ClassVar[Value] = Histogram()
    # The bins that both ends cut, the one about zero, and that of NULL.
    most_bins: ClassVar[int] = NUMBER_BINS + 4

    column: str

    @property
    def columns(self) -> tuple[str, ...]:
        """The one column."""
        return (self.column,)

    def select(self, columns: Mapping[str, ColumnElement[Any]], groups: Sequence[ColumnElement[Any]], caps: Capabilities) -> Select[Any]:
        """The groups; then bin, its rows, all rows (of texts) and step (of numbers; else 0)."""
        column = columns[self.column]
        kind = stored(column)
        if kind.group in MOMENTS:
            raise QueryFailed(
                f"column {kind.column!r} is {kind.group.value}: time moves on, so that its distribution always changes; "
                "look at a duration, an hour or a weekday, made in a view"
            )
        if kind.group in NUMBERS:
            number = sa.select(*groups, numbers(column, caps, "a histogram").label("dq_number")).subquery("dq_numbers")
            within = [number.c[group.name] for group in groups]
            return _by_bin(_counted(GridCode(number.c.dq_number), within), within)
        text = sa.type_coerce(column, sa.types.NullType()) if kind.group is TypeGroup.BOOLEAN else exact_text(column)
        return _by_value(_counted(text, groups), groups)

    def answer(self, rows: Sequence[tuple[object, ...]]) -> Value:
        """The histogram."""
        found = [(value, int(str(count)), int(str(total)), int(str(step))) for value, count, total, step in rows]
        _, _, total, step = found[0]
        missing = sum(count for value, count, *_ in found if value is None)
        counts = [(value, count) for value, count, *_ in found if value is not None]
        if step:
            return Histogram(tuple(sorted((int(str(code)), count) for code, count in counts)), 0, missing, step)
        listed = sorted(((str(key_text(value)), count) for value, count in counts if count * LISTED >= total), key=_rank)
        return Histogram(tuple(listed), total - missing - sum(count for _, count in listed), missing)

    def restore(self, number: float | None, text: str | None) -> Value:
        """The kept histogram."""
        del number
        return Histogram() if text is None else read_histogram(text)


def _rank(item: tuple[str, int]) -> tuple[int, str]:
    value, count = item
    return -count, value


def _counted(value: ColumnElement[Any], groups: Sequence[ColumnElement[Any]]) -> sa.Subquery:
    found = sa.select(*groups, value.label("dq_bin")).subquery("dq_bins").c
    keys = [*(found[group.name] for group in groups), found.dq_bin]
    return sa.select(*keys, sa.func.count().label("dq_rows")).group_by(*keys).subquery("dq_counted")


def _by_value(counted: sa.Subquery, groups: Sequence[ColumnElement[Any]]) -> Select[Any]:
    """NULL, the values that are frequent enough, and the most frequent one in any case, since it tells how many rows there are."""
    within = [counted.c[group.name] for group in groups]
    total = sa.func.sum(counted.c.dq_rows).over(partition_by=within).label("dq_total")
    place = sa.func.row_number().over(partition_by=within, order_by=counted.c.dq_rows.desc()).label("dq_place")
    ranked = sa.select(counted, total, place).subquery("dq_ranked").c
    is_wanted = sa.or_(ranked.dq_bin.is_(None), ranked.dq_place == integer(1), ranked.dq_rows * integer(LISTED) >= ranked.dq_total)
    return sa.select(*(ranked[group.name] for group in groups), ranked.dq_bin, ranked.dq_rows, ranked.dq_total, integer(0)).where(is_wanted)


def _by_bin(counted: sa.Subquery, groups: Sequence[ColumnElement[Any]]) -> Select[Any]:
    """The grid as coarse as NUMBER_BINS bins from the least to the greatest number ask for, by `core.histogram.coarse`."""
    within = [counted.c[group.name] for group in groups]
    code = counted.c.dq_bin
    width = sa.func.max(code).over(partition_by=within) - sa.func.min(code).over(partition_by=within)
    spread = sa.select(counted, width.label("dq_width")).subquery("dq_spread").c
    steps = [2**i for i in range((2 * (HIGHEST - LOWEST + 1) * GRID // NUMBER_BINS).bit_length() + 1)]
    arms = ((spread.dq_width <= integer(step * NUMBER_BINS), integer(step)) for step in steps)
    stepped = sa.select(*spread, sa.case(*arms, else_=integer(1)).label("dq_step")).subquery("dq_stepped").c
    size = sa.func.abs(stepped.dq_bin) - integer(1)
    start = size - size % stepped.dq_step + integer(1)
    coarse = sa.case(
        (stepped.dq_bin > integer(0), start), (stepped.dq_bin < integer(0), -start), (stepped.dq_bin == integer(0), integer(0))
    )
    binned = sa.select(*(stepped[group.name] for group in groups), coarse.label("dq_bin"), stepped.dq_rows, stepped.dq_step)
    found = binned.subquery("dq_binned").c
    keys = (*(found[group.name] for group in groups), found.dq_bin, found.dq_step)
    return sa.select(*keys[:-1], sa.func.sum(found.dq_rows), integer(0), found.dq_step).group_by(*keys)


class GridCode(FunctionElement[Any]):
    """`core.histogram.grid_code` of a number, NULL for NULL."""

    type = sa.BigInteger()
    inherit_cache = True
    name = "grid_code"


@compiles(GridCode)
def _grid_code(element: GridCode, compiler: SQLCompiler, **kw: Any) -> str:
    # A logarithm that is off by a hair at a power of two does no harm: the grid is the same line from both of its sides there.
    value = compiler.process(as_double(*element.clauses), **kw)
    least, most = 2.0**LOWEST, 2.0**HIGHEST
    size = f"greatest(least(abs({value}), {most!r}), {least!r})"
    octave = f"floor(ln({size}) / ln(2e0))"
    part = f"floor(({size} / power(2e0, {octave}) - 1) * {GRID})"
    number: ColumnElement[Any] = sa.literal_column(f"({octave} + {-LOWEST}) * {GRID} + {part} + 1")
    position = compiler.process(sa.cast(number, sa.BigInteger()), **kw)
    return f"CASE WHEN {value} >= {least!r} THEN {position} WHEN {value} <= -{least!r} THEN -{position} WHEN {value} IS NOT NULL THEN 0 END"


@compiles(GridCode, "sqlite")
def _registered(element: GridCode, compiler: SQLCompiler, **kw: Any) -> str:
    # In dqmon.warehouses.base.sqlite_functions, since SQLite may be built without mathematical functions.
    return f"{GRID_CODE}({compiler.process(element.clauses, **kw)})"
