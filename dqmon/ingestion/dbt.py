"""Ingestion source dbt: what the artifacts of the newest invocations say."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field, model_validator

from dqmon.core.check import PipelineRef
from dqmon.core.lineage import Lineage
from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.core.options import ProjectPath, SourceOptions
from dqmon.errors import SourceError
from dqmon.ingestion.base.artifact_s3 import S3Artifacts
from dqmon.ingestion.base.dbt_artifacts import Manifest, manifest
from dqmon.ingestion.base.dbt_cloud import CloudRuns, DbtCloud
from dqmon.ingestion.base.dbt_lineage import lineage
from dqmon.ingestion.base.dbt_records import measured, ran
from dqmon.ingestion.base.dbt_target import Target, bucket, checked, folder, generated_at
from dqmon.ingestion.base.json_fields import instant, mapping, text

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dqmon.core.plain import Json
    from dqmon.core.protocols import Warehouse

_MANIFEST_IS = {
    "target": "target: must be dbt's target folder, after dbt has run once",
    "s3": "url: must be where dbt's target folder is copied to after each run",
    "cloud": "no run of the project has succeeded",
}


class DbtOptions(SourceOptions):
    """Options of the source dbt.

    target: dbt's target folder, with manifest.json, run_results.json and sources.json. s3: the same files in an object store.
    cloud: a project of dbt Cloud. One of these three. max_file_mb: a larger file is refused (dbt Cloud: 256 at most).
    expect_all_sources: false where `dbt source freshness` runs with --select, so that sources may be absent.
    warehouse: where dbt's tables are; without it nothing is known of the lineage.
    """

    target: ProjectPath | None = None
    s3: S3Artifacts | None = None
    cloud: DbtCloud | None = None
    max_file_mb: int = Field(default=64, ge=1, le=1024)
    expect_all_sources: bool = True

    @model_validator(mode="after")
    def _has_one_place(self) -> DbtOptions:
        given = [name for name in _MANIFEST_IS if getattr(self, name) is not None]
        if len(given) != 1:
            found = f"{' and '.join(given)} are given" if given else "none is given"
            raise ValueError(f"write one of target, s3 and cloud, where dbt's artifacts are; {found}")
        return self


class Dbt:
    """Invocations of one dbt project, from the files that dbt leaves in its target folder.

    Three pipelines: `<project>` (run, build, seed, snapshot, clone, retry), `<project>.tests` (test) and
    `<project>.freshness` (source freshness). Each invocation is one record, FAILED when a node, a test or a source of it
    failed, and one record for each table of it, named `schema.table`. `rows_rejected` are the failures that dbt's tests
    of the table counted, `data_through` is the newest row of a source. `rows` only where the adapter tells them.

    A source that has freshness limits but is absent from sources.json is FAILED: dbt leaves out those that it could not
    query. Each command overwrites run_results.json, so that an invocation that is followed by another one (`dbt compile`,
    too) within `poll_every` is missed. Tables that dbt skipped say nothing of why; the failed test or table before them does.

    With `warehouse:` the manifest also says what is made from what, and its exposures: `dqmon lineage`. The project's runs stand above
    its own tables; tests are left out, and what has no table (ephemeral models, metrics) is passed through.

    In an object store the files are read again once their ETag changes; the role needs s3:GetObject, and s3:ListBucket to tell a
    missing file. Of dbt Cloud's API v2 each step of each run is read, so that no invocation is missed, and each job is a pipeline
    `<project>.job.<number>` with its runs, also those that break before dbt runs. The rest is the same wherever the files are.

    Reads manifest v12, run-results v6 and sources v3 (dbt-core 1.12), on files that dbt-core 1.12.0 with dbt-duckdb
    really wrote; the words "partial success" and "no-op", rows of an adapter, and dbt Cloud, are compiled from the documentation, not run.
    """

    type: ClassVar[str] = "dbt"
    Options: ClassVar[builtins.type[BaseModel]] = DbtOptions
    provides: ClassVar[frozenset[str]] = frozenset({"success", "failures", "duration", "rows", "rejects"})

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        assert isinstance(options, DbtOptions)  # noqa: S101 - the configuration made them of this very class
        self.name = name
        self._warehouse = warehouse
        self._expects_all = options.expect_all_sources
        self._place = next(place for place in _MANIFEST_IS if getattr(options, place) is not None)
        self._target = _target(name, options)

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """The project, its tests, the freshness of its sources if it has limits for any, and dbt Cloud's jobs."""
        project = self._project()
        sources = tuple(sorted(project.table(id_) for id_ in project.expected))
        models = tuple(sorted(table for id_, table in project.tables.items() if not id_.startswith("source.")))
        found = [PipelineInfo(self.name, project.project, models), PipelineInfo(self.name, f"{project.project}.tests", models)]
        if sources:
            found.append(PipelineInfo(self.name, f"{project.project}.freshness", sources))
        return (*found, *self._target.job_infos(project.project))

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """The invocations that ended in [since, until), or whose files were put there since then (by a copy, say), and dbt Cloud's runs."""
        project = self._project()
        found = list(self._target.jobs(project.project, since, until))
        for kind, artifact in self._target.results(since, until):
            ended = generated_at(artifact, kind)
            assert ended is not None  # noqa: S101 - a target gives dbt's own files only
            whole = _invocation(self.name, artifact.content, ended, until)
            found += (
                ran(artifact.content, project, whole)
                if kind == "run-results"
                else measured(artifact.content, project, whole, expects_all=self._expects_all)
            )
        return tuple(sorted(found, key=lambda r: (r.started_at or r.finished_at or until, r.pipeline, r.load_id, r.table or "")))

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """Nothing: dbt has no queue."""
        del at
        return ()

    def lineage(self) -> Lineage:
        """Tables with their parents and the project's runs above them, and exposures; nothing without the option `warehouse:`."""
        if self._warehouse is None:
            return Lineage()
        content = self._content()
        return lineage(content, PipelineRef(self.name, manifest(content).project), self._warehouse)

    def _project(self) -> Manifest:
        return manifest(self._content())

    def _content(self) -> Mapping[str, Json]:
        artifact = self._target.manifest()
        if artifact is None:
            raise SourceError(f"ingestion {self.name}: there is no manifest.json; {_MANIFEST_IS[self._place]}")
        return checked(self._target, artifact, "manifest").content


def _target(name: str, options: DbtOptions) -> Target:
    if options.cloud is not None:
        return CloudRuns(name, options.cloud, options.max_file_mb)
    if options.s3 is not None:
        return bucket(name, options.s3, options.max_file_mb)
    return folder(name, Path(options.target or ""), options.max_file_mb)


def _invocation(name: str, content: Mapping[str, Json], ended: datetime, at: datetime) -> LoadRecord:
    """What is known of the invocation that left an artifact, before its results are looked at."""
    metadata = mapping(content.get("metadata"))
    begun = instant(metadata.get("invocation_started_at"))
    return LoadRecord(
        source=name,
        pipeline="",
        # Without an id the end is as good as one, since each invocation overwrites the file.
        load_id=text(metadata.get("invocation_id")) or ended.isoformat(),
        status=LoadStatus.UNKNOWN,
        observed_at=at,
        started_at=begun if begun and begun <= ended else None,
        finished_at=ended,
    )
