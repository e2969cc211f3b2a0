"""Ingestion source sqlmesh: how far SQLMesh has loaded each model, from its state tables."""

from __future__ import annotations

import builtins
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, ClassVar
from zoneinfo import ZoneInfo

from dqmon.core.check import PipelineRef, Schedule
from dqmon.core.lineage import Edge, Lineage, of_edges
from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.core.options import SourceOptions
from dqmon.core.table import TableRef, quote_part, table_ref
from dqmon.ingestion.base.json_fields import in_window, instant, text
from dqmon.ingestion.base.relation import relation
from dqmon.ingestion.base.sql_rows import reading, required
from dqmon.ingestion.base.sqlmesh_state import STATE_TABLES, Environments, Model, Snapshot, SqlmeshState

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dqmon.core.plain import Json
    from dqmon.core.protocols import Warehouse

_UNLOADED = frozenset({"EXTERNAL", "EMBEDDED"})
"""Kinds of models that SQLMesh never runs (`ModelKindMixin.is_symbolic`): tables of others, and pieces of queries."""
_MACROS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
_FIELDS = 5
_UNFINISHED = "its snapshot has no interval and is in no environment: the plan that made it failed, or still runs"


class SqlmeshOptions(SourceOptions):
    """Options of the source sqlmesh.

    warehouse: the database with SQLMesh's state (`state_connection`), declared as a warehouse. db_schema: the schema of its
    tables. environment: the one whose models are watched. tables_in: the warehouse that has the models' tables, for lineage, where
    it is another one than the state's.
    """

    warehouse: str
    db_schema: str = "sqlmesh"
    environment: str = "prod"
    tables_in: str | None = None

    def reads(self) -> tuple[str, ...]:
        """SQLMesh's state."""
        return tuple(f"{quote_part(self.db_schema)}.{table}" for table in STATE_TABLES)


class Sqlmesh:
    """Models of one SQLMesh environment, one pipeline each, by the name of its view, such as `shop.orders`.

    SQLMesh keeps no log of runs, only the intervals that it has loaded. So a load is SUCCEEDED when the intervals of the model's
    version in the environment reach further than before: `data_through` and `cursor` are the end of the last interval,
    `finished_at` is when intervals were last added, `schema_version` is the hash of the model's definition. Intervals of
    development, and those removed to be loaded anew, do not count. Of several loads between two polls the last one is seen; a run
    that fails leaves no trace but that the interval does not come, which last_success, missed_schedule and cursor_stall find.

    A plan that fails half-way leaves a snapshot without intervals, newer than the last finished plan of the environment: PARTIAL,
    for orphan_load, until a plan is finished or SQLMesh removes it after a week. Whether it was a plan of this environment or of
    one that never came about cannot be told.

    Schedules are the models' `cron`; SQLMesh loads a model at the first `sqlmesh run` after it. Seeds are loaded once. The
    lineage is that of the environment: a model's table is made from those of its parents, and by its pipeline.

    Read by SQL from `_versions`, `_environments`, `_snapshots` and `_intervals`: recorded on 0.236.4 (schema version 102).
    """

    type: ClassVar[str] = "sqlmesh"
    Options: ClassVar[builtins.type[BaseModel]] = SqlmeshOptions
    provides: ClassVar[frozenset[str]] = frozenset({"success", "schema", "cursor", "schedule", "orphans"})

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        assert isinstance(options, SqlmeshOptions)  # noqa: S101 - the configuration made them of this very class
        self.name = name
        self._environment, self._schema = options.environment, options.db_schema
        self._tables_in = options.tables_in
        self._warehouse = required(name, options.warehouse, warehouse)
        self._schedules: dict[tuple[str, str], Schedule | None] = {}

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """The models of the environment that SQLMesh loads, by name; one that a plan has not put into production is paused."""
        with reading(self.name, self.type, self._warehouse) as rows:
            state = SqlmeshState(rows, self._schema)
            models = self._watched(state.environments())[1]
            of = {(s.name, s.fingerprint): s for s in state.snapshots()}
            found = {m: of[m.name, m.fingerprint] for m in models if m.kind not in _UNLOADED and (m.name, m.fingerprint) in of}
            self._schedules = self._read_schedules(state, found)
        names = _names(m.name for m in models)
        return tuple(
            PipelineInfo(
                self.name,
                names[m.name],
                (names[m.name],),
                is_paused=s.unpaused_ts is None,
                schedule=self._schedules.get((s.name, s.identifier)),
            )
            for m, s in sorted(found.items(), key=lambda pair: names[pair[0].name])
        )

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """The last load of each model, if it ended in [since, until), and the snapshots that no plan has finished."""
        with reading(self.name, self.type, self._warehouse) as rows:
            state = SqlmeshState(rows, self._schema)
            environments = state.environments()
            finalized_ts, models = self._watched(environments)
            loaded = state.loaded()
            unfinished = _unfinished(state, environments, finalized_ts)
        names = _names([*(m.name for m in models), *(s.name for s in unfinished)])
        done = [self._done(names[m.name], m, *loaded[m.name, m.version], until) for m in models if (m.name, m.version) in loaded]
        return in_window([*done, *(self._left(names[s.name], s, until) for s in unfinished)], since, until)

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """Nothing: SQLMesh has no queue."""
        del at
        return ()

    def lineage(self) -> Lineage:
        """Each model's table from those of its parents, and from its pipeline. Raises SourceError."""
        with reading(self.name, self.type, self._warehouse) as rows:
            models = self._watched(SqlmeshState(rows, self._schema).environments())[1]
        names = _names(m.name for m in models)
        tables = self._tables({*names, *(parent for m in models for parent in m.parents)})
        return of_edges(edge for model in models for edge in self._edges(model, names[model.name], tables))

    def _edges(self, model: Model, pipeline: str, tables: Mapping[str, str]) -> Iterator[Edge]:
        for parent in model.parents:
            yield Edge(tables[model.name], tables[parent])
        if model.kind not in _UNLOADED:
            yield Edge(tables[model.name], str(PipelineRef(self.name, pipeline)))

    def _tables(self, full: Iterable[str]) -> dict[str, str]:
        """The node of each table. Of another warehouse than the state's only the name is known here."""
        if self._tables_in is not None:
            return {name: f"{self._tables_in}:{short}" for name, short in _names(full).items()}
        refs = {name: table_ref("", name, None) for name in full}
        return {name: str(relation(self._warehouse, ref.catalog, ref.schema, ref.name, name)) for name, ref in refs.items()}

    def _watched(self, environments: Environments) -> tuple[int | None, tuple[Model, ...]]:
        """When the environment's last plan was finished, and its models."""
        if self._environment not in environments:
            there = ", ".join(sorted(environments)) or "none: no plan has been finished"
            raise ValueError(f"there is no environment {self._environment!r}; there is {there}")
        return environments[self._environment]

    def _read_schedules(self, state: SqlmeshState, found: Mapping[Model, Snapshot]) -> dict[tuple[str, str], Schedule | None]:
        """The schedule of each snapshot; one that was read before stays as it is, as SQLMesh changes none."""
        known = self._schedules
        nodes = state.nodes(s for s in found.values() if (s.name, s.identifier) not in known)
        seeds = {(s.name, s.identifier) for m, s in found.items() if m.kind == "SEED"}
        keys = [(s.name, s.identifier) for s in found.values()]
        return {key: known[key] if key in known else None if key in seeds else _schedule(nodes.get(key, {})) for key in keys}

    def _done(self, pipeline: str, model: Model, until_ts: int, altered_ts: int, now: datetime) -> LoadRecord:
        through = instant(until_ts)
        return LoadRecord(
            source=self.name,
            pipeline=pipeline,
            load_id=f"{model.version}@{through.isoformat() if through else until_ts}",
            status=LoadStatus.SUCCEEDED,
            observed_at=now,
            finished_at=instant(altered_ts),
            schema_version=model.fingerprint[0],
            cursor=through.isoformat() if through else None,
            data_through=through,
            extra={"version": model.version},
        )

    def _left(self, pipeline: str, snapshot: Snapshot, now: datetime) -> LoadRecord:
        return LoadRecord(
            source=self.name,
            pipeline=pipeline,
            load_id=snapshot.identifier,
            status=LoadStatus.PARTIAL,
            observed_at=now,
            kind="backfill",
            started_at=instant(snapshot.updated_ts),
            schema_version=snapshot.fingerprint[0],
            error=_UNFINISHED,
        )


def _unfinished(state: SqlmeshState, environments: Environments, finalized_ts: int | None) -> list[Snapshot]:
    """Snapshots that plans made since the last finished one, and of which nothing is loaded; none while a plan is being finished."""
    if finalized_ts is None:
        return []
    used = {(m.name, m.fingerprint) for _, models in environments.values() for m in models}
    new = [s for s in state.snapshots() if s.unpaused_ts is None and (s.updated_ts or 0) > finalized_ts]
    begun = state.begun() if new else frozenset()
    return [s for s in new if (s.name, s.fingerprint) not in used and (s.name, s.version) not in begun]


def _names(full: Iterable[str]) -> dict[str, str]:
    """Each table as check files write it: `schema.table`, with the catalog before it where two would be called alike.

    A name in capitals alone, as SQLMesh has those of Snowflake, is written in small letters.
    """
    tables = {name: table_ref("", name.lower() if name.isupper() else name, None) for name in full}
    short = {name: TableRef("", None, table.schema, table.name).dataset for name, table in tables.items()}
    often = Counter(short.values())
    return {name: table.dataset if often[short[name]] > 1 else short[name] for name, table in tables.items()}


def _schedule(node: Mapping[str, Json]) -> Schedule | None:
    """The model's cron, in its own time zone; None for one that is not of five fields, or of a zone that is not known here."""
    cron, zone = text(node.get("cron")) or "", text(node.get("cron_tz")) or "UTC"
    cron = _MACROS.get(cron.lower(), cron)
    try:
        ZoneInfo(zone)
    except (KeyError, OSError, ValueError):
        return None
    return Schedule(cron, None, zone) if len(cron.split()) == _FIELDS else None
