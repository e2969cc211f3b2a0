"""What the footers of Parquet files say, read by DuckDB without reading rows.

Taken for known is only what stands in all row groups of all files:

- the number of rows, and of NULLs in a column;
- the number of NaNs in a column of floats, where the writer has counted them (`nan_count`: DuckDB from 2.0 on);
- the least and the greatest value of numbers, dates and timestamps, if each bound is written as one of the column's own type is
  (files may have other types than the first one, by whose types all are read), and is neither infinite nor the limit of its type,
  which stands for infinity in older files (https://github.com/duckdb/duckdb/issues/20014). Bounds of texts may be cut off.

Columns that come from folders (Hive partitions) are in no footer, so that those of their names are left out; so are all columns of
files with names that differ in case alone.
"""

from __future__ import annotations

import re
import struct
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from dqmon.core.facts import ColumnFacts, TableFacts
from dqmon.core.table import Column, TypeGroup

if TYPE_CHECKING:
    from dqmon.core.metric import Value

FILES = "select sum(num_rows), sum(num_row_groups), list(file_name) from parquet_file_metadata(:files)"
"""Rows, row groups and names of all files."""

_STORED = {
    TypeGroup.INTEGER: ("INT32", "INT64"),
    TypeGroup.DECIMAL: ("INT32", "INT64", "FIXED_LEN_BYTE_ARRAY"),
    TypeGroup.FLOAT: ("FLOAT", "DOUBLE"),
    TypeGroup.DATE: ("INT32",),
    TypeGroup.TIMESTAMP: ("INT64",),
    TypeGroup.TIMESTAMP_ZONED: ("INT64",),
}
"""The physical types (https://parquet.apache.org/docs/file-format/types/) whose bounds are those of the values."""

_FLOAT_LIMITS = {"FLOAT": 3.4028234e38, "DOUBLE": sys.float_info.max}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?")
_FOLDER = re.compile(r"[/\\]([^/\\=]+)=")

_FEW_CHUNKS = 2_000
_CHUNK_VALUES = 10_000
"""Values of a chunk from which on reading its footer costs less than a fifth of reading them (a chunk's entry takes about 25 µs,
2,000 values as long; DuckDB 2.0 on two cores, November 2026); up to so many chunks it does not matter."""


def chunks_sql() -> str:
    """The statement for all chunks (a column of a row group) of the files that `:files` names."""
    import duckdb

    nans = "stats_nan_count" if int(duckdb.__version__.partition(".")[0]) > 1 else "null"
    return (
        f"select path_in_schema, type, row_group_num_rows, num_values, stats_null_count, {nans}, stats_min_value, stats_max_value "  # noqa: S608 - a name of this file
        "from parquet_metadata(:files)"
    )


def is_worth(files: Sequence[Any], columns: Sequence[Column]) -> bool:
    """True when reading the chunks' entries costs less than it saves; `files` is the row of FILES."""
    rows, groups, _ = files
    return bool(groups) and (groups * len(columns) <= _FEW_CHUNKS or rows / groups >= _CHUNK_VALUES)


def footers(files: Sequence[Any], chunks: Iterable[Any], columns: Sequence[Column]) -> TableFacts:
    """The facts that the row of FILES and those of the chunks tell of a table with these columns."""
    rows, groups, names = files
    because = f"the footers of {len(names)} Parquet files" if len(names) > 1 else "the footer of the Parquet file"
    of: defaultdict[str, list[Any]] = defaultdict(list)
    for name, *rest in chunks:
        of[name].append(rest)
    folders = {folder.lower() for name in names for folder in _FOLDER.findall(name)}
    is_plain = len({name.lower() for name in of}) == len(of)
    known = {
        column.name: ColumnFacts(because, *_counts(column, own), *_bounds(column, own))
        for column in columns
        if is_plain and column.group is not TypeGroup.OTHER and column.name.lower() not in folders
        if len(own := of[column.name]) == groups and sum(count for _, count, *_ in own) == rows
    }
    return TableFacts("footers", int(rows), because, int(rows), known)


def _counts(column: Column, chunks: Sequence[Any]) -> tuple[int | None, int | None]:
    """NULLs and NaNs."""
    nulls, nans = ([chunk[place] for chunk in chunks] for place in (3, 4))
    is_float = column.group is TypeGroup.FLOAT
    return None if None in nulls else sum(nulls), (None if None in nans else sum(nans)) if is_float else 0


def _bounds(column: Column, chunks: Sequence[Any]) -> tuple[Value, Value]:
    """The least and the greatest value, both or none."""
    filled = [chunk for chunk in chunks if chunk[3] is None or chunk[3] < chunk[2]]
    types = {kind for kind, *_ in chunks}
    if not filled or len(types) > 1 or types.isdisjoint(_STORED.get(column.group, ())):
        return None, None
    lows, highs = ([_value(column, types, chunk[place]) for chunk in filled] for place in (5, 6))
    return (None, None) if None in lows or None in highs else (min(lows), max(highs))


def _value(column: Column, types: set[str], text: str | None) -> Any:
    """A bound as the driver gives values; None for what is not surely one."""
    try:
        match text, column.group:
            case (None, _):
                return None
            case (_, TypeGroup.INTEGER):
                return int(text)
            case (_, TypeGroup.DECIMAL):
                found = Decimal(text)
                return found if column.type.endswith(f",{-int(found.as_tuple().exponent)})") else None
            case (_, TypeGroup.FLOAT):
                return _float(column, text) if column.type in types else None
            case (_, TypeGroup.DATE):
                return datetime.combine(date.fromisoformat(text), time())
            case _:
                return _moment(column, text)
    except ValueError:
        return None


def _float(column: Column, text: str) -> float | None:
    """A finite number; 0.0 where footers have -0.0 for it."""
    found = float(text)
    if not abs(found) < _FLOAT_LIMITS[column.type]:
        return None
    return (float(struct.unpack("f", struct.pack("f", found))[0]) if column.type == "FLOAT" else found) + 0.0


def _moment(column: Column, text: str) -> datetime | None:
    """A timestamp of the years 0 to 9999, in microseconds at most; one with a zone is written in UTC."""
    is_zoned = column.group is TypeGroup.TIMESTAMP_ZONED
    plain = text.removesuffix("+00")
    if is_zoned is (plain == text) or column.type == "TIMESTAMP_NS" or not _MOMENT.fullmatch(plain):
        return None
    found = datetime.fromisoformat(plain)
    return found.replace(tzinfo=UTC) if is_zoned else found
