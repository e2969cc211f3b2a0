"""A table of a lake as its log has it now: the files that make it up, and what the log says of each without reading it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from functools import reduce
from operator import and_
from typing import TYPE_CHECKING, Any

from dqmon.core.facts import ColumnFacts, TableFacts
from dqmon.core.fragment import Fragment
from dqmon.core.past_rows import PastRows
from dqmon.core.table import Column, TypeGroup
from dqmon.warehouses.base.duckdb_files import FILE
from dqmon.warehouses.base.object_store import lake_package

if TYPE_CHECKING:
    from dqmon.core.metric import Value

_COUNTED = (TypeGroup.INTEGER, TypeGroup.DATE)
"""Columns whose least and greatest value logs have exactly: texts are cut off, timestamps and decimals rounded by some writers."""


@dataclass(frozen=True, slots=True)
class LakeFile:
    """One data file.

    place: in the table's file system. name: the same as long as it is the same file; files are never changed in place. partition:
    columns that have one value in all rows, None for NULL. within: bounds of columns without NULL, for leaving files out. rows,
    nulls, nans: exact counts. ends: exactly the least and the greatest value that is not NULL. All are by column, where known.
    """

    place: str
    name: str
    size: int
    rows: int | None = None
    partition: Mapping[str, Any] = field(default_factory=dict)
    within: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)
    nulls: Mapping[str, int] = field(default_factory=dict)
    nans: Mapping[str, int] = field(default_factory=dict)
    ends: Mapping[str, tuple[Any, Any]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LakeTable:
    """because: who says it, with the version. proof: what stays the same only while the rows do. schema: Arrow's.

    files: Parquet files, each readable alone by the schema; None where only the format's own library can put them together, whose
    `stream` is read as a whole then. last_changed: looks up when rows were added, changed or deleted last, aware UTC; None in doubt.
    past_rows: reads in the log how many rows there were since a time.
    """

    because: str
    proof: str
    schema: Any
    file_system: Any
    files: tuple[LakeFile, ...] | None
    stream: Callable[[], Any]
    last_changed: Callable[[], datetime | None]
    past_rows: Callable[[datetime], PastRows]

    def source(self) -> Any:
        """What DuckDB reads: by file where that is possible, with FILE as a column, so that it opens only those that a filter asks for."""
        return _Stream(self.stream) if self.files is None else self._dataset(self.files)

    def fragments(self, view: str) -> tuple[Fragment, ...]:
        """The files, as places in `view`, which is `source` under a name."""
        files = self.files or ()
        return tuple(Fragment(file.name, (view, file.name), f"{file.name} of {file.size} bytes, in the table's log") for file in files)

    def facts(self, columns: Sequence[Column]) -> TableFacts:
        """What the log says of the rows of all files together."""
        changed = self.last_changed()
        found = TableFacts("footers", last_changed=changed, last_changed_because=self.because if changed else "")
        rows = None if self.files is None else _sum([file.rows for file in self.files])
        if rows is None:
            return found
        known = {column.name: ColumnFacts(self.because, *self._counts(column), *self._ends(column)) for column in columns}
        return replace(found, rows=rows, rows_because=self.because, about_rows=rows, columns=known)

    def _counts(self, column: Column) -> tuple[int | None, int | None]:
        """NULLs and NaNs."""
        files = self.files or ()
        nulls = [file.nulls.get(column.name) for file in files]
        nans = [file.nans.get(column.name) for file in files] if column.group is TypeGroup.FLOAT else [0]
        return _sum(nulls), _sum(nans)

    def _ends(self, column: Column) -> tuple[Value, Value]:
        """The least and the greatest value, both or none."""
        files = [file for file in self.files or () if file.rows != file.nulls.get(column.name)]
        ends = [file.ends[column.name] for file in files if column.name in file.ends]
        if column.group not in _COUNTED or not ends or len(ends) < len(files):
            return None, None
        return _value(min(low for low, _ in ends)), _value(max(high for _, high in ends))

    def _dataset(self, files: Sequence[LakeFile]) -> Any:
        pa, ds = lake_package("pyarrow"), lake_package("pyarrow.dataset")
        # Else timestamps of older writers are read in nanoseconds, and years outside 1677 to 2262 as others.
        parquet = ds.ParquetFileFormat(read_options=ds.ParquetReadOptions(coerce_int96_timestamp_unit="us"))
        types = {one.name: one.type for one in self.schema}
        fragments = []
        for file in files:
            known = [ds.field(FILE) == file.name]
            for name, value in file.partition.items():
                known.append(ds.field(name).is_null() if value is None else ds.field(name) == pa.scalar(value, types[name]))
            for name, (low, high) in file.within.items():
                known += (ds.field(name) >= pa.scalar(low, types[name]), ds.field(name) <= pa.scalar(high, types[name]))
            fragments.append(parquet.make_fragment(file.place, self.file_system, partition_expression=reduce(and_, known)))
        return ds.FileSystemDataset(fragments, self.schema.append(pa.field(FILE, pa.string())), parquet, self.file_system)


class _Stream:
    """Read anew for each statement, by Arrow's protocol (https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html)."""

    def __init__(self, read: Callable[[], Any]) -> None:
        self._read = read

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._read().__arrow_c_stream__(requested_schema)


def _sum(counts: Sequence[int | None]) -> int | None:
    known = [count for count in counts if count is not None]
    return sum(known) if len(known) == len(counts) else None


def _value(found: Any) -> Any:
    """As the driver gives values: dates at midnight."""
    return datetime.combine(found, time()) if isinstance(found, date) else found
