"""Where dbt's artifacts are: a folder, an object store, or dbt Cloud; and which of them are news."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dqmon.ingestion.base.artifact_file import Artifact, ArtifactFile
from dqmon.ingestion.base.artifact_s3 import S3Artifacts, S3Bucket, S3File
from dqmon.ingestion.base.dbt_artifacts import slim_node, slim_result
from dqmon.ingestion.base.json_fields import instant, mapping

if TYPE_CHECKING:
    from dqmon.core.load_record import LoadRecord, PipelineInfo
    from dqmon.errors import SourceError


class Place(Protocol):
    """What an artifact was read from."""

    def error(self, text: str) -> SourceError:
        """The error to raise for what is wrong with what was read."""


class Target(Place, Protocol):
    """The artifacts of one project. All raise SourceError."""

    def manifest(self) -> Artifact | None:
        """The project's newest manifest.json; None before there is one."""

    def results(self, since: datetime, until: datetime) -> Iterator[tuple[str, Artifact]]:
        """What invocations left that ended in [since, until): `run-results` or `sources`, and what it holds."""

    def jobs(self, project: str, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """The runs of a scheduler beside dbt's own invocations, if there is one."""

    def job_infos(self, project: str) -> tuple[PipelineInfo, ...]:
        """The jobs of that scheduler."""


class TargetFiles:
    """A target folder, here or in an object store, where each command overwrites what the one before left."""

    def __init__(self, manifest: ArtifactFile | S3File, results: ArtifactFile | S3File, sources: ArtifactFile | S3File) -> None:
        self._manifest = manifest
        self._news = (("run-results", results), ("sources", sources))

    def manifest(self) -> Artifact | None:
        """That of the folder."""
        return self._manifest.read()

    def results(self, since: datetime, until: datetime) -> Iterator[tuple[str, Artifact]]:
        """Those of invocations that ended in [since, until), or whose files were put there since then (by a copy, say)."""
        for kind, file in self._news:
            artifact = file.read()
            if artifact is None:
                continue
            ended = generated_at(checked(file, artifact, kind), kind)
            if ended and ended < until and (since <= ended or since <= artifact.changed_at < until):
                yield kind, artifact

    def jobs(self, project: str, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """None: files tell of dbt's own invocations alone."""
        del project, since, until
        return ()

    def job_infos(self, project: str) -> tuple[PipelineInfo, ...]:
        """None, too."""
        del project
        return ()

    def error(self, text: str) -> SourceError:
        """The error to raise for what is wrong with manifest.json."""
        return self._manifest.error(text)


def folder(source: str, path: Path, limit_mb: int) -> TargetFiles:
    """A target folder of this machine."""
    results, sources = (ArtifactFile(source, path / name, limit_mb, slim_result) for name in ("run_results.json", "sources.json"))
    return TargetFiles(ArtifactFile(source, path / "manifest.json", limit_mb, slim_node), results, sources)


def bucket(source: str, options: S3Artifacts, limit_mb: int) -> TargetFiles:
    """A copy of a target folder in an object store."""
    where = S3Bucket(source, options, limit_mb)
    results, sources = (S3File(where, name, slim_result) for name in ("run_results.json", "sources.json"))
    return TargetFiles(S3File(where, "manifest.json", slim_node), results, sources)


def generated_at(artifact: Artifact, kind: str) -> datetime | None:
    """When dbt finished the artifact; None unless it says that it is one of this kind."""
    metadata = mapping(artifact.content.get("metadata"))
    return instant(metadata.get("generated_at")) if f"/dbt/{kind}/" in str(metadata.get("dbt_schema_version")) else None


def checked(place: Place, artifact: Artifact, kind: str) -> Artifact:
    """The artifact, if it is dbt's and of this kind. Raises the SourceError of its place."""
    if generated_at(artifact, kind) is None:
        raise place.error(f"is not what dbt writes: a metadata.dbt_schema_version of {kind} and a generated_at are expected")
    return artifact
