"""What a DuckDB warehouse takes: a database file, files and lake tables, and where the object store is."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias, cast

from pydantic import AfterValidator, Discriminator, Field, SecretStr, Tag, field_validator, model_validator

from dqmon.core.options import Options, ProjectPath, WarehouseOptions
from dqmon.warehouses.base.object_store import SCHEMES, S3Options

FileKind: TypeAlias = Literal["parquet", "csv", "json", "delta", "iceberg"]

ENDINGS: dict[str, FileKind] = {"parquet": "parquet", "csv": "csv", "tsv": "csv", "json": "json", "jsonl": "json", "ndjson": "json"}
"""The kind of a file by the ending of its name."""


class FileTable(Options):
    """A table of `files:` that needs more words than its path; one of the first five.

    parquet, csv, json: a file, or a pattern of files. delta: the folder of a Delta table. iceberg: namespace and name of an Iceberg
    table in `catalog`, one of `catalogs:`, which may be left out when there is only one. hive: whether `key=value` in the folders'
    names are columns; by default they are where all files have the same keys.
    """

    parquet: ProjectPath | None = None
    csv: ProjectPath | None = None
    json_: ProjectPath | None = Field(default=None, alias="json")
    delta: ProjectPath | None = None
    iceberg: str | None = None
    catalog: str | None = None
    hive: bool | None = None

    @model_validator(mode="after")
    def _consistent(self) -> FileTable:
        if len(self._given()) != 1:
            raise ValueError("give exactly one of parquet, csv, json, delta and iceberg")
        if self.hive is not None and self.kind in ("delta", "iceberg"):
            raise ValueError(f"`hive:` is of files; a table of kind {self.kind} knows its own partitions")
        if self.catalog is not None and self.kind != "iceberg":
            raise ValueError("`catalog:` is of Iceberg tables")
        if self.kind != "iceberg":
            check_url(self.path)
        return self

    @property
    def kind(self) -> FileKind:
        """How the files are read."""
        return next(iter(self._given()))

    @property
    def path(self) -> str:
        """Where they are; of Iceberg the table's name in the catalog."""
        return self._given()[self.kind]

    def _given(self) -> dict[FileKind, str]:
        found = {"parquet": self.parquet, "csv": self.csv, "json": self.json_, "delta": self.delta, "iceberg": self.iceberg}
        return {cast("FileKind", kind): path for kind, path in found.items() if path is not None}


def _written_as(value: Any) -> str:
    return "mapping" if isinstance(value, dict | FileTable) else "text"


def _readable(file: str) -> str:
    if kind_of(file) not in ENDINGS:
        raise ValueError(f"{file!r} ends in none of {', '.join(ENDINGS)} (or these with .gz); else write {{parquet: {file}}}")
    check_url(file)
    return file


_Declared: TypeAlias = Annotated[
    Annotated[ProjectPath, AfterValidator(_readable), Tag("text")] | Annotated[FileTable, Tag("mapping")],
    Discriminator(_written_as),
]


class DuckdbOptions(WarehouseOptions):
    """path: the database file. files: table name → file, pattern of files, or a mapping such as `{delta: data/orders}`. One of both
    is needed. s3: the object store of all `s3://` URLs. catalogs: name → properties of an Iceberg catalog as pyiceberg has them
    (https://py.iceberg.apache.org/configuration/), at least its `type` and `uri`.
    """

    path: ProjectPath | None = None
    files: dict[str, _Declared] = Field(default_factory=dict)
    s3: S3Options = S3Options()
    catalogs: dict[str, dict[str, SecretStr]] = Field(default_factory=dict)

    @field_validator("files")
    @classmethod
    def _distinct(cls, files: dict[str, str | FileTable]) -> dict[str, str | FileTable]:
        if len({name.lower() for name in files}) < len(files):
            raise ValueError("two tables have the same name but for the case of letters, which DuckDB does not tell apart")
        return files

    @model_validator(mode="after")
    def _consistent(self) -> DuckdbOptions:
        if self.path is None and not self.files:
            raise ValueError("give `path:`, the database file, or `files:`, tables that are files")
        for name, table in self.tables.items():
            if table.kind == "iceberg" and (table.catalog not in self.catalogs if table.catalog else len(self.catalogs) != 1):
                known = ", ".join(self.catalogs) or "none"
                raise ValueError(f"files.{name} needs `catalog:`, the name of one of `catalogs:` ({known})")
        return self

    @property
    def tables(self) -> dict[str, FileTable]:
        """All of `files:` in the same form."""
        return {name: table_of(file) if isinstance(file, str) else file for name, file in self.files.items()}

    def catalog_of(self, table: FileTable) -> tuple[str, dict[str, str]]:
        """The name and the properties of an Iceberg table's catalog."""
        name = table.catalog or next(iter(self.catalogs))
        return name, {key: value.get_secret_value() for key, value in self.catalogs[name].items()}


def table_of(file: str) -> FileTable:
    """What a path alone declares, by its ending."""
    return FileTable.model_validate({ENDINGS[kind_of(file)]: file})


def kind_of(file: str) -> str:
    """The ending of a file's name that tells how it is read, without `.gz`."""
    return file.lower().removesuffix(".gz").rpartition(".")[2]


def check_url(path: str) -> None:
    """ValueError for a URL that is of no known object store."""
    scheme, mark, rest = path.partition("://")
    if mark and (scheme not in SCHEMES or not rest.partition("/")[2]):
        raise ValueError(f"{path!r} is no s3://bucket/path; other stores are not read")
