"""Ingestion source dbt: what the artifacts of the newest invocations say (INGESTION.md, dbt)."""

from __future__ import annotations

import builtins
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pydantic import Field

from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.core.options import ProjectPath, SourceOptions
from dqmon.errors import SourceError
from dqmon.ingestion.base.artifact_file import Artifact, ArtifactFile
from dqmon.ingestion.base.dbt_artifacts import Manifest, manifest, slim_node, slim_result
from dqmon.ingestion.base.dbt_records import measured, ran
from dqmon.ingestion.base.json_fields import instant, mapping, text

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dqmon.core.plain import Json
    from dqmon.core.protocols import Warehouse

_NOT_DBTS = "is not what dbt writes: a metadata.dbt_schema_version of {} and a generated_at are expected"


class DbtOptions(SourceOptions):
    """Options of the source dbt.

    target: dbt's target folder, with manifest.json, run_results.json and sources.json. max_file_mb: a larger one is
    refused. expect_all_sources: false where `dbt source freshness` runs with --select, so that sources may be absent.
    """

    target: ProjectPath
    max_file_mb: int = Field(default=64, ge=1, le=1024)
    expect_all_sources: bool = True


class Dbt:
    """Invocations of one dbt project, from the files that dbt leaves in its target folder.

    Three pipelines: `<project>` (run, build, seed, snapshot, clone, retry), `<project>.tests` (test) and
    `<project>.freshness` (source freshness). Each invocation is one record, FAILED when a node, a test or a source of it
    failed, and one record for each table of it, named `schema.table`. `rows_rejected` are the failures that dbt's tests
    of the table counted, `data_through` is the newest row of a source. `rows` only where the adapter tells them.

    A source that has freshness limits but is absent from sources.json is FAILED: dbt leaves out those that it could not
    query. Each command overwrites run_results.json, so that an invocation that is followed by another one (`dbt compile`,
    too) within `poll_every` is missed. Tables that dbt skipped say nothing of why; the failed test or table before them does.

    Reads manifest v12, run-results v6 and sources v3 (dbt-core 1.12), on files that dbt-core 1.12.0 with dbt-duckdb
    really wrote; the words "partial success" and "no-op", and rows of an adapter, are compiled from the documentation, not run.
    """

    type: ClassVar[str] = "dbt"
    Options: ClassVar[builtins.type[BaseModel]] = DbtOptions
    provides: ClassVar[frozenset[str]] = frozenset({"success", "failures", "duration", "rows", "rejects"})

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        assert isinstance(options, DbtOptions)  # noqa: S101 - the configuration made them of this very class
        del warehouse
        self.name = name
        folder, limit = Path(options.target), options.max_file_mb
        self._expects_all = options.expect_all_sources
        self._manifest = ArtifactFile(name, folder / "manifest.json", limit, slim_node)
        self._results = ArtifactFile(name, folder / "run_results.json", limit, slim_result)
        self._sources = ArtifactFile(name, folder / "sources.json", limit, slim_result)

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """The project, its tests, and the freshness of its sources if it has limits for any."""
        project = self._project()
        sources = tuple(sorted(project.table(id_) for id_ in project.expected))
        models = tuple(sorted(table for id_, table in project.tables.items() if not id_.startswith("source.")))
        found = [PipelineInfo(self.name, project.project, models), PipelineInfo(self.name, f"{project.project}.tests", models)]
        return (*found, PipelineInfo(self.name, f"{project.project}.freshness", sources)) if sources else tuple(found)

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """The invocations that ended in [since, until), or whose files were put there since then (by a copy, say)."""
        project = self._project()
        found: list[LoadRecord] = []
        for file, kind in ((self._results, "run-results"), (self._sources, "sources")):
            artifact = file.read()
            if artifact is None:
                continue
            ended = _generated_at(artifact, kind)
            if ended is None:
                raise file.error(_NOT_DBTS.format(kind))
            if ended < until and (since <= ended or since <= artifact.changed_at < until):
                whole = _invocation(self.name, artifact.content, ended, until)
                found += (
                    ran(artifact.content, project, whole)
                    if kind == "run-results"
                    else measured(artifact.content, project, whole, expects_all=self._expects_all)
                )
        return tuple(sorted(found, key=lambda r: (r.started_at or r.finished_at or until, r.pipeline, r.table or "")))

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """Nothing: dbt has no queue."""
        del at
        return ()

    def _project(self) -> Manifest:
        artifact = self._manifest.read()
        if artifact is None:
            raise SourceError(
                f"ingestion {self.name}: there is no manifest.json; target: must be dbt's target folder, after dbt has run once"
            )
        if _generated_at(artifact, "manifest") is None:
            raise self._manifest.error(_NOT_DBTS.format("manifest"))
        return manifest(artifact.content)


def _generated_at(artifact: Artifact, kind: str) -> datetime | None:
    """When dbt finished the artifact; None unless it says that it is one of this kind."""
    metadata = mapping(artifact.content.get("metadata"))
    return instant(metadata.get("generated_at")) if f"/dbt/{kind}/" in str(metadata.get("dbt_schema_version")) else None


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
