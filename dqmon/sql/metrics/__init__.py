"""The metrics that dqmon's own check types share; one file a family."""

from dqmon.sql.metrics.catalogue import ColumnList
from dqmon.sql.metrics.counts import InvalidRangeCount, MissingCount, NonMissingCount, RowCount
from dqmon.sql.metrics.instants import FutureCount, LatestInstant, MaxIngestionDelay
from dqmon.sql.metrics.keys import CompleteKeyCount, DistinctKeys, DuplicatedKeys, KeyedRows, SurplusRows
from dqmon.sql.metrics.references import MissingReference

__all__ = [
    "ColumnList",
    "CompleteKeyCount",
    "DistinctKeys",
    "DuplicatedKeys",
    "FutureCount",
    "InvalidRangeCount",
    "KeyedRows",
    "LatestInstant",
    "MaxIngestionDelay",
    "MissingCount",
    "MissingReference",
    "NonMissingCount",
    "RowCount",
    "SurplusRows",
]
