"""Ingestion source kinesis: how far the readers of Kinesis data streams are behind (iterator age)."""

from __future__ import annotations

import builtins
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, ClassVar, TypeAlias

from pydantic import Field

from dqmon.core.load_record import Backlog, LoadRecord, PipelineInfo
from dqmon.ingestion.base.aws import Aws, AwsOptions

if TYPE_CHECKING:
    from pydantic import BaseModel

    from dqmon.core.protocols import Warehouse

LOOK_BACK = timedelta(hours=3)
"""How much of a stream's metrics is looked at."""
SILENT = timedelta(minutes=15)
"""A stream of which nothing was read for so long has no reader; CloudWatch is a few minutes late itself."""
PERIOD_S = 60
"""Kinesis sends a value a minute: https://docs.aws.amazon.com/streams/latest/dev/monitoring-with-cloudwatch.html"""
STREAMS_A_CALL = 250
"""Two queries a stream; GetMetricData takes 500: https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html"""
_AGE, _INCOMING = ("GetRecords.IteratorAgeMilliseconds", "Maximum"), ("IncomingRecords", "Sum")
_Points: TypeAlias = list[tuple[datetime, float]]


class KinesisOptions(AwsOptions):
    """Options of the source kinesis.

    streams: only these; all of the region without. The credentials need kinesis:ListStreams and cloudwatch:GetMetricData. With
    base_url, both services are asked there.
    """

    streams: tuple[str, ...] = Field(default=(), strict=False)


class Kinesis:
    """Data streams, one pipeline each; the backlog is in seconds, that of the reader which is farthest behind.

    It is the age of the record that was last read (GetRecords.IteratorAgeMilliseconds, the highest of all shards and readers),
    as CloudWatch told it for the last minute. CloudWatch tells no age while nobody reads: then, after 15 minutes of silence,
    what counts is since when records have come in that nobody can have read, up to 3 hours. A stream that neither got nor
    gave a record has no backlog that could be told. Readers by enhanced fan-out are not seen: they have metrics of their own.
    There are no loads: a stream has neither runs nor an end.

    Run against moto's server only.
    """

    type: ClassVar[str] = "kinesis"
    Options: ClassVar[builtins.type[BaseModel]] = KinesisOptions
    provides: ClassVar[frozenset[str]] = frozenset({"backlog"})

    def __init__(self, name: str, options: BaseModel, warehouse: Warehouse | None) -> None:
        del warehouse
        assert isinstance(options, KinesisOptions)  # noqa: S101 - the configuration made them of this very class
        self.name = name
        self._wanted = frozenset(options.streams)
        self._kinesis = Aws(options, name, "kinesis")
        self._cloudwatch = Aws(options, name, "cloudwatch")

    def pipelines(self) -> tuple[PipelineInfo, ...]:
        """All streams that are there, by name."""
        return tuple(PipelineInfo(self.name, stream) for stream in self._streams())

    def loads(self, since: datetime, until: datetime) -> tuple[LoadRecord, ...]:
        """Nothing: a stream has no runs."""
        del since, until
        return ()

    def backlog(self, at: datetime) -> tuple[Backlog, ...]:
        """How many seconds each stream's slowest reader is behind."""
        streams = self._streams()
        found = []
        for first in range(0, len(streams), STREAMS_A_CALL):
            for stream, (ages, incoming) in self._points(streams[first : first + STREAMS_A_CALL], at).items():
                seconds = _behind(ages, incoming, at)
                if seconds is not None:
                    oldest = at - timedelta(seconds=seconds) if seconds else None
                    found.append(Backlog(self.name, stream, seconds, "seconds", at, oldest_pending_at=oldest))
        return tuple(found)

    def _streams(self) -> list[str]:
        found = self._kinesis.all("list_streams", "StreamNames")
        return sorted(stream for stream in found if not self._wanted or stream in self._wanted)

    def _points(self, streams: Sequence[str], at: datetime) -> Mapping[str, tuple[_Points, _Points]]:
        """The ages and the incoming records of each stream, oldest first."""
        found: dict[str, tuple[_Points, _Points]] = {stream: ([], []) for stream in streams}
        queries = list(_queries(streams))
        asked: dict[str, Any] = {"MetricDataQueries": queries, "StartTime": at - LOOK_BACK, "EndTime": at, "ScanBy": "TimestampAscending"}
        for result in self._cloudwatch.all("get_metric_data", "MetricDataResults", **asked):
            if result.get("StatusCode") in ("Forbidden", "InternalError"):
                raise self._cloudwatch.error(f"get_metric_data: {result['StatusCode']}")
            kind, index = result["Id"][0], int(result["Id"][1:])
            times = (time.astimezone(UTC) for time in result.get("Timestamps") or ())
            found[streams[index]]["ai".index(kind)].extend(zip(times, result.get("Values") or (), strict=True))
        return {stream: (sorted(ages), sorted(incoming)) for stream, (ages, incoming) in found.items()}


def _queries(streams: Sequence[str]) -> Iterator[dict[str, Any]]:
    """For the first stream a0, its ages, and i0, its incoming records."""
    for index, stream in enumerate(streams):
        for kind, (metric, statistic) in (("a", _AGE), ("i", _INCOMING)):
            named = {"Namespace": "AWS/Kinesis", "MetricName": metric, "Dimensions": [{"Name": "StreamName", "Value": stream}]}
            yield {"Id": f"{kind}{index}", "MetricStat": {"Metric": named, "Period": PERIOD_S, "Stat": statistic}}


def _behind(ages: _Points, incoming: _Points, at: datetime) -> int | None:
    """Whole seconds; None where it cannot be said."""
    if ages and at - ages[-1][0] <= SILENT:
        return int(ages[-1][1] / 1000)
    unread = [time for time, records in incoming if records > 0 and (not ages or time > ages[-1][0])]
    if unread:
        return int((at - unread[0]).total_seconds())
    # Who had nearly caught up, and stopped, has left nothing; how much the others left, nobody knows.
    return 0 if ages and ages[-1][1] < PERIOD_S * 1000 else None
