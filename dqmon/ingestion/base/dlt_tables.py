"""dlt's tables in a warehouse, read with bounded statements and decoded without executing anything."""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from dqmon.errors import SourceError, TableMissing, WarehouseError

if TYPE_CHECKING:
    from dqmon.core.protocols import Session, Warehouse

BLOB_LIMIT = 16 * 1024 * 1024
"""Bytes of a stored state or schema, encoded and decoded; a longer one (a zip bomb, a broken row) is refused."""


@dataclass(frozen=True, slots=True)
class Catalog:
    """Which pipeline loads which schema, and the schema of each root table that is there.

    by_schema: schema name to pipeline. by_load: load id to pipeline, where a state row came with the load.
    tables: table name to schema name.
    """

    by_schema: Mapping[str, str]
    by_load: Mapping[str, str]
    tables: Mapping[str, str]

    def pipeline(self, load_id: str, schema: str) -> str:
        """The pipeline of a load; one that keeps no state in the warehouse is known by its schema's name."""
        return self.by_load.get(load_id) or self.by_schema.get(schema, schema)


@contextmanager
def reading(source: str, dataset: str, warehouse: Warehouse) -> Iterator[DltTables]:
    """The tables of `dataset`, open for reading. What the warehouse raises inside, and what cannot be decoded, leaves as SourceError."""
    try:
        with warehouse.open() as session:
            yield DltTables(session, dataset, warehouse.timeout_s)
    except (WarehouseError, ValueError) as e:
        msg = f"ingestion {source} (dlt in {warehouse.name}:{dataset}) cannot be read: {e}"
        raise SourceError(msg) from e


class DltTables:
    """dlt's own tables, and the load ids of the rows. Raises WarehouseError, TableMissing where dlt never loaded, and ValueError."""

    def __init__(self, session: Session, dataset: str, timeout_s: float) -> None:
        self._session = session
        self._dataset = dataset
        self._timeout_s = timeout_s
        self._names = {ref.name.lower(): ref.name for ref, _ in session.tables(dataset)}
        if "_dlt_loads" not in self._names:
            msg = f"there is no table _dlt_loads in schema {dataset}: dlt has not loaded into it, or the role may not see it"
            raise TableMissing(msg)
        self._loads = self._table("_dlt_loads", "load_id", "schema_name", "status", "inserted_at")
        self._states = self._table("_dlt_pipeline_state", "version", "pipeline_name", "state", "created_at", "_dlt_load_id")
        self._versions = self._table("_dlt_version", "version", "schema_name", "schema")

    def completed(self, since: datetime, until: datetime) -> dict[str, tuple[str, int, datetime]]:
        """Load id to schema name, status and time of completing in [since, until)."""
        table = self._loads.c
        statement = sa.select(table.load_id, table.schema_name, table.status, table.inserted_at)
        rows = self._fetch(statement.where(self._is_completed_in(since, until)))
        return {str(id_): (str(schema or ""), int(status), _instant(at)) for id_, schema, status, at in rows}

    def catalog(self, states_since: datetime) -> Catalog:
        """Pipelines, schemas and root tables; loads are looked up among the states since then only."""
        schemas = {str(name) for (name,) in self._fetch(sa.select(self._loads.c.schema_name).distinct()) if name}
        by_schema = {schema: schema for schema in schemas}
        by_load: dict[str, str] = {}
        if "_dlt_pipeline_state" in self._names:
            for pipeline, blob in self._newest(self._states, self._states.c.pipeline_name, self._states.c.state):
                state = _decoded(blob, f"the state of pipeline {pipeline}")
                by_schema |= dict.fromkeys(_strings(state.get("schema_names")), pipeline)
            x = self._states.c
            statement = sa.select(x["_dlt_load_id"], x.pipeline_name).where(x.created_at >= states_since)
            by_load = {str(id_): str(name) for id_, name in self._fetch(statement)}
        tables: dict[str, str] = {}
        if "_dlt_version" in self._names:
            for schema, text in self._newest(self._versions, self._versions.c.schema_name, self._versions.c.schema):
                roots = (name for name in _root_tables(_decoded(text, f"schema {schema}")) if name.lower() in self._names)
                tables |= dict.fromkeys(roots, schema)
        return Catalog(by_schema | {s: by_schema.get(s, s) for s in tables.values()}, by_load, tables)

    def rows(self, tables: Iterable[str], since: datetime, until: datetime, low: str) -> dict[str, dict[str, int]]:
        """Load id to rows by table, for loads completed in [since, until) and incomplete ones with ids from `low`.

        Ids are compared as texts: they are seconds since 1970 with a fraction, of ten digits until the year 2286.
        """
        new = sa.select(self._loads.c.load_id).where(self._is_completed_in(since, until))
        found: dict[str, dict[str, int]] = {}
        for name in sorted(tables):
            table = sa.table(self._names[name.lower()], sa.column("_dlt_load_id", sa.String), schema=self._dataset)
            id_ = table.c["_dlt_load_id"]
            wanted = sa.or_(id_.in_(new), sa.and_(id_ >= low, self._is_incomplete(id_)))
            for load_id, rows in self._fetch(sa.select(id_, sa.func.count()).where(wanted).group_by(id_)):
                found.setdefault(str(load_id), {})[name] = int(rows)
        return found

    def orphan_states(self, low: str) -> tuple[str, ...]:
        """The ids of states that were committed by loads that never completed."""
        if "_dlt_pipeline_state" not in self._names:
            return ()
        id_ = self._states.c["_dlt_load_id"]
        rows = self._fetch(sa.select(id_).distinct().where(id_ >= low, self._is_incomplete(id_)))
        return tuple(sorted(str(found) for (found,) in rows))

    def _is_completed_in(self, since: datetime, until: datetime) -> sa.ColumnElement[bool]:
        at = self._loads.c.inserted_at
        return sa.and_(at >= since, at < until)

    def _is_incomplete(self, id_: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
        return ~sa.exists().where(self._loads.c.load_id == id_)

    def _newest(self, table: sa.TableClause, key: Any, text: Any) -> Iterable[tuple[str, str | None]]:
        """(key, text) of the newest version of each key; a text beyond the limit is left in the warehouse and None."""
        newest = sa.select(key.label("key"), sa.func.max(table.c.version).label("version")).group_by(key).subquery()
        joined = table.join(newest, sa.and_(key == newest.c.key, table.c.version == newest.c.version))
        within = sa.case((sa.func.length(text) <= BLOB_LIMIT, text))
        return ((str(name), found) for name, found in self._fetch(sa.select(key, within).select_from(joined).order_by(key)))

    def _table(self, name: str, *columns: str) -> sa.TableClause:
        types: dict[str, Any] = {name: sa.DateTime(timezone=True) for name in ("inserted_at", "created_at")}
        return sa.table(name, *(sa.column(column, types.get(column, sa.String)) for column in columns), schema=self._dataset)

    def _fetch(self, statement: sa.Select[Any]) -> Sequence[tuple[Any, ...]]:
        return self._session.fetch(statement, self._timeout_s)


def _decoded(blob: str | None, what: str) -> dict[str, Any]:
    """The JSON object of a state (base64 of zlib of JSON) or schema (JSON). Raises ValueError for anything else and what is too long."""
    too_long = f"{what} is longer than {BLOB_LIMIT // 1024**2} MB, which dlt does not write; look at its row, or delete it"
    if blob is None:
        raise ValueError(too_long)
    raw = blob.encode()
    try:
        if not blob.lstrip().startswith("{"):
            unpacker = zlib.decompressobj()
            raw = unpacker.decompress(base64.b64decode(raw, validate=True), BLOB_LIMIT)
            if unpacker.unconsumed_tail:
                raise ValueError(too_long)
        found = json.loads(raw)
    except (binascii.Error, zlib.error, json.JSONDecodeError, UnicodeDecodeError, RecursionError) as e:
        raise ValueError(f"{what} is neither JSON nor packed JSON, as dlt writes it: {e}") from None
    if not isinstance(found, dict):
        raise ValueError(f"{what} is no JSON object, as dlt writes it")  # noqa: TRY004 - of what is stored
    return found


def _root_tables(schema: Mapping[str, Any]) -> tuple[str, ...]:
    """The data tables whose rows carry a load id, as dlt's own schema lists them."""
    tables = schema.get("tables")
    if not isinstance(tables, dict):
        return ()
    return tuple(
        str(name)
        for name, table in tables.items()
        if isinstance(table, dict) and not str(name).startswith("_dlt_") and "_dlt_load_id" in (table.get("columns") or {})
    )


def _strings(value: object) -> tuple[str, ...]:
    return tuple(item for item in value if isinstance(item, str)) if isinstance(value, list) else ()


def _instant(value: datetime | str) -> datetime:
    """Aware UTC; dlt writes UTC, which engines without zones give back as they stored it."""
    at = datetime.fromisoformat(value) if isinstance(value, str) else value
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
