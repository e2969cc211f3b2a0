"""What Spark's DESCRIBE says of a table's columns; Databricks' information schema uses the same names of types."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from dqmon.core.table import Column, TypeGroup

_GROUPS = {
    **dict.fromkeys(("tinyint", "smallint", "int", "bigint"), TypeGroup.INTEGER),
    "decimal": TypeGroup.DECIMAL,
    **dict.fromkeys(("float", "double"), TypeGroup.FLOAT),
    **dict.fromkeys(("string", "varchar", "char"), TypeGroup.TEXT),
    "boolean": TypeGroup.BOOLEAN,
    "date": TypeGroup.DATE,
    "timestamp_ntz": TypeGroup.TIMESTAMP,
    # With the session's zone, in which it is shown: a moment (https://spark.apache.org/docs/latest/sql-ref-datatypes.html).
    **dict.fromkeys(("timestamp", "timestamp_ltz"), TypeGroup.TIMESTAMP_ZONED),
}


def described(rows: Iterable[Sequence[Any]]) -> Iterator[tuple[str, str]]:
    """Name and type of each column of DESCRIBE's rows, which say more below them: partitions, from a row without type on."""
    for name, declared, *_ in rows:
        if not declared or declared == "data_type":
            return
        yield str(name), str(declared)


def column(position: int, name: str, declared: str, *, nullable: bool = True) -> Column:
    """The group follows the word before brackets and collation; a collation stands in the type."""
    kind = declared.partition(" ")[0].partition("(")[0].lower()
    return Column(name, declared, _GROUPS.get(kind, TypeGroup.OTHER), nullable, position)
