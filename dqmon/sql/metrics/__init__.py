"""The metrics that dqmon's own check types share; one file a family."""

from dqmon.sql.metrics.catalogue import ColumnList
from dqmon.sql.metrics.counts import InvalidRangeCount, MissingCount, NonMissingCount, RowCount
from dqmon.sql.metrics.instants import FutureCount, LatestInstant, MaxIngestionDelay
from dqmon.sql.metrics.keys import CompleteKeyCount, DistinctKeys, DuplicatedKeys, KeyedRows, SurplusRows
from dqmon.sql.metrics.references import MissingReference
from dqmon.sql.metrics.texts import InvalidFormatCount, InvalidLengthCount, InvalidPatternCount
from dqmon.sql.metrics.values import ListedCount, UnlistedCount

__all__ = [
    "ColumnList",
    "CompleteKeyCount",
    "DistinctKeys",
    "DuplicatedKeys",
    "FutureCount",
    "InvalidFormatCount",
    "InvalidLengthCount",
    "InvalidPatternCount",
    "InvalidRangeCount",
    "KeyedRows",
    "LatestInstant",
    "ListedCount",
    "MaxIngestionDelay",
    "MissingCount",
    "MissingReference",
    "NonMissingCount",
    "RowCount",
    "SurplusRows",
    "UnlistedCount",
]
