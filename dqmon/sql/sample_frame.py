"""Rows of a table as a pandas or polars frame, each column of the type that its catalogue says.

| column | pandas | polars |
|---|---|---|
| integer | int64; Int64 with NULLs | Int64 |
| decimal | object of Decimal | Decimal of as many places as are there |
| float | float64 | Float64 |
| boolean | bool; boolean with NULLs | Boolean |
| text | pandas' own text type | String |
| date | object of datetime.date | Date |
| timestamp | datetime64[us, UTC] | Datetime("us", "UTC") |
| any other | object, as the driver has it | String |

A timestamp without zone is read in the scan's `naive_timezone`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal

import sqlalchemy as sa

from dqmon.core.table import Column, TypeGroup
from dqmon.errors import QueryFailed
from dqmon.sql.columns import MOMENTS, stored
from dqmon.sql.instant import instant

if TYPE_CHECKING:
    from sqlalchemy.sql import ColumnElement

    from dqmon.core.capabilities import Capabilities

_PLACES = 38
"""Digits of a polars decimal (https://docs.pola.rs/api/python/stable/reference/api/polars.datatypes.Decimal.html)."""


def as_read(column: ColumnElement[Any], caps: Capabilities) -> ColumnElement[Any]:
    """The column as `frame` takes it: timestamps as aware UTC, the rest as the driver has it."""
    group = stored(column).group
    return instant(column, caps) if group in MOMENTS - {TypeGroup.DATE} else sa.type_coerce(column, sa.types.NullType())


def frame(rows: Sequence[tuple[object, ...]], columns: Sequence[Column], library: Literal["pandas", "polars"]) -> Any:
    """The frame. Raises QueryFailed for a value that its column's type cannot hold, and when the library is not installed."""
    series: dict[str, Any] = {}
    for place, column in enumerate(columns):
        try:
            values = [_value(row[place], column.group) for row in rows]
            series[column.name] = _pandas(values, column.group) if library == "pandas" else _polars(values, column.group)
        except ImportError as e:
            raise QueryFailed(f"the schema needs {library}: {e}; install dqmon[{library}]") from e
        except (ValueError, TypeError, ArithmeticError) as e:
            raise QueryFailed(f"column {column.name!r} has a value that no {column.group.value} of {library} holds") from e
    return _table(series, library)


def _table(series: Mapping[str, Any], library: Literal["pandas", "polars"]) -> Any:
    if library == "pandas":
        import pandas as pd

        return pd.DataFrame(series)
    import polars as pl

    return pl.DataFrame(series)


def _value(value: Any, group: TypeGroup) -> Any:
    """The value as Python has it; SQLite knows no booleans, decimals and dates."""
    match group:
        case _ if value is None:
            return None
        case TypeGroup.BOOLEAN:
            return bool(value)
        case TypeGroup.DECIMAL:
            return value if isinstance(value, Decimal) else Decimal(str(value))
        case TypeGroup.DATE:
            return date.fromisoformat(value[:10]) if isinstance(value, str) else value
        case TypeGroup.FLOAT:
            return float(value)
        case _:
            return value


def _pandas(values: list[Any], group: TypeGroup) -> Any:
    import pandas as pd

    has_null = None in values
    match group:
        case TypeGroup.INTEGER:
            return pd.Series(values, dtype="Int64" if has_null else "int64")
        case TypeGroup.BOOLEAN:
            return pd.Series(values, dtype="boolean" if has_null else "bool")
        case TypeGroup.FLOAT:
            return pd.Series(values, dtype="float64")
        case TypeGroup.TEXT:
            return pd.Series(values, dtype="str")
        case TypeGroup.TIMESTAMP | TypeGroup.TIMESTAMP_ZONED:
            return pd.Series(values, dtype="datetime64[us, UTC]")
        case _:
            return pd.Series(values, dtype="object")


def _polars(values: list[Any], group: TypeGroup) -> Any:
    import polars as pl

    kinds: dict[TypeGroup, Any] = {
        TypeGroup.INTEGER: pl.Int64(),
        TypeGroup.BOOLEAN: pl.Boolean(),
        TypeGroup.FLOAT: pl.Float64(),
        TypeGroup.TEXT: pl.String(),
        TypeGroup.DATE: pl.Date(),
        TypeGroup.TIMESTAMP: pl.Datetime("us", "UTC"),
        TypeGroup.TIMESTAMP_ZONED: pl.Datetime("us", "UTC"),
    }
    if group is TypeGroup.DECIMAL:
        kind: Any = pl.Decimal(_PLACES, max((_scale(value) for value in values if value is not None), default=0))
    else:
        kind = kinds.get(group, pl.String())
        values = values if group in kinds else [None if value is None else str(value) for value in values]
    try:
        return pl.Series(values, dtype=kind)
    except pl.exceptions.PolarsError as e:
        raise ValueError(str(e)) from e


def _scale(value: Decimal) -> int:
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError("NaN and infinity are no decimals")  # noqa: TRY004 - it is a value that is wrong
    return max(0, -exponent)
