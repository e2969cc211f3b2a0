"""Files that DuckDB reads as a table: their temporary view, and what the file system and the footers say of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy.ext.compiler import compiles

from dqmon.core.facts import NOTHING_KNOWN, TableFacts
from dqmon.core.fragment import Fragment
from dqmon.core.table import Column
from dqmon.sql.tables import FRAGMENT, FragmentedTable
from dqmon.warehouses.base.duckdb_options import FileTable
from dqmon.warehouses.base.names import quoted
from dqmon.warehouses.base.parquet_footers import FILES, chunks_sql, footers, is_worth
from dqmon.warehouses.base.stamps import FAR_SETTLED_S, Stamp, files_proof, stamps_proof

if TYPE_CHECKING:
    from sqlalchemy.sql.compiler import SQLCompiler

Ask: TypeAlias = Callable[[str, dict[str, Any]], Sequence[Any]]
"""Runs a statement with these values on the session's connection: its rows."""

READERS = {"parquet": "read_parquet", "csv": "read_csv", "json": "read_json"}
"""DuckDB's functions by the kind of a table."""

FILE = "dq file"
"""The hidden column of a lake table with a row's file. The blank keeps it apart from columns of people."""

_MAGIC = re.compile(r"[*?\[]")
_KEY = re.compile(r"([^/]+)=[^/]*/")


@dataclass(frozen=True, slots=True)
class Files:
    """The files of one table, as declared. `stamps` lists those of an object store, for a pattern, with one request for many."""

    table: FileTable
    ask: Ask
    stamps: Callable[[str], Iterable[Stamp]]

    @property
    def view_sql(self) -> str:
        """SELECT of all rows."""
        hive = "" if self.table.hive is None else f", hive_partitioning = {self.table.hive}"
        # Else DuckDB takes a column of floats whose bounds are no NaN for one without NaN, and answers wrongly for most writers' files.
        nan = ", can_have_nan = true" if self.table.kind == "parquet" else ""
        return f"select * from {READERS[self.table.kind]}({quoted_text(self._pattern)}{hive}{nan})"  # noqa: S608 - quoted

    @property
    def unchanged_proof(self) -> str | None:
        """Names, sizes and times of all files."""
        return stamps_proof(self.stamps(self.table.path), FAR_SETTLED_S) if self._is_far else files_proof(map(Path, self._names()))

    def fragments(self) -> tuple[Fragment, ...]:
        """The Parquet files; of other kinds the types depend on what all files hold together.

        None when not all of them have the same keys in their folders' names, or `hive:` leaves these out: some of them alone would
        not have the columns that all of them have.
        """
        if self.table.kind != "parquet":
            return ()
        if self._is_far:
            found = {f"s3://{one[0]}": stamps_proof((one,), FAR_SETTLED_S) for one in self.stamps(self.table.path)}
        else:
            found = {name: files_proof((Path(name),)) for name in self._names()}
        keys = {tuple(_KEY.findall(name)) for name in found}
        if len(keys) > 1 or (self.table.hive is False and any(keys)):
            return ()
        return tuple(Fragment(name, (escaped(name),), proof) for name, proof in sorted(found.items()))

    def facts(self, columns: Sequence[Column]) -> TableFacts:
        """By the footers of Parquet files; in an object store each would cost a request."""
        if self.table.kind != "parquet" or self._is_far:
            return NOTHING_KNOWN
        values = {"files": self._pattern}
        (files,) = self.ask(FILES, values)
        return footers(files, self.ask(chunks_sql(), values) if is_worth(files, columns) else (), columns)

    @property
    def _is_far(self) -> bool:
        return "://" in self.table.path

    @property
    def _pattern(self) -> str:
        """The path for DuckDB, which takes signs in the name of a single file for a pattern."""
        is_name = _MAGIC.search(self.table.path) and not self._is_far and Path(self.table.path).is_file()
        return escaped(self.table.path) if is_name else self.table.path

    def _names(self) -> list[str]:
        return [str(name) for (name,) in self.ask("select file from glob(:pattern) order by 1", {"pattern": self._pattern})]


def object_stamps(file_system: Any, pattern: str) -> Iterable[Stamp]:
    """The objects of an fsspec file system that a pattern means."""
    for name, info in file_system.glob(pattern, detail=True).items():
        if info["type"] == "file":
            yield name, info["size"], int(info["mtime"].timestamp()) * 1_000_000_000


def locks(tables: Iterable[FileTable]) -> tuple[str, ...]:
    """The settings, in order, that leave DuckDB the files of these tables: single ones, and all below a pattern's folder."""
    places = [table.path for table in tables if table.kind in READERS]
    single = [place for place in places if not _MAGIC.search(place) or ("://" not in place and Path(place).is_file())]
    folders = [_MAGIC.split(place, maxsplit=1)[0].rpartition("/")[0] + "/" for place in places if place not in single]
    return (
        f"set allowed_paths = [{', '.join(map(quoted_text, single))}]",
        f"set allowed_directories = [{', '.join(map(quoted_text, folders))}]",
        "set python_enable_replacements = false",
        # Else it is the machine's zone, and conditions mean other rows on another machine.
        "set global timezone = 'UTC'",
        "set enable_external_access = false",
        "set lock_configuration = true",
    )


def escaped(path: str) -> str:
    """The pattern that finds this path only."""
    return _MAGIC.sub(lambda found: f"[{found[0]}]", path)


def quoted_text(text: str) -> str:
    """A literal."""
    return "'" + text.replace("'", "''") + "'"


@compiles(FragmentedTable, "duckdb")
def _fragments(element: FragmentedTable, compiler: SQLCompiler, *, asfrom: bool = False, ashint: bool = False, **kw: Any) -> str:
    """Files, or the rows of some files of a lake table's view: places of one part, or of two."""
    del compiler, kw
    if not asfrom and not ashint:
        return ""
    # The casts are what the view over all files does with a file whose types differ from the first one's; types of folders' values,
    # too, depend on all of them.
    columns = ", ".join(f"CAST({quoted(c.name)} AS {c.type}) AS {quoted(c.name)}" for c in element.stored)
    *views, _ = element.fragments[0].place
    listed = ", ".join(quoted_text(fragment.place[-1]) for fragment in element.fragments)
    if views:
        name = quoted(FILE)
        source = f"{name} AS {FRAGMENT} FROM {quoted(views[0])} WHERE {name} IN ({listed})"
    else:
        source = f"filename AS {FRAGMENT} FROM read_parquet([{listed}], filename = true, hive_types_autocast = false, can_have_nan = true)"
    return f"(SELECT {columns}, {source}) AS {quoted(element.name)}"
