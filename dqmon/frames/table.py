"""Frames as Arrow tables. NULL is what the library means by a missing value.

| frame | NULL |
|---|---|
| pandas, NumPy types and objects | None, NaN, NaT, NA: NaN is how NULL is written there |
| pandas, nullable and Arrow types | NA; NaN is a value of its own |
| polars | null; NaN is a value of its own |
"""

from __future__ import annotations

from typing import Any, Literal

from dqmon.errors import UsageError

POSITION = "dq_position"
"""The column that is added: where the row stands in the frame, from 0."""


def eager(frame: Any) -> tuple[Any, Literal["pandas", "polars"]]:
    """The frame in memory and whose it is; a polars LazyFrame is collected. UsageError for anything else."""
    kind = type(frame)
    library = kind.__module__.partition(".")[0]
    if library == "polars" and kind.__name__ == "LazyFrame":
        return frame.collect(), "polars"
    if kind.__name__ == "DataFrame" and library in ("pandas", "polars"):
        return frame, "pandas" if library == "pandas" else "polars"
    raise UsageError(f"a pandas or polars DataFrame is needed, this is a {library}.{kind.__name__}")


def arrow_table(frame: Any, library: Literal["pandas", "polars"]) -> Any:
    """The frame's columns by their names as texts, and POSITION.

    UsageError for names that differ in case alone (DuckDB cannot tell them apart), for a column whose values have no common
    type, and when pyarrow is not installed.
    """
    try:
        import pyarrow as pa
    except ImportError as e:
        raise UsageError(f"frames need pyarrow; install dqmon[{library}]") from e
    names = [str(name) for name in frame.columns]
    folded = [name.casefold() for name in names]
    twice = [name for name in names if folded.count(name.casefold()) > 1]
    if twice or POSITION in folded:
        raise UsageError(f"columns {', '.join(map(repr, twice or [POSITION]))} clash: a table needs names that differ by more than case")
    arrays = _of_pandas(frame) if library == "pandas" else _of_polars(frame)
    return pa.table([*arrays, pa.array(range(len(frame)), pa.int64())], names=[*names, POSITION])


def _of_pandas(frame: Any) -> list[Any]:
    import pyarrow as pa

    found = []
    for place, name in enumerate(frame.columns):
        column = frame.iloc[:, place]
        try:
            array = pa.array(column, from_pandas=True)
        except pa.ArrowException as e:
            raise UsageError(f"column {str(name)!r} is of no type that a table has: {e}; convert it first") from e
        # Of a column without any value, pandas makes objects or floats, whatever it would hold.
        is_untyped = array.null_count == len(array) and getattr(column.dtype, "char", "") in ("O", "d")
        found.append(pa.nulls(len(array)) if is_untyped else array)
    return found


def _of_polars(frame: Any) -> list[Any]:
    import polars as pl

    found = []
    for column in frame.iter_columns():
        try:
            found.append(column.to_arrow())
        except pl.exceptions.PolarsError as e:
            raise UsageError(f"column {column.name!r} is of no type that a table has: {e}; convert it first") from e
    return found
