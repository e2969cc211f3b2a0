"""Ingestion source journal: a file with a JSON object for each load, `{"pipeline", "load_id", "finished_at", "rows"}`."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import ClassVar

from dqmon.core.load_record import Backlog, LoadRecord, LoadStatus, PipelineInfo
from dqmon.core.options import SourceOptions
from dqmon.core.protocols import Warehouse
from dqmon.errors import SourceError


class JournalOptions(SourceOptions):
    """path: the file."""

    path: str


class Journal:
    """Reads the file anew each time."""

    type: ClassVar[str] = "journal"
    Options: ClassVar[type[JournalOptions]] = JournalOptions
    provides: ClassVar[frozenset[str]] = frozenset({"success", "rows"})

    def __init__(self, name: str, options: JournalOptions, warehouse: Warehouse | None) -> None:
        self.name = name
        self._path = Path(options.path)

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """The pipelines that have a line."""
        return tuple(PipelineInfo(self.name, pipeline) for pipeline in sorted({line["pipeline"] for line in self._lines()}))

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """The loads that finished in [since, until)."""
        found = []
        for line in self._lines():
            finished = datetime.fromisoformat(line["finished_at"])
            if since <= finished < until:
                found.append(
                    LoadRecord(
                        source=self.name,
                        pipeline=line["pipeline"],
                        load_id=line["load_id"],
                        status=LoadStatus.SUCCEEDED,
                        observed_at=until,
                        started_at=finished,
                        finished_at=finished,
                        rows=line["rows"],
                    )
                )
        return tuple(sorted(found, key=lambda record: record.finished_at or until))

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """A journal has none."""
        return ()

    def _lines(self) -> list[dict[str, object]]:
        try:
            return [json.loads(line) for line in self._path.read_text().splitlines()]
        except OSError as e:
            raise SourceError(f"{self._path} cannot be read: {e.strerror}") from e
