"""Ingestion source dlt: what dlt's own tables and the `_dlt_load_id` of the rows say of its loads."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.core.options import SourceOptions
from dqmon.core.table import quote_part
from dqmon.errors import SourceError
from dqmon.ingestion.base.dlt_tables import reading

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dqmon.core.protocols import Warehouse
    from dqmon.ingestion.base.dlt_tables import Catalog

LATE = timedelta(days=1)
"""A package may wait this long between its creation, which its id tells, and its first rows in the warehouse."""
_COMPLETED = 0
"""The only status that dlt writes, when a package is complete (dlt 1.31, `complete_load`)."""


class DltOptions(SourceOptions):
    """Options of the source dlt.

    warehouse: where dlt loads to. dataset: dlt's `dataset_name`, a schema of that warehouse.
    """

    warehouse: str
    dataset: str

    def reads(self) -> tuple[str, ...]:
        """The tables of dlt itself, and those that it loads."""
        return (f"{quote_part(self.dataset)}.*",)


class Dlt:
    """Loads of dlt pipelines. A load is SUCCEEDED only with its row in `_dlt_loads`, which dlt writes last.

    A load id that rows or states carry without such a row is PARTIAL: still running, or failed half-way. Each load is
    one record with all its rows, and one for each root table that has rows of it (with `table`). `started_at` is when
    dlt made the package, `finished_at` when it was completed. A run that yields no rows leaves no trace at all.
    Reading costs one pass over the column `_dlt_load_id` of each root table, and six small statements.

    Run live on dlt 1.31 with DuckDB; on PostgreSQL on what dlt left there. Other destinations were not run.
    """

    type: ClassVar[str] = "dlt"
    Options: ClassVar[builtins.type[BaseModel]] = DltOptions
    provides: ClassVar[frozenset[str]] = frozenset({"success", "rows", "orphans"})

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        assert isinstance(options, DltOptions)  # noqa: S101 - the configuration made them of this very class
        if warehouse is None:
            msg = f"ingestion {name}: warehouse {options.warehouse!r} is not configured"
            raise SourceError(msg)
        self.name = name
        self._dataset = options.dataset
        self._warehouse = warehouse

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """All pipelines that have loaded into the dataset, by name."""
        with reading(self.name, self._dataset, self._warehouse) as tables:
            return self._infos(tables.catalog(datetime.max.replace(tzinfo=UTC)))

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """Loads completed in [since, until), and the incomplete ones made since then (a day earlier at most)."""
        return self.both(since, until)[1]

    def both(self, since: datetime, until: datetime) -> tuple[tuple[PipelineInfo, ...], tuple[LoadRecord, ...]]:
        """`pipelines` and `loads`, with the warehouse opened once."""
        low = f"{(since - LATE).timestamp():.6f}"
        with reading(self.name, self._dataset, self._warehouse) as tables:
            completed = tables.completed(since, until)
            catalog = tables.catalog(since - LATE)
            counts = tables.rows(catalog.tables, since, until, low)
            stateful = tables.orphan_states(low)
        found = []
        for load_id, (schema, raw, at) in completed.items():
            status = LoadStatus.SUCCEEDED if raw == _COMPLETED else LoadStatus.UNKNOWN
            found += self._records(load_id, catalog.pipeline(load_id, schema), status, counts.get(load_id, {}), (at, until))
        for load_id in dict.fromkeys([*stateful, *counts]):
            made = _made_at(load_id)
            if load_id not in completed and (made is None or made < until):
                rows = counts.get(load_id, {})
                schema = next((catalog.tables[table] for table in rows), "")
                found += self._records(load_id, catalog.pipeline(load_id, schema), LoadStatus.PARTIAL, rows, (None, until))
        found.sort(key=lambda r: (r.started_at or until, r.load_id, r.table or ""))
        return self._infos(catalog), tuple(found)

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """Nothing: dlt has no queue that others can see."""
        del at
        return ()

    def _infos(self, catalog: Catalog) -> tuple[PipelineInfo, ...]:
        names: dict[str, list[str]] = {pipeline: [] for pipeline in sorted(catalog.by_schema.values())}
        for table, schema in sorted(catalog.tables.items()):
            names[catalog.by_schema[schema]].append(table)
        return tuple(PipelineInfo(self.name, pipeline, tuple(found)) for pipeline, found in names.items())

    def _records(
        self,
        load_id: str,
        pipeline: str,
        status: LoadStatus,
        rows_by_table: Mapping[str, int],
        times: tuple[datetime | None, datetime],
    ) -> list[LoadRecord]:
        """The records of one load: as a whole, then for each table; `times` are those of completing and observing."""
        error = "rows of it are there, but dlt never completed it" if status is LoadStatus.PARTIAL else None
        amounts: list[tuple[str | None, int]] = [(None, sum(rows_by_table.values())), *sorted(rows_by_table.items())]
        return [
            LoadRecord(
                source=self.name,
                pipeline=pipeline,
                load_id=load_id,
                status=status,
                observed_at=times[1],
                table=table,
                started_at=_made_at(load_id),
                finished_at=times[0],
                rows=rows,
                error=error,
            )
            for table, rows in amounts
        ]


def _made_at(load_id: str) -> datetime | None:
    """When the package was made: a load id is the unix time of that; None for an id of another form."""
    try:
        return datetime.fromtimestamp(float(load_id), UTC)
    except (ValueError, OverflowError, OSError):
        return None
