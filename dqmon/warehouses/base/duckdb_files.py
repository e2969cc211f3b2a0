"""Files that DuckDB reads as tables: one temporary view each."""

from __future__ import annotations

import re
from typing import Any

from dqmon.warehouses.base.session import one_line

READERS = {
    "parquet": "read_parquet",
    **dict.fromkeys(("csv", "tsv"), "read_csv"),
    **dict.fromkeys(("json", "jsonl", "ndjson"), "read_json"),
}
"""By the ending of the file's name."""


def make_view(driver: Any, table: str, file: str) -> str | None:
    """Makes the temporary view of a file; why not, if it cannot be read."""
    import duckdb

    # Else DuckDB takes a column of floats whose bounds are no NaN for one without NaN, and answers wrongly for most writers' files.
    options = ", can_have_nan = true" if kind_of(file) == "parquet" else ""
    source = f"{READERS[kind_of(file)]}({quoted_text(file)}{options})"
    try:
        driver.execute(f"create temp view {quoted_name(table)} as select * from {source}")  # noqa: S608 - quoted; views take no parameters
    except duckdb.Error as e:
        return one_line(e)
    return None


def kind_of(file: str) -> str:
    """The ending of a file's name that tells how it is read, without `.gz`."""
    return file.lower().removesuffix(".gz").rpartition(".")[2]


def folder_of(file: str) -> str:
    """The folder that holds the file, or all that a pattern may find."""
    fixed = re.split(r"[*?\[]", file, maxsplit=1)[0]
    return fixed.rpartition("/")[0] + "/"


def quoted_name(part: str) -> str:
    """An identifier."""
    return '"' + part.replace('"', '""') + '"'


def quoted_text(text: str) -> str:
    """A literal."""
    return "'" + text.replace("'", "''") + "'"
