"""Iceberg tables, by their metadata: https://iceberg.apache.org/spec/."""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from dqmon.core.past_rows import PastRows, counted_back
from dqmon.errors import TableMissing
from dqmon.warehouses.base.lake_table import LakeFile, LakeTable
from dqmon.warehouses.base.object_store import ObjectStore, lake_package

_KEYS = ("boolean", "int", "long", "string", "date", "timestamp", "timestamptz")
"""Types of partition columns (https://iceberg.apache.org/spec/#primitive-types) whose values in manifests are Arrow's."""

_MOMENTS = {"date": "<i", "timestamp": "<q", "timestamptz": "<q"}
"""How the bounds of moments are written (https://iceberg.apache.org/spec/#binary-single-value-serialization)."""


def read_iceberg(name: str, catalog: tuple[str, Mapping[str, str]], store: ObjectStore) -> LakeTable:
    """The current snapshot of the table `name` of a catalog, given by its own name and properties.

    Its files are read one by one, but for tables with delete files, columns that were renamed or have defaults, files that are not
    Parquet, or partitions by other than _KEYS: pyiceberg reads those as a whole, or refuses. Raises TableMissing, and what
    pyiceberg and Arrow raise.
    """
    arrow = lake_package("pyiceberg.io.pyarrow")
    table = _load(name, *catalog, store)
    snapshot = table.current_snapshot()
    tasks = list(table.scan().plan_files()) if snapshot else []
    schema = table.schema()
    version = f"snapshot {snapshot.snapshot_id if snapshot else 'none'}"
    places = {table.io.parse_location(task.file.file_path)[:2] for task in tasks} or {("file", "")}
    is_plain = len(places) == 1 and _is_plain(table, tasks)
    return LakeTable(
        because=f"{version} of the Iceberg table",
        proof=f"{version}, schema {schema.schema_id}, of the Iceberg table {table.metadata.table_uuid}",
        schema=arrow.schema_to_pyarrow(schema, include_field_ids=False),
        file_system=table.io.fs_by_scheme(*min(places)),
        files=tuple(_file(table, task.file) for task in tasks) if is_plain else None,
        stream=lambda: table.scan().to_arrow_batch_reader(),
        last_changed=lambda: _last_changed(table),
        past_rows=lambda since: _past_rows(table, since),
    )


def _load(name: str, called: str, properties: Mapping[str, str], store: ObjectStore) -> Any:
    catalogs = lake_package("pyiceberg.catalog")
    settings = {"py-io-impl": "pyiceberg.io.pyarrow.PyArrowFileIO", **store.iceberg, **properties}
    if settings.get("uri", "").startswith("sqlite:///"):
        # Else SQLite would make the file, and pyiceberg its tables in it.
        path = Path(settings["uri"].removeprefix("sqlite:///"))
        if not path.is_file():
            raise TableMissing(f"there is no catalog {path}; correct the `uri:` under `catalogs:`")
        settings |= {"init_catalog_tables": "false"}
    with closing(catalogs.load_catalog(called, **settings)) as catalog:
        return catalog.load_table(name)


def _is_plain(table: Any, tasks: Iterable[Any]) -> bool:
    """True when each data file alone has its rows, under the names of the schema."""
    if any(task.delete_files or task.file.file_format.name != "PARQUET" for task in tasks):
        return False
    schemas = table.schemas().values()
    pairs = {(id_, schema.find_column_name(id_)) for schema in schemas for id_ in schema.field_ids}
    if not len(pairs) == len({id_ for id_, _ in pairs}) == len({name for _, name in pairs}):
        return False
    if any(field.initial_default is not None for schema in schemas for field in schema.fields):
        return False
    return all(str(source.field_type) in _KEYS for spec in table.specs().values() for _, source in _sources(table, spec, "identity"))


def _sources(table: Any, spec: Any, transform: str | None = None) -> Iterable[tuple[int, Any]]:
    """Where in a file's partition, and the column, of each field of the specification by that transform, or by any."""
    fields = {field.field_id: field for field in table.schema().fields}
    for at, key in enumerate(spec.fields):
        if key.source_id in fields and transform in (None, str(key.transform)):
            yield at, fields[key.source_id]


def _file(table: Any, file: Any) -> LakeFile:
    spec = table.specs()[file.spec_id]
    partition = {source.name: _key(file.partition[at], source) for at, source in _sources(table, spec, "identity")}
    names = {field.field_id: field.name for field in table.schema().fields}
    nulls = _by_name(file.null_value_counts, names)
    bounds = {source.name: _bounds(file, source) for _, source in _sources(table, spec)}
    return LakeFile(
        place=table.io.parse_location(file.file_path)[2],
        name=file.file_path,
        size=file.file_size_in_bytes,
        rows=file.record_count,
        partition=partition,
        within={name: found for name, found in bounds.items() if found and name not in partition and nulls.get(name) == 0},
        nulls=nulls | {name: file.record_count if value is None else 0 for name, value in partition.items()},
        nans=_by_name(file.nan_value_counts, names),
        ends={name: (value, value) for name, value in partition.items() if value is not None},
    )


def _key(value: Any, source: Any) -> Any:
    """A partition's value; dates are days since 1970 in manifests."""
    is_day = isinstance(value, int) and str(source.field_type) == "date"
    return date(1970, 1, 1) + timedelta(days=value) if is_day else value


def _by_name(counts: Mapping[int, int] | None, names: Mapping[int, str]) -> dict[str, int]:
    return {names[id_]: count for id_, count in (counts or {}).items() if id_ in names}


def _bounds(file: Any, source: Any) -> tuple[int, int] | None:
    """The bounds of a column of moments, as Arrow counts them; None where there are none."""
    form = _MOMENTS.get(str(source.field_type))
    ends = [(found or {}).get(source.field_id) for found in (file.lower_bounds, file.upper_bounds)]
    if form is None or any(end is None or len(end) != struct.calcsize(form) for end in ends):
        return None
    low, high = (struct.unpack(form, end)[0] for end in ends if end is not None)
    return low, high


def _last_changed(table: Any) -> datetime | None:
    """When the newest snapshot that changed rows was made; None in doubt, as after going back to an older one."""
    current = table.current_snapshot()
    log = table.history()
    if current is None or not log or log[-1].snapshot_id != current.snapshot_id or log[-1].timestamp_ms != current.timestamp_ms:
        return None
    while current is not None and current.summary is not None and current.summary.operation.value == "replace":
        current = table.snapshot_by_id(current.parent_snapshot_id) if current.parent_snapshot_id else None
    return datetime.fromtimestamp(current.timestamp_ms / 1000, UTC) if current is not None and current.summary is not None else None


def _past_rows(table: Any, since: datetime) -> PastRows:
    """By the snapshots that were the current one, each with its total, as far back as they are kept and without delete files.

    https://iceberg.apache.org/spec/#optional-snapshot-summary-fields; equality deletes do not say how many rows they delete.
    """
    totals: list[tuple[datetime, int]] = []
    for entry in reversed(table.history()):
        snapshot = table.snapshot_by_id(entry.snapshot_id)
        summary = {} if snapshot is None or snapshot.summary is None else snapshot.summary.additional_properties
        if "total-records" not in summary or any(int(summary.get(f"total-{kind}-deletes", 0)) for kind in ("position", "equality")):
            break
        at = datetime.fromtimestamp(entry.timestamp_ms / 1000, UTC)
        totals.append((at, int(summary["total-records"])))
        if at <= since:
            break
    because = "the snapshots of the Iceberg table" if totals else "the Iceberg table has delete files, or snapshots without totals"
    return counted_back(totals, because)
