"""Ingestion source openlineage: runs of jobs that speak OpenLineage (Airflow, Spark, dbt, Flink, …), as they tell of themselves."""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from dqmon.ingestion.base.openlineage_events import Names, Resolve
from dqmon.ingestion.base.pushed import Pushed, PushedOptions

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dqmon.core.protocols import Warehouse


class OpenlineageOptions(PushedOptions):
    """Options of the source openlineage.

    token: 16 characters or more, a secret; each request must carry it (OPENLINEAGE_API_KEY of the producer, auth type api_key).
    It alone says which source is meant, so no two sources may have the same. namespaces: which warehouse a namespace of datasets
    is, such as `"postgres://db:5432": main`; datasets of other namespaces keep their names and have no place in the lineage.
    job_namespace: the one whose jobs are taken; a pipeline is then named as the job, else `namespace/job`. pipelines: jobs that
    are expected, each with when it should start (cron in timezone, or every), for missed_schedule; others are taken as well.
    """

    namespaces: dict[str, str] = Field(default_factory=dict)
    job_namespace: str | None = Field(default=None, min_length=1)


class Openlineage(Pushed):
    """Run events posted to `/api/v1/lineage`, or many at once to `/api/v1/lineage/batch` (docs/web.md).

    START and RUNNING are a load that runs (RUNNING is a sign of life), COMPLETE one that succeeded, FAIL one that failed, ABORT one
    that was cancelled; OTHER only adds to what is known. Events may come twice and in any order. The run's id is the load's;
    times are the events' own, those up to 5 minutes in the future are taken for now and later ones are refused. nominalTime says
    for when it was scheduled, errorMessage why it failed, outputStatistics how many rows each output got, schema its columns, which
    are compared with those of the load before. Inputs and outputs of known namespaces are kept as lineage: a table that
    a job no longer reads or writes is forgotten when no event has named it there for 90 days (`retention: loads`).

    A run that sends nothing leaves no trace, so no event is no evidence that nothing ran: give a job that matters a schedule.
    Tried with events of openlineage-python 1.54, against the schemas of specification 2-0-2.
    """

    type: ClassVar[str] = "openlineage"
    Options: ClassVar[builtins.type[BaseModel]] = OpenlineageOptions
    provides: ClassVar[frozenset[str]] = frozenset(
        {"success", "failures", "running", "duration", "heartbeat", "rows", "schema", "schedule"}
    )

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        super().__init__(name, options, warehouse)
        assert isinstance(options, OpenlineageOptions)  # noqa: S101 - the configuration made them of this very class
        self._options = options

    def names(self, resolve: Resolve) -> Names:
        """How the names of events become dqmon's; `resolve` knows the warehouses' own schemas and catalogs."""
        return Names(self.name, self._options.namespaces, self._options.job_namespace, resolve)
