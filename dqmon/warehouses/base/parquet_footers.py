"""What the footers of Parquet files say, read by DuckDB without reading rows.

Taken for known is only what stands in all row groups of all files:

- the number of rows, and of NULLs in a column;
- that there is no NaN in a column of floats, where the writer has counted them (`nan_count`, DuckDB from 2.0 on);
- the least and the greatest value of numbers, dates and timestamps, if each bound is, as text, what a value of the column's own
  type is written like (files may have other types than the first one, by which all are read), and is neither infinite nor the
  limit of its type (https://github.com/duckdb/duckdb/issues/20014). Bounds of texts may be cut off, and are not used.

Columns that come from folders (Hive partitions) are in no footer; their names are left out, as are all columns of files with names
that differ in case alone.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from itertools import groupby
from typing import TYPE_CHECKING, Any

from dqmon.core.facts import ColumnFacts, TableFacts
from dqmon.core.table import Column, TypeGroup

if TYPE_CHECKING:
    from dqmon.core.metric import Value

_STORED = {
    TypeGroup.INTEGER: ("INT32", "INT64"),
    TypeGroup.DECIMAL: ("INT32", "INT64", "FIXED_LEN_BYTE_ARRAY"),
    TypeGroup.FLOAT: ("FLOAT", "DOUBLE"),
    TypeGroup.DATE: ("INT32",),
    TypeGroup.TIMESTAMP: ("INT64",),
    TypeGroup.TIMESTAMP_ZONED: ("INT64",),
}
"""The physical types (https://parquet.apache.org/docs/file-format/types/) whose bounds are those of the values."""

_MOMENTS = ("DATE", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE")
"""Types without nanoseconds, which Python would cut off."""

_FLOAT_LIMITS = {"FLOAT": 3.4028234e38, "DOUBLE": sys.float_info.max}


def footers_sql(columns: Sequence[Column]) -> str:
    """The statement for a table with these columns over the files that `:files` names; a row for the table, then one for each column."""
    import duckdb

    nans = "stats_nan_count" if int(duckdb.__version__.partition(".")[0]) > 1 else "null::bigint"
    typed = sorted((c for c in columns if c.group is not TypeGroup.OTHER), key=_cast)
    parts = [_bounds_sql(cast, list(alike)) for cast, alike in groupby(typed, _cast)]
    return f"""
        with chunks as materialized (
            select file_name, path_in_schema as name, type, column_id, row_group_num_rows as rows, num_values, stats_null_count as nulls,
                {nans} as nans, stats_min_value as low, stats_max_value as high
            from parquet_metadata(:files)
        )
        select null, count(*) filter (where column_id = 0), sum(rows) filter (where column_id = 0), count(distinct file_name),
            count(distinct name) = count(distinct lower(name)),
            flatten(list(distinct regexp_extract_all(lower(file_name), '[/\\\\]([^/\\\\=]+)=', 1))), null, null, null, null
        from chunks
        {" ".join(parts)}"""  # noqa: S608 - types of the catalogue, names quoted


def _cast(column: Column) -> str:
    """What bounds are read as; empty for types without bounds."""
    if column.group not in _STORED or (column.group in (TypeGroup.TIMESTAMP, TypeGroup.TIMESTAMP_ZONED) and column.type not in _MOMENTS):
        return ""
    return column.type


def _bounds_sql(cast: str, columns: Sequence[Column]) -> str:
    names = ", ".join("'" + column.name.replace("'", "''") + "'" for column in columns)
    low, high, known = "null", "null", "0"
    if cast:
        read_low, read_high = (_read(side, cast) for side in ("low", "high"))
        wide = "::double" if cast == "FLOAT" else ""
        low, high = f"min({read_low}){wide}::varchar", f"max({read_high}){wide}::varchar"
        known = f"count(*) filter (where nulls = num_values or ({_is_own('low', cast)} and {_is_own('high', cast)}))"
    return (
        "union all select name, count(*), sum(nulls), count(nulls), count(distinct type) = 1, list(distinct type), "  # noqa: S608 - as above
        f"if(count(nans) = count(*), sum(nans), null), {low}, {high}, {known} from chunks where name in ({names}) group by name"
    )


def _text(side: str, cast: str) -> str:
    """The bound as a text without zone; zoned ones are written in UTC."""
    return f"if({side} like '%+00', left({side}, -3), null)" if cast == "TIMESTAMP WITH TIME ZONE" else side


def _read(side: str, cast: str) -> str:
    return f"try_cast({_text(side, cast)} as {cast.removesuffix(' WITH TIME ZONE')})"


def _is_own(side: str, cast: str) -> str:
    is_finite = f" and isfinite({_read(side, cast)})" if cast in _FLOAT_LIMITS else ""
    return f"{_read(side, cast)}::varchar = {_text(side, cast)}{is_finite}"


def footers(rows: Iterable[Any], columns: Sequence[Column]) -> TableFacts:
    """The facts that the statement's rows tell."""
    (_, groups, count, files, is_plain, folders, *_), *chunks = sorted(rows, key=lambda row: row[0] is not None)
    because = f"the footers of {files} Parquet files" if files > 1 else "the footer of the Parquet file"
    by_name = {column.name: column for column in columns}
    known = {
        name: ColumnFacts(because, *_counts(by_name[name], groups, rest), *_bounds(by_name[name], groups, rest))
        for name, chunks_of, *rest in chunks
        if is_plain and chunks_of == groups and name.lower() not in folders
    }
    total = int(count or 0)
    return TableFacts("footers", total, because, total, known)


def _counts(column: Column, groups: int, chunks: Sequence[Any]) -> tuple[int | None, int | None]:
    """NULLs and NaNs of a column that all row groups have."""
    nulls, with_nulls, _, _, nans, *_ = chunks
    is_float = column.group is TypeGroup.FLOAT
    return int(nulls) if with_nulls == groups else None, (None if nans is None else int(nans)) if is_float else 0


def _bounds(column: Column, groups: int, chunks: Sequence[Any]) -> tuple[Value, Value]:
    """The least and the greatest value, both or none."""
    *_, is_one_type, types, _, low, high, with_bounds = chunks
    if not is_one_type or with_bounds != groups or low is None or types[0] not in _STORED[column.group]:
        return None, None
    if column.group is TypeGroup.FLOAT:
        most = max(abs(float(low)), abs(float(high)))
        if column.type != types[0] or most >= _FLOAT_LIMITS[column.type]:
            return None, None
    return _value(column.group, low), _value(column.group, high)


def _value(group: TypeGroup, text: str) -> Value:
    """A bound as the driver gives values; None for a moment outside of the years 1 to 9999."""
    match group:
        case TypeGroup.INTEGER:
            return int(text)
        case TypeGroup.DECIMAL:
            return Decimal(text)
        case TypeGroup.FLOAT:
            return float(text) + 0.0  # footers may have -0.0 for 0.0
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.replace(tzinfo=UTC) if group is TypeGroup.TIMESTAMP_ZONED else found
