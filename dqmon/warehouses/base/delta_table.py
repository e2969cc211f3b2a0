"""Delta tables, by their log: https://github.com/delta-io/delta/blob/master/PROTOCOL.md."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote

from dqmon.warehouses.base.delta_log import DeltaLog
from dqmon.warehouses.base.lake_table import LakeFile, LakeTable
from dqmon.warehouses.base.object_store import ObjectStore, lake_package

_PLAIN = frozenset(("timestampNtz", "v2Checkpoint", "vacuumProtocolCheck", "deletionVectors", "columnMapping"))
"""Reader features that say nothing of how a data file is read, and two that are looked at."""

_CHANGES = frozenset(
    ("WRITE", "MERGE", "DELETE", "UPDATE", "STREAMING UPDATE", "RESTORE", "TRUNCATE", "REPLACE TABLE AS SELECT", "CREATE TABLE AS SELECT")
)
_NO_CHANGES = frozenset(
    ("OPTIMIZE", "VACUUM START", "VACUUM END", "SET TBLPROPERTIES", "ADD CONSTRAINT", "DROP CONSTRAINT", "ADD FEATURE", "CREATE TABLE")
)
"""Operations of commits (https://docs.delta.io/latest/delta-utility.html#operation-metrics-keys) that do, or do not, change rows."""

_LOOK_BACK = 20
"""Commits among which the last change is looked for."""


def read_delta(place: str, store: ObjectStore) -> LakeTable:
    """The current version of the table at `place`, a folder or an `s3://` URL.

    Its files are read one by one, but for tables with deletion vectors, column mapping, partitions by floats or features that are
    newer than this module: deltalake reads those as a whole, or refuses. Raises what deltalake and Arrow raise.
    """
    delta, pa, fs = lake_package("deltalake"), lake_package("pyarrow"), lake_package("pyarrow.fs")
    is_remote = "://" in place
    table = delta.DeltaTable(place, storage_options=store.delta if is_remote else None)
    schema = pa.schema(table.schema().to_arrow())
    root = place.partition("://")[2] if is_remote else place
    file_system = store.arrow if is_remote else fs.LocalFileSystem()
    return LakeTable(
        because=f"version {table.version()} of the Delta table's log",
        proof=f"version {table.version()} of the Delta table {table.metadata().id}",
        schema=schema,
        file_system=file_system,
        files=_files(table, schema, root) if _is_plain(table, schema) else None,
        stream=table.scan,
        last_changed=lambda: _last_changed(file_system, root, table.version()),
        past_rows=lambda since: DeltaLog(table, file_system, root, place, store).past_rows(since),
    )


def _is_plain(table: Any, schema: Any) -> bool:
    """True when each data file alone has its rows, under the names of the schema."""
    features = frozenset(table.protocol().reader_features or ())
    if not features <= _PLAIN or table.metadata().configuration.get("delta.columnMapping.mode", "none") != "none":
        return False
    if "deletionVectors" in features and any(batch.num_rows for batch in table.deletion_vectors()):
        return False
    # A partition by NaN would have to equal itself.
    return not any(str(schema.field(name).type) in ("float", "double") for name in table.metadata().partition_columns)


def _files(table: Any, schema: Any, root: str) -> tuple[LakeFile, ...] | None:
    """The files of the version; None when one of them stands outside of the table's folder, as those of a shallow clone."""
    found = lake_package("pyarrow").table(table.get_add_actions(flatten=True))
    keys = table.metadata().partition_columns
    # A name with a dot could be that of a field of a struct.
    plain = [field.name for field in schema if "." not in field.name and field.name not in keys]
    wanted = ["path", "size_bytes", "num_records", *(f"partition.{name}" for name in keys)]
    wanted += [f"{word}.{name}" for name in plain for word in ("null_count", "min", "max")]
    actions = found.select([name for name in wanted if name in found.column_names]).to_pylist()
    if any("://" in action["path"] or action["path"].startswith("/") for action in actions):
        return None
    return tuple(_file(action, root, keys, plain) for action in actions)


def _file(action: Mapping[str, Any], root: str, keys: Iterable[str], plain: Iterable[str]) -> LakeFile:
    name = unquote(action["path"])
    rows = action.get("num_records")
    partition = {key: action[f"partition.{key}"] for key in keys}
    nulls = {column: count for column in plain if (count := action.get(f"null_count.{column}")) is not None}
    ends = {column: (low, action.get(f"max.{column}")) for column in plain if (low := action.get(f"min.{column}")) is not None}
    return LakeFile(
        place=f"{root.rstrip('/')}/{name}",
        name=name,
        size=action["size_bytes"],
        rows=rows,
        partition=partition,
        nulls=nulls if rows is None else nulls | {key: rows if value is None else 0 for key, value in partition.items()},
        ends=ends | {key: (value, value) for key, value in partition.items() if value is not None},
    )


def _last_changed(file_system: Any, root: str, version: int) -> datetime | None:
    """When the newest commit that changed rows was made; None when it is not among the last ones, or in doubt.

    deltalake's own history lists the whole log, and holds all of Python's threads up until the store has answered.
    """
    for number in range(version, max(-1, version - _LOOK_BACK), -1):
        try:
            with file_system.open_input_file(f"{root.rstrip('/')}/_delta_log/{number:020}.json") as log:
                lines = log.read().splitlines()
        except FileNotFoundError:  # cleaned up, behind a checkpoint
            return None
        commit: dict[str, Any] = next((found["commitInfo"] for line in lines if "commitInfo" in (found := json.loads(line))), {})
        if commit.get("operation") not in _NO_CHANGES:
            is_known = commit.get("operation") in _CHANGES and "timestamp" in commit
            return datetime.fromtimestamp(commit["timestamp"] / 1000, UTC) if is_known else None
    return None
