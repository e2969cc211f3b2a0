"""An OpenLineage event as dqmon takes it: https://openlineage.io/apidocs/openapi. Pure; nothing in an event is trusted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, TypeAlias

from dqmon.core.lineage import Edge
from dqmon.core.load_record import LoadStatus
from dqmon.core.table import TableRef, quote_part
from dqmon.ingestion.base.json_fields import count, instant, mapping, text
from dqmon.ingestion.base.pushed import LONGEST_RUN_ID, named

if TYPE_CHECKING:
    from dqmon.core.plain import Json

AHEAD = timedelta(minutes=5)
"""How far a producer's clock may go ahead of dqmon's."""
MOST_DATASETS = 1_000
"""Inputs, or outputs, of one event."""
MOST_COLUMNS = 2_000
"""Columns of a table that are kept, nested ones counted; tables of more are compared by these."""
STATUSES = {
    "START": LoadStatus.RUNNING,
    "RUNNING": LoadStatus.RUNNING,
    "COMPLETE": LoadStatus.SUCCEEDED,
    "FAIL": LoadStatus.FAILED,
    "ABORT": LoadStatus.CANCELLED,
    "OTHER": None,
}

Resolve: TypeAlias = Callable[[str, str], TableRef]
"""The table that a warehouse's name and a dotted text mean (`config.targets.Facts.table`). ValueError when it is none."""


@dataclass(frozen=True, slots=True)
class Output:
    """What a run says of a table that it wrote; `columns` are lines of name, tab and type, None when it does not say."""

    rows: int | None
    columns: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Event:
    """A run event. `status` is None for OTHER, which only tells more. `outputs` are by table as dqmon names it."""

    kind: str
    pipeline: str
    run_id: str
    at: datetime
    status: LoadStatus | None
    scheduled_for: datetime | None = None
    error: str | None = None
    outputs: Mapping[str, Output] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Names:
    """How the names of events become dqmon's: `source` is the source's name, `namespaces` map those of datasets to warehouses.

    job_namespace: the one whose jobs are meant; None: all, and a pipeline is then named `namespace/name`.
    """

    source: str
    namespaces: Mapping[str, str]
    job_namespace: str | None
    resolve: Resolve

    def pipeline(self, job: Mapping[str, Json]) -> str | None:
        """The pipeline of a job; None for a job of another namespace. Raises ValueError."""
        namespace, name = named(job.get("namespace"), "job.namespace"), named(job.get("name"), "job.name")
        if self.job_namespace is None:
            return named(f"{namespace}/{name}", "job.namespace and job.name together")
        return name if namespace == self.job_namespace else None

    def table(self, dataset: Mapping[str, Json]) -> tuple[str, TableRef | None]:
        """What the dataset is called, and the table that it is; None for one of no warehouse of the options. Raises ValueError."""
        namespace, name = named(dataset.get("namespace"), "the namespace of a dataset"), named(dataset.get("name"), "the name of a dataset")
        warehouse = self.namespaces.get(namespace)
        if warehouse is None:
            return name, None
        try:
            found = self.resolve(warehouse, ".".join(quote_part(part) for part in name.split(".")))
            table = named(found.dataset, "the table's name")
        except ValueError:
            return name, None
        return table, found


def read_event(event: Json, names: Names, now: datetime) -> tuple[Event | None, tuple[Edge, ...]]:
    """The run event, and what is made from what; None for the static events of jobs and datasets and for other namespaces' jobs.

    Raises ValueError with a sentence for whoever sent it.
    """
    if not isinstance(event, dict):
        raise ValueError("an event must be a JSON object; see https://openlineage.io/apidocs/openapi")  # noqa: TRY004 - of what was sent
    at = _event_time(event, now)
    if "job" not in event and "dataset" in event:
        return None, ()
    pipeline = names.pipeline(_object(event, "job"))
    if pipeline is None:
        return None, ()
    inputs, outputs = ([(names.table(one), one) for one in _objects(event, key)] for key in ("inputs", "outputs"))
    node = f"{names.source}/{pipeline}"
    edges = (
        *(Edge(str(table), node) for (_, table), _ in outputs if table is not None),
        *(Edge(node, str(table)) for (_, table), _ in inputs if table is not None),
    )
    if "run" not in event:
        return None, edges
    run, kind = _object(event, "run"), event.get("eventType", "OTHER")
    if not isinstance(kind, str) or kind not in STATUSES:
        raise ValueError(f"eventType must be one of {', '.join(STATUSES)}")
    facets = mapping(run.get("facets"))
    found = Event(
        kind=kind,
        pipeline=pipeline,
        run_id=named(run.get("runId"), "run.runId", LONGEST_RUN_ID),
        at=at,
        status=STATUSES[kind],
        scheduled_for=instant(mapping(facets.get("nominalTime")).get("nominalStartTime")),
        error=text(mapping(facets.get("errorMessage")).get("message")),
        outputs={name: _output(one) for (name, _), one in outputs},
    )
    return found, edges


def _event_time(event: Mapping[str, Json], now: datetime) -> datetime:
    """When it happened: in the future by up to AHEAD it is now, by more it is refused."""
    at = instant(event.get("eventTime")) if isinstance(event.get("eventTime"), str) else None
    if at is None:
        raise ValueError("eventTime is missing or no time; write it as 2026-11-20T12:00:00Z")
    if at > now + AHEAD:
        raise ValueError(f"eventTime is more than {AHEAD.seconds // 60} minutes in the future; is the sender's clock right?")
    return min(at, now)


def _object(event: Mapping[str, Json], key: str) -> Mapping[str, Json]:
    found = event.get(key)
    if not isinstance(found, dict):
        raise ValueError(f"{key} is missing; a JSON object is expected")  # noqa: TRY004 - of what was sent
    return found


def _objects(event: Mapping[str, Json], key: str) -> list[Mapping[str, Json]]:
    found = event.get(key) or []
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError(f"{key} must be a list of datasets")
    if len(found) > MOST_DATASETS:
        raise ValueError(f"{key} lists {len(found):,} datasets; {MOST_DATASETS:,} are taken at most")
    return found


def _output(dataset: Mapping[str, Json]) -> Output:
    statistics = mapping(mapping(dataset.get("outputFacets")).get("outputStatistics"))
    fields = mapping(mapping(dataset.get("facets")).get("schema")).get("fields")
    columns = tuple(line for line, _ in zip(_columns(fields), range(MOST_COLUMNS), strict=False)) if isinstance(fields, list) else None
    return Output(count(statistics.get("rowCount")), columns)


def _columns(fields: Json, prefix: str = "") -> Iterator[str]:
    """Name, tab and type of each field; of a nested one under its parent's name, with a dot. As deep as JSON may be nested at all."""
    for one in fields if isinstance(fields, list) else ():
        name = text(mapping(one).get("name"))
        if name is None:
            continue
        full = " ".join(f"{prefix}{name}".split())
        yield f"{full}\t{' '.join((text(one.get('type')) or '?').split())}"
        yield from _columns(one.get("fields"), f"{full}.")
